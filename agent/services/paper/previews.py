"""What a screen shows of a paper: the bytes last sent to a printer, as picture and text; the document as PDF.

An invoice may have thousands of lines (KSeF takes a megabyte of XML), and drawing such a paper takes seconds and tens
of megabytes. So one preview is made at a time, beside the event loop, and few wait: a press is never behind them, and
the memory of the service does not grow with the number of screens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import TypeVar

from agent.domain.calendar import local_date
from agent.domain.errors import BadInput, FieldError, NotFound, Unavailable
from agent.domain.invoice import InvoiceRecord
from agent.domain.paper.receipt import Receipt
from agent.domain.report import Report
from agent.ports import Clock, Picture, PrintJob, ReceiptRenderer, Store, Transaction
from agent.services.paper import own_printing
from agent.services.paper.papers import InvoicePapers

T = TypeVar("T")
WAITING = 8
"""Previews that may wait behind the one being made; each till and its page want one or two."""
PAGES = ("a4", "receipt")


class Previews:
    """Pictures, texts and PDF of papers."""

    def __init__(self, store: Store, clock: Clock, papers: InvoicePapers, renderer: ReceiptRenderer) -> None:
        self._store = store
        self._clock = clock
        self._papers = papers
        self._renderer = renderer
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def picture(self, invoice_id: str, page: int = 1) -> Picture:
        """Return a page of the picture of exactly the bytes last sent (of the current paper where none were).

        NotFound, BadInput where there is no such page, Unavailable where too many wait.
        """
        return await self._make(invoice_id, lambda printer, data: self._renderer.png(printer, data, page))

    async def text(self, invoice_id: str) -> str:
        """Return the text of those bytes. Errors as of picture()."""
        return await self._make(invoice_id, self._renderer.text)

    async def pdf(self, invoice_id: str, page: str) -> bytes:
        """Return the current document as PDF; ``page`` is a4 or receipt. Errors as of picture()."""
        if page not in PAGES:
            raise BadInput("Format PDF to a4 albo receipt.", errors=(FieldError("/page", "a4 albo receipt"),))
        record = await self._record(invoice_id)
        return await self._in_turn(lambda: self._pdf(record, page))

    async def unprinted(self, receipt: Receipt) -> str:
        """Return the text of a slip that is not printed; Unavailable where too many wait."""
        printer = self._renderer.default
        return await self._in_turn(lambda: self._renderer.text(printer, self._renderer.encode(printer, receipt)))

    async def code(self, invoice_id: str) -> bytes:
        """Return KOD I as SVG, for the customer's phone before a screen. NotFound, Unavailable as of picture()."""
        record = await self._record(invoice_id)
        return await self._in_turn(lambda: self._renderer.code(record.link_invoice))

    async def report(self, report: Report) -> bytes:
        """Return a report as PDF; Unavailable where too many wait."""
        return await self._in_turn(lambda: self._renderer.report(report))

    def _pdf(self, record: InvoiceRecord, page: str) -> bytes:
        if page == "a4":
            return self._renderer.a4(self._papers.sheet(record, self._today()))
        return self._renderer.pdf(self._papers.original(record, self._today()))

    def _today(self) -> date:
        return local_date(self._clock.now())

    async def last_sent(self, invoice_id: str) -> bytes:
        """Return the bytes last sent to a printer; NotFound before the first print.

        Of an invoice that the till prints by its own means: the bytes for a printer of ours.
        """
        _, data = await self._last_sent(invoice_id)
        if data is None and await self._store.read(lambda tx: own_printing.chosen(tx, invoice_id)):
            return await self._make(invoice_id, lambda _, data: data)
        if data is None:
            raise NotFound("Tej faktury jeszcze nie drukowano.", code="not-printed")
        return data

    async def _make(self, invoice_id: str, show: Callable[[str, bytes], T]) -> T:
        printer, data = await self._last_sent(invoice_id)
        if data is not None:
            sent = data
            return await self._in_turn(lambda: show(printer, sent))
        return await self._in_turn(partial(self._show_original, await self._record(invoice_id), show))

    def _show_original(self, record: InvoiceRecord, show: Callable[[str, bytes], T]) -> T:
        default = self._renderer.default
        return show(default, self._renderer.encode(default, self._papers.original(record, self._today())))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting > WAITING:
            raise Unavailable("Program przygotowuje inne podglądy wydruków. Ponów za chwilę.", code="previews-busy")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

    async def _record(self, invoice_id: str) -> InvoiceRecord:
        return await self._store.read(lambda tx: tx.invoices.get(invoice_id))

    async def _last_sent(self, invoice_id: str) -> tuple[str, bytes | None]:
        sent = [job for job in await self._store.read(partial(_jobs, invoice_id)) if job.data is not None]
        if not sent:
            return self._renderer.default, None
        newest = max(sent, key=lambda job: job.id)
        return newest.printer or self._renderer.default, newest.data


async def _jobs(invoice_id: str, tx: Transaction) -> list[PrintJob]:
    await tx.invoices.get(invoice_id)
    return await tx.prints.of_invoice(invoice_id)
