"""A clock that tests move. Sleepers wake in the order of their alarms, never by real time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from agent.domain.calendar import WARSAW
from tests.fakes.threads_at_work import calls_under_way

T = TypeVar("T")
TURNS = 200
"""Turns of the loop in which a socket or a thread may answer."""
POOL = "asyncio_"
"""How the names of a loop's own threads begin: their calls are counted, between them they are idle."""
MAIN = threading.main_thread()


def at(text: str, fold: int = 0) -> datetime:
    """Return the instant of "2026-11-24 22:00", Polish time; ``fold`` 1: the second of two such hours."""
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW, fold=fold).astimezone(UTC)


class FakeClock:
    """Clock port; ``advance`` moves time and wakes whoever is due."""

    _boots = itertools.count(1)

    def __init__(self, start: datetime = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._boot = f"boot-{next(self._boots)}"
        self.ntp = False
        """Whether a time server keeps it."""
        self.battery = True
        """Whether it runs while the machine is off."""
        self._monotonic = 1000.0
        self._slept = 0.0
        self._alarms: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self.asleep = asyncio.Event()
        """Set once somebody waits for an alarm."""

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def awake(self) -> float:
        return self._monotonic - self._slept

    def boot(self) -> str:
        return self._boot

    def kept_by_ntp(self) -> bool:
        return self.ntp

    def has_battery_clock(self) -> bool:
        return self.battery

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._alarms, (self._monotonic + seconds, next(self._order), future))
        self.asleep.set()
        await future

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        alarm = asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise TimeoutError
        finally:
            alarm.cancel()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def step(self, delta: timedelta) -> None:
        """Change the wall time only, as an administrator or NTP would."""
        self._now += delta

    def slept(self, time: timedelta) -> None:
        """Be in suspend for so long: both clocks go on, and who waits was woken by neither."""
        self._now += time
        self._monotonic += time.total_seconds()
        self._slept += time.total_seconds()

    def reboot(self, off: timedelta) -> None:
        """Be off for so long; what counted from the boot begins anew."""
        self._now += off
        self._monotonic, self._slept = 30.0, 0.0
        self._boot = f"boot-{next(self._boots)}"
        self._alarms.clear()

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; each sleeper wakes at its own instant."""
        end = self._monotonic + seconds
        while True:
            await self._settle()
            while self._alarms and self._alarms[0][2].done():
                heapq.heappop(self._alarms)
            if not self._alarms or self._alarms[0][0] > end:
                break
            due, _, future = heapq.heappop(self._alarms)
            self._move(max(due, self._monotonic))
            future.set_result(None)
        self._move(end)
        await self._settle()

    def _move(self, to: float) -> None:
        self._now += timedelta(seconds=to - self._monotonic)
        self._monotonic = to

    async def _settle(self) -> None:
        """Let everybody go on until all of them wait.

        Where the loop has nothing left to run but this task, whoever else there is waits: for an alarm, a socket or a
        thread. Only the last two go on without this clock; they get all the turns.
        """
        loop = asyncio.get_running_loop()
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if not loop._ready and not _waits_for_outside(loop):  # type: ignore[attr-defined] # nothing public tells
                return


def _waits_for_outside(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a task may wait for a socket (there is one beside the loop's own) or for another thread."""
    if len(loop._selector.get_map()) > 1 or calls_under_way():  # type: ignore[attr-defined]
        return True
    return any(not thread.name.startswith(POOL) for thread in threading.enumerate() if thread is not MAIN)
