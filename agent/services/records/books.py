"""The books: reads each invoice once for them, and gives rows of JPK_V7M(3), one at a time.

An invoice is read within minutes after it was issued, or when somebody asks sooner; the press does not wait for it.
Bytes leave this till only after they were read (a trigger of the database).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial

from agent.domain.books.changes import RowChange, row_changes
from agent.domain.books.entry import BookEntry
from agent.domain.books.jpk import JpkCsv, JpkRow, JpkXml, rows_of
from agent.domain.books.payments import PaymentTable
from agent.domain.books.read import book_entry, entry_of_row
from agent.domain.calendar import local_date
from agent.domain.errors import BadInput
from agent.domain.event_kinds import EventKind
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.records.filed import FiledInvoice
from agent.domain.records.register import AsOf, RegisterChange, as_it_was, is_invoice
from agent.ports import BookedInvoice, Clock, Event, Json, Store, Transaction
from agent.services.presses import Presses
from agent.services.records.months import month_of

PAGE = 100
AT_ONCE = 20
"""Invoices read between two writes: a press waits for one such write at most."""
A_ROUND = 1000
"""Invoices read in one round of the background: what an older program left is read in the course of hours."""
Days = tuple[date, date]
ReadPage = Callable[[FiledInvoice | None, Transaction], Awaitable[list[BookedInvoice]]]


class Books:
    """What the accountant takes over. ``month`` is YYYY-MM of the tax point, ``as_of`` when it is filed (None: now)."""

    def __init__(self, store: Store, clock: Clock, presses: Presses) -> None:
        self._store = store
        self._clock = clock
        self._presses = presses
        self._reading = asyncio.Lock()
        self._place = 0
        """Up to here everything was read; known anew by one look after a start."""

    async def read_some(self) -> None:
        """Read what came since, A_ROUND at most: in the background, so that whoever asks first waits for little."""
        await self._read(A_ROUND)

    async def read_all(self) -> int:
        """Read what was not read yet; return how many. Safe to repeat."""
        return await self._read(None)

    async def _read(self, most: int | None) -> int:
        count = 0
        async with self._reading:
            while most is None or count < most:
                unread, last = await self._store.read(partial(_unread, self._place))
                if not unread:
                    self._place = last
                    break
                entries = [(each, await self._entry(each)) for _, each in unread]
                await self._store.write(partial(_put, entries))
                count += len(unread)
                self._place, _ = unread[-1]
        return count

    async def _entry(self, invoice_id: str) -> BookEntry:
        await self._presses.pass_by()
        return _entry(await self._store.read(partial(_record, invoice_id)))

    async def invoices(self, days: Days) -> AsyncIterator[BookedInvoice]:
        """Yield what may belong to these days by its tax point, without bytes, a page in memory at a time."""
        await self.read_all()
        issued = await self._store.read(lambda tx: tx.books.issue_days(days))
        if issued is not None:
            async for each in self._paged(partial(_by_tax_point, days, issued)):
                yield each

    async def issued(self, days: Days) -> AsyncIterator[BookedInvoice]:
        """Yield what has its P_1 in these days, likewise."""
        await self.read_all()
        async for each in self._paged(partial(_by_issue, days)):
            yield each

    async def _paged(self, read_page: ReadPage) -> AsyncIterator[BookedInvoice]:
        after: FiledInvoice | None = None
        while True:
            await self._presses.pass_by()
            page = await self._store.read(partial(read_page, after))
            async for each in self._presses.among(page):
                yield each
            if len(page) < PAGE:
                return
            after = page[-1].record

    async def rows(self, month: str, as_of: AsOf | None = None) -> AsyncIterator[JpkRow]:
        """Yield the rows of a month, by day of issue."""
        days = month_of(month)
        filed = as_of or self._clock.now()
        async for each in self.invoices(days):
            for row in rows_of(each.record, each.entry, days, filed):
                yield row

    async def written(
        self, month: str, as_of: AsOf | None, writer: JpkXml | JpkCsv, *, filing: bool
    ) -> AsyncIterator[str]:
        """Yield the file of a month, a row at a time. ``filing``: it is remembered for changes()."""
        at = self._clock.now()
        yield writer.begin()
        async for row in self.rows(month, as_of or at):
            yield writer.row(row)
        yield writer.end()
        if filing:
            await self._store.write(lambda tx: tx.key_values.put(_exported(month), at.isoformat()))

    async def payments(self, month: str, table: PaymentTable) -> AsyncIterator[str]:
        """Yield the payments of what was issued in a month, by KSeF number, an invoice at a time."""
        yield table.begin()
        async for each in self.issued(month_of(month)):
            if is_invoice(each.record, self._clock.now()):
                yield table.lines(each.record, each.entry)

    async def exported_at(self, month: str) -> datetime | None:
        """Return when the rows of a month were last given out, None where they never were."""
        kept = await self._store.read(lambda tx: tx.key_values.get(_exported(month)))
        return datetime.fromisoformat(kept) if isinstance(kept, str) else None

    async def changes(self, month: str, since: AsOf, as_of: AsOf | None = None) -> list[RowChange]:
        """Return what has to be changed in books that were filed at ``since``: an instant, or the end of a day."""
        days = month_of(month)
        filed = as_of or self._clock.now()
        events = await self._store.read(lambda tx: tx.events.changing_books())
        changed = _since(events, since)
        then: list[JpkRow] = []
        now: list[JpkRow] = []
        async for each in self.invoices(days):
            before = as_it_was(each.record, changed.get(each.record.id, ()))
            then += rows_of(before, each.entry, days, since)
            now += rows_of(each.record, each.entry, days, filed)
        return row_changes(then, now)


def _exported(month: str) -> str:
    return f"jpk-export:{month}"


def _entry(record: InvoiceRecord) -> BookEntry:
    """What the document says; what its row says where the bytes left before, are damaged or cannot be read."""
    if not record.intact or not record.xml:
        return entry_of_row(record)
    try:
        return book_entry(read(record.xml))
    except BadInput:
        return entry_of_row(record)


async def _unread(after: int, tx: Transaction) -> tuple[list[tuple[int, str]], int]:
    """Return the next ones that were not read, and the place of what was stored last."""
    return await tx.books.unread(AT_ONCE, after), await tx.invoices.last_place()


async def _record(invoice_id: str, tx: Transaction) -> InvoiceRecord:
    return await tx.invoices.get(invoice_id)


async def _put(entries: Sequence[tuple[str, BookEntry]], tx: Transaction) -> None:
    """Keep what was read; the log takes its hash, so that a row altered later is seen."""
    kept = {invoice_id: await tx.books.put(invoice_id, entry) for invoice_id, entry in entries}
    hashes: dict[str, Json] = {invoice_id: sha256 for invoice_id, sha256 in kept.items() if sha256 is not None}
    if hashes:
        await tx.events.append(EventKind.BOOKS_READ, {"sha256": hashes})


async def _by_tax_point(days: Days, issued: Days, after: FiledInvoice | None, tx: Transaction) -> list[BookedInvoice]:
    return await tx.books.of_days(days, issued, PAGE, after)


async def _by_issue(days: Days, after: FiledInvoice | None, tx: Transaction) -> list[BookedInvoice]:
    return await tx.books.issued(days, PAGE, after)


def _since(events: Iterable[Event], since: AsOf) -> Mapping[str, list[RegisterChange]]:
    """Return by invoice what happened after ``since``, in order."""
    found: dict[str, list[RegisterChange]] = {}
    for event in events:
        later = event.at > since if isinstance(since, datetime) else local_date(event.at) > since
        if event.invoice_id is None or not later:
            continue
        match event.kind, event.data:
            case "mode", {"from": str(mode)}:
                change = RegisterChange(mode_before=Mode(mode))
            case _:
                change = RegisterChange(refused=True)
        found.setdefault(event.invoice_id, []).append(change)
    return found
