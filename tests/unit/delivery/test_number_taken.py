"""440 at a first attempt: the number is another document's. No paper, an alarm at once, and the series goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import Conflict
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.ports import CallOutcome, InvoiceFilter, KsefError, LedgerEntry, LedgerPart, Outcome
from agent.services.delivery.originals import is_final
from agent.services.queries.invoices import IssueAnswer
from agent.settings.model import KsefSettings
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import CASHIER, CONSUMER, SELLER, World, sale, settings, world

FOREIGN = b"\7" * 32
NUMBER = "FV-1/2026/11/{:06}"
KSEF_NUMBER = "5265877635-20261124-0100000000AA-{:02}"


class Strict(FakeGateway):
    """Holds documents of somebody else under our numbers; may refuse, or be unable, to show them."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.unreadable: KsefError | None = None
        self.compare_seconds = 0.0
        self.lists_readable = False
        self.lists_refused: KsefError | None = None
        self.knows: LedgerPart | KsefError = KsefError("brak uprawnień", outcome=CallOutcome.REFUSED, code=403)
        self.asked_ledger = 0

    def take(self, *serials: int) -> None:
        """Somebody else's invoices have these numbers."""
        for serial in serials:
            self.ledger[SELLER.nip, "VAT", NUMBER.format(serial)] = (KSEF_NUMBER.format(serial), FOREIGN)

    async def find_all(self, session_ref: str) -> dict[bytes, Any]:
        if self.lists_refused is not None:
            raise self.lists_refused
        return await super().find_all(session_ref) if self.lists_readable else {}

    async def invoice_sha256(self, ksef_number: str) -> bytes:
        if self.compare_seconds:
            await self.clock.sleep(self.compare_seconds)
        if self.unreadable is not None:
            raise self.unreadable
        return await super().invoice_sha256(ksef_number)

    async def issued_since(self, nip: str, since: object) -> LedgerPart:
        self.asked_ledger += 1
        if isinstance(self.knows, KsefError):
            raise self.knows
        return self.knows


FORBIDDEN = KsefError("brak uprawnienia InvoiceRead", outcome=CallOutcome.REFUSED, code=403)
LATER = KsefError("jeszcze niedostępna", outcome=CallOutcome.REFUSED, code=21165)
NO_ANSWER = KsefError("brak odpowiedzi", outcome=CallOutcome.UNKNOWN)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    clock = FakeClock()
    given = replace(settings(tmp_path), ksef=KsefSettings(batch_from=3))
    async with world(tmp_path, given=given, clock=clock, gateway=Strict(clock)) as found:
        yield found


def ksef(place: World) -> Strict:
    assert isinstance(place.gateway, Strict)
    return place.gateway


async def problems(place: World) -> list[str]:
    await place.problems.refresh()
    return [problem.code for problem in place.health.report().problems]


async def press(place: World, key: str, **changes: Any) -> IssueAnswer:
    """Press, and let time pass until the answer is there."""
    task = asyncio.ensure_future(counter.sale(place, json.dumps(sale(**changes)).encode(), key, CASHIER))
    while not task.done():
        await place.clock.advance(0.1)
    return await task


# --- at the counter ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("buyer", [None, CONSUMER], ids=["firm", "consumer"])
@pytest.mark.parametrize("why", [None, FORBIDDEN, LATER, NO_ANSWER], ids=["read", "forbidden", "later", "no answer"])
async def test_no_paper_calls_a_foreign_document_ours(
    place: World, why: KsefError | None, buyer: dict[str, Any] | None
) -> None:
    ksef(place).take(1)
    ksef(place).unreadable = why
    made = await press(place, "key-1", **({} if buyer is None else {"buyer": buyer}))
    answer = made.invoices[0]
    assert place.printer.papers == []
    assert answer.paper is None
    assert "series-collision" in await problems(place), "at once, whatever could be compared"
    assert "zawołaj kierownika" in answer.hand_over
    decided = why is None or why is FORBIDDEN
    assert answer.record.state is (InvoiceState.REJECTED if decided else InvoiceState.IN_DOUBT)
    mode = "online" if buyer is None or decided else "offline24"
    assert answer.record.mode.value == mode, "as it left; what was refused before its paper never became an invoice"


@pytest.mark.parametrize("why", [None, FORBIDDEN, NO_ANSWER], ids=["read", "forbidden", "no answer"])
async def test_a_comparison_that_outlasts_the_budget_prints_nothing(place: World, why: KsefError | None) -> None:
    """KSeF said 440 in time; only the look at the original takes longer than the customer waits."""
    ksef(place).take(1)
    ksef(place).unreadable = why
    ksef(place).compare_seconds = 10.0
    made = await press(place, "key-1")
    assert made.invoices[0].record.state is InvoiceState.IN_DOUBT
    assert place.printer.papers == []
    assert "series-collision" in await problems(place)
    await place.clock.advance(15.0)
    assert place.printer.papers == []


async def test_a_second_press_of_the_same_key_prints_nothing_either(place: World) -> None:
    ksef(place).take(1)
    ksef(place).unreadable = LATER
    await press(place, "key-1")
    await press(place, "key-1")
    assert place.printer.papers == []


@pytest.mark.parametrize("why", [None, LATER], ids=["rejected", "in doubt"])
async def test_it_is_not_printed_or_shown_by_any_other_way(place: World, why: KsefError | None) -> None:
    ksef(place).take(1)
    ksef(place).unreadable = why
    record = (await press(place, "key-1")).invoices[0].record
    with pytest.raises(Conflict, match="inny dokument"):
        await place.reprinting.reprint(record.id, CASHIER)
    with pytest.raises(Conflict, match="inny dokument"):
        await place.previews.pdf(record.id, "a4")
    with pytest.raises(Conflict, match="inny dokument"):
        await place.previews.text(record.id)
    assert place.printer.papers == []


async def test_what_turns_out_to_be_ours_gets_its_number_and_the_alarm_ends(place: World) -> None:
    """The till was restored by other means, and KSeF has the very bytes: known as soon as they can be compared."""
    ksef(place).take(1)
    ksef(place).unreadable = LATER
    record = (await press(place, "key-1")).invoices[0].record
    key = (SELLER.nip or "", "VAT", record.number)
    ksef(place).ledger[key] = (ksef(place).ledger[key][0], record.sha256)
    ksef(place).unreadable = None
    ksef(place).lists_readable = True
    await place.catch_up()
    now = await place.record(record.id)
    assert (now.state, now.ksef_number) == (InvoiceState.ACCEPTED, KSEF_NUMBER.format(1))
    assert not now.rejection
    assert "series-collision" not in await problems(place)
    await place.reprinting.reprint(record.id, CASHIER)
    assert len(place.printer.papers) == 1


@pytest.mark.parametrize("code", [403, 21173])
async def test_a_session_that_may_not_be_listed_says_nothing_of_the_document(place: World, code: int) -> None:
    """The original lies in another session, of an earlier till say; the document itself may be had by its number."""
    gateway = ksef(place)
    gateway.take(1)
    gateway.lists_refused = KsefError("nie ta sesja", outcome=CallOutcome.REFUSED, code=code)
    shown: list[str] = []

    async def ours(ksef_number: str) -> bytes:
        shown.append(ksef_number)
        (record,) = await place.store.read(lambda tx: tx.invoices.unsent())
        return (await place.record(record.id)).sha256

    gateway.invoice_sha256 = ours  # type: ignore[method-assign]
    made = await press(place, "a")
    assert (await place.record(made.invoices[0].record.id)).state is InvoiceState.ACCEPTED
    assert shown == [KSEF_NUMBER.format(1)]


async def test_a_doubt_that_is_resolved_as_foreign_is_a_collision(place: World) -> None:
    ksef(place).take(1)
    ksef(place).unreadable = LATER
    record = (await press(place, "key-1")).invoices[0].record
    assert record.state is InvoiceState.IN_DOUBT
    ksef(place).unreadable = None
    ksef(place).lists_readable = True
    await place.catch_up()
    assert (await place.record(record.id)).state is InvoiceState.REJECTED
    assert "collision" in await place.log(record.id)


async def test_a_restart_keeps_the_doubt_and_its_alarm(place: World) -> None:
    ksef(place).take(1)
    ksef(place).unreadable = LATER
    record = (await press(place, "key-1")).invoices[0].record
    await place.recover()
    assert (await place.record(record.id)).state is InvoiceState.IN_DOUBT
    assert "series-collision" in await problems(place)


# --- not a first attempt ----------------------------------------------------------------------------------


async def test_a_resend_after_silence_is_a_doubt_as_before_and_the_customer_has_a_paper(place: World) -> None:
    """Its bytes may have arrived the first time, so the 440 is most likely about them."""
    ksef(place).lost_answers = 1
    ksef(place).unreadable = FORBIDDEN
    record = (await press(place, "key-1")).invoices[0].record
    assert len(place.printer.papers) == 1
    await place.catch_up(hours=0.2)
    now = await place.record(record.id)
    assert now.state is InvoiceState.IN_DOUBT
    doubts = [event.data for event in await place.invoices.events(record.id) if event.kind == "in_doubt"]
    assert (doubts[-1]["why"], doubts[-1]["code"]) == ("440: ", 403)
    assert "series-collision" not in await problems(place)
    await place.clock.advance(3600.0)
    assert "in-doubt" in await problems(place), "a doubt that lasts"


async def test_a_send_that_surely_did_not_leave_does_not_count(place: World) -> None:
    ksef(place).take(1)
    ksef(place).unreadable = FORBIDDEN
    ksef(place).send_plan.append(KsefError("odmowa połączenia", outcome=CallOutcome.NOT_SENT))
    record = (await press(place, "key-1")).invoices[0].record
    await place.catch_up()
    assert (await place.record(record.id)).state is InvoiceState.REJECTED, "only the second one left, and it is foreign"


async def test_after_a_restore_an_invoice_of_the_copy_may_be_in_ksef_already(place: World) -> None:
    await place.lose_the_line()
    record = await place.sell()
    await place.store.write(lambda tx: tx.events.append(EventKind.STORE_RESTORED, {}))
    key = (SELLER.nip or "", "VAT", record.number)
    ksef(place).ledger[key] = (KSEF_NUMBER.format(1), record.sha256)
    ksef(place).unreadable = FORBIDDEN
    await place.restore_the_line()
    await place.queue.pass_once()
    assert (await place.record(record.id)).state is InvoiceState.IN_DOUBT
    assert "series-collision" not in await problems(place)


# --- offline first ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 4], ids=["single", "batch"])
@pytest.mark.parametrize("why", [None, FORBIDDEN, LATER], ids=["read", "forbidden", "later"])
async def test_a_440_after_an_offline_paper_is_an_alarm_at_once(
    place: World, why: KsefError | None, count: int
) -> None:
    await place.lose_the_line()
    records = [await place.sell() for _ in range(count)]
    assert len(place.printer.papers) == count
    ksef(place).take(*range(1, count + 1))
    ksef(place).unreadable = why
    await place.restore_the_line()
    for _ in range(3):
        await place.queue.pass_once()
        await place.clock.advance(1.0)
    assert (await problems(place)).count("series-collision") == count
    for record in records:
        assert (await place.record(record.id)).state is not InvoiceState.ACCEPTED
        with pytest.raises(Conflict, match="inny dokument"):
            await place.reprinting.reprint(record.id, CASHIER)
    assert len(place.printer.papers) == count


async def test_a_paper_that_waits_for_the_printer_is_not_printed_after_a_440(place: World) -> None:
    await place.lose_the_line()
    place.printer.plan.append(Outcome.NOT_SENT)
    record = await place.sell()
    ksef(place).take(1)
    await place.restore_the_line()
    await place.queue.pass_once()
    assert (await place.record(record.id)).state is InvoiceState.REJECTED
    for _ in range(20):
        await place.clock.advance(30.0)
    assert place.printer.papers == []


# --- the next press ---------------------------------------------------------------------------------------


def in_ledger(*serials: int) -> LedgerPart:
    entries = [
        LedgerEntry(NUMBER.format(each), "VAT", date(2026, 11, 24), Decimal("1.00"), "PLN", KSEF_NUMBER.format(each))
        for each in serials
    ]
    other = LedgerEntry("FV-2/2026/11/009999", "VAT", date(2026, 11, 24), Decimal("1.00"), "PLN", "x")
    return LedgerPart((other, *entries), complete=True)


async def next_record(place: World, key: str) -> InvoiceRecord:
    return (await press(place, key)).invoices[0].record


async def test_the_series_goes_on_after_the_numbers_that_ksef_knows(place: World) -> None:
    ksef(place).take(1, 2, 3)
    ksef(place).knows = in_ledger(1, 2, 3)
    assert (await next_record(place, "key-1")).state is InvoiceState.REJECTED
    await place.clock.advance(1.0)
    following = await next_record(place, "key-2")
    assert (following.number, following.state) == (NUMBER.format(4), InvoiceState.ACCEPTED)
    assert len(place.printer.papers) == 1
    (event,) = [each for each in await place.all_events() if each.kind == "series_resumed"]
    assert event.data["series"] == "FV-1"
    assert event.data["after"] == 3


async def test_where_ksef_cannot_be_asked_each_number_is_tried_and_none_is_handed_out(place: World) -> None:
    ksef(place).take(1, 2, 3)
    states = [(await next_record(place, f"key-{each}")).state for each in range(1, 5)]
    assert states == [InvoiceState.REJECTED] * 3 + [InvoiceState.ACCEPTED]
    assert len(place.printer.papers) == 1
    assert ksef(place).asked_ledger == 1, "not once for each"


async def test_a_number_far_away_is_left_to_a_manager(place: World) -> None:
    ksef(place).take(1)
    ksef(place).knows = in_ledger(1, 999_999)
    await next_record(place, "key-1")
    await place.clock.advance(1.0)
    assert (await next_record(place, "key-2")).number == NUMBER.format(2)


async def test_serials_stay_in_order_over_a_collision(place: World) -> None:
    ksef(place).take(1)
    for key in ("a", "b", "c"):
        await next_record(place, key)
    found = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))
    assert [record.serial for record in reversed(found)] == [1, 2, 3]


@pytest.mark.parametrize(("code", "final"), [(403, True), (404, True), (410, True), (21164, True), (21165, False)])
def test_an_original_that_will_never_be_shown_is_not_asked_for_again(code: int, final: bool) -> None:
    assert is_final(KsefError("nie ma", outcome=CallOutcome.REFUSED, code=code)) is final
