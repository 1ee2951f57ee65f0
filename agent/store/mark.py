"""The high-water mark: which numbers may have been handed out, kept outside the database and beside it.

A database that was lost, or put back from a copy by hand, does not know the numbers on the papers of customers. The
mark bounds them from both sides. ``reserved``: numbers are reserved a block ahead, durably and before the COMMIT that
takes the first of them, so a press pays for it once in BLOCK numbers. ``used``: after each COMMIT with a number a line
is added without a sync; the kernel keeps it when the process is killed, a power cut may take it. An orderly stop makes
both equal.

Also here: the newest line of the event log. A database without it is not the one this mark belongs to, or older.

File: lines "CRC-32 JSON". The first was put in place whole, the others were added; one of these that is torn does not
count.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.domain.errors import StoreUnfit
from agent.ports import Json
from agent.system.durable_files import write_whole
from agent.system.os_errors import why

SUFFIX = ".series"
BLOCK = 50
"""Numbers reserved ahead: so many may be missing in a series after the database was lost in a power cut."""
MODE = 0o600

Head = tuple[int, str]
"""Sequence number and chain value of an event."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says, by series.

    ``heads``: the database has at least one of these events. More than one only while a restore is under way.
    """

    used: Mapping[str, int] = field(default_factory=dict)
    """The database has these numbers."""
    reserved: Mapping[str, int] = field(default_factory=dict)
    """No number beyond these stands on any paper. Equal to ``used`` after an orderly stop."""
    heads: tuple[Head, ...] = ()

    def raised(self, last: Mapping[str, int], head: Head) -> Mark:
        """Return the mark of a restore under way: it fits the old database and the new one, which has ``head``."""
        return Mark(self.used, _highest(self.reserved, last), (*self.heads, head) if self.heads else ())


def mark_path(database: Path) -> Path:
    """Return where the mark of a database lies: beside the file itself, whatever links lead to it."""
    real = database.resolve()
    return real.with_name(real.name + SUFFIX)


def read_mark(path: Path) -> Mark | None:
    """Return what the file says, None where there is none; StoreUnfit where it can not be read."""
    try:
        lines = [line.decode("utf-8", "replace") for line in path.read_bytes().split(b"\n")]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnfit(f"Nie można odczytać {path}: {why(error)}.") from error
    first = _read_line(lines[0])
    try:
        mark = Mark(_numbers(first["used"]), _numbers(first["reserved"]), _heads(first["heads"]))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise StoreUnfit(
            f"Plik {path} (najwyższe wydane numery) jest uszkodzony. Jeżeli baza danych jest tą, z którą kasa ostatnio "
            "pracowała, usuń go: agent założy nowy. Jeżeli nie, przywróć kopię: ksef-agent restore KOPIA."
        ) from error
    for note in filter(None, map(_read_line, lines[1:])):
        mark = replace(
            mark, used=_highest(mark.used, _numbers(note["used"])), heads=_heads(note["heads"]) or mark.heads
        )
    return mark


def write_mark(path: Path, mark: Mark) -> None:
    """Put a mark in place, whole and durable. OSError where the disk refuses."""
    line = _to_line({"used": dict(mark.used), "reserved": dict(mark.reserved), "heads": list(mark.heads)})
    write_whole(path, line, MODE)


class SeriesMark:
    """The mark of an open database; it alone writes the file."""

    def __init__(self, path: Path, used: Mapping[str, int], head: Head | None) -> None:
        """``used``, ``head``: what the database holds, which is the truth from now on."""
        self._path = path
        self._mark = Mark(used, used, () if head is None else (head,))
        self._notes: int | None = None

    def begin(self) -> None:
        """Reserve a block in each series, so that no press has to. OSError: see reserve()."""
        self.reserve({series: last + 1 for series, last in self._mark.used.items()})

    def covers(self, numbers: Mapping[str, int]) -> bool:
        """Whether these numbers were reserved before."""
        return all(last <= self._mark.reserved.get(series, 0) for series, last in numbers.items())

    def reserve(self, numbers: Mapping[str, int]) -> None:
        """Reserve a block from these numbers on, durably. OSError where the disk refuses: the old mark stands."""
        self._write({series: last + BLOCK - 1 for series, last in numbers.items()})

    def note(self, numbers: Mapping[str, int], head: Head | None) -> None:
        """Remember what was committed; not durable. OSError where the disk refuses: what was reserved still holds."""
        self._mark = replace(
            self._mark,
            used={**self._mark.used, **numbers},
            heads=self._mark.heads if head is None else (head,),
        )
        if self._notes is None:
            if not self._path.exists():  # somebody removed it
                self._write({})
            self._notes = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.write(self._notes, _to_line({"used": dict(numbers), "heads": [] if head is None else [head]}))

    def close(self, *, exact: bool) -> None:
        """Write the exact numbers, where they are known. OSError where the disk refuses: the old mark stands."""
        self._forget_descriptor()
        if exact:
            write_mark(self._path, replace(self._mark, reserved=self._mark.used))

    def _write(self, reserved: Mapping[str, int]) -> None:
        new = replace(self._mark, reserved={**self._mark.reserved, **reserved})
        write_mark(self._path, new)
        self._mark = new
        self._forget_descriptor()  # of the file that was there before

    def _forget_descriptor(self) -> None:
        if self._notes is not None:
            os.close(self._notes)
            self._notes = None


def _to_line(value: Json) -> bytes:
    text = json.dumps(value, ensure_ascii=False).encode("utf-8")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _read_line(line: str) -> Any:
    """Return the value of a line; None where it is torn or was changed."""
    checksum, _, text = line.partition(" ")
    if not text or f"{zlib.crc32(text.encode('utf-8')):08x}" != checksum:
        return None
    return json.loads(text)


def _highest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {*one, *other}}


def _numbers(value: Mapping[str, int]) -> dict[str, int]:
    return {str(name): int(last) for name, last in value.items()}


def _heads(value: Sequence[Head]) -> tuple[Head, ...]:
    return tuple((int(seq), str(link)) for seq, link in value)
