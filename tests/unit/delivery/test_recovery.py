"""Whole recovery: no back-off outlasts its cause, a doubt is asked where it belongs, a sign-in that fails is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import CallOutcome, KsefError, Outgoing, Pending, Rejected, SessionRef, Unsent, Verdict
from agent.services.delivery.backoff import OWN_STEPS, TROUBLE_STEPS, Waits
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import World, press_until_answered, settings, world
from tests.sim.announcing import news_of
from tests.sim.oracle import Outage

OVERLOADED = KsefError("KSeF zwrócił błąd 500.", outcome=CallOutcome.UNKNOWN, code=500)
REFUSED_SIGN_IN = KsefError("KSeF nie daje tokenu.", outcome=CallOutcome.REFUSED, code=21301)
NO_TOKEN = KsefError("KSeF nie daje tokenu.", outcome=CallOutcome.NOT_SENT, code=500)
FORBIDDEN = KsefError("KSeF: brak uprawnień.", outcome=CallOutcome.REFUSED, code=403)
PROTECTION = KsefError("KSeF zwrócił błąd 502.", outcome=CallOutcome.NOT_SENT, code=502, link_down=True)
CANCELLED = Rejected(550, "Operacja została anulowana.", retryable=True)
LOST_BY_HUB = Rejected(404, "Centrala nie zna tej faktury.", retryable=True, by_ksef=False)


AWAY_FOR_HOURS = KsefError(
    "KSeF zwrócił błąd 503.", outcome=CallOutcome.UNKNOWN, code=503, retry_after=6 * 3600.0, link_down=True
)
"""As a firewall before KSeF says it, however short its trouble is."""


class NoSessions(FakeGateway):
    """Answers, and gives no session while ``trouble`` lasts."""

    trouble: KsefError | None = None

    async def session(self, invoice: Outgoing | None = None) -> SessionRef:
        if self.trouble is not None:
            raise self.trouble
        return await super().session(invoice)


class TwoWays(FakeGateway):
    """What is ``late`` goes another way than the rest, in a session of its own, as at a till of a chain."""

    late: frozenset[str] = frozenset()

    async def session(self, invoice: Outgoing | None = None) -> SessionRef:
        session = await super().session(invoice)
        own = invoice is not None and invoice.invoice_id in self.late
        return replace(session, reference="SO-own") if own else session

    def way_of(self, invoice_id: str) -> str:
        return "own" if invoice_id in self.late else "hub"


class Killed(BaseException):
    """The process ends here."""


class DiesInBatch(FakeGateway):
    """The first batch ends the process before KSeF is called."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []
        self.dies = True

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        if self.dies:
            self.dies = False
            raise Killed
        return await super().open_batch(invoices, opened)

    async def find_all(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        self.asked.append("find_all")
        return await super().find_all(session_ref)


async def work(place: World, seconds: float, step: float = 5.0) -> None:
    """Probe and sync as the schedule does."""
    for _ in range(int(seconds / step)):
        await place.clock.advance(step)
        await place.connection.probe()
        await place.queue.pass_once()


async def test_hours_that_a_503_names_are_not_waited_for_once_ksef_takes_another(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.send_plan.append(AWAY_FOR_HOURS)
        first = await press_until_answered(place, "a")
        await work(place, 30)
        assert (await press_until_answered(place, "b")).state is InvoiceState.ACCEPTED
        await work(place, 10)
        assert (await place.record(first.id)).state is InvoiceState.ACCEPTED


async def test_hours_that_a_503_names_are_five_minutes(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.send_plan.append(AWAY_FOR_HOURS)
        alone = await press_until_answered(place, "a")
        await work(place, 320)
        assert (await place.record(alone.id)).state is InvoiceState.ACCEPTED


async def test_an_invoice_that_failed_for_hours_leaves_within_a_minute_of_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.send_plan.extend([OVERLOADED] * 400)
        sold = await press_until_answered(place, "a")
        await work(place, 3 * 3600, step=30.0)
        assert (await place.record(sold.id)).state is not InvoiceState.ACCEPTED
        place.gateway.send_plan.clear()
        await work(place, 65)
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED


async def test_an_invoice_without_a_session_for_hours_too(tmp_path: Path) -> None:
    gateway = NoSessions(clock := FakeClock())
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        gateway.trouble = REFUSED_SIGN_IN
        sold = await press_until_answered(place, "a")
        await work(place, 3 * 3600, step=30.0)
        gateway.trouble = None
        await work(place, 65)
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED


async def test_a_sign_in_that_fails_for_an_hour_is_told_and_ends(tmp_path: Path) -> None:
    gateway = NoSessions(clock := FakeClock())
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        gateway.trouble = REFUSED_SIGN_IN
        for _ in range(7):
            await place.sender.warm()
            await place.problems.refresh()
            assert "ksef-sign-in-failing" not in codes(place)
            await clock.advance(599)
        await place.sender.warm()
        await place.problems.refresh()
        assert "ksef-sign-in-failing" in codes(place)
        gateway.trouble = None
        await place.sender.warm()
        await place.problems.refresh()
        assert "ksef-sign-in-failing" not in codes(place)


async def test_a_line_that_is_down_for_an_hour_is_told_while_something_waits(tmp_path: Path) -> None:
    """A firewall that answers in KSeF's place for days: the till said that all was well until a deadline came near."""
    async with world(tmp_path) as place:
        await place.lose_the_line()
        await work(place, 2 * 3600, step=60)
        await place.problems.refresh()
        assert "ksef-unreachable" not in codes(place), "nobody waits"
        await press_until_answered(place, "a")
        await place.problems.refresh()
        (told,) = [each for each in place.health.report().problems if each.code == "ksef-unreachable"]
        assert told.message.startswith("Od 24.11.2026 10:00 kasa nie ma łączności z KSeF")
        assert told.message.endswith(place.connection.last.problem)
        await place.restore_the_line()
        await place.queue.pass_once()
        await place.problems.refresh()
        assert "ksef-unreachable" not in codes(place)


async def test_the_hour_of_a_lost_line_goes_on_through_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.lose_the_line()
        await press_until_answered(place, "a")
        await work(place, 3000, step=60)
        await place.problems.refresh()
        assert "ksef-unreachable" not in codes(place)
        clock = place.clock
    async with world(tmp_path, clock=clock) as place:
        place.gateway.up = False
        await place.connection.load()
        await work(place, 600, step=60)
        await place.problems.refresh()
        assert "ksef-unreachable" in codes(place)


async def test_what_is_announced_is_not_told_again(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.lose_the_line()
        await press_until_answered(place, "a")
        await work(place, 2 * 3600, step=60)
        begin = place.clock.now() - timedelta(hours=1)
        place.latarnia.status = {"status": "FAILURE"}
        place.latarnia.messages = [item.message for item in news_of(Outage("failure", begin, begin, None), 7)]
        await place.announcements.poll()
        await place.problems.refresh()
        assert "ksef-unreachable" not in codes(place)


async def test_a_session_that_was_open_before_proves_nothing(tmp_path: Path) -> None:
    """The session is warm and no token can be had any more: each send says so, for hours."""
    async with world(tmp_path) as place:
        await place.sender.warm()
        place.gateway.send_plan.extend([NO_TOKEN] * 1000)
        await press_until_answered(place, "a")
        await work(place, 2 * 3600, step=30)
        await place.problems.refresh()
        assert "ksef-sign-in-failing" in codes(place)


async def test_sessions_of_two_ways_that_take_turns_prove_nothing_either(tmp_path: Path) -> None:
    gateway = TwoWays(clock := FakeClock())
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        gateway.send_plan.extend([NO_TOKEN] * 1000)
        first = await press_until_answered(place, "a")
        await press_until_answered(place, "b")
        gateway.late = frozenset({first.id})
        assert await told_within(place, hours=2)


@pytest.mark.parametrize("trouble", [FORBIDDEN, PROTECTION], ids=["refused", "page of the protection"])
async def test_answers_about_what_was_sent_before_hide_no_session_that_cannot_be_opened(
    tmp_path: Path, trouble: KsefError
) -> None:
    """One invoice stands at 150, so KSeF answers each question about it."""
    gateway = NoSessions(clock := FakeClock())
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        gateway.pending_answers = 10**6
        await press_until_answered(place, "a")
        gateway.trouble = trouble
        assert await told_within(place, hours=2)


async def test_sign_in_that_only_probes_get_past_is_told(tmp_path: Path) -> None:
    gateway = NoSessions(clock := FakeClock())
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        gateway.trouble = PROTECTION
        assert await told_within(place, hours=2)
        gateway.trouble = None
        await work(place, 60)
        await place.sender.warm()
        await place.problems.refresh()
        assert "ksef-sign-in-failing" not in codes(place)


@pytest.mark.parametrize("trouble", [OVERLOADED, FORBIDDEN], ids=["no usable answer", "refused"])
async def test_sends_that_fail_for_hours_are_told(tmp_path: Path, trouble: KsefError) -> None:
    async with world(tmp_path) as place:
        place.gateway.send_plan.extend([trouble] * 1000)
        await press_until_answered(place, "a")
        assert await told_within(place, hours=2)
        place.gateway.send_plan.clear()
        await work(place, 65)
        await place.problems.refresh()
        assert "ksef-sign-in-failing" not in codes(place)


async def test_a_refusal_of_one_invoice_is_no_sign_in_that_fails(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.send_plan.extend([KsefError("KSeF: 21405", outcome=CallOutcome.REFUSED, code=21405)] * 100)
        await press_until_answered(place, "a")
        assert not await told_within(place, hours=2)


async def test_a_line_that_was_down_for_an_hour_is_no_sign_in_that_fails(tmp_path: Path) -> None:
    gateway = NoSessions(clock := FakeClock())
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        gateway.trouble = PROTECTION
        await place.connection.probe()
        await place.sender.warm()
        gateway.up = False
        await work(place, 3700, step=60)
        gateway.up = True
        await place.connection.probe()
        await place.sender.warm()
        await place.problems.refresh()
        assert "ksef-sign-in-failing" not in codes(place)


async def test_a_line_that_is_down_is_no_sign_in_that_fails(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        for _ in range(9):
            await place.sender.warm()
            await place.clock.advance(600)
        await place.problems.refresh()
        assert "ksef-sign-in-failing" not in codes(place)


@pytest.mark.parametrize("minutes", [8, 60])
async def test_what_ksef_cancels_leaves_within_a_minute_of_the_end(tmp_path: Path, minutes: int) -> None:
    async with world(tmp_path) as place:
        place.gateway.verdict_plan.extend([CANCELLED] * 1000)
        sold = await press_until_answered(place, "a")
        await work(place, minutes * 60, step=20)
        place.gateway.verdict_plan.clear()
        await work(place, 65)
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED


async def test_what_ksef_cancels_or_refuses_to_all_is_tried_one_a_minute(tmp_path: Path) -> None:
    """Twelve wait, and the sends of the hour are not spent on what all of them will be told."""
    gateway = FakeGateway(clock := FakeClock())
    base = settings(tmp_path)
    given = replace(base, ksef=replace(base.ksef, batch_from=1000))
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        gateway.verdict_plan.extend([CANCELLED] * 1000)
        sold = [await press_until_answered(place, f"{number}") for number in range(12)]
        before = len(gateway.sent)
        await work(place, 3600, step=15)
        assert 50 <= len(gateway.sent) - before <= 75
        gateway.verdict_plan.clear()
        await work(place, 75)
        assert {(await place.record(each.id)).state for each in sold} == {InvoiceState.ACCEPTED}


async def test_what_the_hub_lost_is_handed_over_again_within_seconds(tmp_path: Path) -> None:
    """KSeF gives no number meanwhile, so nothing would end a rest in turn."""
    base = settings(tmp_path)
    async with world(tmp_path, given=replace(base, ksef=replace(base.ksef, batch_from=1))) as place:
        place.gateway.verdict_plan.extend([LOST_BY_HUB] * 12 + [Pending()] * 100)
        sold = [await press_until_answered(place, f"{number}") for number in range(12)]
        await work(place, 30)
        assert {(await place.record(each.id)).state for each in sold} == {InvoiceState.SENT}


@pytest.mark.parametrize("batch_from", [1, 1000], ids=["batch", "singly"])
async def test_nothing_is_remembered_of_what_has_its_number(tmp_path: Path, batch_from: int) -> None:
    base = settings(tmp_path)
    async with world(tmp_path, given=replace(base, ksef=replace(base.ksef, batch_from=batch_from))) as place:
        place.gateway.send_plan.extend([NO_TOKEN] * 3)
        sold = [await press_until_answered(place, f"{number}") for number in range(3)]
        waits = place.sender._records.waits
        assert waits._until.keys() == waits._troubles.keys() == {each.id for each in sold}
        waits.rest(5.0, *(each.id for each in sold), singly=True)
        await work(place, 120)
        assert {(await place.record(each.id)).state for each in sold} == {InvoiceState.ACCEPTED}
        assert (waits._until, waits._troubles, waits._singly) == ({}, {}, set())


async def test_rights_that_were_withdrawn_for_an_hour(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.send_plan.extend([FORBIDDEN] * 1000)
        sold = await press_until_answered(place, "a")
        await work(place, 3600, step=20)
        place.gateway.send_plan.clear()
        await work(place, 65)
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED


async def test_a_batch_intent_carries_no_older_session(tmp_path: Path) -> None:
    """A crash after the intent of a batch: nothing left yet, and no session may be asked about it."""
    gateway = DiesInBatch(clock := FakeClock())
    base = settings(tmp_path)
    given = replace(base, ksef=replace(base.ksef, batch_from=2))
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        gateway.send_plan.extend([NO_TOKEN, NO_TOKEN])
        sold = [await press_until_answered(place, key) for key in ("a", "b")]
        for each in sold:
            assert (await place.record(each.id)).session_ref
        await clock.advance(60)
        with pytest.raises(Killed):
            await place.queue.pass_once()
        for each in sold:
            record = await place.record(each.id)
            assert (record.state, record.session_ref) == (InvoiceState.SENDING, "")
        await place.queue.recover()
        await work(place, 120)
        assert "find_all" not in gateway.asked
        assert {(await place.record(each.id)).state for each in sold} == {InvoiceState.ACCEPTED}


async def test_a_rest_after_trouble_ends_when_ksef_takes_another() -> None:
    clock = FakeClock()
    waits = Waits(clock)
    waiting = at(waits.rest_after_trouble("a", attempts=9))
    await clock.advance(OWN_STEPS[0])
    assert not waits.over(waiting, clock.now())
    waits.taken()
    assert waits.over(waiting, clock.now())


async def test_one_that_fails_while_others_are_taken_rests_longer_each_time() -> None:
    clock = FakeClock()
    waits = Waits(clock)
    for times in range(8):
        waiting = at(waits.rest_after_trouble("a", attempts=9))
        waits.taken()
        step = OWN_STEPS[min(times, len(OWN_STEPS) - 1)]
        await clock.advance(step - 1)
        assert not waits.over(waiting, clock.now())
        await clock.advance(1)
        assert waits.over(waiting, clock.now())


async def test_while_ksef_takes_nothing_no_rest_is_longer_than_a_minute() -> None:
    clock = FakeClock()
    waits = Waits(clock)
    for attempts in range(50):
        waiting = at(waits.rest_after_trouble("a", attempts))
        await clock.advance(max(TROUBLE_STEPS))
        assert waits.over(waiting, clock.now())


async def test_a_turn_is_forgotten_by_a_restart() -> None:
    """The fiftieth in turn rests for fifty minutes, but an agent that starts knows of no turns."""
    clock = FakeClock()
    waits = Waits(clock)
    for number in range(49):
        waits.rest_in_turn(f"other-{number}", attempts=9)
    waiting = at(waits.rest_in_turn("a", attempts=9))
    await clock.advance(max(TROUBLE_STEPS))
    assert not waits.over(waiting, clock.now())
    assert Waits(clock).over(waiting, clock.now())
    waits.accepted()
    assert waits.over(waiting, clock.now())


def at(not_before: datetime) -> Unsent:
    return Unsent(
        id="a",
        number="1",
        state=InvoiceState.ISSUED,
        mode=Mode.OFFLINE24,
        version=1,
        attempts=1,
        deadline=None,
        deadline_state="open",
        issued_on=date(2026, 11, 24),
        issued_at=not_before,
        not_before=not_before,
    )


def codes(place: World) -> set[str]:
    return {problem.code for problem in place.health.report().problems}


async def told_within(place: World, hours: float) -> bool:
    """Probe, sync and look after the session as the schedule does; tell whether people are told."""
    for minute in range(int(hours * 60)):
        await work(place, 60, step=60)
        if minute % 15 == 0:
            await place.sender.warm()
    await place.problems.refresh()
    return "ksef-sign-in-failing" in codes(place)
