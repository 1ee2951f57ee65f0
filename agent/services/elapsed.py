"""Since when something lasts: the wall clock tells people, the monotonic one measures."""

from __future__ import annotations

from datetime import datetime

from agent.domain.values import dataclass
from agent.ports import Clock


@dataclass(frozen=True, slots=True)
class Since:
    """An instant and its reading of the monotonic clock, so that a change of the wall clock makes nothing old."""

    at: datetime
    monotonic: float

    @classmethod
    def now(cls, clock: Clock) -> Since:
        """Begin now."""
        return cls(clock.now(), clock.monotonic())

    @classmethod
    def recalled(cls, at: datetime, now: datetime, clock: Clock) -> Since:
        """Go on with what an earlier run wrote; an instant to come was written by a clock that was wrong."""
        return cls(at, clock.monotonic() - max(0.0, (now - at).total_seconds()))

    def seconds(self, clock: Clock) -> float:
        """Return how long it lasts."""
        return clock.monotonic() - self.monotonic
