"""A database of 0.1.0 with live data is taken over whole: papers of every mode, a correction, invoices that wait.

stores/0.1.0.db.xz was written by the program of commit 032ad0d (schema 6), the last one before the first migration of
0.2.0: `ksef-agent demo` with all its papers, then two invoices with the line down, then a checked backup. Later
versions add a file of their own here; none is ever changed.
"""

from __future__ import annotations

import lzma
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import Transaction
from agent.store.soundness import check
from agent.store.sqlite import SqliteStore
from agent.system.clock import SystemClock
from tests.fakes.agent_with_sandbox import SteppedClock, agent_with_sandbox

STORES = Path(__file__).parents[2] / "reference" / "stores"
NIP = "5265877635"
NEXT_MORNING = datetime(2026, 11, 30, 9, tzinfo=UTC)
SENT = 7
WAITING = ("FV-1/2026/11/000008", "FV-1/2026/11/000009")
"""Of the two that were issued with the line down."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "agent-data" / "agent.db"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(lzma.decompress((STORES / "0.1.0.db.xz").read_bytes()))
    path.chmod(0o600)
    return path


def rows(database: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


KEPT = (
    "SELECT number, mode, state, ksef_number, deadline, totals FROM invoices ORDER BY seq",
    "SELECT invoice_id, version, hex(xml), hex(sha256) FROM versions ORDER BY 1, 2",
    "SELECT invoice_id, hex(xml) FROM upos ORDER BY 1",
    "SELECT seq, kind, chain FROM events ORDER BY seq",
    "SELECT * FROM facts ORDER BY 1",
)


async def test_nothing_is_lost_or_changed(database: Path) -> None:
    before = [rows(database, statement) for statement in KEPT]
    store = await SqliteStore.open(database, SystemClock())
    await store.close()
    for old, statement in zip(before, KEPT, strict=True):
        assert rows(database, statement)[: len(old)] == old, statement
    report = check(database)
    assert not [*report.unfit, *report.damaged]


async def test_every_record_can_be_read(database: Path) -> None:
    ids = [str(row[0]) for row in rows(database, "SELECT id FROM invoices ORDER BY seq")]
    store = await SqliteStore.open(database, SystemClock())

    async def read(tx: Transaction) -> list[InvoiceRecord]:
        return [await tx.invoices.get(each) for each in ids]

    found = await store.read(read)
    await store.close()
    assert {record.mode for record in found} == {
        Mode.ONLINE,
        Mode.OFFLINE24,
        Mode.UNAVAILABILITY,
        Mode.FAILURE,
        Mode.TOTAL_FAILURE,
    }
    assert [record.number for record in found if record.state is InvoiceState.ISSUED] == list(WAITING)
    assert sum(record.state is InvoiceState.ACCEPTED for record in found) == SENT


async def test_what_waited_is_sent_and_numbers_go_on(tmp_path: Path, database: Path) -> None:
    clock = SteppedClock()
    clock.step = NEXT_MORNING - clock.now()
    async with agent_with_sandbox(tmp_path, clock=clock, nip=NIP) as place:
        agent = place.agent
        assert agent.settings.data_dir == database.parent
        await agent.connection.probe()
        sold = await place.sell()
        assert sold.number == "FV-1/2026/11/000010"
        for _ in range(3):
            await agent.queue.pass_once()
        taken = {entry.key[2] for entry in place.sandbox.ledger.entries()}
        assert taken == {*WAITING, sold.number}, "what KSeF had before is not sent again"
        found = {str(row["number"]) async for row in agent.register.rows("2026-11", None)}
        assert found == {f"FV-1/2026/11/{serial:06}" for serial in range(1, 11)} | {"FK-1/2026/11/000001"}
