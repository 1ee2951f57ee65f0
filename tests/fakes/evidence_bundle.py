"""The files of a bundle of evidence as a dict, to read and to forge."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import BinaryIO

from agent.domain.records.evidence_check import verify_bundle
from agent.store.evidence_notes import SqliteEvidenceNotes


class FilesInMemory:
    """Implements BundleFiles; ``reads``: what was read, in order."""

    def __init__(self, content: Mapping[str, bytes]) -> None:
        self.content = content
        self.reads: list[str] = []

    def __contains__(self, path: object) -> bool:
        return path in self.content

    def paths(self) -> Iterator[str]:
        yield from sorted(self.content)

    def read(self, path: str) -> bytes:
        self.reads.append(path)
        return self.content[path]

    def pieces(self, path: str) -> Iterator[bytes]:
        self.reads.append(path)
        content = self.content[path]
        return (content[place : place + 1000] for place in range(0, len(content), 1000))

    def lines(self, path: str) -> Iterator[bytes]:
        self.reads.append(path)
        yield from self.content.get(path, b"").splitlines(keepends=True)


def verify_zip_files(files: Mapping[str, bytes] | FilesInMemory) -> list[str]:
    """Return every problem of the files of a bundle."""
    held = files if isinstance(files, FilesInMemory) else FilesInMemory(files)
    with closing(SqliteEvidenceNotes()) as notes:
        return verify_bundle(held, notes)


def unzipped(file: BinaryIO) -> dict[str, bytes]:
    """Return all files of a zip, as the standard library reads them."""
    with zipfile.ZipFile(file) as archive:
        return {path: archive.read(path) for path in archive.namelist()}
