"""Questions across tills (port Books)."""

from __future__ import annotations

from datetime import date, datetime

from agent.hub.domain.books import Find, Question
from agent.hub.domain.records import DayCount, HubInvoice, Outcome
from agent.hub.store.database import Database, Row
from agent.hub.store.repositories.invoices import invoice_of
from agent.hub.store.repositories.outcomes import outcome_of

_AFTER_ALL = "\U0010ffff"
"""The last character there is: what begins with a text stands from it to before it and this one."""


class StoredBooks:
    """Reads only; each by an index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_day(self, nip: str, day: date, after: HubInvoice | None, limit: int) -> list[HubInvoice]:
        """Return those issued on a day that follow one of them in the order of the register."""
        number, version, sha256 = ("", 0, b"") if after is None else (after.number, after.version, after.sha256)
        rows = await self._database.run(
            "of_day", nip=nip, day=day, number=number, version=version, sha256=sha256, limit=limit
        )
        return [invoice_of(row) for row in rows]

    async def find(self, question: Question, since: date, limit: int, nip: str | None = None) -> list[HubInvoice]:
        """Return what fits, of one seller or of all, the newest or the last by number first."""
        database, value = self._database, question.value
        if question.by is Find.HASH:
            rows = await database.run("invoice", sha256=bytes.fromhex(value))
        elif question.by is Find.KSEF_NUMBER:
            rows = await database.run("by_ksef_number_of_any", ksef_number=value)
        elif question.by is Find.KSEF_BEGINNING:
            rows = await database.run("by_ksef_beginning", **_range(value), limit=limit)
            rows = rows or await self._by_number(value, limit, nip)
        elif question.by is Find.BUYER:
            rows = await database.run("by_buyer", identifier=value, nip=nip, limit=limit)
        elif question.by is Find.AMOUNT:
            rows = await database.run("by_amount", since=since, gross=value, nip=nip, limit=limit)
        else:
            rows = await self._by_number(value, limit, nip)
        return [each for each in map(invoice_of, rows) if nip in {None, each.nip}]

    async def _by_number(self, number: str, limit: int, nip: str | None) -> list[Row]:
        """Seller by seller: an index of all sellers' numbers would be walked through for the few of one."""
        rows = await self._database.run("by_number", number=number, nip=nip, limit=limit)
        found = {row.blob("sha256"): row for row in rows}
        sellers = [nip] if nip else [row.text("nip") for row in await self._database.run("sellers_of_all_times")]
        for seller in sellers:
            if len(found) >= limit:
                break
            rows = await self._database.run("by_number_beginning", nip=seller, **_range(number), limit=limit)
            for row in rows:
                found.setdefault(row.blob("sha256"), row)
        return list(found.values())[:limit]

    async def open_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return what of a till is not in KSeF yet, nearest deadline first."""
        return [invoice_of(row) for row in await self._database.run("open_of_till", till_id=till_id, limit=limit)]

    async def newest_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return what a till handed over last."""
        return [invoice_of(row) for row in await self._database.run("newest_of_till", till_id=till_id, limit=limit)]

    async def shares(self, since: datetime) -> dict[int, tuple[int, int]]:
        """Return by till how many were handed over since then, and how many had their number in time."""
        rows = await self._database.run("shares", since=since)
        return {row.whole("till_id"): (row.whole("count"), row.whole("online")) for row in rows}

    async def days(self, nip: str, first: date, following: date) -> list[DayCount]:
        """Return the same by day and till."""
        rows = await self._database.run("days", nip=nip, first=first, next=following)
        return [
            DayCount(
                day=row.day("issued_on"),
                till_id=row.whole("till_id"),
                count=row.whole("count"),
                online=row.whole("online"),
                first_at=row.instant("first_at"),
                last_at=row.instant("last_at"),
            )
            for row in rows
        ]

    async def outcomes_of(self, sha256: bytes) -> list[Outcome]:
        """Return what was told of an invoice."""
        return [outcome_of(row) for row in await self._database.run("outcomes_of", sha256=sha256)]


def _range(beginning: str) -> dict[str, str]:
    return {"beginning": beginning, "following": beginning + _AFTER_ALL}
