"""Evidence for an auditor: reads the store and yields the files of domain/records/evidence_files.py as one zip.

Invoices are read first, with their events (evidence_invoices.py), the log last, as far as those go: so it tells what
the invoices claim, although presses go on meanwhile and go first. Nothing is stored, and memory does not follow the
length of the period (ports/evidence.py). The same store gives the same bytes.
"""

from __future__ import annotations

import asyncio
import errno
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import field
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from agent.domain.calendar import end_of_day, start_of_day
from agent.domain.errors import Unavailable
from agent.domain.outages.circuit_breaker import LinkState
from agent.domain.outages.timeline import Timeline, fact_from_json
from agent.domain.records.evidence_files import (
    LOG,
    Cover,
    closing_files,
    facts_file,
    log_text,
    outage_files,
)
from agent.domain.records.hash_chain import GENESIS, LogLine
from agent.domain.records.outage_reports import LineSeen, outage_reports
from agent.domain.values import dataclass
from agent.ports import Store, Transaction
from agent.ports.evidence import EvidenceIndex, OpenIndex
from agent.services.presses import Presses
from agent.services.records.evidence_invoices import EvidenceInvoices, Text, log_line
from agent.services.records.evidence_zip import Content, EvidenceZip

LOG_PAGE = 200


class Evidence:
    """Implements EvidenceBundle. ``text`` None leaves the texts of papers out."""

    def __init__(
        self,
        store: Store,
        open_index: OpenIndex,
        presses: Presses,
        seller_nip: str,
        text: Text | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        """``folder``: on whose disk bundle() writes; None: where the system keeps temporary files."""
        self._store = store
        self._open_index = open_index
        self._presses = presses
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
        with closing(self._open_index(self._folder)) as index:
            with EvidenceZip(file, index, written) as archive:
                await self._write_all(first, last, archive, index)
            return archive.count

    async def _write_all(self, first: date, last: date, archive: EvidenceZip, index: EvidenceIndex) -> None:
        invoices = EvidenceInvoices(self._store, self._presses.pass_by, self._text)
        await invoices.write(first, last, archive, index)
        stretch = await self._write_log(*index.events(), archive)
        timeline = await self._timeline()
        archive.add(*facts_file(timeline.facts))
        begin, end = start_of_day(first), end_of_day(last)
        for report in outage_reports(timeline, index.invoices, stretch.line, begin, end):
            await asyncio.to_thread(_add, archive, outage_files(report))
        cover = Cover(
            seller_nip=self._seller_nip,
            first=first,
            last=last,
            previous=stretch.previous,
            first_seq=stretch.first_seq,
            last_seq=stretch.last_seq,
            head=stretch.head,
        )
        await asyncio.to_thread(_add, archive, closing_files(cover, index.files))

    async def _write_log(self, first: int, last: int, archive: EvidenceZip) -> _Stretch:
        """Write the log from one event to another without a gap; an empty file where there is none (0)."""
        before = await self._store.read(partial(_log_page, first - 2, 1)) if first > 1 else []
        stretch = _Stretch(before[0].chain if before else GENESIS)
        seq = first - 1
        with archive.writing(LOG) as write:
            while seq < last:
                await self._presses.pass_by()
                lines = await self._store.read(partial(_log_page, seq, min(LOG_PAGE, last - seq)))
                if not lines:
                    break
                stretch.add(lines)
                await asyncio.to_thread(write, log_text(lines))
                seq = lines[-1].seq
        return stretch

    async def _timeline(self) -> Timeline:
        facts = await self._store.read(lambda tx: tx.facts.all())
        return Timeline.of(fact_from_json(fact.body, fact.seen_at) for fact in facts)


@dataclass(slots=True)
class _Stretch:
    """What is known of the log that was written: its ends, and the line."""

    previous: str = GENESIS
    """Chain value before it."""
    first_seq: int | None = None
    last_seq: int | None = None
    head: str | None = None
    """Chain value of its last event."""
    line: list[LineSeen] = field(default_factory=list)

    def add(self, lines: list[LogLine]) -> None:
        """Go on by some lines; of the line only what changes is kept, since every press tells of it."""
        self.first_seq = self.first_seq or lines[0].seq
        self.last_seq, self.head = lines[-1].seq, lines[-1].chain
        for seen in line_seen(lines):
            known = self.line[-1] if self.line else None
            if known is None or (known.state, known.since) != (seen.state, seen.since) or seen.at < known.at:
                self.line.append(seen)


def _add(archive: EvidenceZip, files: Iterable[tuple[str, Content]]) -> None:
    for path, content in files:
        archive.add(path, content)


async def _log_page(after: int, limit: int, tx: Transaction) -> list[LogLine]:
    return [log_line(event) for event in await tx.events.after(after, limit)]


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
