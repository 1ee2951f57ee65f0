"""What auditors and managers ask across tills: search, register, days of an outage, evidence of one invoice."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from functools import partial

from agent.domain.calendar import local_date
from agent.domain.errors import BadInput, NotFound
from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub.domain.book_changes import changes
from agent.hub.domain.books import question, row, rows
from agent.hub.domain.records import HubInvoice, Till
from agent.hub.ports import HubStore, HubTransaction
from agent.ports import Clock

FOUND = 200
"""Invoices that a search lists."""
AMOUNT_DAYS = 92
"""An amount alone is looked for among the invoices of so many days."""
PAGE = 500
"""Invoices of the register read at once: presses find the loop free in between."""


@dataclass(frozen=True, slots=True)
class Found:
    """One hit, with where it was issued."""

    invoice: HubInvoice
    till: Till


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search lists; ``more``: there is more than FOUND."""

    found: tuple[Found, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class OutageDay:
    """A day of a till on which invoices went without their number. ``unnumbered``: of ``count``."""

    day: date
    shop: str
    till: str
    count: int
    unnumbered: int
    first_at: datetime
    last_at: datetime


class BookQueries:
    """Reads across tills. ``nip`` of a question: the only seller the asker may look at, None where every one."""

    def __init__(self, store: HubStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def search(self, text: str, nip: str | None = None) -> Hits:
        """Find by number or its beginning, KSeF number or its beginning, buyer's NIP, amount, hash or scanned code."""
        asked = question(text)
        if not asked.value:
            return Hits((), more=False)
        since = local_date(self._clock.now()) - timedelta(days=AMOUNT_DAYS)

        async def work(tx: HubTransaction) -> Hits:
            found = await tx.books.find(asked, since, FOUND + 1, nip)
            listed = found[:FOUND]
            tills = {each: await tx.parties.till(each) for each in {each.till_id for each in listed}}
            return Hits(tuple(Found(each, tills[each.till_id]) for each in listed), more=len(found) > FOUND)

        return await self._store.read(work)

    async def register(self, nip: str, month: str) -> AsyncIterator[list[dict[str, Json]]]:
        """Yield the rows of a month (YYYY-MM) as of today, a page at a time: a chain's month may be millions."""
        today = local_date(self._clock.now())
        async for found, tills in self._of_month(nip, month):
            yield rows(found, tills, today)

    async def changes(self, nip: str, month: str, since: str) -> AsyncIterator[list[dict[str, Json]]]:
        """Yield the rows of a month that differ from those of the end of a day (YYYY-MM-DD), a page at a time."""
        day, today = _day(since), local_date(self._clock.now())
        async for found, tills in self._of_month(nip, month):
            yield changes(found, tills, day, today)

    async def _of_month(self, nip: str, month: str) -> AsyncIterator[tuple[list[HubInvoice], dict[int, Till]]]:
        first, following = _month(month)
        await self._store.read(lambda tx: tx.parties.seller(nip))
        tills: dict[int, Till] = {}
        for each in range((following - first).days):
            day, last = first + timedelta(days=each), None
            while found := await self._store.read(partial(_page, nip, day, last, tills)):
                yield found, tills
                last = found[-1]

    async def outages(self, nip: str, month: str) -> list[OutageDay]:
        """Return the days and tills on which invoices were handed out without their number."""
        first, following = _month(month)

        async def work(tx: HubTransaction) -> list[OutageDay]:
            await tx.parties.seller(nip)
            found = []
            for each in await tx.books.days(nip, first, following):
                if each.count == each.online:
                    continue
                till = await tx.parties.till(each.till_id)
                unnumbered = each.count - each.online
                found.append(
                    OutageDay(each.day, till.shop, till.name, each.count, unnumbered, each.first_at, each.last_at)
                )
            return found

        return await self._store.read(work)

    async def evidence(self, sha256: bytes, nip: str | None = None) -> bytes:
        """Return a ZIP: the bytes as they were handed over, KSeF's confirmation, what the hub did, and the row."""

        async def work(tx: HubTransaction) -> bytes:
            invoice = await _invoice(tx, sha256, nip)
            till = await tx.parties.till(invoice.till_id)
            files: dict[str, bytes] = {"invoice.xml": await tx.invoices.xml(sha256)}
            proof = await tx.sessions.upo(sha256)
            if isinstance(proof, bytes):
                files["upo.xml"] = proof
            elif proof is not None:
                session, page = proof
                files[f"upo-{session}-{page}.xml"] = await tx.sessions.page(session, page)
            told = [asdict(each) for each in await tx.books.outcomes_of(sha256)]
            files["outcomes.json"] = _json(told)
            files["row.json"] = _json([row(invoice, till, local_date(self._clock.now()))])
            return _zip(files)

        return await self._store.read(work)

    async def invoice(self, sha256: bytes, nip: str | None = None) -> Found:
        """Return one; NotFound otherwise."""

        async def work(tx: HubTransaction) -> Found:
            invoice = await _invoice(tx, sha256, nip)
            return Found(invoice, await tx.parties.till(invoice.till_id))

        return await self._store.read(work)


async def _page(
    nip: str, day: date, after: HubInvoice | None, tills: dict[int, Till], tx: HubTransaction
) -> list[HubInvoice]:
    """Return the next page; put into ``tills`` those of it that are not there yet."""
    found = await tx.books.of_day(nip, day, after, PAGE)
    for each in {each.till_id for each in found} - tills.keys():
        tills[each] = await tx.parties.till(each)
    return found


async def _invoice(tx: HubTransaction, sha256: bytes, nip: str | None) -> HubInvoice:
    invoice = await tx.invoices.find(sha256)
    if invoice is None or nip not in {None, invoice.nip}:
        raise NotFound("Centrala nie zna tej faktury.", code="invoice-not-found")
    return invoice


def _month(text: str) -> tuple[date, date]:
    match = re.fullmatch(r"(\d{4})-(\d{2})", text)
    if match is None or not 1 <= int(match[2]) <= 12 or not 2020 <= int(match[1]) <= 2200:
        raise BadInput("Podaj miesiąc jako RRRR-MM, np. 2026-11 (month).", code="bad-query")
    first = date(int(match[1]), int(match[2]), 1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("Podaj dzień jako RRRR-MM-DD, np. 2026-12-20 (since).", code="bad-query") from None


def _json(value: Sequence[object]) -> bytes:
    def plain(each: object) -> str:
        return each.hex() if isinstance(each, bytes) else str(each)

    return json.dumps(value, ensure_ascii=False, indent=2, default=plain).encode("utf-8")


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return packed.getvalue()
