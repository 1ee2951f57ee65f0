"""The instant that a document or a declaration may bear: the till's clock, once somebody vouches for it."""

from __future__ import annotations

from datetime import date, datetime

from agent.domain.callers import Caller
from agent.domain.errors import Unavailable
from agent.services.outages.clock_check import ClockAnswer, ClockCheck
from agent.services.outages.connection import Connection
from agent.services.signals import Signal


class TrustedTime:
    """Asks KSeF for its time before it refuses to date anything."""

    def __init__(self, clock_check: ClockCheck, connection: Connection, changed: Signal) -> None:
        self._clock_check = clock_check
        self._connection = connection
        self._changed = changed

    async def for_document(self) -> datetime:
        """Return the instant to date a document with; Unavailable where the clock may not date it."""
        try:
            return await self._clock_check.require(self._connection.probe, "faktury nie wystawiono")
        except Unavailable:
            self._changed.set()  # whoever looks at the till sees why at once
            raise

    async def undated(self, refused: str) -> datetime:
        """Return the instant of what bears no date of issue. ``refused``: in Polish, what is not done otherwise."""
        return await self._clock_check.instant(self._connection.probe, refused)

    async def confirm(self, day: date, caller: Caller) -> ClockAnswer:
        """Take a manager's word that the clock shows the right day and hour; ``day``: the Polish date as it was shown.

        Conflict (clock-moved, clock-wrong) where it shows another day by now, or is certainly wrong.
        """
        await self._clock_check.confirm(day, caller.name)
        self._changed.set()
        return self._clock_check.answer()
