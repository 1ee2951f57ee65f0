"""The register of a month of P_1: rows with JPK markers, counts; a page in memory at a time. By tax point: books.py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import date
from functools import partial

from agent.domain.calendar import days_between
from agent.domain.fa3.build import issue_date
from agent.domain.invoice import InvoiceSummary
from agent.domain.records import register
from agent.domain.records.filed import InvoiceGroup, RegisteredInvoice
from agent.domain.spreadsheets import RFC_4180, Dialect
from agent.ports import Clock, Json, Store, Transaction
from agent.services.presses import Presses
from agent.services.records.months import month_of

PAGE = 100


class RegisterReports:
    """Reads the register. ``month`` is YYYY-MM of P_1, ``as_of`` the day whose markers count (None: today)."""

    def __init__(self, store: Store, clock: Clock, presses: Presses) -> None:
        self._store = store
        self._clock = clock
        self._presses = presses

    async def rows(self, month: str, as_of: date | None) -> AsyncIterator[Mapping[str, Json]]:
        """Yield the rows of a month, by day and number."""
        async for row in self._rows(month, as_of):
            yield register.to_dict(row)

    async def _rows(self, month: str, as_of: date | None) -> AsyncIterator[register.RegisterRow]:
        day = as_of or issue_date(self._clock.now())
        days = month_of(month)
        last: RegisteredInvoice | None = None
        while True:
            await self._presses.pass_by()
            page, corrections = await self._store.read(partial(_page, days, last))
            async for row in self._presses.among(register.rows_of_page(page, as_of=day, corrections=corrections)):
                yield row
            if len(page) < PAGE:
                return
            last = page[-1]

    async def json(self, month: str, as_of: date | None) -> AsyncIterator[str]:
        """Yield the rows of a month as a JSON object, a row at a time."""
        yield f'{{"month":{_json(month)},"rows":['
        comma = ""
        async for row in self.rows(month, as_of):
            yield comma + _json(row)
            comma = ","
        yield "]}"

    async def csv(self, month: str, as_of: date | None, dialect: Dialect = RFC_4180) -> AsyncIterator[str]:
        """Yield the rows of a month as CSV, a row at a time."""
        yield dialect.begin(register.COLUMNS)
        async for row in self._rows(month, as_of):
            yield register.csv_line(row, dialect)

    async def counts(self, month: str, as_of: date | None) -> Mapping[str, Json]:
        """Return the counts of a month: how many offline, by mode, how late."""
        counting = register.MonthCounting(month, as_of or issue_date(self._clock.now()))
        for day in days_between(*month_of(month)):
            await self._presses.pass_by()
            for group in await self._store.read(partial(_groups, day)):
                counting.add(group)
        return register.count_to_dict(counting.count())


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


async def _groups(day: date, tx: Transaction) -> list[InvoiceGroup]:
    return await tx.invoices.issued_groups(day)


async def _page(
    days: tuple[date, date], after: RegisteredInvoice | None, tx: Transaction
) -> tuple[list[RegisteredInvoice], list[InvoiceSummary]]:
    page = await tx.invoices.issued(days, PAGE, after)
    return page, await tx.invoices.corrections_of([each.id for each in page])
