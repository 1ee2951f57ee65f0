"""Presses under way, their answers included: what can wait stands back for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agent.ports import Clock

LOOK_SECONDS = 0.02
"""Between two looks whether the press is over."""
LONGEST_SECONDS = 0.25
"""A press that prints takes less; one that waits for KSeF needs the store again only later."""


class Presses:
    """Counts them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """One more, until it ends."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def pass_by(self) -> None:
        """Wait until none is under way, LONGEST_SECONDS at most: a busy counter does not stop the backlog."""
        give_up = self._clock.monotonic() + LONGEST_SECONDS
        while self._count and self._clock.monotonic() < give_up:
            await self._clock.sleep(LOOK_SECONDS)
