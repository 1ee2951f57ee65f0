"""Daily chores of a till that is switched off every night: due shortly after it is switched on, once a day at most.

When a chore was done last is durable; serving/schedule.py only asks, about once an hour.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from agent.ports import Store

PAUSE = timedelta(hours=20)
"""Less than a day: a shop that opens a quarter of an hour earlier than yesterday does its chores all the same."""


class DailyJobs:
    """Remembers when each chore was done."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        """The best known time: a step of the wall clock repeats no chore, and puts none off."""

    async def once_a_day(self, name: str, work: Callable[[], Awaitable[bool]], *, again: bool = False) -> bool:
        """Do ``work`` unless it was done today; return whether it was done now.

        ``again``: do it even so. ``work`` returns False, or raises, where it has to be tried again with the next
        question.
        """
        if not again and not await self._due(name):
            return False
        if not await work():
            return False
        at = self._now().isoformat()
        await self._store.write(lambda tx: tx.key_values.put(_entry(name), at))
        return True

    async def _due(self, name: str) -> bool:
        kept = await self._store.read(lambda tx: tx.key_values.get(_entry(name)))
        if not isinstance(kept, str):
            return True
        # a time to come was written by a clock that was wrong
        return not timedelta(0) <= self._now() - datetime.fromisoformat(kept) < PAUSE


def _entry(name: str) -> str:
    return f"chore:{name}"
