"""What KSeF says and does to an invoice on its way: duplicates, cancelled work, sessions that are over, long waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import AgentError, BadInput, Conflict
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import refusal
from agent.ports import (
    Accepted,
    CallOutcome,
    Duplicate,
    KsefError,
    Outgoing,
    Pending,
    Rejected,
    SendBudget,
    SessionRef,
    Verdict,
)
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import CASHIER, CONSUMER, MANAGER, World, press_until_answered, sale, settings, world


class Authority(FakeGateway):
    """Counts, and spoils what a test names."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.original_trouble: KsefError | None = None
        self.times: list[float] = []
        self.over = 0
        """So many sends find their session over."""
        self.over_by = 21180
        self.left = SendBudget(180, 0.0)
        self.wrong_references = 0
        """So many sends are answered with a reference that means nothing."""
        self.loses = 0
        """So many invoices are answered with a reference, and gone."""
        self.status_trouble: KsefError | None = None

    async def invoice_sha256(self, ksef_number: str) -> bytes:
        if self.original_trouble is not None:
            raise self.original_trouble
        return await super().invoice_sha256(ksef_number)

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        if self.over:
            self.over -= 1
            self._session = None
            raise KsefError("Sesja nie przyjmuje.", outcome=CallOutcome.NOT_SENT, code=self.over_by)
        self.times.append(self.clock.monotonic())
        self.left = replace(
            self.left,
            sends_left_hour=self.left.sends_left_hour - 1,
            sends_left_minute=self.left.sends_left_minute - 1,
        )
        if self.loses:
            self.loses -= 1
            return "EE-nowhere"
        reference = await super().send(session, invoice)
        if self.wrong_references:
            self.wrong_references -= 1
            return "EE-nowhere"
        return reference

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        if self.status_trouble is not None:
            raise self.status_trouble
        if invoice_ref not in self._sessions.get(session_ref, []):
            raise KsefError("W tej sesji nie ma takiej faktury.", outcome=CallOutcome.REFUSED, code=21405)
        return await super().status(session_ref, invoice_ref)

    def budget(self) -> SendBudget:
        return self.left


@asynccontextmanager
async def shop(tmp_path: Path, *, budget: float = 3.0, batch_from: int = 50) -> AsyncIterator[tuple[World, Authority]]:
    clock = FakeClock()
    gateway = Authority(clock)
    base = settings(tmp_path)
    given = replace(
        base,
        issue=replace(base.issue, budget_seconds=budget),
        ksef=replace(base.ksef, batch_from=batch_from),
    )
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        yield place, gateway


async def passes(place: World, minutes: float, step: float = 5.0) -> None:
    for _ in range(int(minutes * 60 / step)):
        await place.queue.pass_once()
        await place.problems.refresh()
        await place.clock.advance(step)


async def problems(place: World) -> set[str]:
    await place.problems.refresh()
    return {problem.code for problem in place.health.report().problems}


# --- duplicates whose original cannot be compared ----------------------------------------------------------


async def test_a_duplicate_that_cannot_be_compared_yet_is_a_doubt_with_evidence(tmp_path: Path) -> None:
    """At a first attempt: nothing is handed out, and the alarm does not wait (test_number_taken.py)."""
    async with shop(tmp_path) as (place, gateway):
        number = "5265877635-20261124-0100A0AE0E14-06"
        gateway.verdict_plan.append(Duplicate(number, None, "Duplikat faktury"))
        gateway.original_trouble = KsefError("nie teraz", outcome=CallOutcome.REFUSED, code=21165, body="<dowód>")
        record = await press_until_answered(place, "a")
        assert (record.state, record.mode) == (InvoiceState.IN_DOUBT, Mode.ONLINE)
        events = {event.kind: event.data for event in await place.invoices.events(record.id)}
        assert events["in_doubt"]["why"] == "440: Duplikat faktury"
        assert events["in_doubt"]["original_ksef_number"] == number
        assert (events["doubt_remains"]["code"], events["doubt_remains"]["body"]) == (21165, "<dowód>")
        await passes(place, 35, step=15.0)
        assert await problems(place) >= {"series-collision"}
        log = await place.log(record.id)
        assert log.count("in_doubt") == 1
        assert 3 <= log.count("doubt_remains") <= 12
        assert len(gateway.sent) == 1


async def test_a_duplicate_whose_original_is_not_named_is_anothers(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.verdict_plan.append(Duplicate(None, None, "Duplikat faktury"))
        record = await press_until_answered(place, "a")
        assert (record.state, record.mode) == (InvoiceState.REJECTED, Mode.ONLINE)
        (told,) = [event for event in await place.invoices.events(record.id) if event.kind == "collision"]
        assert (told.data["code"], told.data["body"]) == (440, "Duplikat faktury")
        assert told.data["original_sha256"] is None


@pytest.mark.parametrize("ours", [False, True])
async def test_the_doubt_ends_when_the_original_can_be_read(tmp_path: Path, *, ours: bool) -> None:
    async with shop(tmp_path) as (place, gateway):
        number = "5265877635-20261124-0100A0AE0E14-06"
        gateway.verdict_plan.append(Duplicate(number, None, "Duplikat faktury"))
        gateway.original_trouble = KsefError("nie teraz", outcome=CallOutcome.REFUSED, code=21165)
        record = await press_until_answered(place, "a")
        gateway.original_trouble = None
        gateway.ledger["a", "b", "c"] = (number, record.sha256 if ours else bytes(32))
        await passes(place, 2)
        after = await place.record(record.id)
        assert after.state is (InvoiceState.ACCEPTED if ours else InvoiceState.REJECTED)
        assert ("collision" in await place.log(record.id)) is not ours
        assert (await problems(place)) == (set() if ours else {"series-collision"})


async def test_a_number_for_other_bytes_is_not_adopted(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        number = "5265877635-20261124-0100A0AE0E14-06"
        gateway.verdict_plan.append(Accepted(number, place.clock.now(), bytes(32)))
        record = await press_until_answered(place, "a")
        assert (record.state, record.ksef_number) == (InvoiceState.IN_DOUBT, None)
        (told,) = [event for event in await place.invoices.events(record.id) if event.kind == "in_doubt"]
        assert (told.data["ksef_number"], told.data["accepted_sha256"]) == (number, "00" * 32)


@pytest.mark.parametrize("taken", [True, False])
async def test_what_ksef_does_not_know_by_its_own_reference_is_looked_for_by_its_hash(
    tmp_path: Path, *, taken: bool
) -> None:
    """A wrong reference must not leave an invoice "sent" for ever; what KSeF does not have at all goes again."""
    async with shop(tmp_path) as (place, gateway):
        gateway.wrong_references = int(taken)
        gateway.loses = int(not taken)
        record = await press_until_answered(place, "a")
        await passes(place, 0.5, step=10.0)
        assert (await place.record(record.id)).state is InvoiceState.SENT, "KSeF may need a moment"
        await passes(place, 12, step=15.0)
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
        assert len(gateway.ledger) == 1
        (told,) = [event for event in await place.invoices.events(record.id) if event.kind == "in_doubt"]
        assert (told.data["call"], told.data["code"]) == ("status", 21405)


async def test_a_right_that_is_missing_makes_no_doubt(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.pending_answers = 1_000
        record = await press_until_answered(place, "a")
        gateway.status_trouble = KsefError("brak uprawnień", outcome=CallOutcome.REFUSED, code=403)
        await passes(place, 12, step=15.0)
        assert (await place.record(record.id)).state is InvoiceState.SENT


# --- work that KSeF cancelled -------------------------------------------------------------------------------


async def test_what_ksef_cancels_again_and_again_is_sent_less_and_less(tmp_path: Path) -> None:
    """550 for an hour takes a third of the sends of that hour, and its end is noticed within a minute."""
    async with shop(tmp_path) as (place, gateway):
        gateway.verdict_plan.extend([Rejected(550, "Anulowano", retryable=True)] * 1000)
        record = await press_until_answered(place, "a")
        await passes(place, 60, step=15.0)
        assert len(gateway.times) <= 62
        gateway.verdict_plan.clear()
        await passes(place, 5, step=15.0)
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


async def test_a_cancelled_invoice_goes_in_a_batch_and_its_old_reference_is_forgotten(tmp_path: Path) -> None:
    async with shop(tmp_path, batch_from=1) as (place, gateway):
        gateway.verdict_plan.extend([Rejected(550, "Anulowano", retryable=True)] * 4)
        gateway.up = False
        records = [await press_until_answered(place, str(number)) for number in range(4)]
        gateway.up = True
        await place.clock.advance(60)
        await place.connection.probe()
        await place.connection.probe()
        await passes(place, 5)
        after = [await place.record(record.id) for record in records]
        assert {record.state for record in after} == {InvoiceState.ACCEPTED}
        assert len(gateway.ledger) == 4
        assert gateway.times == [], "none was sent by itself"


# --- sessions that are over ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [21155, 21173, 21180, 21184])
async def test_a_press_whose_session_is_over_gets_a_new_one_at_once(tmp_path: Path, code: int) -> None:
    async with shop(tmp_path) as (place, gateway):
        await press_until_answered(place, "a")
        gateway.over, gateway.over_by = 1, code
        record = await press_until_answered(place, "b")
        assert (record.state, record.mode) == (InvoiceState.ACCEPTED, Mode.ONLINE)
        kinds = await place.log(record.id)
        assert [kind for kind in kinds if kind in {"sending", "send_failed", "sent"}] == [
            "sending",
            "send_failed",
            "sending",
            "sent",
        ]


async def test_a_press_tries_a_new_session_once(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.over = 100
        record = await press_until_answered(place, "b")
        assert (record.state, record.mode) == (InvoiceState.ISSUED, Mode.OFFLINE24)
        assert gateway.over == 98


# --- waiting ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("budget", "number_after"), [(3.0, 2.5), (40.0, 33.0), (60.0, 55.0)])
async def test_a_press_asks_as_long_as_its_budget(tmp_path: Path, budget: float, number_after: float) -> None:
    async with shop(tmp_path, budget=budget) as (place, gateway):
        gateway.pending_answers = 1_000_000
        task = asyncio.ensure_future(counter.sale(place, json.dumps(sale()).encode(), "a", CASHIER))
        await place.clock.advance(number_after)
        for reference, (sha256, verdict, _) in gateway._verdicts.items():
            gateway._verdicts[reference] = (sha256, verdict, 0)
        while not task.done():
            await place.clock.advance(0.1)
        record = (await task).invoices[0].record
        assert (record.state, record.mode) == (InvoiceState.ACCEPTED, Mode.ONLINE)


async def test_a_number_that_does_not_come_is_not_waited_for_beyond_the_budget(tmp_path: Path) -> None:
    async with shop(tmp_path, budget=20.0) as (place, gateway):
        gateway.verdict_plan.append(Pending())
        begun = place.clock.monotonic()
        record = await press_until_answered(place, "a")
        assert record.state is InvoiceState.SENT
        assert 20.0 <= place.clock.monotonic() - begun <= 20.5


async def test_a_press_whose_invoice_the_sync_is_sending_waits_for_it(tmp_path: Path) -> None:
    """A correction of the buyer makes two documents: while the first is printed, the sync may take up the second."""
    async with shop(tmp_path) as (place, gateway):
        gateway.up = False
        record = await press_until_answered(place, "a")
        gateway.up = True
        gateway.pending_answers = 3
        sync = asyncio.ensure_future(place.sender.deliver(record.id))
        await asyncio.sleep(0)
        left = await place.sender.deliver(record.id)
        assert left.state is not InvoiceState.ACCEPTED, "the backlog does not wait"
        joined = asyncio.ensure_future(place.sender.deliver(record.id, pressed=True))
        while not joined.done():
            await place.clock.advance(0.1)
        assert (await joined).state is InvoiceState.ACCEPTED
        assert sync.done()
        assert len(gateway.sent) == 1


# --- paper and KSeF agree ------------------------------------------------------------------------------------


async def late_verdict(place: World, gateway: Authority, verdict: Verdict | None, **changes: Any) -> InvoiceRecord:
    """KSeF takes the invoice in time and decides long after the paper."""
    gateway.pending_answers = 1_000_000
    body = json.dumps(sale(**changes)).encode()
    task = asyncio.ensure_future(counter.sale(place, body, "a", CASHIER))
    while not task.done():
        await place.clock.advance(0.1)
    record = (await task).invoices[0].record
    assert record.state is InvoiceState.SENT
    await place.clock.advance(360)
    for reference, (sha256, accepted, _) in gateway._verdicts.items():
        gateway._verdicts[reference] = (sha256, verdict or accepted, 0)
    await place.catch_up()
    return await place.record(record.id)


async def test_what_got_an_offline_paper_left_as_an_offline_one(tmp_path: Path) -> None:
    """Decided before the first attempt: an attempt that KSeF answers too late is not taken back."""
    async with shop(tmp_path) as (place, gateway):
        record = await late_verdict(place, gateway, None, buyer=CONSUMER)
        assert [sent.offline for sent in gateway.sent] == [True]
        paper = await place.previews.text(record.id)
        assert "OFFLINE" in paper
        assert "CERTYFIKAT" in paper
        assert (record.state, record.mode) == (InvoiceState.ACCEPTED, Mode.OFFLINE24)
        (row,) = [each async for each in place.register.rows("2026-11", None)]
        assert row["mode"] == "offline24"


async def test_what_left_as_online_gets_no_offline_paper(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        record = await late_verdict(place, gateway, None)
        assert [sent.offline for sent in gateway.sent] == [False]
        assert "offline24" not in await place.previews.text(record.id)
        assert (record.state, record.mode) == (InvoiceState.ACCEPTED, Mode.ONLINE)


async def test_a_rejected_offline_paper_may_be_corrected_technically(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        record = await late_verdict(place, gateway, Rejected(450, "błąd"), buyer=CONSUMER)
        assert (record.state, record.mode, refusal(record)) == (InvoiceState.REJECTED, Mode.OFFLINE24, None)


async def test_a_technical_correction_may_change_the_bytes_and_nothing_that_they_say(tmp_path: Path) -> None:
    """Bytes of the shop's own are looked at as a ready document is; what is refused leaves everything as it was."""
    async with shop(tmp_path) as (place, gateway):
        rejected = await late_verdict(place, gateway, Rejected(450, "błąd"), buyer=CONSUMER)
        reformatted = rejected.xml.replace(b"<Fa>", b"<Fa>\n")
        assert reformatted != rejected.xml
        for other, refused in (
            (reformatted.replace(b"Chleb", b"Bulka"), Conflict),
            (reformatted.replace(b"5265877635", b"1111111111"), AgentError),
            (b"<Faktura/>", BadInput),
            (rejected.xml, Conflict),
        ):
            with pytest.raises(refused):
                await place.rejected.correct_technically(rejected.id, MANAGER, other)
            assert (await place.record(rejected.id)).version == 1
        await place.rejected.correct_technically(rejected.id, MANAGER, reformatted)
        record = await place.record(rejected.id)
        assert (record.state, record.version, record.xml) == (InvoiceState.ISSUED, 2, reformatted)


async def test_what_a_manager_sends_again_leaves_at_once(tmp_path: Path) -> None:
    """It does not wait for the queue's next turn."""
    async with shop(tmp_path) as (place, gateway):
        rejected = await late_verdict(place, gateway, Rejected(450, "błąd"), buyer=CONSUMER)
        running = asyncio.ensure_future(place.queue.run())
        await place.clock.advance(1)
        assert len(gateway.sent) == 1
        await place.rejected.correct_technically(rejected.id, MANAGER)
        await place.clock.advance(1)
        running.cancel()
        assert [sent.sha256 for sent in gateway.sent] == [rejected.sha256, (await place.record(rejected.id)).sha256]


async def test_what_ksef_refused_before_it_was_handed_out_is_never_printed(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        record = await late_verdict(place, gateway, Rejected(450, "błąd"))
        with pytest.raises(Conflict, match="zanim ją wydano"):
            await place.reprinting.reprint(record.id, MANAGER)


async def test_an_offline_paper_in_the_customers_hands_may_be_printed_again_though_refused(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        record = await late_verdict(place, gateway, Rejected(450, "błąd"), buyer=CONSUMER)
        await place.reprinting.reprint(record.id, MANAGER)
        assert (await place.record(record.id)).copies == 2


async def test_no_technical_correction_for_what_left_as_online(tmp_path: Path) -> None:
    """KSeF would refuse it (21167)."""
    async with shop(tmp_path) as (place, gateway):
        record = await late_verdict(place, gateway, Rejected(450, "błąd"))
        assert (record.state, record.mode) == (InvoiceState.REJECTED, Mode.ONLINE)
        assert "tylko faktur wystawionych w trybie offline" in str(refusal(record))


@pytest.mark.parametrize("buyer", [None, CONSUMER], ids=["firm", "consumer"])
async def test_a_lost_answer_leaves_paper_and_ksef_in_agreement(tmp_path: Path, buyer: dict[str, Any] | None) -> None:
    """Nobody knows whether the bytes arrived: the paper says only what is true either way."""
    async with shop(tmp_path) as (place, gateway):
        gateway.lost_answers = 1
        body = json.dumps(sale(**({} if buyer is None else {"buyer": buyer}))).encode()
        record = (await counter.sale(place, body, "a", CASHIER)).invoices[0].record
        assert record.state is InvoiceState.IN_DOUBT
        assert ("offline24" in await place.previews.text(record.id)) is (buyer is not None)
        await place.catch_up()
        (entry,) = gateway.held
        assert entry.offline is (buyer is not None)
        assert (await place.record(record.id)).mode is (Mode.OFFLINE24 if entry.offline else Mode.ONLINE)


async def test_an_invoice_that_did_not_leave_in_time_leaves_as_its_paper_says(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.up = False
        record = await press_until_answered(place, "a")
        gateway.verdict_plan.append(Rejected(450, "błąd"))
        await place.restore_the_line()
        await place.catch_up()
        record = await place.record(record.id)
        assert [sent.offline for sent in gateway.sent][-1:] == [True]
        assert (record.state, record.mode, refusal(record)) == (InvoiceState.REJECTED, Mode.OFFLINE24, None)


# --- presses before backlog ---------------------------------------------------------------------------------


async def test_the_backlog_leaves_a_third_of_the_minute_to_presses(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.up = False
        for number in range(8):
            await press_until_answered(place, str(number))
        gateway.up = True
        await place.clock.advance(60)
        await place.connection.probe()
        await place.connection.probe()
        gateway.left = SendBudget(180, 0.0, sends_left_minute=10, per_minute=30, per_hour=180)
        await passes(place, 1)
        assert gateway.times == []
        gateway.left = replace(gateway.left, sends_left_minute=13)
        await place.queue.pass_once()
        assert len(gateway.times) == 3, "what the minute has to spare"


async def test_what_can_go_no_other_way_takes_the_last_place(tmp_path: Path) -> None:
    """A technical correction is for interactive sessions only: presses must not starve it past its deadline."""
    async with shop(tmp_path) as (place, gateway):
        gateway.verdict_plan.append(Rejected(450, "Błąd semantyki"))
        await place.declarations.declare(Mode.OFFLINE24, "próba", MANAGER)
        record = await press_until_answered(place, "a")
        await passes(place, 1)
        assert (await place.record(record.id)).state is InvoiceState.REJECTED
        await place.declarations.withdraw("koniec", MANAGER)
        await place.rejected.correct_technically(record.id, MANAGER)
        gateway.left = SendBudget(1, 0.0, sends_left_minute=1, per_minute=30, per_hour=180)
        await passes(place, 1)
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


async def test_retry_after_is_kept_to_the_second(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.send_plan.append(KsefError("limit", outcome=CallOutcome.REFUSED, code=429, retry_after=100.0))
        record = await press_until_answered(place, "a")
        waits = record.not_before
        assert waits is not None
        assert timedelta(seconds=95) < waits - place.clock.now() <= timedelta(seconds=100)


# --- more than one asks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [None, Rejected(450, "Błąd"), Duplicate("1-2-3-4", None, "Duplikat faktury")])
async def test_two_who_ask_at_the_same_time_record_one_verdict(tmp_path: Path, verdict: Verdict | None) -> None:
    """The queue asks by itself while a hub tells that there is an answer."""
    async with shop(tmp_path) as (place, gateway):
        gateway.pending_answers = 1000
        if verdict is not None:
            gateway.verdict_plan.append(verdict)
        record = await press_until_answered(place, "a")
        await place.clock.advance(60)
        assert record.state is InvoiceState.SENT
        gateway.answer_at_once()
        await asyncio.gather(*(place.sender.ask(record.id) for _ in range(2)))
        decided = {"accepted", "rejected", "in_doubt"} & set(await place.log(record.id))
        assert [(await place.log(record.id)).count(each) for each in decided] == [1]
