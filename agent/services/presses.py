"""Presses under way, their answers included: what can wait stands back for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from agent.ports import Clock

T = TypeVar("T")

LOOK_SECONDS = 0.02
"""Between two looks whether the press is over."""
ROWS_AT_ONCE = 10
"""Rows of a report between two turns of the loop: half a millisecond."""
LONGEST_SECONDS = 0.25
"""A press that prints takes less; one that waits for KSeF needs the store again only later."""


class Presses:
    """Counts them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._none = threading.Event()
        """As pass_by() asks the count, for those who work in another thread."""
        self._none.set()
        self._told: list[Callable[[], None]] = []

    @property
    def any(self) -> bool:
        """Whether one is under way."""
        return self._count > 0

    def when_over(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` in the loop each time the last one has ended."""
        self._told.append(tell)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """One more, until it ends."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()
                for tell in self._told:
                    tell()

    async def pass_by(self) -> None:
        """Wait until none is under way, LONGEST_SECONDS at most: a busy counter does not stop the backlog."""
        give_up = self._clock.monotonic() + LONGEST_SECONDS
        while self._count and self._clock.monotonic() < give_up:
            await self._clock.sleep(LOOK_SECONDS)

    async def let_in(self) -> None:
        """Let the loop turn, which a press needs to begin at all, and wait for one that has: for what writes many rows.

        A press that comes while a page of rows is written would wait for its end, and pass_by() before the next page
        would be too late for it.
        """
        await asyncio.sleep(0)
        await self.pass_by()

    async def among(self, rows: Iterable[T]) -> AsyncIterator[T]:
        """Yield these rows and let presses in between."""
        for place, row in enumerate(rows):
            if place and place % ROWS_AT_ONCE == 0:
                await self.let_in()
            yield row

    def stand_back(self) -> None:
        """As pass_by(), for work in a thread beside the loop, which it blocks."""
        self._none.wait(LONGEST_SECONDS)
