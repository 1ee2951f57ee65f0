"""What the store gives the books, each fact from its own column: instants that differ, an order that is no other's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from agent.domain.books.entry import BookEntry, BookPart
from agent.domain.calendar import happened_by
from agent.domain.invoice import CorrectedBase, InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.register import RegisterRow, rows_of_page
from agent.ports import InvoiceChange, SessionKind, Transaction, UpoPage
from agent.services.presses import Presses
from agent.services.records.register import RegisterReports
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next, lead, new_invoice

DAY = date(2026, 11, 24)
DAYS = (date(2026, 11, 1), date(2026, 11, 30))
SENT = datetime(2026, 11, 24, 10, 1, 2, 3, tzinfo=UTC)
ACCEPTED = datetime(2026, 11, 24, 22, 59, 59, tzinfo=UTC)
"""One second before the day ends in Poland."""
CLOSED = datetime(2026, 11, 26, 8, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "agent.db", FakeClock(), threaded=False)
    yield opened
    await opened.close()


async def accepted(tx: Transaction, name: str, at: datetime) -> None:
    await add_next(tx, name)
    await lead(tx, f"inv-{name}", InvoiceState.ACCEPTED)
    await tx.invoices.note(f"inv-{name}", InvoiceChange(sent_at=SENT, accepted_at=at))


async def rows(store: SqliteStore) -> list[RegisterRow]:
    page = await store.read(lambda tx: tx.invoices.issued(DAYS, 10))
    return list(rows_of_page(page, as_of=DAY, corrections=()))


async def test_sent_accepted_and_closed_are_not_exchanged(store: SqliteStore) -> None:
    async def work(tx: Transaction) -> None:
        await add_next(tx, "a")
        await lead(tx, "inv-a", InvoiceState.REJECTED)
        await tx.invoices.note("inv-a", InvoiceChange(sent_at=SENT, accepted_at=ACCEPTED, closed_at=CLOSED))
        await tx.books.put("inv-a", BookEntry((BookPart(DAY, None, ()),)))

    await store.write(work)
    by_tax_point = await store.read(lambda tx: tx.books.of_days(DAYS, DAYS, 10))
    by_issue = await store.read(lambda tx: tx.books.issued(DAYS, 10))
    (registered,) = await store.read(lambda tx: tx.invoices.issued(DAYS, 10))
    for record in (by_tax_point[0].record, by_issue[0].record, registered):
        assert (record.sent_at, record.accepted_at, record.closed_at) == (SENT, ACCEPTED, CLOSED)
    (group,) = await store.read(lambda tx: tx.invoices.issued_groups(DAY))
    hours = [at.replace(minute=0, second=0, microsecond=0) for at in (SENT, ACCEPTED, CLOSED)]
    assert [group.sent_at, group.accepted_at, group.closed_at] == hours


async def test_a_count_knows_the_polish_day_of_an_instant(store: SqliteStore) -> None:
    """Accepted at 23:59:59 counts on that day; an hour later, on the same day in UTC, it does not."""

    async def work(tx: Transaction) -> None:
        await accepted(tx, "a", ACCEPTED)
        await accepted(tx, "b", ACCEPTED + timedelta(hours=1))

    await store.write(work)
    clock = FakeClock()
    counts = await RegisterReports(store, clock, Presses(clock)).counts("2026-11", DAY)
    assert (counts["invoices"], counts["unnumbered"]) == (2, 1)
    assert [row.ksef_number for row in await rows(store)] == ["KSEF-inv-a", None]


async def test_the_bases_of_a_correction_keep_their_order(store: SqliteStore) -> None:
    numbers = ("B/2", "C/1", "A/3")

    async def work(tx: Transaction) -> None:
        bases = tuple(CorrectedBase(number, DAY) for number in numbers)
        await add_next(tx, "a", kind="KOR", bases=bases)

    await store.write(work)
    (row,) = await rows(store)
    assert row.bases == numbers
    record = await store.read(lambda tx: tx.invoices.get("inv-a"))
    assert tuple(base.number for base in record.bases) == numbers


async def test_a_upo_of_a_session_confirms_what_it_names(store: SqliteStore) -> None:
    """By KSeF number and hash; what it does not name, or names with another hash, is not confirmed."""

    async def work(tx: Transaction) -> None:
        for name in "abc":
            await accepted(tx, name, ACCEPTED)
        await tx.sessions.use("SB", SessionKind.BATCH)
        named = (("KSEF-inv-a", new_invoice("a").sha256), ("KSEF-inv-b", new_invoice("c").sha256))
        await tx.sessions.add_page("SB", UpoPage(1, "EU", b"<UPO/>", named))
        await tx.sessions.add_documents("SB", 1, named)

    await store.write(work)
    assert [row.upo for row in await rows(store)] == [True, False, False]
    records = [await store.read(partial(_get, f"inv-{name}")) for name in "abc"]
    assert [record.has_upo for record in records] == [True, False, False]


async def _get(invoice_id: str, tx: Transaction) -> InvoiceRecord:
    return await tx.invoices.get(invoice_id)


def test_a_day_ends_at_midnight_in_poland() -> None:
    for day, end in (
        (DAY, datetime(2026, 11, 24, 23, tzinfo=UTC)),
        (date(2026, 7, 1), datetime(2026, 7, 1, 22, tzinfo=UTC)),
        (date(2026, 3, 29), datetime(2026, 3, 29, 22, tzinfo=UTC)),
    ):
        assert happened_by(end - timedelta(microseconds=1), day)
        assert not happened_by(end, day)
    assert happened_by(ACCEPTED, ACCEPTED)
    assert not happened_by(ACCEPTED + timedelta(microseconds=1), ACCEPTED)
