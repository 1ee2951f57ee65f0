"""The high-water mark: which numbers may have been handed out, kept outside the database and beside it.

A database that was lost, or put back from a copy by hand, does not know the numbers on the papers of customers. The
mark bounds them from both sides. ``reserved``: numbers are reserved a block ahead, durably and before the COMMIT that
takes the first of them, in a pause between presses, else by the press that finds none left. ``taken`` and ``used``:
before and after each COMMIT with a number a line is added without a sync. The kernel keeps these lines when the process
is killed, so within one run of the kernel (its boot id) ``taken`` is the exact bound; a power cut may take them. An
orderly stop makes all equal.

Also here: the newest line of the event log. A database without it is not the one this mark belongs to, or older. And
the state of the file after an orderly stop (``at_rest``), where it was found whole; the next start takes it back,
durably, before it opens the database for writing.

File: lines "CRC-32 JSON". The first was put in place whole, the others were added; one of these that is torn does not
count.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from agent.domain.errors import StoreUnfit
from agent.domain.values import dataclass
from agent.ports import Json
from agent.store.at_rest import FileState
from agent.system.durable_files import write_whole
from agent.system.os_errors import polish_reason

SUFFIX = ".series"
BLOCK = 50
"""Numbers reserved ahead: so many may be missing in a series after the database was lost in a power cut."""
SUFFICES = 30
"""With so many left, nothing is reserved in a pause: there is one every 25 presses or so (sqlite.py)."""
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
    taken: Mapping[str, int] | None = None
    """As ``reserved``, but exact; None where it was written in another run of the kernel, which may have lost it."""
    at_rest: FileState | None = None
    """The file after an orderly stop, where it was found whole when it was looked at; None after any other end."""

    @property
    def most(self) -> Mapping[str, int]:
        """The tightest bound of what was handed out."""
        return self.reserved if self.taken is None else self.taken

    def raised(self, last: Mapping[str, int], head: Head) -> Mark:
        """Return the mark of a restore under way: it fits the old database and the new one, which has ``head``."""
        return Mark(self.used, _highest(self.reserved, last), (*self.heads, head) if self.heads else ())


def mark_path(database: Path) -> Path:
    """Return where the mark of a database lies: beside the file itself, whatever links lead to it."""
    real = database.resolve()
    return real.with_name(real.name + SUFFIX)


def mark_paths(database: Path) -> list[Path]:
    """Return where a mark may lie: mark_path(), and beside the name where that is a link to a file elsewhere.

    The second is of the time before the file was moved; what it says still holds.
    """
    beside_name = database.parent.resolve() / (database.name + SUFFIX)
    return list(dict.fromkeys([mark_path(database), beside_name]))


def read_mark(path: Path, boot: str = "") -> Mark | None:
    """Return what the file says, None where there is none; StoreUnfit where it cannot be read.

    ``boot``: this run of the kernel (Clock.boot()); lines that were not synced count only within it.
    """
    try:
        lines = [line.decode("utf-8", "replace") for line in path.read_bytes().split(b"\n")]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnfit(f"Nie można odczytać {path}: {polish_reason(error)}.") from error
    first = _read_line(lines[0])
    try:
        mark = Mark(
            _numbers(first["used"]),
            _numbers(first["reserved"]),
            _heads(first["heads"]),
            at_rest=_state(first.get("at_rest")),
        )
        taken = dict(mark.used)
        same_boot = first["boot"] == boot != ""
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise StoreUnfit(
            f"Plik {path} (najwyższe wydane numery) jest uszkodzony. Jeżeli baza danych jest tą, z którą kasa ostatnio "
            "pracowała, usuń go: agent założy nowy. Jeżeli nie, przywróć kopię: ksef-agent restore KOPIA."
        ) from error
    for note in filter(None, map(_read_line, lines[1:])):
        taken = _highest(taken, _numbers(note["taken"]))
        mark = replace(
            mark, used=_highest(mark.used, _numbers(note["used"])), heads=_heads(note["heads"]) or mark.heads
        )
    return replace(mark, taken=_highest(taken, mark.used)) if same_boot else mark


def write_mark(path: Path, mark: Mark, boot: str = "") -> None:
    """Put a mark in place, whole and durable. OSError where the disk refuses."""
    facts: dict[str, Json] = {
        "boot": boot,
        "used": dict(mark.used),
        "reserved": dict(mark.reserved),
        "heads": list(mark.heads),
    }
    if mark.at_rest is not None:
        facts["at_rest"] = list(mark.at_rest)
    write_whole(path, _to_line(facts), MODE)


def end_rest(path: Path, mark: Mark) -> None:
    """Take back, durably, what a mark that was read says of the file at rest: it is about to be written to.

    Of no boot, so ``reserved`` is the bound; equal to all others, as an orderly stop left them. OSError where the disk
    refuses: the old mark stands.
    """
    write_mark(path, replace(mark, at_rest=None))


class SeriesMark:
    """The mark of an open database; it alone writes the file."""

    def __init__(self, path: Path, used: Mapping[str, int], head: Head | None, boot: str = "") -> None:
        """``used``, ``head``: what the database holds, which is the truth from now on. ``boot``: see read_mark()."""
        self._path = path
        self._boot = boot
        self._mark = Mark(used, used, () if head is None else (head,))
        self._notes: int | None = None
        self._torn = False

    def begin(self) -> None:
        """Reserve a block in each series, so that no press has to. OSError: see reserve()."""
        self.reserve({series: last + 1 for series, last in self._mark.used.items()})

    def covers(self, numbers: Mapping[str, int]) -> bool:
        """Whether these numbers were reserved before."""
        return all(last <= self._mark.reserved.get(series, 0) for series, last in numbers.items())

    def reserve(self, numbers: Mapping[str, int]) -> None:
        """Reserve a block from these numbers on, durably. OSError where the disk refuses: the old mark stands."""
        self._write({series: last + BLOCK - 1 for series, last in numbers.items()})

    def reserve_ahead(self) -> None:
        """Reserve a block where few are left, in a pause, so that no press has to. OSError: see reserve()."""
        used, reserved = self._mark.used, self._mark.reserved
        if few := {series: last + 1 for series, last in used.items() if reserved[series] - last < SUFFICES}:
            self.reserve(few)

    def take(self, numbers: Mapping[str, int]) -> None:
        """Note what is about to be committed; not durable. OSError where the disk refuses: it must not be committed."""
        self._note({"taken": dict(numbers), "used": {}, "heads": []})

    def note(self, numbers: Mapping[str, int], head: Head | None) -> None:
        """Note what was committed; not durable. OSError where the disk refuses: what was taken still holds."""
        self._mark = replace(
            self._mark,
            used={**self._mark.used, **numbers},
            heads=self._mark.heads if head is None else (head,),
        )
        self._note({"taken": {}, "used": dict(numbers), "heads": [] if head is None else [head]})

    def _note(self, facts: Json) -> None:
        if self._notes is None:
            if not self._path.exists():  # somebody removed it
                self._write({})
            self._notes = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        line = b"\n" * self._torn + _to_line(facts)  # what a full disk tore must not spoil what follows
        self._torn = True
        if os.write(self._notes, line) < len(line):
            raise OSError(errno.ENOSPC, "the line is not whole", str(self._path))
        self._torn = False

    def close(self, *, exact: bool, at_rest: FileState | None = None) -> None:
        """Write the exact numbers, where they are known. OSError where the disk refuses: the old mark stands."""
        self._forget_descriptor()
        if exact:
            write_mark(self._path, replace(self._mark, reserved=self._mark.used, at_rest=at_rest), self._boot)

    def _write(self, reserved: Mapping[str, int]) -> None:
        new = replace(self._mark, reserved={**self._mark.reserved, **reserved})
        write_mark(self._path, new, self._boot)
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


def _state(value: Sequence[int] | None) -> FileState | None:
    if value is None:
        return None
    steps, inode, size, written, changed = value
    return int(steps), int(inode), int(size), int(written), int(changed)


def _numbers(value: Mapping[str, int]) -> dict[str, int]:
    return {str(name): int(last) for name, last in value.items()}


def _heads(value: Sequence[Head]) -> tuple[Head, ...]:
    return tuple((int(seq), str(link)) for seq, link in value)
