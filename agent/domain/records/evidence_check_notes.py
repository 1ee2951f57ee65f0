"""What a check of a bundle reads, and what it has to know until its end.

The latter is kept out of memory (agent.store.evidence_notes): a bundle of a busy month has half a million files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol


class BundleFiles(Protocol):
    """The files of a bundle. Reading raises what tells that it is no bundle."""

    def __contains__(self, path: object) -> bool: ...

    def paths(self) -> Iterator[str]:
        """By code points, as Python sorts."""
        ...

    def read(self, path: str) -> bytes:
        """KeyError where there is no such file."""
        ...

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file of any size; KeyError where there is none."""
        ...

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of a file of any size, with their ends; none where it is not there."""
        ...


class EvidenceNotes(Protocol):
    """Used by one caller at a time."""

    def note_listed(self, path: str, sha256: str) -> None:
        """A file that the index lists; of one path the last counts."""
        ...

    def listed(self) -> Iterator[tuple[str, str]]:
        """Path and hash of every file that the index lists, by path."""
        ...

    def is_listed(self, path: str) -> bool: ...

    def note_log_hash(self, invoice_id: str, value: bytes) -> None: ...

    def log_hash(self, invoice_id: str) -> bytes | None:
        """Over all the lines of an invoice that were noted; None: there was none."""
        ...

    def note_issued(self, invoice_id: str, day: str, number: str) -> None:
        """The log tells of the issue of an invoice on a day (P_1)."""
        ...

    def note_folder(self, invoice_id: str, folder: str) -> str | None:
        """The folder of an invoice; return the one it had before."""
        ...

    def left_out(self, first: str, last: str) -> Iterator[str]:
        """The numbers of invoices that the log tells of in these days, and that have no folder."""
        ...

    def note_page(self, path: str, sha256: str, names: Iterable[tuple[bytes, bytes]]) -> None:
        """A page of a session's UPO: its hash, KSeF numbers and hashes that it confirms."""
        ...

    def page_sha256(self, path: str) -> str | None: ...

    def page_names(self, path: str, number: bytes, digest: bytes) -> bool: ...
