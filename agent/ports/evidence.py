"""What a bundle of evidence has to know of its files and invoices until it is whole, kept out of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from agent.domain.records.evidence_files import OutageInvoice

ZipEntry = tuple[str, int, int, int, int, int]
"""Of the zip's directory: path, offset of the header, CRC-32, compressed size, size, flags."""


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

    def add_invoice(self, invoice_id: str, invoice: OutageInvoice) -> None: ...

    def names(self, after: int, limit: int) -> list[tuple[int, str, str]]:
        """Place, id and number of the next invoices; places begin with 1."""
        ...

    def invoices(self) -> Iterator[OutageInvoice]:
        """What outage reports tell of each invoice."""
        ...

    def add_entry(self, entry: ZipEntry) -> None: ...

    def entry_count(self) -> int: ...

    def entries(self) -> Iterator[ZipEntry]: ...


OpenIndex = Callable[[Path | None], EvidenceIndex]
"""Opens an empty one on the disk of a folder; None: where the system keeps temporary files."""
