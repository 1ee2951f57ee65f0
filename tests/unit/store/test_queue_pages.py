"""The queue at a cost that does not follow its length: counters kept in the transaction, pages by index."""

from __future__ import annotations

import random
import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from agent.domain.invoice import Mode
from agent.domain.lifecycle import INVOICE_MOVES, InvoiceState
from agent.domain.outages.deadlines import DeadlineState
from agent.ports import InvoiceChange, QueueCount, SessionKind, Transaction, Unsent, UpoPage
from agent.store.migrate import MIGRATIONS
from agent.store.queries import QUERIES
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next, lead, new_invoice

DEADLINES = (None, date(2026, 11, 25), date(2026, 11, 26), date(2026, 12, 4))
GROWING = ("invoices", "versions", "events", "print_jobs", "upos", "idempotency_keys", "books", "session_upo_documents")
READ_WHOLE = {
    "queue_select": "its conditions follow",
    "invoice_select": "its conditions follow",
    "event_last": "one row, from the end",
    "print_last_of_printers": "a hundred rows, from the end",
    "event_of_kind": "a report of an outage, which a person asks for",
}
"""Queries that may go along a table that grows with every invoice, and why."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "agent.db", FakeClock(), threaded=False)
    yield store
    await store.close()


async def counted(tx: Transaction) -> list[QueueCount]:
    """What the rows themselves say."""
    found = Counter((each.state, each.deadline) for each in await tx.invoices.queue())
    return sorted((QueueCount(*key, count) for key, count in found.items()), key=str)


async def wander(seed: int, tx: Transaction) -> None:
    """Lead invoices along legal moves, turn their deadlines, close cases."""
    choice = random.Random(seed)
    names = [f"{seed}-{number}" for number in range(6)]
    for name in names:
        deadline = choice.choice(DEADLINES)
        await add_next(tx, name, deadline=deadline, deadline_state=DeadlineState.DUE if deadline else "open")
    for _ in range(30):
        invoice_id = f"inv-{choice.choice(names)}"
        record = await tx.invoices.get(invoice_id)
        if record.closed_at is not None:
            continue
        if choice.random() < 0.3:
            deadline = choice.choice(DEADLINES)
            await tx.invoices.set_deadline(invoice_id, deadline, "due" if deadline else "open")
        elif record.state is InvoiceState.REJECTED and choice.random() < 0.5:
            await tx.invoices.note(invoice_id, InvoiceChange(closed_at=FakeClock().now()))
        elif onward := sorted(new for old, new in INVOICE_MOVES if old is record.state):
            to = choice.choice(onward)
            number = f"KSEF-{invoice_id}" if to is InvoiceState.ACCEPTED else None
            await tx.invoices.move(invoice_id, to, InvoiceChange(ksef_number=number))


@pytest.mark.parametrize("seed", range(8))
async def test_the_counters_say_what_the_rows_say(store: SqliteStore, seed: int) -> None:
    await store.write(partial(wander, seed))
    counts = await store.read(lambda tx: tx.invoices.queue_counts())
    assert sorted(counts, key=str) == await store.read(counted)


async def test_a_unit_that_fails_counts_nothing(store: SqliteStore) -> None:
    async def fail(tx: Transaction) -> None:
        await add_next(tx, "a")
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await store.write(fail)
    assert await store.read(lambda tx: tx.invoices.queue_counts()) == []


@pytest.mark.parametrize("limit", [1, 4, 100])
async def test_pages_make_up_the_whole_queue_in_its_order(store: SqliteStore, limit: int) -> None:
    for seed in range(4):
        await store.write(partial(wander, seed))
    whole = await store.read(lambda tx: tx.invoices.queue())
    assert [each.id for each in whole] == [each.id for each in await store.read(lambda tx: tx.invoices.unsent())]
    found: list[Unsent] = []
    while page := await store.read(partial(_page, limit, found[-1] if found else None)):
        found += page
    assert found == whole
    places = [(each.state is not InvoiceState.IN_DOUBT, each.deadline or date.max, each.place) for each in whole]
    assert places == sorted(places)


async def _page(limit: int, after: Unsent | None, tx: Transaction) -> list[Unsent]:
    return await tx.invoices.queue(limit, after)


async def test_due_is_what_its_deadline_presses(store: SqliteStore) -> None:
    async def fill(tx: Transaction) -> None:
        for number, deadline in enumerate((date(2026, 11, 26), None, date(2026, 11, 24), date(2026, 11, 25))):
            await add_next(tx, str(number), deadline=deadline, deadline_state="due" if deadline else "open")
        await lead(tx, "inv-3", InvoiceState.IN_DOUBT)

    await store.write(fill)
    due = await store.read(lambda tx: tx.invoices.due(date(2026, 11, 25), 10))
    assert [each.id for each in due] == ["inv-2"]
    assert [each.id for each in await store.read(lambda tx: tx.invoices.due(date(2026, 11, 26), 1))] == ["inv-2"]


async def test_members_of_a_batch_are_found_by_its_session(store: SqliteStore) -> None:
    async def fill(tx: Transaction) -> None:
        for number in range(4):
            await add_next(tx, str(number))
            await tx.invoices.move(f"inv-{number}", InvoiceState.SENDING)
            await tx.invoices.note(f"inv-{number}", InvoiceChange(session_ref=f"B{number % 2}", invoice_ref=""))
            if number != 3:
                await tx.invoices.move(f"inv-{number}", InvoiceState.SENT)
        await tx.invoices.note("inv-2", InvoiceChange(invoice_ref="its own"))

    await store.write(fill)
    assert await store.read(lambda tx: tx.invoices.asked_sessions()) == ["B0", "B1"]
    assert [each.id for each in await store.read(lambda tx: tx.invoices.in_session("B0", 10))] == ["inv-0"]


async def test_a_total_failure_is_found_without_the_others(store: SqliteStore) -> None:
    async def fill(tx: Transaction) -> None:
        await add_next(tx, "a")
        await add_next(tx, "b", mode=Mode.TOTAL_FAILURE, deadline=None)

    await store.write(fill)
    assert [each.id for each in await store.read(lambda tx: tx.invoices.of_total_failure())] == ["inv-b"]


async def test_what_has_no_upo_is_known_however_its_upo_comes(store: SqliteStore) -> None:
    invoices = [new_invoice(name, serial) for serial, name in enumerate("abc", start=1)]

    async def fill(tx: Transaction) -> None:
        await tx.sessions.use("S", SessionKind.ONLINE)
        await tx.sessions.add_page("S", UpoPage(1, "U", b"<u/>", ()))
        await tx.sessions.add_documents("S", 1, [("KSEF-inv-c", invoices[2].sha256)])  # before its number is here
        for each in invoices:
            await tx.invoices.add(each)
            await lead(tx, each.id, InvoiceState.ACCEPTED)

    await store.write(fill)

    async def missing() -> list[str]:
        return [each.id for each in await store.read(lambda tx: tx.invoices.without_upo())]

    assert await missing() == ["inv-a", "inv-b"]
    await store.write(lambda tx: tx.invoices.add_upo("inv-a", b"<upo/>"))
    assert await missing() == ["inv-b"]
    await store.write(lambda tx: tx.sessions.add_documents("S", 1, [("KSEF-inv-b", bytes(32))]))
    assert await missing() == ["inv-b"], "named with the hash of another file"


def test_no_query_goes_along_a_table_that_grows() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        found = {}
        for name, sql in QUERIES.items():
            names = set(re.findall(r":([a-z_0-9]+)", re.sub(r"--.*", "", sql)))
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(names)).fetchall()
            if any(re.fullmatch(rf"SCAN ({'|'.join(GROWING)})", row[3]) for row in plan):
                found[name] = plan
    assert found.keys() == READ_WHOLE.keys()


def test_the_next_number_is_read_from_its_index() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        sql = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'invoices_gapless'").fetchone()[0]
        (words,) = re.findall(r"\(SELECT max\(serial\) [^)]*\)", sql)
        assert words.strip("()").replace("NEW.series", ":series") in QUERIES["invoice_last_serial"]
        plan = connection.execute(f"EXPLAIN QUERY PLAN {QUERIES['invoice_last_serial']}", {"series": "a"}).fetchall()
        assert any("invoices_serial" in row[3] for row in plan), plan
