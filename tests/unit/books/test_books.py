"""The books on a whole agent: months by tax point, what changed since they were filed, and KSeF beside them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from agent.domain.books.jpk import JpkXml
from agent.domain.books.payments import PaymentTable
from agent.domain.books.read import book_entry
from agent.domain.errors import BadInput, Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.filed import RegisteredInvoice, registered
from agent.domain.spreadsheets import EXCEL
from agent.ports import InvoiceFilter, LedgerPart, Rejected, Transaction
from agent.services.presses import Presses
from agent.services.records import books, register
from tests.fakes.filed import filed
from tests.fakes.world import CONSUMER, MANAGER, World, press_until_answered, sale, world
from tests.unit.books.jpk_frame import sales_rows
from tests.unit.corrections.test_correct import FULL, correct, line_back, returned, sell

FILED = date(2026, 11, 24)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


async def jpk(place: World, month: str, as_of: date | None = None) -> list[dict[str, str]]:
    return sales_rows(
        "".join([piece async for piece in place.books.written(month, as_of, JpkXml(), filing=as_of is None)])
    )


async def changes(place: World, month: str, since: date | datetime) -> list[tuple[str, str | None, str | None, bool]]:
    found = await place.books.changes(month, since)
    return [(each.number, each.old, each.new, each.needs_correction) for each in found]


async def no_line(place: World) -> None:
    place.gateway.up = False


async def test_a_sale_of_october_invoiced_in_november_belongs_to_october(place: World) -> None:
    late = await place.sell(sold_on="2026-10-31")
    today = await place.sell(sold_on="2026-11-24")
    (october,) = await jpk(place, "2026-10")
    assert (october["DowodSprzedazy"], october["DataWystawienia"], october["DataSprzedazy"]) == (
        late.number,
        "2026-11-24",
        "2026-10-31",
    )
    (november,) = await jpk(place, "2026-11")
    assert (november["DowodSprzedazy"], november.get("DataSprzedazy")) == (today.number, None)
    assert (november["NrKSeF"], november["K_19"], november["K_15"]) == (today.ksef_number, "100.00", "12.00")
    assert await jpk(place, "2026-12") == []


async def test_many_invoices_are_read_a_few_at_a_time_and_all_listed_once(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "AT_ONCE", 2)
    monkeypatch.setattr(books, "PAGE", 3)
    numbers = [(await place.sell()).number for _ in range(7)]
    assert [row["DowodSprzedazy"] for row in await jpk(place, "2026-11")] == numbers
    numbers += [(await place.sell()).number for _ in range(2)]
    assert [row["DowodSprzedazy"] for row in await jpk(place, "2026-11")] == numbers
    assert await place.books.read_all() == 0


async def _in_two_versions(record: InvoiceRecord, tx: Transaction) -> None:
    xml = record.xml + b"<!-- -->"
    for state in (InvoiceState.SENDING, InvoiceState.SENT, InvoiceState.REJECTED):
        await tx.invoices.move(record.id, state)
    await tx.invoices.add_version(record.id, xml, hashlib.sha256(xml).digest(), ("https://new", None))
    await tx.invoices.move(record.id, InvoiceState.ISSUED)


async def _issued(days: tuple[date, date], limit: int, tx: Transaction) -> list[RegisteredInvoice]:
    return await tx.invoices.issued(days, limit)


async def test_what_the_books_are_given_is_what_the_invoices_say(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the pages: each invoice once, each fact from its column; the counts are those of the rows."""
    base = await sell(place)
    await place.sell(buyer=CONSUMER)
    for _ in range(2):
        await correct(place, base, returned(1, "1"))
    place.gateway.up = False
    for _ in range(3):
        await sell(place)
    twice = await sell(place)
    await place.store.write(partial(_in_two_versions, twice))
    await place.clock.advance(48 * 3600)
    at = {record.id: record for record in await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))}
    whole = sorted(at.values(), key=lambda record: (record.issued_on, record.number))
    assert (len(whole), at[twice.id].version) == (8, 2)
    days = date(2026, 11, 1), date(2026, 11, 30)
    rows = [row async for row in place.register.rows("2026-11", None)]
    for size in (1, 2, 7, 8, 9):
        monkeypatch.setattr(books, "PAGE", size)
        monkeypatch.setattr(register, "PAGE", size)
        for given in (place.books.issued(days), place.books.invoices(days)):
            found = [each async for each in given]
            assert [each.record for each in found] == [filed(record) for record in whole]
            assert [each.entry for each in found] == [book_entry(read(at[each.record.id].xml)) for each in found]
        page = await place.store.read(partial(_issued, days, size))
        assert page == [registered(record) for record in whole[:size]]
        assert [row async for row in place.register.rows("2026-11", None)] == rows
        counts = await place.register.counts("2026-11", None)
        assert counts == {
            "month": "2026-11",
            "invoices": len(rows),
            "offline": sum(row["mode"] != "online" for row in rows),
            "by_mode": {mode.value: sum(row["mode"] == mode.value for row in rows) for mode in Mode},
            "unnumbered": sum(row["ksef_number"] is None for row in rows),
            "late": sum(cast("int", row["days_late"]) > 0 for row in rows),
            "days_late_max": max(cast("int", row["days_late"]) for row in rows),
        }


async def test_what_came_since_is_read_in_the_background_a_round_at_a_time(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "AT_ONCE", 2)
    monkeypatch.setattr(books, "A_ROUND", 4)
    numbers = [(await place.sell()).number for _ in range(7)]
    await place.books.read_some()
    unread = await place.store.read(lambda tx: tx.books.unread(10))
    assert len(unread) == 3
    await place.books.read_some()
    with monkeypatch.context() as patched:
        patched.delattr(books, "read")  # no document is read any more
        assert [row["DowodSprzedazy"] for row in await jpk(place, "2026-11")] == numbers
    log = await place.store.read(lambda tx: tx.events.of_kind(EventKind.BOOKS_READ))
    assert [len(cast("dict[str, str]", event.data["sha256"])) for event in log] == [2, 2, 2, 1]
    await place.sell()
    assert await place.books.read_all() == 1


async def test_whoever_lists_a_month_stands_back_for_a_press(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each page, and before each document that is read."""
    asked: list[str] = []

    async def pass_by(_: Presses) -> None:
        asked.append("")

    for _ in range(3):
        await place.sell()
    monkeypatch.setattr(Presses, "pass_by", pass_by)
    monkeypatch.setattr(books, "PAGE", 2)
    await jpk(place, "2026-11")
    assert len(asked) == 3 + 2
    asked.clear()
    monkeypatch.setattr(register, "PAGE", 2)
    assert [row async for row in place.register.rows("2026-11", None)]
    assert len(asked) == 2
    asked.clear()
    await place.register.counts("2026-11", None)
    assert len(asked) == 30, "before each day"


async def test_what_changed_since_the_filing_is_the_number_that_came_and_the_new_row(place: World) -> None:
    await sell(place)
    place.gateway.up = False
    waiting = await sell(place)
    assert await changes(place, "2026-11", FILED) == []
    await place.clock.advance(24 * 3600)
    await line_back(place)
    added = await sell(place)
    assert await changes(place, "2026-11", FILED) == [
        (waiting.number, "DI", "NrKSeF", True),
        (added.number, None, "NrKSeF", True),
    ]
    assert await changes(place, "2026-11", date(2026, 11, 25)) == []
    assert await changes(place, "2026-10", FILED) == []


async def announced_failure(place: World) -> InvoiceRecord:
    place.latarnia.status = {"status": "FAILURE"}
    place.latarnia.messages = [
        {
            "id": "K/2026/AWR/01", "eventId": 1, "category": "FAILURE", "type": "FAILURE_START", "title": "t",
            "text": "t", "start": "2026-11-24T08:00:00Z", "end": None, "version": 1,
            "published": "2026-11-24T08:00:00Z",
        }
    ]  # fmt: skip
    await place.announcements.poll()
    return await place.sell()


async def test_an_off_needs_no_correction_once_numbered(place: World) -> None:
    place.gateway.up = False
    failed = await announced_failure(place)
    assert failed.mode is Mode.FAILURE
    (row,) = await jpk(place, "2026-11")
    assert row["OFF"] == "1"
    exported = await place.books.exported_at("2026-11")
    assert exported is not None
    await place.clock.advance(3600)
    await line_back(place)
    assert await changes(place, "2026-11", exported) == [(failed.number, "OFF", "NrKSeF", False)]


async def test_an_export_that_names_a_day_is_no_filing(place: World) -> None:
    await place.sell()
    await jpk(place, "2026-11", FILED)
    assert await place.books.exported_at("2026-11") is None
    await jpk(place, "2026-11")
    assert await place.books.exported_at("2026-11") == place.clock.now()
    assert await place.books.exported_at("2026-10") is None


async def test_a_false_total_failure_changes_what_was_filed(place: World) -> None:
    """Filed as BFK; the mode that the log knows of then is compared, not that of now."""
    await place.declarations.declare(Mode.TOTAL_FAILURE, "Komunikat w radiu", MANAGER)
    outside = await place.sell()
    (row,) = await jpk(place, "2026-11")
    assert row["BFK"] == "1"
    await place.clock.advance(3600)
    exported = await place.books.exported_at("2026-11")
    assert exported is not None
    await no_line(place)
    await place.declarations.withdraw("Pomyłka", MANAGER, false_alarm=True)
    assert await changes(place, "2026-11", exported) == [(outside.number, "BFK", "DI", True)]


async def test_what_ksef_refused_after_the_filing_is_taken_back(place: World) -> None:
    place.gateway.pending_answers = 1000
    sent = await press_until_answered(place, "sent")
    assert sent.state is InvoiceState.SENT
    (row,) = await jpk(place, "2026-11")
    assert row["DI"] == "1"
    exported = await place.books.exported_at("2026-11")
    assert exported is not None
    await place.clock.advance(60)
    verdicts = place.gateway._verdicts
    verdicts.update((reference, (sha256, Rejected(450, "błąd"), 0)) for reference, (sha256, _, _) in verdicts.items())
    await place.catch_up()
    assert (await place.record(sent.id)).mode is Mode.ONLINE
    assert await changes(place, "2026-11", exported) == [(sent.number, "DI", None, True)]
    assert await jpk(place, "2026-11") == []


async def test_a_reduction_moves_to_the_month_in_which_it_was_sent(tmp_path: Path) -> None:
    async with world(tmp_path, start=datetime(2026, 11, 30, 20, 0, tzinfo=UTC)) as place:
        base = await sell(place)
        place.gateway.up = False
        made = (await correct(place, base, FULL)).invoices[0].record
        assert [row["DowodSprzedazy"] for row in await jpk(place, "2026-11")] == [base.number]
        await place.clock.advance(12 * 3600)
        await line_back(place)
        assert [row["DowodSprzedazy"] for row in await jpk(place, "2026-11")] == [base.number]
        assert [row["DowodSprzedazy"] for row in await jpk(place, "2026-12")] == [made.number]


@pytest.mark.parametrize("month", ["0001-01", "0001-12", "9999-01", "9999-12"])
async def test_months_at_the_ends_of_the_calendar_are_empty(place: World, month: str) -> None:
    await place.sell()
    assert await jpk(place, month) == []
    assert [each async for each in place.register.rows(month, None)] == []
    assert (await place.register.counts(month, None))["invoices"] == 0
    assert await place.books.changes(month, FILED) == []
    assert (await place.comparisons.of_days(date.min, date.min)).counts.numbered == 0


@pytest.mark.parametrize("month", ["2026-1", "2026-13", "0000-01", "2026-11-01", "listopad", ""])
async def test_what_is_no_month_is_refused(place: World, month: str) -> None:
    with pytest.raises(BadInput):
        await jpk(place, month)


# --- payments ------------------------------------------------------------------------------------------


async def test_payments_stand_by_ksef_number_with_what_is_still_to_come(place: World) -> None:
    both = [{"method": "cash", "amount": "100.00"}, {"method": "card", "amount": "35.60"}]
    paid = await place.sell(payments=both)
    later = await place.sell(payments=[{"method": "transfer", "amount": "135.60", "due": "2026-12-08"}])
    pieces = [piece async for piece in place.books.payments("2026-11", PaymentTable(EXCEL))]
    rows = list(csv.DictReader(io.StringIO("".join(pieces).lstrip(chr(0xFEFF))), delimiter=";"))
    shown = [(row["ksef_number"], row["method"], row["amount"], row["received_on"], row["due"]) for row in rows]
    assert shown == [
        (paid.ksef_number, "cash", "100,00", "2026-11-24", ""),
        (paid.ksef_number, "card", "35,60", "2026-11-24", ""),
        (later.ksef_number, "transfer", "", "", "2026-12-08"),
    ]
    assert {row["gross"] for row in rows} == {"135,60"}


# --- KSeF beside the register --------------------------------------------------------------------------


NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))


async def test_what_is_sold_while_ksef_is_asked_is_not_called_missing_there(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KSeF's list is older than the register beside it: each sale of those seconds was "not-in-ksef"."""
    await place.sell()
    await place.catch_up()
    ask = place.gateway.issued_on

    async def answered_late(nip: str, first: date, last: date) -> LedgerPart:
        part = await ask(nip, first, last)
        await place.sell()
        await place.catch_up()
        return part

    monkeypatch.setattr(place.gateway, "issued_on", answered_late)
    counts = (await place.comparisons.of_days(*NOVEMBER)).counts
    assert (counts.numbered, counts.in_ksef, counts.agreeing, counts.differences) == (1, 1, 1, ())
    monkeypatch.undo()
    place.gateway.held = place.gateway.held[1:]
    (difference,) = (await place.comparisons.of_days(*NOVEMBER)).counts.differences
    assert difference.what == "not-in-ksef"


async def test_register_and_ksef_agree(place: World) -> None:
    await place.sell()
    await place.sell(buyer=CONSUMER)
    place.gateway.up = False
    await place.sell()
    place.gateway.up = True
    found = await place.comparisons.of_days(*NOVEMBER)
    counts = found.counts
    assert found.complete
    assert (counts.numbered, counts.waiting, counts.outside) == (2, 1, 0)
    assert (counts.in_ksef, counts.agreeing, counts.differences) == (2, 2, ())


async def test_what_only_one_of_them_has_is_named(place: World) -> None:
    kept, lost = await place.sell(), await place.sell()
    place.gateway.lost_answers = 1
    unheard = await place.sell()
    assert unheard.ksef_number is None
    entries = {entry.number: entry for entry in place.gateway.held}
    place.gateway.held.remove(entries[lost.number])
    stranger = place.gateway.held[0]
    place.gateway.held.append(type(stranger)("INNA/1", "VAT", stranger.issued_on, stranger.gross, "PLN", "obcy"))
    other = f"{kept.number[:-1]}9"
    place.gateway.held.append(type(stranger)(other, "VAT", stranger.issued_on, stranger.gross, "PLN", "nasz"))
    counts = (await place.comparisons.of_days(*NOVEMBER)).counts
    assert {(each.what, each.number) for each in counts.differences} == {
        ("not-in-ksef", lost.number),
        ("unnumbered-here", unheard.number),
        ("not-here", other),
    }
    assert (counts.unknown_here, counts.agreeing, counts.waiting) == (1, 1, 1)


async def test_what_differs_is_told_word_for_word(place: World) -> None:
    record = await place.sell()
    held = place.gateway.held[0]
    place.gateway.held[0] = type(held)(
        held.number, held.kind, held.issued_on, held.gross + 1, held.currency, held.ksef_number, bytes(32), True
    )
    counts = (await place.comparisons.of_days(*NOVEMBER)).counts
    assert {each.what: (each.here, each.ksef) for each in counts.differences} == {
        "gross-differs": ("135.60", "136.60"),
        "bytes-differ": (record.sha256.hex(), "00" * 32),
        "mode-differs": ("online", "offline"),
    }
    assert counts.agreeing == 0


async def test_more_than_may_be_asked_for_is_said(place: World) -> None:
    for _ in range(3):
        await place.sell()
    place.gateway.most_entries = 2
    found = await place.comparisons.of_days(*NOVEMBER)
    assert (found.complete, found.counts.in_ksef) == (False, 2)
    place.gateway.up = False
    with pytest.raises(Unavailable) as refused:
        await place.comparisons.of_days(*NOVEMBER)
    assert refused.value.code == "ksef-unavailable"


def test_the_sample_sale_has_the_sums_that_the_tests_name() -> None:
    assert [line["vat"] for line in sale()["lines"]] == ["23", "5"]
