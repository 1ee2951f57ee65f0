"""Databases of older schemas with an invoice in them, as an older program would have left them when it was killed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from agent.domain.json_io.canonical import canonical
from agent.domain.records.hash_chain import GENESIS, chain
from agent.store import codec
from agent.store.connection import connect
from agent.store.migrate import MIGRATIONS, migrate
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import new_invoice

_COLUMNS = (
    "id, series, serial, number, kind, issued_on, issued_at, seller_nip, buyer, buyer_identifier, totals, payments,"
    " external_ref, base_id, pressed_by, search, mode, reason, deadline"
)
"""What schema 1 has and an invoice needs. A schema that was released never changes."""
_INVOICE = f"""INSERT INTO invoices ({_COLUMNS}, state, version, deadline_state)
VALUES ({", ".join(f":{name.strip()}" for name in _COLUMNS.split(","))}, 'issued', 1, 'due')"""
_BYTES = """INSERT INTO versions (invoice_id, version, xml, sha256, link_invoice, added_at)
VALUES (:id, 1, :xml, :sha256, :link, :issued_at)"""
_KEY = "INSERT INTO idempotency_keys VALUES ('key-1', :sha256, :id, :issued_at)"
_EVENT = "INSERT INTO events VALUES (1, :issued_at, 'issued', :id, :data, :chain)"
_PRINT = """INSERT INTO print_jobs (id, invoice_id, copy, document, label, state, created_at)
VALUES (1, :id, 1, 'invoice', 'Faktura', 'queued', :issued_at)"""


async def leave_older(database: Path, known: int) -> list[dict[str, Any]]:
    """Make a database that knows the first ``known`` schemas, its WAL beside it; return what it had promised."""
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    database.touch(0o600)  # noqa: ASYNC240
    wal = database.with_name(database.name + "-wal")
    connection = await connect(database, threaded=False)
    promises: list[dict[str, Any]] = []
    await migrate(connection, FakeClock(), MIGRATIONS[:1] if known else ())
    if known:
        invoice = new_invoice("1")
        row: dict[str, Any] = {**codec.invoice_columns(invoice), "data": canonical({"serial": 1})}
        row |= {"xml": invoice.xml, "sha256": hashlib.sha256(invoice.xml).digest(), "link": invoice.link_invoice}
        row["chain"] = chain(GENESIS, str(row["issued_at"]), "issued", invoice.id, str(row["data"]))
        await connection.fetch("BEGIN")
        for statement in (_INVOICE, _BYTES, _KEY, _EVENT, _PRINT):
            await connection.fetch(statement, row)
        await connection.fetch("COMMIT")
        promises = [
            {"event": 1, "chain": row["chain"]},
            {"serial": 1, "sha256": row["sha256"].hex(), "key": "key-1"},
            {"job_state": [1, "queued"]},
        ]
        await migrate(connection, FakeClock(), MIGRATIONS[:known])
    left = {path: path.read_bytes() for path in (database, wal)}
    await connection.close()
    for path, content in left.items():
        path.write_bytes(content)
    return promises
