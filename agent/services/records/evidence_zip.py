"""Writes the zip of a bundle in constant memory: zipfile's list of entries is kept in the index, on disk."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO

from agent.ports.evidence import EvidenceIndex

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time stamp of every file in the zip: the contents alone decide its bytes."""

Content = bytes | Iterable[bytes]


class EvidenceZip:
    """A zip whose files are noted in the index with their hashes. The same contents give the same bytes."""

    def __init__(self, file: BinaryIO, index: EvidenceIndex, written: Callable[[], None] = lambda: None) -> None:
        """``written`` is called after each file."""
        self._index = index
        self._written = written
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._zip.filelist = _Entries(index)
        self._zip.NameToInfo = _NoNames()

    def __enter__(self) -> EvidenceZip:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self._zip.close()
            return
        with suppress(OSError):  # what went wrong is told already; whoever gave the file throws it away
            self._zip.close()

    @property
    def count(self) -> int:
        """How many files it holds."""
        return self._index.entry_count()

    def add(self, path: str, content: Content) -> None:
        """Write a file, whole or in pieces."""
        if isinstance(content, bytes):
            self._zip.writestr(_entry(path), content)
            self._noted(path, hashlib.sha256(content).hexdigest())
            return
        with self.writing(path) as write:
            for piece in content:
                write(piece)

    @contextmanager
    def writing(self, path: str) -> Iterator[Callable[[bytes], None]]:
        """Give what writes the next piece of a file of any size."""
        sha256 = hashlib.sha256()
        with self._zip.open(_entry(path), "w", force_zip64=True) as out:

            def write(piece: bytes) -> None:
                sha256.update(piece)
                out.write(piece)

            yield write
        self._noted(path, sha256.hexdigest())

    def _noted(self, path: str, sha256: str) -> None:
        self._index.add_file(path, sha256)
        self._written()


class _Entries(list[zipfile.ZipInfo]):
    """What zipfile appends each finished entry to, counts, and goes along once, when it writes the directory."""

    def __init__(self, index: EvidenceIndex) -> None:
        super().__init__()
        self._index = index

    def append(self, entry: zipfile.ZipInfo, /) -> None:
        self._index.add_entry(
            (
                entry.filename,
                entry.header_offset,
                entry.CRC,
                entry.compress_size,
                entry.file_size,
                entry.flag_bits,
            )
        )

    def __len__(self) -> int:
        return self._index.entry_count()

    def __iter__(self) -> Iterator[zipfile.ZipInfo]:
        for path, offset, crc, compressed, size, flags in self._index.entries():
            entry = _entry(path)
            entry.header_offset, entry.CRC, entry.flag_bits = offset, crc, flags
            entry.compress_size, entry.file_size = compressed, size
            yield entry


class _NoNames(dict[str, zipfile.ZipInfo]):
    """Where zipfile would look for a name that is written twice; the index refuses that."""

    def __setitem__(self, name: str, entry: zipfile.ZipInfo, /) -> None:
        """Keep nothing."""


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
