"""A disk that remembers what is durable and what is not, and the states a power cut may leave of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.crash.powerloss.trace import Step, numbered

SECTOR = 512
"""Bytes that a disk writes whole or not at all."""


class Model(Enum):
    """What a file system promises."""

    POSIX = "posix"
    """Only what a completed fsync covers; anything else in any order."""
    EXT4 = "ext4"
    """data=ordered: one journal for names and truncations; the data of a file's new part before its new size."""


@dataclass(slots=True)
class File:
    """What is durable of one file, and what happened since."""

    number: int
    durable: bytearray = field(default_factory=bytearray)
    changes: list[Step] = field(default_factory=list)
    size: int = 0
    """As the running program sees it."""
    inode_at: int = -1
    """When anything of its inode changed last."""
    size_at: int = -1
    """When it was made or its size changed last: what fdatasync writes of the inode."""
    grew_at: set[int] = field(default_factory=set)
    """Starts of the pending writes that made it longer."""

    def size_by(self, moment: int) -> int:
        """The size the running program saw at ``moment``."""
        size = len(self.durable)
        for change in self.changes:
            if change.start <= moment:
                size = change.offset if change.kind == "resize" else max(size, change.offset + len(change.data))
        return size


Survives = Callable[[tuple[str, int, int]], int]
"""Up to which moment (line of the trace) a thing survives: ("names", 0, start), ("size", file, 0),
("sector", file, index). Anything below the moment of the last sync means: only what is durable."""

Lies = Callable[[Step], bool]
"""Whether the disk only says that it synced; asked once for each sync, in order."""


def never_lies(_: Step) -> bool:
    """Lies: an honest disk."""
    return False


def always_lies(_: Step) -> bool:
    """Lies: the disk ignores every sync."""
    return True


@dataclass(frozen=True, slots=True)
class State:
    """What a power cut left."""

    files: Mapping[str, bytes]
    folders: frozenset[str]
    how: str
    """The kind of cut, for reports."""


class Disk:
    """Takes steps; at any moment gives states that are legal under its model."""

    def __init__(self, root: str, model: Model, before: Mapping[str, bytes | None], *, lies: Lies = never_lies) -> None:
        """``before``: what lay below ``root`` durably, None for a folder."""
        self.root = root
        self.model = model
        self.lies = lies
        self.files: dict[int, File] = {}
        self.folders: set[int] = set()
        self.names: dict[str, int] = {}
        """The durable names."""
        self.naming: list[Step] = []
        """Changes of names that are not durable."""
        self.seen: dict[str, int] = {}
        """The names as the running program sees them."""
        self.barrier = -1
        self.now = -1
        for number, path in enumerate(numbered(root, before), start=1):
            content = before.get(path)
            self.files[number] = File(number, bytearray(content or b""), size=len(content or b""))
            self.names[path] = self.seen[path] = number
            if content is None:
                self.folders.add(number)

    # --- what the program does -------------------------------------------------------------------

    def take(self, step: Step) -> None:
        """Go on to the next step."""
        self.now = max(self.now, step.start)
        if step.kind == "sync":
            if not self.lies(step):
                self._sync(step)
        elif step.kind in {"write", "resize"}:
            self._change(step)
        elif step.kind not in {"said", "sent"}:
            self._name(step)

    def _change(self, step: Step) -> None:
        file = self.files[step.file]
        size = step.offset if step.kind == "resize" else max(file.size, step.offset + len(step.data))
        if size != file.size:
            file.inode_at = file.size_at = step.start
            if step.kind == "write":
                file.grew_at.add(step.start)
        file.size = size
        file.changes.append(step)

    def _name(self, step: Step) -> None:
        if step.kind in {"create", "folder"}:
            self.files[step.file] = File(step.file, size_at=step.start)
        if step.kind == "folder":
            self.folders.add(step.file)
        self.files[step.file].inode_at = step.start
        for path in (step.path, step.target):
            if path:
                self.files[self.seen[_parent(path)]].inode_at = step.start
        _rename(self.seen, step)
        self.naming.append(step)

    def _sync(self, step: Step) -> None:
        """A sync ended: what had ended before it began is durable."""
        file = self.files[step.file]
        covered = [change for change in file.changes if change.end < step.start]
        file.changes = [change for change in file.changes if change.end >= step.start]
        for change in covered:
            _apply(file.durable, change)
            file.grew_at.discard(change.start)
        if self.model is Model.EXT4:
            written = file.size_at if step.data_only and step.file not in self.folders else file.inode_at
            if written < step.start:
                self.barrier = max(self.barrier, written)
            durable = [name for name in self.naming if name.start <= self.barrier]
        else:
            path = next((path for path, number in self.seen.items() if number == step.file), None)
            durable = [
                name
                for name in self.naming
                if name.end < step.start and path in {_parent(name.path), _parent(name.target or name.path)}
            ]
        for name in durable:
            _rename(self.names, name)
            self.naming.remove(name)

    # --- what is left ----------------------------------------------------------------------------

    def state(self, cut: Survives, how: str, filler: random.Random | None = None) -> State:
        """Build the state of one cut. ``filler`` fills what was never written (POSIX); else zeros."""
        journal = max(self.barrier, cut(("names", 0, 0)))
        names = dict(self.names)
        for step in self.naming:
            survives = step.start <= (journal if self.model is Model.EXT4 else cut(("name", 0, step.start)))
            if survives:
                _rename(names, step)
        contents: dict[str, bytes] = {}
        folders: set[str] = set()
        for path, number in sorted(names.items()):
            if path != self.root and _parent(path) not in folders:
                continue  # its folder is gone, or its name
            if number in self.folders:
                folders.add(path)
            else:
                contents[path] = self._content(self.files[number], cut, journal, filler)
        return State(contents, frozenset(folders - {self.root}), how)

    def _content(self, file: File, cut: Survives, journal: int, filler: random.Random | None) -> bytes:
        if not file.changes:
            return bytes(file.durable)
        ordered = self.model is Model.EXT4
        moment = self._size_moment(file, cut, journal) if ordered else cut(("size", file.number, 0))
        content = bytearray(file.durable)
        for change in file.changes:
            if change.kind == "resize":
                if change.start <= moment:
                    _resize(content, change.offset, None)
            elif ordered and change.start in file.grew_at and change.start <= moment:
                _put(content, change.offset, change.data)
            else:
                for sector, offset, piece in _pieces(change):
                    if change.start <= cut(("sector", file.number, sector)):
                        _put(content, offset, piece, filler)
        _resize(content, file.size_by(moment), filler)
        return bytes(content)

    def _size_moment(self, file: File, cut: Survives, journal: int) -> int:
        """Truncations follow the journal, a longer size comes when its data was written."""
        moment = cut(("size", file.number, 0))
        for change in file.changes:
            if change.kind == "resize":
                moment = max(moment, change.start) if change.start <= journal else min(moment, change.start - 1)
        return moment

    def loose(self) -> list[Step]:
        """Every change that is not durable, in order."""
        changes = [change for file in self.files.values() for change in file.changes]
        return sorted((*changes, *self.naming), key=lambda step: step.start)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _rename(names: dict[str, int], step: Step) -> None:
    if step.kind == "unname":
        names.pop(step.path, None)
    elif step.kind == "move":
        names.pop(step.path, None)
        names[step.target] = step.file
    else:
        names[step.target or step.path] = step.file


def _apply(content: bytearray, change: Step) -> None:
    if change.kind == "resize":
        _resize(content, change.offset, None)
    else:
        _put(content, change.offset, change.data)


def _put(content: bytearray, offset: int, data: bytes, filler: random.Random | None = None) -> None:
    if offset > len(content):
        _resize(content, offset, filler)
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int, filler: random.Random | None) -> None:
    missing = size - len(content)
    if missing > 0:
        content.extend(filler.randbytes(missing) if filler is not None else bytes(missing))
    else:
        del content[size:]


def _pieces(change: Step) -> Iterator[tuple[int, int, bytes]]:
    """Split a write at sectors: (sector, offset, bytes)."""
    offset, end = change.offset, change.offset + len(change.data)
    while offset < end:
        sector = offset // SECTOR
        stop = min(end, (sector + 1) * SECTOR)
        yield sector, offset, change.data[offset - change.offset : stop - change.offset]
        offset = stop


# --- which cuts are tried --------------------------------------------------------------------------------


def states(disk: Disk, draw: random.Random) -> Iterator[State]:
    """Yield states of this moment without end (one, where all is durable): the poorest first, then drawn ones."""
    loose = disk.loose()
    yield disk.state(lambda _: -1, "nothing")
    while True:
        if not loose:
            return
        kind = draw.choice(KINDS)
        filler = random.Random(draw.random()) if disk.model is Model.POSIX and draw.random() < 0.3 else None
        yield disk.state(kind(disk, loose, draw), kind.__name__, filler)


def everything(disk: Disk, loose: list[Step], draw: random.Random) -> Survives:
    """All that was written: what a killed process leaves."""
    return lambda _: disk.now


def in_order(disk: Disk, loose: list[Step], draw: random.Random) -> Survives:
    """A disk that writes in order, cut at some moment."""
    moment = draw.choice(loose).start
    return lambda _: moment


def torn(disk: Disk, loose: list[Step], draw: random.Random) -> Survives:
    """In order, but the last write is torn somewhere."""
    last = draw.choice(loose)
    sectors = [sector for sector, _, _ in _pieces(last)] if last.kind == "write" else []
    kept = frozenset(draw.sample(sectors, draw.randrange(len(sectors) + 1)))

    def cut(thing: tuple[str, int, int]) -> int:
        kind, file, index = thing
        mine = kind == "sector" and file == last.file and index in sectors
        return last.start - 1 if mine and index not in kept else last.start

    return cut


def one_missing(disk: Disk, loose: list[Step], draw: random.Random) -> Survives:
    """All but one change."""
    return _except(draw.choice(loose), disk.now, lost=True)


def one_only(disk: Disk, loose: list[Step], draw: random.Random) -> Survives:
    """Nothing but one change."""
    return _except(draw.choice(loose), disk.now, lost=False)


def _except(step: Step, now: int, *, lost: bool) -> Survives:
    touched = {sector for sector, _, _ in _pieces(step)} if step.kind == "write" else set()

    def cut(thing: tuple[str, int, int]) -> int:
        kind, file, index = thing
        named = kind in {"name", "names"} and index in {step.start, 0} and step.kind not in {"write", "resize"}
        sized = kind == "size" and file == step.file
        written = kind == "sector" and file == step.file and index in touched
        if named or sized or written:
            return step.start - 1 if lost else step.start
        return now if lost else -1

    return cut


def one_file(disk: Disk, loose: list[Step], draw: random.Random) -> Survives:
    """One file whole, nothing of the others; or all others."""
    file, rest = draw.choice(loose).file, draw.choice((-1, disk.now))
    return lambda thing: (disk.now if rest == -1 else -1) if thing[1] == file else rest


def scattered(disk: Disk, loose: list[Step], draw: random.Random) -> Survives:
    """Each sector, size and name at a moment of its own, or never, or now."""
    chance = draw.choice((0.1, 0.5, 0.9))
    known: dict[tuple[str, int, int], int] = {}

    def cut(thing: tuple[str, int, int]) -> int:
        if thing not in known:
            known[thing] = disk.now if draw.random() < chance else draw.choice((-1, draw.choice(loose).start))
        return known[thing]

    return cut


KINDS: tuple[Callable[[Disk, list[Step], random.Random], Survives], ...] = (
    everything,
    in_order,
    torn,
    one_missing,
    one_only,
    one_file,
    scattered,
    scattered,
)
