"""The register of a month: rows with JPK markers, what changed since they were filed, counts."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from functools import partial

from agent.domain.calendar import local_date
from agent.domain.errors import BadInput, FieldError
from agent.domain.fa3.build import issue_date
from agent.domain.records import register
from agent.ports import Clock, InvoiceFilter, Json, Store, Transaction

MONTH_LIMIT = 1_000_000


class RegisterReports:
    """Reads the register. ``month`` is YYYY-MM, ``as_of`` the day whose markers count (None: today)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def rows(self, month: str, as_of: date | None) -> list[Mapping[str, Json]]:
        """Return the rows of a month."""
        return [register.to_dict(row) for row in await self._rows(month, as_of)]

    async def csv(self, month: str, as_of: date | None) -> str:
        """Return the rows of a month as CSV."""
        return register.to_csv(await self._rows(month, as_of)).decode("utf-8")

    async def changes(self, month: str, since: date, as_of: date | None) -> list[Mapping[str, Json]]:
        """Return what has to be changed in books that were filed with the markers of the end of the day ``since``."""
        then = await self._rows(month, since, issued_by=since)
        now = await self._rows(month, as_of)
        return [register.change_to_dict(change) for change in register.changed_since(then, now)]

    async def counts(self, month: str, as_of: date | None) -> Mapping[str, Json]:
        """Return the counts of a month: how many offline, by mode, how late."""
        return register.count_to_dict(register.month_count(month, await self._rows(month, as_of)))

    async def _rows(self, month: str, as_of: date | None, *, issued_by: date = date.max) -> list[register.RegisterRow]:
        day = as_of or issue_date(self._clock.now())
        return await self._store.read(partial(_rows, month_bounds(month), day, issued_by))


async def _rows(days: tuple[date, date], as_of: date, issued_by: date, tx: Transaction) -> list[register.RegisterRow]:
    found = await tx.invoices.find(InvoiceFilter(issued_from=days[0], issued_to=days[1], limit=MONTH_LIMIT))
    records = [record for record in found if local_date(record.issued_at) <= issued_by]
    upos = [record.id for record in records if record.has_upo]
    later = await tx.invoices.find(InvoiceFilter(base_issued=days, limit=MONTH_LIMIT))
    return register.rows(records, as_of=as_of, upos=upos, corrections=later)


def month_bounds(month: str) -> tuple[date, date]:
    """Return first and last day of YYYY-MM."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise BadInput("Miesiąc zapisz jako RRRR-MM.", errors=(FieldError("/month", "RRRR-MM"),)) from error
    return first, first.replace(day=monthrange(first.year, first.month)[1])
