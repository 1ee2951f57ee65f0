"""Who is asked which numbers are used, before a copy takes the place of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from agent.domain.calendar import local_date
from agent.domain.errors import AgentError
from agent.domain.numbering import series_name
from agent.domain.records.used_numbers import UsedDocument, Witness, lacking
from agent.domain.values import dataclass
from agent.ports import Clock, KsefError, LedgerPart
from agent.settings.model import Settings
from agent.store.disk import is_copy, traces
from agent.store.maintenance import Summary
from agent.store.mark import Mark, mark_paths
from agent.store.witnesses import (
    ReadNumber,
    mark_of,
    newest_webhook,
    numbers_in,
    of_copy,
    of_mark,
    of_replaced,
    waiting_corrections,
)

KSEF_SECONDS = 60.0
"""So long KSeF is waited for; a till is restored without a line as well."""
ONE_DAY = timedelta(days=1)
WITHOUT_DATE = timedelta(days=99)
"""Looked back where the copy holds nothing."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known before a restore."""

    witnesses: tuple[Witness, ...]
    mark: Mark | None
    lacking: tuple[UsedDocument, ...]
    """Invoices the copy does not have."""
    active: tuple[str, ...]
    """Series that are used next."""
    still_waiting: frozenset[str] | None
    """Corrections without a number that still wait in the replaced database; None: it cannot be asked."""
    copies: tuple[Path, ...] = ()
    """Other copies of this seller's invoices."""
    last_webhook: int = 0
    """The highest webhook id that the replaced database may have given; 0: it cannot be asked."""


def gather(settings: Settings, backup: Path, copy: Summary, database: Path, clock: Clock) -> Sources:
    """Ask everybody. Blocking; finite in time."""
    nip, now = settings.seller.nip, clock.now()

    there = frozenset(numbers_in(backup, nip))
    mark, trouble = mark_of(mark_paths(database), clock.boot())
    witnesses: list[Witness] = []
    wal = database.with_name(database.name + "-wal")
    replaced = (
        of_replaced(database, mark, nip, settings.read_number, without=there)
        if database.exists() or wal.exists()
        else None
    )
    if replaced is not None:
        witnesses.append(replaced)
    if mark is not None:
        witnesses.append(of_mark(mark))
    elif trouble is not None:
        witnesses.append(Witness("zapis najwyższych numerów", trouble=trouble))
    copies = []
    for path in _other_copies(backup, database, settings.backup.dir):
        found = of_copy(path, nip, without=there)
        if found is not None:
            witnesses.append(found)
            copies.append(path)
    ledger = asyncio.run(_ask_ksef(settings, _since(copy, now), clock))
    witnesses.append(_of_ledger(ledger, settings.read_number))
    today = local_date(now)
    return Sources(
        tuple(witnesses),
        mark,
        lacking(there, witnesses),
        tuple(series_name(name, till=settings.till, issued_on=today) for name in settings.issue.series_templates),
        waiting_corrections(database) if replaced is not None and replaced.most is not None else None,
        tuple(copies),
        newest_webhook(database),
    )


def _other_copies(backup: Path, database: Path, folder: Path) -> Iterator[Path]:
    """Yield what lies beside the database, beside the copy, and where copies go."""
    real = backup.resolve()
    beside = [path for place in (real.parent, folder) for path in sorted(place.glob("*.db"))]
    for path in dict.fromkeys([*traces(database), *beside]):
        if path.resolve() not in (real, database.resolve()) and is_copy(path):
            yield path


def _since(copy: Summary, now: datetime) -> datetime:
    last = copy.last_event_at or copy.last_issued_at
    return last - ONE_DAY if last is not None and last < now else now - WITHOUT_DATE


async def _ask_ksef(settings: Settings, since: datetime, clock: Clock) -> LedgerPart | str:
    """Return what KSeF holds, or why it could not be asked."""
    from agent.ksef.gateway import open_gateway  # noqa: PLC0415 - heavy, and only needed here

    try:
        gateway = open_gateway(settings.ksef, settings.seller.nip, clock)
    except AgentError as error:
        return str(error)
    try:
        async with asyncio.timeout(KSEF_SECONDS):
            return await gateway.issued_since(settings.seller.nip, since)
    except (KsefError, AgentError) as error:
        return str(error)
    except TimeoutError:
        return f"KSeF nie odpowiedział w ciągu {KSEF_SECONDS:.0f} s."
    finally:
        await gateway.close()


def _of_ledger(part: LedgerPart | str, read_number: ReadNumber) -> Witness:
    if isinstance(part, str):
        return Witness("KSeF", trouble=part)
    least: dict[str, int] = {}
    documents = []
    for entry in part.entries:
        found = read_number(entry.number)
        if found is None:
            continue  # of another till, or numbered by the shop's own system
        series, serial = found
        least[series] = max(serial, least.get(series, 0))
        documents.append(
            UsedDocument(entry.number, entry.kind, entry.issued_on, str(entry.gross), entry.currency, entry.ksef_number)
        )
    trouble = None if part.complete else "KSeF ma więcej faktur, niż można było odczytać; lista może być niepełna."
    return Witness("KSeF", least, None, tuple(documents), trouble)
