"""What a restart must not forget of the rate limits: the hour of sends and documents, the minute of everything."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.ksef.limits import BACKGROUND, DEFAULTS, Group, RateBudget
from agent.ports import KsefError
from tests.fakes.clock import FakeClock


async def refused(budget: RateBudget, group: Group) -> float | None:
    """Return how long a call of the group would have to wait, None where it may go now."""
    try:
        async with budget.place(group, patience=0.0):
            return None
    except KsefError as error:
        return error.retry_after


async def test_sends_of_an_earlier_run_count_until_their_hour_is_over() -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    budget.recall_sends([clock.now() - timedelta(minutes=59)] * 100 + [clock.now() - timedelta(hours=2)])
    assert budget.sends().sends_left_hour == 80
    await clock.advance(61)
    assert budget.sends().sends_left_hour == 180


async def test_sessions_of_an_earlier_run_count_until_their_hour_is_over() -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    budget.recall_sessions(
        online=[clock.now() - timedelta(minutes=50)] * 120, batches=[clock.now() - timedelta(minutes=40)] * 60
    )
    assert await refused(budget, Group.ONLINE_SESSION) == pytest.approx(600, abs=0.1)
    assert await refused(budget, Group.BATCH_SESSION) == pytest.approx(1200, abs=0.1)
    assert await refused(budget, Group.INVOICE_SEND) is None


async def test_a_till_that_dies_again_and_again_does_not_ask_for_its_limits_each_time() -> None:
    """systemd starts it every three seconds: each start asked twice, past 30 a minute and 120 an hour."""
    clock = FakeClock()
    budget = RateBudget(clock)
    budget.recall_sessions(online=[clock.now() - timedelta(seconds=each * 4) for each in range(14)], batches=[])
    assert await refused(budget, Group.OTHER) is None
    budget.recall_sessions(online=[clock.now() - timedelta(seconds=20)], batches=[])
    assert await refused(budget, Group.OTHER) == pytest.approx(4, abs=4.1)


async def test_documents_of_an_earlier_run_count() -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    budget.recall_documents([clock.now() - timedelta(seconds=30)] * 120)
    assert await refused(budget, Group.SESSION_MISC) == pytest.approx(30, abs=0.1)
    assert await refused(budget, Group.INVOICE_SEND) is None


async def test_after_a_restart_only_presses_go_on_at_once() -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    budget.rest_after(clock.now() - timedelta(seconds=20))
    for group in DEFAULTS:
        waits = await refused(budget, group)
        assert waits == (pytest.approx(40) if group in BACKGROUND else None), group
    await clock.advance(41)
    assert await refused(budget, Group.SESSION_MISC) is None


@pytest.mark.parametrize("ago", [timedelta(hours=3), -timedelta(days=90)])
async def test_long_ago_or_by_a_wrong_clock_nothing_rests(ago: timedelta) -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    budget.rest_after(clock.now() - ago)
    assert await refused(budget, Group.SESSION_MISC) is None
