"""Long polls: a screen waits until the event log grows, and looks again."""

from __future__ import annotations

from agent.ports import Clock, Store
from agent.services.signals import Signal


class Changes:
    """Tells of news."""

    def __init__(self, store: Store, clock: Clock, changed: Signal) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed

    async def wait(self, after: int, seconds: float) -> int:
        """Wait until the event log grows beyond ``after``, at most so long; return its newest sequence number.

        A log that ends before ``after`` is not the one the screen saw: a copy was put back, and all of it is news.
        """
        newest = await self._newest()
        if newest != after:
            return newest
        try:
            await self._clock.within(seconds, self._changed.wait())
        except TimeoutError:
            return newest
        return await self._newest()

    async def _newest(self) -> int:
        return await self._store.read(lambda tx: tx.events.newest())
