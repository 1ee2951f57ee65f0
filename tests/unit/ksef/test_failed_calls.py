"""Calls of a rate limit group that fail in a row: how soon the next one is tried."""

from __future__ import annotations

import pytest

from agent.ksef.failed_calls import FREE
from agent.ksef.limits import Group, RateBudget
from agent.ports import CallOutcome, KsefError
from tests.fakes.clock import FakeClock

BROKEN = KsefError("KSeF: błąd 500.", outcome=CallOutcome.UNKNOWN, code=500)
NO_RIGHT = KsefError("KSeF: brak uprawnień.", outcome=CallOutcome.REFUSED, code=403)
UNKNOWN_HERE = KsefError("KSeF: nie ma takiej faktury.", outcome=CallOutcome.REFUSED, code=404)
HOUR = 3600.0


async def call(budget: RateBudget, group: Group, error: KsefError | None = None) -> KsefError | None:
    """Make a call that ends so; return why it was not made, None where it was."""
    try:
        async with budget.place(group, patience=0.0):
            if error is not None:
                raise error
    except KsefError as caught:
        return None if caught is error else caught
    return None


@pytest.mark.parametrize("error", [BROKEN, NO_RIGHT])
async def test_a_few_are_tried_at_once_and_then_less_and_less_often(error: KsefError) -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    for _ in range(FREE):
        assert await call(budget, Group.INVOICE_SEND, error) is None
    begun, at = clock.monotonic(), []
    while clock.monotonic() < begun + HOUR:
        held = await call(budget, Group.INVOICE_SEND, error)
        if held is None:
            at.append(clock.monotonic() - begun)
        await clock.advance(1.0)
    assert at[:7] == [1, 3, 7, 15, 31, 63, 103]
    assert len(at) < 180 / 2 + 10
    left = budget.sends().sends_left_hour
    assert left >= 180 / 2 - 10, "as much is left for the end of it"


async def test_who_has_to_wait_hears_at_once_for_how_long_and_why() -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    for _ in range(FREE + 3):
        assert await call(budget, Group.ONLINE_SESSION, BROKEN) is None
        await clock.advance(4.0)
    await call(budget, Group.ONLINE_SESSION, BROKEN)
    held = await call(budget, Group.ONLINE_SESSION)
    assert held is not None
    assert (held.outcome, held.code) == (CallOutcome.NOT_SENT, 429)
    assert held.retry_after == pytest.approx(8, abs=5)
    assert held.message.endswith("s. KSeF: błąd 500.")
    assert await call(budget, Group.INVOICE_SEND) is None, "other groups go on"


@pytest.mark.parametrize("answer", [None, UNKNOWN_HERE])
async def test_an_answer_ends_it(answer: KsefError | None) -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    for _ in range(FREE - 1):
        assert await call(budget, Group.INVOICE_SEND, BROKEN) is None
    assert await call(budget, Group.INVOICE_SEND, answer) is None
    for _ in range(FREE):
        assert await call(budget, Group.INVOICE_SEND, BROKEN) is None


async def test_what_a_limit_says_it_says_itself() -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    limit = KsefError("KSeF: limit.", outcome=CallOutcome.REFUSED, code=429, retry_after=5)
    for _ in range(2 * FREE):
        assert await call(budget, Group.INVOICE_SEND, limit) is None
        await clock.advance(5.1)
    assert await call(budget, Group.INVOICE_SEND) is None


async def test_a_group_without_a_limit_is_tried_at_once() -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    for _ in range(20):
        assert await call(budget, Group.ANONYMOUS, BROKEN) is None
        await clock.advance(0.1)
