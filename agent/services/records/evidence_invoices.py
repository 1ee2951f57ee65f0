"""The invoices of a bundle of evidence and their events, all as they were at one moment of the log.

A shop sells while its bundle is written, and one unit of work over a month would hold up its presses. So each page is
read with its events, and what changed since its page is read and written again, until nothing has: then all of it is as
the log is, up to its newest event. A file that is written again takes the place of the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, date
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.records.evidence_files import (
    InvoiceFile,
    OutageInvoice,
    Paper,
    SessionUpo,
    folder_of,
    invoice_files,
    invoice_log_file,
)
from agent.domain.records.hash_chain import LogLine
from agent.domain.values import dataclass
from agent.ports import Event, InvoiceFilter, PrintJob, Store, Transaction
from agent.ports.evidence import EvidenceIndex, Read
from agent.services.records.evidence_zip import EvidenceZip

PAGE = 20
"""Invoices per read, with all their bytes."""
EVENTS = 200
"""Events that are looked through at a time for invoices that changed."""

Text = Callable[[str, bytes], str]
"""Turns what a printer (by name) was sent into text: text() of the Press."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """An invoice and its events, of one unit of work."""

    invoice: InvoiceFile
    lines: Sequence[LogLine]


@dataclass(frozen=True, slots=True)
class _Page:
    """``newest``: the newest event of all when it was read. ``seen``: up to which event changes were looked for."""

    found: Sequence[_Whole]
    newest: int
    seen: int = 0


class EvidenceInvoices:
    """Writes invoices with P_1 in some days into a bundle. ``text`` None leaves the texts of papers out."""

    def __init__(self, store: Store, pass_by: Callable[[], Awaitable[None]], text: Text | None) -> None:
        """``pass_by`` lets presses go first."""
        self._store = store
        self._pass_by = pass_by
        self._text = text

    async def write(self, first: date, last: date, archive: EvidenceZip, index: EvidenceIndex) -> None:
        """Write them with their events, newest first."""
        seen: int | None = None
        async for page in self._pages(first, last):
            seen = page.newest if seen is None else seen
            await self._write(page, archive, index)
        while seen is not None:
            await self._pass_by()
            page = await self._store.read(partial(self._changed, first, last, index, seen))
            await self._write(page, archive, index)
            seen = None if page.seen == page.newest else page.seen

    async def _pages(self, first: date, last: date) -> AsyncIterator[_Page]:
        after: str | None = None
        while True:
            await self._pass_by()
            query = InvoiceFilter(issued_from=first, issued_to=last, limit=PAGE, after_id=after)
            page = await self._store.read(partial(self._read_page, query))
            yield page
            if len(page.found) < PAGE:
                return
            after = page.found[-1].invoice.record.id

    async def _read_page(self, query: InvoiceFilter, tx: Transaction) -> _Page:
        found = [await self._read_whole(record, tx) for record in await tx.invoices.find(query)]
        return _Page(found, await tx.events.newest())

    async def _changed(self, first: date, last: date, index: EvidenceIndex, after: int, tx: Transaction) -> _Page:
        """Read what later events than those of its page tell of, up to a page of it."""
        newest = await tx.events.newest()
        changed: dict[str, None] = {}
        seen = after
        for event in await tx.events.after(after, EVENTS):
            if len(changed) == PAGE:
                break
            seen = event.seq
            if event.invoice_id is not None and _is_news(event, index.read_to(event.invoice_id), first, last):
                changed[event.invoice_id] = None
        found = [await self._read_whole(await tx.invoices.get(each), tx) for each in changed]
        return _Page(found, newest, seen)

    async def _read_whole(self, record: InvoiceRecord, tx: Transaction) -> _Whole:
        named = await tx.sessions.upo_of(record.id)
        invoice = InvoiceFile(
            record=record,
            versions=await tx.invoices.versions(record.id),
            upo=await tx.invoices.upo(record.id),
            papers=tuple(self._paper(job) for job in await tx.prints.of_invoice(record.id)),
            session_upo=None if named is None else SessionUpo(named.session, named.page),
        )
        return _Whole(invoice, [log_line(event) for event in await tx.events.of_invoice(record.id)])

    def _paper(self, job: PrintJob) -> Paper:
        text = self._text(job.printer, job.data) if self._text and job.printer and job.data is not None else None
        return Paper(
            copy=job.copy,
            document=job.document,
            label=job.label,
            state=job.state.value,
            created_at=job.created_at,
            printer=job.printer,
            problem=job.problem,
            data=job.data,
            text=text,
        )

    async def _write(self, page: _Page, archive: EvidenceZip, index: EvidenceIndex) -> None:
        await asyncio.to_thread(_add, page, archive, index)
        named = (each.invoice.session_upo for each in page.found)
        for upo in dict.fromkeys(each for each in named if each is not None):
            if not index.has_file(upo.path):
                archive.add(upo.path, await self._page_of(upo))

    async def _page_of(self, upo: SessionUpo) -> bytes:
        return await self._store.read(lambda tx: tx.sessions.page(upo.session, upo.page))


def _is_news(event: Event, read_to: int | None, first: date, last: date) -> bool:
    """Whether an event tells something new of an invoice of these days. ``read_to``: None where it is not there yet."""
    if read_to is not None:
        return event.seq > read_to
    issued_on = event.data.get("issued_on")
    is_new = event.kind == EventKind.ISSUED and isinstance(issued_on, str)
    return is_new and first.isoformat() <= str(issued_on) <= last.isoformat()


def _add(page: _Page, archive: EvidenceZip, index: EvidenceIndex) -> None:
    for whole in page.found:
        record = whole.invoice.record
        folder = folder_of(record.number, record.id)
        index.drop_invoice(record.id, folder)
        begin = index.last_entry()
        for path, content in (*invoice_files(whole.invoice), invoice_log_file(folder, whole.lines)):
            archive.add(path, content)
        events = [line.seq for line in whole.lines]
        read = Read(page.newest, min(events, default=None), max(events, default=None), begin, index.last_entry())
        index.add_invoice(record.id, _outage_invoice(record), read)


def log_line(event: Event) -> LogLine:
    """Return an event as the evidence has it."""
    at = event.at.astimezone(UTC).isoformat()
    return LogLine(event.seq, at, event.kind, event.invoice_id, event.data, event.chain)


def _outage_invoice(record: InvoiceRecord) -> OutageInvoice:
    words = {"open": "otwarty (zdarzenie trwa)", "lifted": "zniesiony (awaria całkowita)"}
    due = record.deadline.isoformat() if record.deadline else words.get(record.deadline_state, "nieznany")
    return OutageInvoice(
        number=record.number,
        mode=record.mode.value,
        issued_at=record.issued_at,
        deadline=due,
        state=record.state.value,
        ksef_number=record.ksef_number,
        accepted_at=record.accepted_at,
    )
