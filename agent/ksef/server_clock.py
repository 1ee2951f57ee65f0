"""KSeF's own clock, as last heard."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.ports import Clock


class ServerTime:
    """Carried on by the monotonic clock, so that a stepped wall clock of the till does not touch it.

    Validity of tokens, sessions and keys is KSeF's to judge, hence measured by this clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: tuple[datetime, float] | None = None

    def hear(self, instant: datetime, asked_at: float) -> float:
        """Take note of KSeF's time given in an answer to a question asked at ``asked_at`` (monotonic).

        Return the skew in seconds, KSeF minus the till's wall clock. KSeF is taken to have
        written its time halfway between question and answer.
        """
        middle = (asked_at + self._clock.monotonic()) / 2
        self._heard = (instant, middle)
        return (self.now() - self._clock.now()).total_seconds()

    def now(self) -> datetime:
        """Return KSeF's time; the till's own as long as KSeF has not been heard."""
        if self._heard is None:
            return self._clock.now()
        instant, heard_at = self._heard
        return instant + timedelta(seconds=self._clock.monotonic() - heard_at)
