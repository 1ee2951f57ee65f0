"""What a bundle of evidence has to know of its files and invoices until it is whole, kept out of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from agent.domain.records.evidence_files import OutageInvoice
from agent.domain.values import dataclass

ZipEntry = tuple[str, int, int, int, int, int]
"""Of the zip's directory: path, offset of the header, CRC-32, compressed size, size, flags."""


@dataclass(frozen=True, slots=True)
class Read:
    """How an invoice was read.

    to           the newest event of all then
    first, last  its own events; None: it has none
    after, end   its entries: those behind the first of these places, up to the second
    """

    to: int
    first: int | None
    last: int | None
    after: int
    end: int


class EvidenceIndex(Protocol):
    """Files by path, invoices and the zip's entries in the order in which they came. Used by one caller at a time."""

    def close(self) -> None:
        """Forget everything."""
        ...

    def add_file(self, path: str, sha256: str) -> None:
        """Note a file and its hash in hexadecimal; each path once."""
        ...

    def has_file(self, path: str) -> bool: ...

    def files(self) -> Iterator[tuple[str, str]]:
        """Path and hash of every file, by path."""
        ...

    def add_invoice(self, invoice_id: str, invoice: OutageInvoice, read: Read) -> None:
        """Note an invoice when its files are."""
        ...

    def drop_invoice(self, invoice_id: str, folder: str) -> None:
        """Forget an invoice and the files of its folder: it is written again. Nothing where it was not there."""
        ...

    def read_to(self, invoice_id: str) -> int | None:
        """Which event was the newest of all when it was read; None where it is not there."""
        ...

    def events(self) -> tuple[int, int]:
        """The first and the last event of all invoices, (0, 0) where there are none."""
        ...

    def last_entry(self) -> int:
        """The place of the newest entry, 0 where there is none."""
        ...

    def invoices(self) -> Iterator[OutageInvoice]:
        """What outage reports tell of each invoice."""
        ...

    def add_entry(self, entry: ZipEntry) -> None: ...

    def entry_count(self) -> int: ...

    def entries(self) -> Iterator[ZipEntry]: ...


OpenIndex = Callable[[Path | None], EvidenceIndex]
"""Opens an empty one on the disk of a folder; None: where the system keeps temporary files."""
