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
        """Return seconds that never go back and go on while the machine sleeps, for budgets and ages."""
        ...

    def awake(self) -> float:
        """Return seconds that never go back and stand still while the machine sleeps: nobody can work then."""
        ...

    def boot(self) -> str:
        """Return what tells one boot from another: readings of monotonic() compare only within one."""
        ...

    def kept_by_ntp(self) -> bool:
        """Whether the kernel says that a time server keeps now() right. False where that cannot be known."""
        ...

    def has_battery_clock(self) -> bool:
        """Whether the machine has a clock that runs while it is off, and that agrees with now() to the day."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait, by monotonic(); cancellable. A machine that slept meanwhile ends the wait soon after it woke."""
        ...

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        """Await ``work`` at most so long; TimeoutError (and ``work`` cancelled) after that."""
        ...
