"""Time: the only source of it."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """The only source of time. Tests move it; nothing else reads a clock or sleeps."""

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, for budgets and ages."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        ...

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        """Await ``work`` at most so long; TimeoutError (and ``work`` cancelled) after that."""
        ...
