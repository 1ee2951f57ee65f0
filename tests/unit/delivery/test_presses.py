"""The backlog stands back for presses, and is not stopped by them."""

from __future__ import annotations

import asyncio

from agent.services.presses import LONGEST_SECONDS, Presses
from tests.fakes.clock import FakeClock


async def test_whoever_can_wait_waits_for_the_press() -> None:
    clock = FakeClock()
    presses = Presses(clock)
    await presses.pass_by()  # none: at once
    with presses.under_way():
        waiting = asyncio.create_task(presses.pass_by())
        await clock.advance(LONGEST_SECONDS / 2)
        assert not waiting.done()
    await clock.advance(LONGEST_SECONDS / 4)
    assert waiting.done()


async def test_a_press_without_end_stops_nobody() -> None:
    clock = FakeClock()
    presses = Presses(clock)
    with presses.under_way():
        waiting = asyncio.create_task(presses.pass_by())
        await clock.advance(LONGEST_SECONDS + 0.1)
        assert waiting.done()
