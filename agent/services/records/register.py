"""The register of a month of P_1: rows with JPK markers, counts. Rows by tax point: books.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial

from agent.domain.fa3.build import issue_date
from agent.domain.records import register
from agent.domain.spreadsheets import RFC_4180, Dialect
from agent.ports import Clock, InvoiceFilter, Json, Store, Transaction
from agent.services.records.months import month_of

MONTH_LIMIT = 1_000_000


class RegisterReports:
    """Reads the register. ``month`` is YYYY-MM of P_1, ``as_of`` the day whose markers count (None: today)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def rows(self, month: str, as_of: date | None) -> list[Mapping[str, Json]]:
        """Return the rows of a month."""
        return [register.to_dict(row) for row in await self._rows(month, as_of)]

    async def csv(self, month: str, as_of: date | None, dialect: Dialect = RFC_4180) -> str:
        """Return the rows of a month as CSV."""
        return register.to_csv(await self._rows(month, as_of), dialect).decode("utf-8")

    async def counts(self, month: str, as_of: date | None) -> Mapping[str, Json]:
        """Return the counts of a month: how many offline, by mode, how late."""
        return register.count_to_dict(register.month_count(month, await self._rows(month, as_of)))

    async def _rows(self, month: str, as_of: date | None) -> list[register.RegisterRow]:
        day = as_of or issue_date(self._clock.now())
        return await self._store.read(partial(_rows, month_of(month), day))


async def _rows(days: tuple[date, date], as_of: date, tx: Transaction) -> list[register.RegisterRow]:
    records = await tx.invoices.summaries(InvoiceFilter(issued_from=days[0], issued_to=days[1], limit=MONTH_LIMIT))
    upos = [record.id for record in records if record.has_upo]
    later = await tx.invoices.summaries(InvoiceFilter(base_issued=days, limit=MONTH_LIMIT))
    return register.rows(records, as_of=as_of, upos=upos, corrections=later)
