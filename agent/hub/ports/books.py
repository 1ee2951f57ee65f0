"""Questions across tills."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol

from agent.hub.domain.books import Question
from agent.hub.domain.records import DayCount, HubInvoice, Outcome


class Books(Protocol):
    """Questions across tills. Reads only."""

    async def of_day(self, nip: str, day: date, after: HubInvoice | None, limit: int) -> list[HubInvoice]:
        """Return those of a NIP issued on a day, by number and version; ``after``: the last one of the page before.

        A refused file that a technical correction replaced is left out, here and in days(): the sale is there once.
        """
        ...

    async def find(self, question: Question, since: date, limit: int, nip: str | None = None) -> list[HubInvoice]:
        """Return what fits, of one seller or of all, the newest first; amounts are looked for since a day.

        A number finds the whole one first, then those that begin with it in whatever case (of ASCII letters), by seller
        and the last by number first; the beginning of a KSeF number likewise. Nothing in a question is a wildcard.
        """
        ...

    async def open_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return what of a till is not in KSeF yet, nearest deadline first."""
        ...

    async def newest_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return what a till handed over last."""
        ...

    async def shares(self, since: datetime) -> dict[int, tuple[int, int]]:
        """Return by till how many were handed over since then, and how many had their number in time."""
        ...

    async def days(self, nip: str, first: date, following: date) -> list[DayCount]:
        """Return the same by day of issue and till."""
        ...

    async def outcomes_of(self, sha256: bytes) -> list[Outcome]:
        """Return what was told of an invoice."""
        ...
