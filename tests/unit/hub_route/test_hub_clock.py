"""A hub whose machine shows the wrong time: its tills go by KSeF's, and people are told of the hub's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agent.domain.errors import Unavailable
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.alert import AlertCode
from agent.hub.domain.fleet import Grade
from agent.hub.services.ksef_time import KsefTime, never
from agent.hub.web.context import FLEET
from agent.ports import CallOutcome, KsefError
from tests.fakes.clock import FakeClock
from tests.fakes.hub_till import till_of_a_chain

PATIENT = "\n[issue]\nbudget_seconds = 30.0\n"


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=-400)])
async def test_a_hub_with_a_wrong_clock_stops_no_till(tmp_path: Path, ahead: timedelta) -> None:
    """Every till would have said that its own clock is wrong, and a cashier would have set it to the hub's."""
    async with till_of_a_chain(tmp_path, extra=PATIENT, hub_is_ahead=ahead) as it:
        await it.ksef_time.hear()
        await it.turn()
        record = await it.joined.sell()
        assert record.state is InvoiceState.ACCEPTED
        assert abs(it.joined.agent.clock_check.skew() or 0.0) < 5
        assert "clock-skew" not in await it.joined.problems()
        troubles = {each.code: each for each in (await it.hub.app[FLEET].look()).troubles}
        assert troubles[AlertCode.CLOCK_SKEW].grade is Grade.CRITICAL
        assert "Zegar centrali" in troubles[AlertCode.CLOCK_SKEW].text


async def test_a_till_with_a_wrong_clock_hears_it_from_a_hub_that_is_wrong_as_well(tmp_path: Path) -> None:
    """Both show yesterday: they agree, and KSeF does not."""
    async with till_of_a_chain(tmp_path) as it:
        it.joined.sandbox.clock.skew = timedelta(days=1)
        it.clock.jump(timedelta(minutes=2))  # what was asked before came too late to count
        await it.ksef_time.hear()
        await it.turn()
        with pytest.raises(Unavailable, match="różni się od czasu KSeF"):
            await it.joined.sell()


async def test_a_hub_that_has_not_heard_ksef_vouches_for_no_time(tmp_path: Path) -> None:
    """Restarted in an outage of KSeF, two hours ahead: the till believes its own clock, and sells offline."""
    async with till_of_a_chain(tmp_path, hub_works=False, hub_is_ahead=timedelta(hours=2)) as it:
        await it.joined.sandbox.plan("ksef", "refuse")
        await it.turn()
        assert not it.ksef_time.tell().confirmed
        assert (await it.joined.sell()).number
        assert it.joined.agent.clock_check.answer().confirmed_by is None


async def test_ksefs_time_is_carried_on_for_an_hour_and_then_told_no_more() -> None:
    clock, answers = FakeClock(), [600.0]

    async def ask() -> float:
        if not answers:
            raise KsefError("nic", outcome=CallOutcome.NOT_SENT)
        return answers.pop()

    time = KsefTime(ask, clock)
    await time.hear()
    right = clock.now() + timedelta(minutes=10)
    await clock.advance(3000)
    await time.hear()
    assert (time.tell().now, time.tell().confirmed) == (right + timedelta(seconds=3000), True)
    trouble = time.trouble()
    assert trouble is not None
    assert (trouble.grade, "późni się o 10 min" in trouble.text) == (Grade.WARNING, True)
    await clock.advance(601)
    assert (time.tell().now, time.tell().confirmed, time.trouble()) == (clock.now(), False, None)


async def test_a_clock_that_a_time_server_keeps_is_vouched_for_without_ksef(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    time = KsefTime(never, clock)
    await time.hear()
    assert not time.tell().confirmed
    monkeypatch.setattr(clock, "kept_by_ntp", lambda: True)
    assert time.tell().confirmed


async def test_a_clock_that_is_right_to_the_minute_is_no_trouble() -> None:
    async def ask() -> float:
        return -59.0

    time = KsefTime(ask, FakeClock())
    await time.hear()
    assert time.trouble() is None


async def test_an_answer_that_took_hours_says_nothing_of_the_time() -> None:
    """The machine slept between question and answer, and half of that is taken for the way back."""
    clock = FakeClock()

    async def ask() -> float:
        await clock.advance(7200)
        return -3600.0

    time = KsefTime(ask, clock)
    await time.hear()
    assert not time.tell().confirmed
