"""Evidence for an auditor: reads the store and yields the files of domain/records/evidence_files.py as one zip.

Invoices are read first, one at a time, and the log last: so the log always holds at least what the invoices
claim, although presses go on meanwhile. Nothing is written. The same store gives the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from agent.domain.calendar import end_of_day, start_of_day
from agent.domain.errors import Unavailable
from agent.domain.invoice import InvoiceRecord
from agent.domain.outages.circuit_breaker import LinkState
from agent.domain.outages.timeline import Timeline, fact_from_json
from agent.domain.records.evidence_files import (
    Cover,
    File,
    InvoiceFile,
    OutageInvoice,
    Paper,
    SessionUpo,
    closing_files,
    facts_file,
    folder_of,
    invoice_files,
    invoice_log_file,
    log_file,
    outage_files,
)
from agent.domain.records.hash_chain import GENESIS, LogLine
from agent.domain.records.outage_reports import LineSeen, outage_reports
from agent.ports import Event, InvoiceFilter, PrintJob, Store, Transaction

PAGE = 100
"""Invoices per read."""
LOG_PAGE = 1000

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time stamp of every file in the zip: the contents alone decide its bytes."""

Text = Callable[[str, bytes], str]
"""Turns what a printer (by name) was sent into text: text() of the Press."""


class Evidence:
    """Implements EvidenceBundle. ``text`` None leaves the texts of papers out."""

    def __init__(self, store: Store, seller_nip: str, text: Text | None = None, *, folder: Path | None = None) -> None:
        """``folder``: on whose disk bundle() writes; None: where the system keeps temporary files."""
        self._store = store
        self._seller_nip = seller_nip
        self._text = text
        self._folder = folder

    async def bundle(self, first: date, last: date) -> BinaryIO:
        """Return the zip about invoices with P_1 in these days, both included, as an open file that has no name.

        On disk and not in memory: a year of a busy till is larger than what its service may use. Unavailable
        "disk-full" where there is no room for it.
        """
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - the caller reads and closes it
        try:
            await self.write(first, last, file)
            file.seek(0)
        except BaseException as error:
            file.close()
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise Unavailable("Brak miejsca na dysku na plik z dowodami.", code="disk-full") from error
            raise
        return file

    async def write(self, first: date, last: date, file: BinaryIO, written: Callable[[], None] = lambda: None) -> int:
        """Write the zip into ``file``; return how many files it holds. ``written`` is called after each of them."""
        count = 0
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            async for path, content in self.files(first, last):
                entry = zipfile.ZipInfo(path, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content)
                count += 1
                written()
        return count

    async def files(self, first: date, last: date) -> AsyncIterator[File]:
        """Yield every file of the zip, index and sums at the end."""
        hashes: dict[str, str] = {}

        def noted(file: File) -> File:
            hashes[file[0]] = hashlib.sha256(file[1]).hexdigest()
            return file

        invoices: dict[str, OutageInvoice] = {}
        async for record in self._records(first, last):
            invoices[record.id] = _outage_invoice(record)
            whole = await self._whole(record.id)
            for file in invoice_files(whole):
                yield noted(file)
            if whole.session_upo is not None and whole.session_upo.path not in hashes:
                yield noted((whole.session_upo.path, await self._page(whole.session_upo)))
        previous, lines = await self._store.read(lambda tx: _log(tx, list(invoices)))
        for file in _log_files(invoices, lines):
            yield noted(file)
        timeline = await self._timeline()
        yield noted(facts_file(timeline.facts))
        begin, end = start_of_day(first), end_of_day(last)
        for report in outage_reports(timeline, list(invoices.values()), line_seen(lines), begin, end):
            for file in outage_files(report):
                yield noted(file)
        cover = Cover(
            seller_nip=self._seller_nip,
            first=first,
            last=last,
            previous=previous,
            first_seq=lines[0].seq if lines else None,
            last_seq=lines[-1].seq if lines else None,
            head=lines[-1].chain if lines else None,
        )
        for file in closing_files(cover, hashes):
            yield file

    async def _records(self, first: date, last: date) -> AsyncIterator[InvoiceRecord]:
        """Yield the invoices, newest first, a page in memory at a time."""
        after: str | None = None
        while True:
            query = InvoiceFilter(issued_from=first, issued_to=last, limit=PAGE, after_id=after)
            page = await self._store.read(lambda tx, query=query: tx.invoices.find(query))  # type: ignore[misc]
            for record in page:
                yield record
            if len(page) < PAGE:
                return
            after = page[-1].id

    async def _whole(self, invoice_id: str) -> InvoiceFile:
        return await self._store.read(partial(self._read_whole, invoice_id))

    async def _read_whole(self, invoice_id: str, tx: Transaction) -> InvoiceFile:
        named = await tx.sessions.upo_of(invoice_id)
        return InvoiceFile(
            record=await tx.invoices.get(invoice_id),
            versions=await tx.invoices.versions(invoice_id),
            upo=await tx.invoices.upo(invoice_id),
            papers=tuple(self._paper(job) for job in await tx.prints.of_invoice(invoice_id)),
            session_upo=None if named is None else SessionUpo(named.session, named.page),
        )

    async def _page(self, upo: SessionUpo) -> bytes:
        return await self._store.read(lambda tx: tx.sessions.page(upo.session, upo.page))

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

    async def _timeline(self) -> Timeline:
        facts = await self._store.read(lambda tx: tx.facts.all())
        return Timeline.of(fact_from_json(fact.body, fact.seen_at) for fact in facts)


async def _log(tx: Transaction, invoice_ids: list[str]) -> tuple[str, list[LogLine]]:
    """Return the stretch of the log that holds all events of these invoices, and the chain value before it."""
    bounds: list[int] = []
    for invoice_id in invoice_ids:
        own = await tx.events.of_invoice(invoice_id)
        bounds += [event.seq for event in (*own[:1], *own[-1:])]
    if not bounds:
        return GENESIS, []
    first, last = min(bounds), max(bounds)
    before = await tx.events.after(first - 2, 1) if first > 1 else []
    lines: list[LogLine] = []
    seq = first - 1
    while seq < last:
        page = await tx.events.after(seq, min(LOG_PAGE, last - seq))
        if not page:
            break
        lines += [log_line(event) for event in page]
        seq = page[-1].seq
    return (before[0].chain if before else GENESIS), lines


def log_line(event: Event) -> LogLine:
    """Return an event as the evidence has it."""
    at = event.at.astimezone(UTC).isoformat()
    return LogLine(event.seq, at, event.kind, event.invoice_id, event.data, event.chain)


def _log_files(invoices: dict[str, OutageInvoice], lines: list[LogLine]) -> list[File]:
    own: dict[str, list[LogLine]] = {invoice_id: [] for invoice_id in invoices}
    for line in lines:
        if line.invoice_id in own:
            own[line.invoice_id].append(line)
    files = [invoice_log_file(folder_of(invoices[each].number, each), found) for each, found in own.items()]
    return [*files, log_file(lines)]


def line_seen(lines: Iterable[LogLine]) -> list[LineSeen]:
    """Return what the log knows of the line: its changes, and what the presses noted of it."""
    found = []
    for line in lines:
        match line.kind, line.data:
            case "line", {"state": str(state), "since": since}:
                pass
            case "issued", {"facts": {"line": str(state), "line_since": since}}:
                pass
            case _:
                continue
        if state in set(LinkState):
            instant = datetime.fromisoformat(since) if isinstance(since, str) else None
            found.append(LineSeen(datetime.fromisoformat(line.at), LinkState(state), instant))
    return found


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
