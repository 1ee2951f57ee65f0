"""A clock whose waits end as soon as nothing else is going on: sockets are real, time is not.

For tests of dialogues over loopback: both sides run in one loop, so when the loop has been idle for a few
milliseconds nobody will answer any more, and the next alarm is due.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import AsyncIterator
from unittest.mock import patch

import aiosqlite

from tests.fakes.clock import FakeClock
from tests.fakes.threads_at_work import calls_under_way, counted

PAUSE = 0.003
"""Real seconds between two looks."""
TURNS = 30
"""Turns of the loop at each look: time enough for questions and answers under way."""
LOOKS = 5
"""An alarm that is still the next one after so many quiet looks goes off."""
BUSY = 3 * PAUSE
"""In a look that took longer the loop or the machine was busy, and answers may be under way."""
BUSY_LOOK = 0.1
"""What such a look counts: little, but on a machine that is always busy time must pass too."""


class SwiftClock(FakeClock):
    """FakeClock that advances by itself while ``running``."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[SwiftClock]:
        """Jump from alarm to alarm until the block ends, never while another thread works: a slow disk is no wait."""
        driver = asyncio.create_task(self._drive(), name="swift-clock")
        try:
            with patch.object(aiosqlite.Connection, "_execute", counted(aiosqlite.Connection._execute)):
                yield self
        finally:
            driver.cancel()
            await asyncio.gather(driver, return_exceptions=True)

    async def _drive(self) -> None:
        seen: tuple[float, int] | None = None
        looks = 0.0
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(PAUSE)
            for _ in range(TURNS):
                await asyncio.sleep(0)
            proof = BUSY_LOOK if time.perf_counter() - begun > BUSY else 1.0
            while self._alarms and self._alarms[0][2].done():
                heapq.heappop(self._alarms)
            following = self._alarms[0][:2] if self._alarms else None
            looks = looks + proof if following == seen and not calls_under_way() else proof
            seen = following
            if following is not None and looks >= LOOKS:
                await self.advance(max(0.0, following[0] - self.monotonic()))
                seen = None
