"""Erases consumers' data whose period is over; what is due and what the periods are, for people.

Once a day, and on a manager's order. An invoice at a time:

  R   what is due; the periods of everything that corrects it count too
  F   its archive file removed, where it was exported (an archive that is not there: the invoice waits)
  W   buyer, bytes, prints, closed orders of its corrections [erased]

A crash between F and W leaves an invoice whose file is gone: the next run finds none and goes on to W. A database that
was restored from an older copy has the data again, and the next run erases it again. Nothing is erased by a clock that
nobody vouches for: one that runs ahead makes everything old.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from functools import partial
from pathlib import Path

from agent.domain.calendar import local_date
from agent.domain.corrections.correction import Correction, without_buyer
from agent.domain.errors import Conflict
from agent.domain.event_kinds import EventKind
from agent.domain.json_io.codec import from_plain, to_plain
from agent.domain.records.retention import ERASED, issued_before, limitation_ends, may_be_erased
from agent.domain.values import dataclass
from agent.ports import ErasureCandidate, Store, Transaction
from agent.services.records.books import Books
from agent.settings.model import RetentionSettings

LOG = logging.getLogger("agent.retention")
PAGE = 100
NAMED = 100
"""Invoices that an answer names; the count holds them all."""
BASIS = "art. 70 § 1 Ordynacji podatkowej, art. 112 ustawy o VAT; RODO art. 5 ust. 1 lit. e, art. 17 ust. 1 lit. a"

DropArchive = Callable[[Path, bytes], bool]
"""Removes an archive file with this SHA-256; False where it is another one, or its folder is not there."""


@dataclass(frozen=True, slots=True)
class RetentionPeriod:
    """How long something is kept, in Polish."""

    what: str
    how_long: str
    basis: str


@dataclass(frozen=True, slots=True)
class DueErasure:
    """A consumer's invoice whose period is over."""

    number: str
    issued_on: date
    period_ended: date


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """The periods, and what an erasure now would erase."""

    periods: tuple[RetentionPeriod, ...]
    erase_consumers: bool
    """Whether it is done by itself once a day."""
    hold_until: date | None
    clock_confirmed: bool
    """Nothing is erased by a clock that nobody vouches for."""
    due_count: int
    due: tuple[DueErasure, ...]
    """At most 100."""
    erased_count: int
    """Invoices erased so far."""


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """What was erased now."""

    erased: int
    waiting: tuple[str, ...]
    """Numbers, at most 100, whose archive file is not there to be removed, or is another one."""


class Retention:
    """What the law wants no longer."""

    def __init__(
        self,
        store: Store,
        books: Books,
        settings: RetentionSettings,
        *,
        now: Callable[[], datetime],
        clock_confirmed: Callable[[], bool],
        drop_archive: DropArchive,
    ) -> None:
        """``now``: the best known time; ``clock_confirmed``: whether somebody vouches for it."""
        self._store = store
        self._books = books
        self._now = now
        self._clock_confirmed = clock_confirmed
        self._settings = settings
        self._drop_archive = drop_archive
        self._erasing = asyncio.Lock()

    async def plan(self) -> RetentionPlan:
        """Return the periods and what is due; changes nothing."""
        count = 0
        named: list[DueErasure] = []
        async for each, last_day in self._due():
            count += 1
            if len(named) < NAMED:
                named.append(DueErasure(each.number, each.issued_on, last_day))
        return RetentionPlan(
            periods=periods(self._settings),
            erase_consumers=self._settings.erase_consumers,
            hold_until=self._settings.hold_until,
            clock_confirmed=self._clock_confirmed(),
            due_count=count,
            due=tuple(named),
            erased_count=await self._store.read(lambda tx: tx.erasures.count()),
        )

    async def daily(self) -> bool:
        """Erase what is due, where the settings want it; False where it has to be tried again."""
        if not self._settings.erase_consumers:
            return True
        if not self._clock_confirmed():
            return False
        result = await self._erase()
        return not result.waiting

    async def erase(self) -> ErasureResult:
        """Erase what is due, now. Conflict "clock-not-confirmed": nothing was erased."""
        if not self._clock_confirmed():
            raise Conflict(
                "Nikt nie potwierdza daty, więc niczego nie usunięto: zegar, który się spieszy, postarzyłby faktury. "
                "Poczekaj na łączność z KSeF albo potwierdź zegar.",
                code="clock-not-confirmed",
            )
        return await self._erase()

    async def _erase(self) -> ErasureResult:
        async with self._erasing:
            await self._books.read_all()  # what the books take from the bytes stays
            erased = 0
            waiting: list[str] = []
            async for each, last_day in self._due():
                if await self._without_archive(each):
                    erased += await self._store.write(partial(self._erase_one, each, last_day))
                else:
                    waiting.append(each.number)
        if erased:
            LOG.info("consumers' data of %d invoices was erased, their retention is over", erased)
        if waiting:
            LOG.warning("%d invoices are not erased: their archive files could not be removed", len(waiting))
        return ErasureResult(erased, tuple(waiting[:NAMED]))

    async def _due(self) -> AsyncIterator[tuple[ErasureCandidate, date]]:
        """Yield what may be erased, each with the last day of its period."""
        today = local_date(self._now())
        before, after = issued_before(today, self._settings.limitation_years), 0
        while page := await self._store.read(partial(_page, before, after)):
            for each in page:
                after = each.seq
                related = await self._store.read(partial(_related, each.id))
                if last_day := self._over(related, today):
                    yield each, last_day

    def _over(self, related: list[tuple[date, bool]], today: date) -> date | None:
        """Return the last day of a period that is over; None where it is not, or a correction is on its way."""
        years = self._settings.limitation_years
        days = [day for day, _ in related]
        if not all(final for _, final in related) or not may_be_erased(days, today, years, self._settings.hold_until):
            return None
        return max(limitation_ends(day, years) for day in days)

    async def _without_archive(self, each: ErasureCandidate) -> bool:
        archived = await self._store.read(partial(_archived, each.id))
        if archived is None:
            return True
        place, sha256 = archived
        return await asyncio.to_thread(self._drop_archive, Path(place), sha256)

    async def _erase_one(self, each: ErasureCandidate, last_day: date, tx: Transaction) -> int:
        today = local_date(self._now())
        if self._over(await tx.erasures.related(each.id), today) is None:
            return 0  # somebody corrected it meanwhile
        record = await tx.invoices.get(each.id)
        orders = {
            held.id: _written(without_buyer(from_plain(Correction, json.loads(held.body)), ERASED))
            for held in await tx.held.of_base(each.id)
            if held.base_id == each.id
        }
        await tx.erasures.erase(each.id, orders)
        await tx.events.append(
            EventKind.ERASED,
            {"sha256": record.sha256.hex(), "period_ended": last_day.isoformat(), "legal_basis": BASIS},
            each.id,
        )
        return 1


def periods(settings: RetentionSettings) -> tuple[RetentionPeriod, ...]:
    """Name every period, with its articles."""
    years = f"{settings.limitation_years} lat od końca roku, w którym upłynął termin płatności podatku"
    return (
        RetentionPeriod(
            "faktury w KSeF", "10 lat od końca roku wystawienia (przechowuje KSeF)", "art. 112aa ustawy o VAT"
        ),
        RetentionPeriod(
            "faktury poza KSeF i dokumenty do ksiąg",
            years,
            "art. 112, 112a ustawy o VAT; art. 70 § 1, art. 86 § 1 Ordynacji podatkowej",
        ),
        RetentionPeriod(
            "dane osób bez identyfikatora podatkowego",
            f"{years}, potem usuwane" if settings.erase_consumers else f"{years}, potem do usunięcia",
            "RODO art. 5 ust. 1 lit. e, art. 17 ust. 1 lit. a; wcześniej nie: art. 17 ust. 3 lit. b",
        ),
        RetentionPeriod(
            "treść faktur i wydruków w kasie",
            f"{settings.keep_days} dni, potem w archiwum (export --prune)",
            "ustawienie",
        ),
        RetentionPeriod("wiersze, numery, skróty, UPO, dziennik", "bez ograniczenia", "dowód, bez danych osób"),
    )


def _written(order: Correction) -> bytes:
    return json.dumps(to_plain(order), ensure_ascii=False).encode()


async def _page(before: date, after: int, tx: Transaction) -> list[ErasureCandidate]:
    return await tx.erasures.due(before, after, PAGE)


async def _related(invoice_id: str, tx: Transaction) -> list[tuple[date, bool]]:
    return await tx.erasures.related(invoice_id)


async def _archived(invoice_id: str, tx: Transaction) -> tuple[str, bytes] | None:
    return await tx.erasures.archived(invoice_id)
