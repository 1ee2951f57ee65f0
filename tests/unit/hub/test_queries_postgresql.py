"""The hub's statements over PostgreSQL: each finds its rows by an index, however many invoices are stored.

Each is run by EXPLAIN ANALYZE over a filled database: no table that grows with invoices is read through, few rows are
looked at, few pages touched; with a plan for the values given and with one for any, since PostgreSQL takes either. The
database has statistics, as autovacuum gathers them within minutes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import pytest

from agent.hub.store import queries
from agent.hub.store.postgresql.schema import migrate
from agent.hub.store.postgresql.store import STATEMENTS
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import NIP, OTHER_NIP, Postgres

STORED = 6_000
MOST_ROWS = 60
"""Looked at in one table or index, where ten are asked for."""
MOST_PAGES = 120
"""Touched; a changed invoice has a line in each of its indexes. The table of invoices has 1 500 or so."""
GROWING = {"invoices", "contents", "bases", "outcomes", "sessions", "upo_pages", "proofs", "log"}
ALL_OF_A_SELLER = {"in_state": "of states that no round asks for"}

FILL = f"""
SET session_replication_role = replica;
INSERT INTO sellers (nip, name, access, added_at)
VALUES ('{NIP}', '', '{{}}', now()), ('{OTHER_NIP}', '', '{{}}', now());
INSERT INTO tills (nip, name, shop, series, token, added_at)
SELECT '{NIP}', 'till ' || n, '', '[]', sha256(n::text::bytea), now() FROM generate_series(1, 50) n;
INSERT INTO heartbeats (till_id, at, address, database_id, process_id, machine_id, body)
SELECT n, now(), '', '', '', '', '{{}}' FROM generate_series(1, 50) n;
INSERT INTO sessions (reference, nip, kind, used_at, state)
SELECT 'S-' || n, '{NIP}', 'batch', now(), CASE WHEN n > 10 THEN 'settled' ELSE 'expected' END
FROM generate_series(0, {STORED // 10}) n;
INSERT INTO upo_pages (session, page, reference, xml, received_at)
SELECT 'S-' || n, 1, '', '', now() FROM generate_series(0, {STORED // 10}) n;
INSERT INTO invoices (
    sha256, till_id, nip, kind, number, issued_on, gross, currency, buyer_identifier, offline, group_ref, version,
    deadline, urgent_until, received_at, state, session_ref, ksef_number, accepted_at, proven
)
SELECT sha256(n::text::bytea), CASE WHEN n % 2 = 0 THEN 1 ELSE n % 50 + 1 END, '{NIP}', 'VAT', 'FV-' || n,
    date '2026-11-24' - n / 50, n % 5000 || '.00', 'PLN', lpad((n % 5000)::text, 10, '0'), true, 'g' || n / 20, 1,
    date '2026-11-25', CASE WHEN n <= 10 THEN timestamptz '2026-11-24 10:00Z' END,
    timestamptz '2026-11-24 10:00Z' - n * interval '10 minutes',
    CASE WHEN n > 40 THEN 'accepted' WHEN n <= 20 THEN 'waiting' WHEN n <= 25 THEN 'sending' WHEN n <= 30 THEN 'doubt'
        ELSE 'sent' END,
    'S-' || n / 10, CASE WHEN n > 40 THEN '{NIP}-' || lpad(n::text, 8, '0') END,
    CASE WHEN n > 40 THEN timestamptz '2026-11-24 10:00Z' - n * interval '10 minutes' END, n > 60
FROM generate_series(1, {STORED}) n;
INSERT INTO contents SELECT sha256, 'x' FROM invoices;
INSERT INTO bases SELECT sha256, 'FV-' || row_number() OVER () % 5000 FROM invoices;
INSERT INTO proofs SELECT sha256, NULL, session_ref, 1, now() FROM invoices WHERE proven;
INSERT INTO outcomes
SELECT till_id, row_number() OVER (PARTITION BY till_id), now(), sha256, 'sent', '{{}}', 'm' FROM invoices;
INSERT INTO calls (nip, at) SELECT '{NIP}', timestamptz '2026-11-24 10:00Z' - n * interval '1 second'
FROM generate_series(1, 2000) n;
INSERT INTO log (at, kind, nip, data) SELECT now(), 'x', '{NIP}', '{{}}' FROM generate_series(1, {STORED // 4}) n;
SET session_replication_role = origin;
"""

NOON = "2026-11-24 10:00Z"
A_HASH = "\\x" + hashlib.sha256(b"7").hexdigest()
"""Of the invoice FV-7."""
VALUES: Mapping[str, str] = {
    "attempted": "0",
    "beginning": "FV-1",
    "count": "1",
    "day": "2026-11-23",
    "deadline": "2026-11-25",
    "first": "2026-11-23",
    "following": "FV-1\U0010ffff",
    "gross": "7.00",
    "group_ref": "g7",
    "id": "1",
    "identifier": "0000000007",
    "issued_on": "2026-11-24",
    "kind": "VAT",
    "ksef_number": f"{NIP}-00000077",
    "limit": "10",
    "next": "2026-11-24",
    "nip": NIP,
    "number": "FV-77",
    "offline": "true",
    "page": "1",
    "reference": "S-7",
    "seq": "7",
    "session": "S-7",
    "session_ref": "S-7",
    "since": "2026-11-24 09:00Z",
    "slot": "1",
    "state": "sent",
    "till_id": "1",
    "today": "2026-11-24",
    "token": A_HASH,
    "version": "1",
    **dict.fromkeys(("accepted_at", "at", "expires_at", "not_before", "now", "sent_at", "urgent_until"), NOON),
}
"""What a statement is asked with; any other parameter is "new"."""
OF_ONE: Mapping[tuple[str, str], str] = {
    ("by_ksef_beginning", "beginning"): f"{NIP}-0001",
    ("by_ksef_beginning", "following"): f"{NIP}-0001\U0010ffff",
    ("call_add", "at"): "2026-11-24 10:01Z",
    ("calls_forget", "before"): "2026-11-24 09:26:45Z",
    ("calls_since", "since"): "2026-11-24 09:59Z",
    ("invoice_move", "after"): "sending",
    ("invoice_move", "before"): "waiting",
    ("invoice_move", "ksef_number"): "new",
    ("invoice_note", "ksef_number"): "new",
    ("late_upo", "before"): NOON,
    ("leader_check", "token"): "1",
    ("urgent", "now"): "2026-11-24 09:00Z",
    ("without_proof", "before"): NOON,
    ("without_proof", "kind"): "batch",
}
LOOKING = {name for name, sql in queries.POSTGRESQL.items() if re.search("^(SELECT|UPDATE|DELETE)", sql, re.MULTILINE)}
LOOKING -= ALL_OF_A_SELLER.keys()


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> str:
    """A database with some months of a chain."""
    return asyncio.run(_filled(postgres))


async def _filled(postgres: Postgres) -> str:
    dsn = await postgres.own_database()
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection, FakeClock().now())
        for name in GROWING:
            await connection.execute(f"ALTER TABLE {name} SET (fillfactor = 10)")  # pages as of ten times as many rows
        await connection.execute(FILL)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return dsn


@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
async def test_no_statement_reads_through_what_grows(filled: str, plan: str) -> None:
    connection = await asyncpg.connect(filled)
    found: list[str] = []
    try:
        await connection.execute(f"SET plan_cache_mode = {plan}")
        for name in sorted(LOOKING):
            found += await problems_of(connection, name)
    finally:
        await connection.close()
    assert not found, "\n" + "\n".join(found)


async def problems_of(connection: Any, name: str) -> list[str]:
    """Run a statement, undo it, and return what its plan read through, or how much it touched."""
    sql, arguments = STATEMENTS.bound(name, Values(name))
    words = ", ".join(f"'{each}'" for each in map(str, arguments))
    await connection.execute(f"PREPARE asked AS {sql}")
    transaction = connection.transaction()
    await transaction.start()
    try:
        call = f"EXECUTE asked{f'({words})' if words else ''}"
        text = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off, FORMAT JSON) {call}")
    finally:
        await transaction.rollback()
        await connection.execute("DEALLOCATE asked")
    plan = json.loads(text)[0]["Plan"]
    scans = [node for node in nodes(plan) if node.get("Relation Name") in GROWING and "Scan" in node["Node Type"]]
    found = [f"{name} reads through {each['Relation Name']}" for each in scans if each["Node Type"] == "Seq Scan"]
    rows = max(map(looked_at, scans), default=0)
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    much = rows > MOST_ROWS or pages > MOST_PAGES
    return found + ([f"{name} looks at {rows} rows, {pages} pages"] if much else [])


def looked_at(scan: dict[str, Any]) -> int:
    """Return how many rows a scan read, also those it let fall."""
    counts = (scan.get(each, 0) for each in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"))
    return sum(map(int, counts)) * int(scan["Actual Loops"])


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk through a plan."""
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


class Values(Mapping[str, str]):
    """What a statement is asked with."""

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def __getitem__(self, name: str) -> str:
        if name == "sha256":
            return A_HASH
        return OF_ONE.get((self._statement, name)) or VALUES.get(name, "new")

    def __iter__(self) -> Iterator[str]:
        return iter(VALUES)

    def __len__(self) -> int:
        return len(VALUES)
