"""Reads the zip of a bundle of evidence in constant memory: its directory is noted on disk, files come in pieces.

zipfile holds half a kilobyte for each of half a million files. Read is what zipfile writes: stored and deflated files,
with or without zip64; nothing encrypted, no second disk. Whatever else is there is BadZipFile.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile

from agent.store.evidence_notes import Entry, SqliteEvidenceNotes

MAX_FILE_BYTES = 256 * 1024 * 1024
"""A file in the zip that would unpack to more is refused, not unpacked."""
MAX_DIRECTORY_BYTES = 256 * 1024 * 1024
"""A zip whose list of files is longer is refused before it is read: it holds half a million invoices."""
PIECE = 64 * 1024

# PKWARE's APPNOTE.TXT 6.3.10, 4.3.7, 4.3.12 to 4.3.16, 4.5.3.
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64_PLACE = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LONGEST_COMMENT = 0xFFFF
_IN_EXTRA = 0xFFFFFFFF
"""Stands for a size or place that is in the field of zip64."""
_ZIP64 = 1
_ENCRYPTED = 0x1
_UTF8 = 0x800


class ZipFiles:
    """Implements BundleFiles. BadZipFile or zlib.error: no such zip, a name twice, a file that is a bomb."""

    def __init__(self, file: BinaryIO, notes: SqliteEvidenceNotes) -> None:
        """Read the directory into ``notes``; ``file`` stays open as long as files are read."""
        self._file = file
        self._notes = notes
        try:
            notes.note_entries(_directory(file))
        except sqlite3.IntegrityError:
            raise BadZipFile("two files of one name") from None

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._notes.entry(path) is not None

    def __len__(self) -> int:
        return self._notes.count()

    def paths(self) -> Iterator[str]:
        """Yield them by code points."""
        return self._notes.paths()

    def read(self, path: str) -> bytes:
        """Return a file; KeyError where there is none."""
        return b"".join(self.pieces(path))

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield a file that is no bomb; KeyError where there is none."""
        entry = self._notes.entry(path)
        if entry is None:
            raise KeyError(path)
        if entry[-1] > MAX_FILE_BYTES:
            raise BadZipFile(f"{path} is too large")
        return self._unpacked(path, entry)

    def lines(self, path: str) -> Iterator[bytes]:
        """Yield the lines of a file of any size, with their ends; none where it is not there."""
        entry = self._notes.entry(path)
        begun: list[bytes] = []
        length = 0
        for piece in () if entry is None else self._unpacked(path, entry):
            *ends, rest = piece.split(b"\n")
            for end in ends:
                yield from b"".join((*begun, end, b"\n")).splitlines(keepends=True)
                begun, length = [], 0
            begun.append(rest)
            length += len(rest)
            if length >= MAX_FILE_BYTES:
                raise BadZipFile(f"a line of {path} is too long")
        yield from b"".join(begun).splitlines(keepends=True)

    def _unpacked(self, path: str, entry: Entry) -> Iterator[bytes]:
        place, method, crc, compressed, size = entry
        self._file.seek(place)
        mark, _, flags, _, _, _, _, _, _, name, extra = _LOCAL.unpack(_exactly(self._file, _LOCAL.size))
        if mark != b"PK\3\4" or _decoded(_exactly(self._file, name), flags) != path:
            raise BadZipFile(f"{path} is not where the list of files says")
        place += _LOCAL.size + name + extra
        found = length = 0
        for piece in _inflated(self._packed(place, compressed), method):
            found, length = zlib.crc32(piece, found), length + len(piece)
            if length > size:
                break
            yield piece
        if (found, length) != (crc, size):
            raise BadZipFile(f"{path} is not what the list of files says")

    def _packed(self, place: int, count: int) -> Iterator[bytes]:
        """Yield so many bytes from a place on; others may read the file between two pieces."""
        while count:
            self._file.seek(place)
            piece = _exactly(self._file, min(count, PIECE))
            yield piece
            place, count = place + len(piece), count - len(piece)


def _inflated(pieces: Iterator[bytes], method: int) -> Iterator[bytes]:
    if method == ZIP_STORED:
        yield from pieces
        return
    if method != ZIP_DEFLATED:
        raise BadZipFile("a file is packed in another way")
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in pieces:
        waiting = piece
        while waiting and not unpacking.eof:
            yield unpacking.decompress(waiting, PIECE)
            waiting = unpacking.unconsumed_tail
    if not unpacking.eof:
        yield unpacking.flush()
    if not unpacking.eof:
        raise BadZipFile("a file ends too early")


def _directory(file: BinaryIO) -> Iterator[tuple[str, Entry]]:
    """Yield path and place of each file; folders have none, and hold nothing."""
    place, length = _where(file)
    file.seek(place)
    while length:
        mark, _, _, flags, method, _, _, crc, *lengths = _CENTRAL.unpack(_exactly(file, _CENTRAL.size))
        compressed, size, name_length, extra_length, comment, _, _, _, offset = lengths
        if mark != b"PK\1\2":
            raise BadZipFile("the list of files is damaged")
        name = _exactly(file, name_length)
        extra = _exactly(file, extra_length)
        _exactly(file, comment)
        length -= _CENTRAL.size + name_length + extra_length + comment
        if length < 0 or flags & _ENCRYPTED:
            raise BadZipFile("the list of files is damaged, or a file is encrypted")
        size, compressed, offset = _from_zip64(extra, size, compressed, offset)
        path = _decoded(name, flags)
        if not path.endswith("/"):
            yield path, (offset, method, crc, compressed, size)
        elif compressed or size:
            raise BadZipFile("a folder is a file as well")


def _decoded(name: bytes, flags: int) -> str:
    try:
        return name.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise BadZipFile("a name is not what it says") from None


def _from_zip64(extra: bytes, *values: int) -> list[int]:
    """Return size, compressed size and offset, of which those that are too large stand in a field of ``extra``."""
    large = b""
    while len(extra) >= 4 and not large:
        kind, length = struct.unpack_from("<2H", extra)
        large = extra[4 : 4 + length] if kind == _ZIP64 else b""
        extra = extra[4 + length :]
    found = []
    for value in values:
        if value == _IN_EXTRA:
            if len(large) < 8:
                raise BadZipFile("a size is missing")
            (value,), large = struct.unpack_from("<Q", large), large[8:]  # noqa: PLW2901
        if value >= 1 << 63:
            raise BadZipFile("a size is too large")
        found.append(value)
    return found


def _where(file: BinaryIO) -> tuple[int, int]:
    """Return place and length of the list of files. Nothing may be before the zip, nor behind it."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _END.size - _LONGEST_COMMENT))
    tail = file.read(_END.size + _LONGEST_COMMENT)
    found = tail.rfind(b"PK\5\6")
    if found < 0 or len(tail) - found < _END.size:
        raise BadZipFile("there is no list of files")
    _, _, _, _, _, length, offset, comment = _END.unpack_from(tail, found)
    if found + _END.size + comment != len(tail):
        raise BadZipFile("there is something behind it")
    place = end - len(tail) + found
    if place >= _END_64_PLACE.size:
        file.seek(place - _END_64_PLACE.size)
        mark, _, at, _ = _END_64_PLACE.unpack(_exactly(file, _END_64_PLACE.size))
        if mark == b"PK\6\7":
            place -= _END_64_PLACE.size + _END_64.size
            if place < 0 or at > place:
                raise BadZipFile("there is no list of files")
            file.seek(place)
            mark, _, _, _, _, _, _, _, length, offset = _END_64.unpack(_exactly(file, _END_64.size))
            if mark != b"PK\6\6":
                raise BadZipFile("there is no list of files")
    if place - length != offset or length > MAX_DIRECTORY_BYTES:
        raise BadZipFile("its list of files is damaged or too large, or there is something before it")
    return offset, length


def _exactly(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise BadZipFile("the file ends too early")
    return content
