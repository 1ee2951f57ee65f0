"""A clock whose waits end as soon as nothing else is going on: sockets are real, time is not.

For tests of dialogues over loopback: both sides run in one loop, so when the loop has been idle for a few
milliseconds nobody will answer any more, and the next alarm is due.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator

from tests.fakes.clock import FakeClock

PAUSE = 0.003
"""Real seconds between two looks."""
TURNS = 30
"""Turns of the loop at each look: time enough for questions and answers under way."""
LOOKS = 3
"""An alarm that is still the next one after so many looks goes off."""


class SwiftClock(FakeClock):
    """FakeClock that advances by itself while ``running``."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[SwiftClock]:
        """Jump from alarm to alarm until the block ends."""
        driver = asyncio.create_task(self._drive(), name="swift-clock")
        try:
            yield self
        finally:
            driver.cancel()
            await asyncio.gather(driver, return_exceptions=True)

    async def _drive(self) -> None:
        seen: tuple[float, int] | None = None
        looks = 0
        while True:
            await asyncio.sleep(PAUSE)
            for _ in range(TURNS):
                await asyncio.sleep(0)
            while self._alarms and self._alarms[0][2].done():
                heapq.heappop(self._alarms)
            following = self._alarms[0][:2] if self._alarms else None
            looks = looks + 1 if following == seen else 1
            seen = following
            if following is not None and looks >= LOOKS:
                await self.advance(max(0.0, following[0] - self.monotonic()))
                seen = None
