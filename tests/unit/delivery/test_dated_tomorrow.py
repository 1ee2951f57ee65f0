"""A till's clock that is ahead, within what is put up with, has passed midnight before KSeF's."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from tests.fakes.agent_with_sandbox import AgentWithSandbox, agent_with_sandbox
from tests.fakes.hub_till import JumpingClock

PAST_MIDNIGHT = datetime(2026, 11, 24, 23, 5, tzinfo=UTC)
"""Five past midnight in Poland, Wednesday."""


@pytest.fixture
def clock() -> JumpingClock:
    found = JumpingClock()
    found.step = PAST_MIDNIGHT - found.now()
    return found


async def rounds(place: AgentWithSandbox, clock: JumpingClock, minutes: int) -> None:
    for _ in range(minutes):
        clock.jump(timedelta(minutes=1))
        await place.agent.connection.probe()
        await place.agent.queue.pass_once()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("invoices", [1, 12], ids=["singly", "as a batch"])
async def test_it_waits_for_its_day_and_keeps_its_paper(tmp_path: Path, clock: JumpingClock, invoices: int) -> None:
    """It was sent at once, and KSeF refused each: the customers of five minutes, every night, had no invoice."""
    async with agent_with_sandbox(tmp_path, clock=clock) as place:
        place.sandbox.clock.skew = -timedelta(minutes=10)
        await place.agent.connection.probe()
        sold = [await place.sell() for _ in range(invoices)]
        assert {(each.issued_on, each.mode) for each in sold} == {(date(2026, 11, 25), Mode.OFFLINE24)}
        await rounds(place, clock, 3)
        waiting = [await place.record(each.id) for each in sold]
        assert {each.state for each in waiting} == {InvoiceState.ISSUED}
        assert {each.attempts for each in waiting} == {0}
        await rounds(place, clock, 10)
        assert {(await place.record(each.id)).state for each in sold} == {InvoiceState.ACCEPTED}


async def test_what_is_dated_later_than_tomorrow_is_for_a_person(tmp_path: Path, clock: JumpingClock) -> None:
    """Nobody waits for a day to come next year."""
    async with agent_with_sandbox(tmp_path, clock=clock, extra='\n[issue]\nprefer = "offline24"\n') as place:
        clock.step += timedelta(days=2)
        place.sandbox.clock.skew = -timedelta(days=2)
        sold = await place.sell()
        await rounds(place, clock, 3)
        assert (await place.record(sold.id)).state is InvoiceState.REJECTED
