"""The log of a bundle, held against its chain and against what each invoice says of itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from agent.domain.event_kinds import EventKind
from agent.domain.json_io.canonical import Json, canonical
from agent.domain.records.evidence_check_notes import EvidenceNotes
from agent.domain.records.evidence_files import LOG
from agent.domain.records.hash_chain import LogLine


class CheckedLog:
    """The log, a line in memory at a time; a line that is no event ends it."""

    def __init__(self, read: Callable[[], Iterable[bytes]], notes: EvidenceNotes) -> None:
        self._read = read
        self._notes = notes
        self.sha256 = ""
        """Of the file, in hexadecimal; known after once()."""
        self.problems: list[str] = []
        self.first: LogLine | None = None
        self.last: LogLine | None = None

    def once(self) -> Iterator[LogLine]:
        """Yield all lines, and keep what is asked for later."""
        whole = hashlib.sha256()
        for line in self._lines(whole.update):
            self.first, self.last = self.first or line, line
            if line.invoice_id is not None:
                value = _with(self._notes.log_hash(line.invoice_id), line.to_json())
                self._notes.note_log_hash(line.invoice_id, value)
                if line.kind == EventKind.ISSUED:
                    day, number = line.data.get("issued_on"), line.data.get("number")
                    self._notes.note_issued(line.invoice_id, str(day), str(number))
            yield line
        self.sha256 = whole.hexdigest()

    def _lines(self, seen: Callable[[bytes], None] = lambda _: None) -> Iterator[LogLine]:
        """Yield the lines before the first that is no event; ``seen`` takes the bytes of all."""
        sound = True
        for number, text in enumerate(self._read(), 1):
            seen(text)
            try:
                line = LogLine.from_json(json.loads(text)) if sound else None
            except (KeyError, TypeError, ValueError, RecursionError):
                self.problems = [f"{LOG}: wiersz {number} nie jest zdarzeniem."]
                sound, line = False, None
            if line is not None:
                yield line

    def holds(self, invoice_id: str, events: Iterable[Json]) -> bool:
        """Tell whether these are, to the letter, all the log's events of an invoice."""
        value: bytes | None = None
        try:
            for event in events:
                value = _with(value, event)
        except (ValueError, RecursionError):  # NaN and the like
            return False
        return value == self._notes.log_hash(invoice_id)

    def of_invoices(self, invoice_ids: frozenset[str]) -> Mapping[str, list[LogLine]]:
        """Read the lines of some invoices again."""
        found: dict[str, list[LogLine]] = {invoice_id: [] for invoice_id in invoice_ids}
        for line in self._lines() if invoice_ids else ():
            if line.invoice_id in found:
                found[line.invoice_id].append(line)
        return found


def _with(value: bytes | None, event: Json) -> bytes:
    return hashlib.sha256((value or b"") + canonical(event).encode()).digest()
