"""Runs a program under strace and reads back every call that changed its files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CALLS = (
    "open,openat,creat,close,lseek,write,writev,pwrite64,pwritev,pwritev2,sendfile,copy_file_range,ftruncate,truncate,"
    "fallocate,fsync,fdatasync,sync,syncfs,sync_file_range,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,"
    "rmdir,link,linkat,symlink,symlinkat,dup,dup2,dup3,mmap,sendto"
)
VOLATILE = ("-shm", ".lock")
LONGEST = 4 << 20
"""Bytes of one write that strace keeps; a longer one is refused, not cut."""

_LINE = re.compile(r"(?P<pid>\d+) +(?P<text>.*)")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<args>.*)\)\s+= (?P<result>-?\d+|0x[0-9a-f]+|\?)(?: .*)?")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_OFFSET = re.compile(r"\[(\d+)\](?: => \[\d+\])?")
_UNFINISHED = " <unfinished ...>"
_OPENING = frozenset({"open", "openat", "creat", "dup", "dup2", "dup3"})


def _usable() -> str | None:
    """Where strace is; None where it is missing or may not trace (a container without ptrace)."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    trial = subprocess.run((strace, "-f", "--seccomp-bpf", "-o", os.devnull, "true"), capture_output=True, check=False)
    return strace if trial.returncode == 0 else None


STRACE = _usable()


class Unmodelled(AssertionError):
    """The program did something to its files that the replay does not know."""


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded. ``start`` and ``end`` are lines of the trace: their order is that of time."""

    name: str
    arguments: tuple[str, ...]
    result: int
    start: int
    end: int

    def text(self, index: int) -> bytes:
        """An argument that is a string or buffer."""
        match = _TEXT.fullmatch(self.arguments[index])
        if match is None or match[2]:
            raise Unmodelled(f"{self.name}: a buffer that strace did not keep whole")
        return bytes.fromhex(match[1].replace("\\x", ""))

    def path(self, index: int) -> str:
        """An argument that is a path."""
        return self.text(index).decode()

    def number(self, index: int) -> int:
        """An argument that is a number."""
        return int(self.arguments[index], 0)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of files, or a line said. What its fields mean depends on ``kind``."""

    kind: str
    """create, write, resize, sync, unname, folder, move, link; said (a line on stdout), sent (over a socket)"""
    start: int
    end: int
    file: int = 0
    """The file's number; a file keeps it when its name changes. Of what was sent: the socket's descriptor."""
    path: str = ""
    target: str = ""
    offset: int = 0
    data: bytes = b""
    data_only: bool = False
    """fdatasync"""


@dataclass(slots=True)
class _Open:
    file: int
    position: int = 0
    append: bool = False


class Reader:
    """Turns calls into steps on the files below ``root``."""

    def __init__(self, root: str, before: Mapping[str, bytes | None]) -> None:
        self.root = root
        self.names: dict[str, int] = {}
        """The names as the running program sees them."""
        self.contents: dict[int, bytearray] = {}
        """By number, as the running program sees them."""
        self.opened: dict[int, _Open] = {}
        self.said = b""
        for path in numbered(root, before):
            self._new(path, before.get(path) or b"")

    def steps(self, calls: Sequence[Call]) -> Iterator[Step]:
        """Yield what happened, in order of start."""
        for call in calls:
            handle = getattr(self, f"on_{call.name}", None)
            if handle is not None:
                yield from handle(call)
            else:
                self._refuse(call)

    def mine(self, path: str) -> bool:
        """Whether a path counts: what holds locks or shared memory is nothing a later start relies on."""
        return path.startswith(self.root + "/") and not path.endswith(VOLATILE)

    def _new(self, path: str, content: bytes = b"") -> int:
        number = len(self.contents) + 1
        self.names[path] = number
        self.contents[number] = bytearray(content)
        return number

    def _refuse(self, call: Call) -> None:
        paths = [call.path(index) for index, value in enumerate(call.arguments) if _TEXT.fullmatch(value)]
        if call.name == "sync" or any(self.mine(path) for path in paths):
            raise Unmodelled(f"{call.name}{call.arguments}")
        if any(value.isdecimal() and int(value) in self.opened for value in call.arguments[:2]):
            raise Unmodelled(f"{call.name} of a file of the program")

    def on_openat(self, call: Call) -> Iterator[Step]:
        path, flags = call.path(1), call.arguments[2]
        self.opened.pop(call.result, None)
        if not self.mine(path) and path != self.root:
            return
        if path not in self.names:
            if "O_CREAT" not in flags:
                raise Unmodelled(f"{path} was opened, and nobody made it")
            yield Step("create", call.start, call.end, self._new(path), path)
        number = self.names[path]
        if "O_TRUNC" in flags and self.contents[number]:
            self.contents[number].clear()
            yield Step("resize", call.start, call.end, number)
        self.opened[call.result] = _Open(number, append="O_APPEND" in flags)

    def on_close(self, call: Call) -> Iterator[Step]:
        self.opened.pop(call.number(0), None)
        return iter(())

    def on_lseek(self, call: Call) -> Iterator[Step]:
        if call.number(0) in self.opened:
            self.opened[call.number(0)].position = call.result
        return iter(())

    def on_write(self, call: Call) -> Iterator[Step]:
        descriptor = call.number(0)
        if descriptor == 1:
            self.said += call.text(1)
            while b"\n" in self.said:
                line, _, self.said = self.said.partition(b"\n")
                yield Step("said", call.start, call.end, data=line)
            return
        opened = self.opened.get(descriptor)
        if opened is None:
            return
        yield self._appended(call, opened, call.text(1)[: call.result])

    def on_pwrite64(self, call: Call) -> Iterator[Step]:
        opened = self.opened.get(call.number(0))
        if opened is not None:
            yield self._written(call, opened.file, call.number(3), call.text(1)[: call.result])

    def on_sendfile(self, call: Call) -> Iterator[Step]:
        target, source = self.opened.get(call.number(0)), self.opened.get(call.number(1))
        if target is None and source is None:
            return
        offset = _OFFSET.fullmatch(call.arguments[2])
        if target is None or source is None or offset is None:
            raise Unmodelled(f"{call.name}{call.arguments}")
        start = int(offset[1])
        yield self._appended(call, target, bytes(self.contents[source.file][start : start + call.result]))

    def _appended(self, call: Call, opened: _Open, data: bytes) -> Step:
        """What is written where the descriptor stands."""
        position = len(self.contents[opened.file]) if opened.append else opened.position
        opened.position = position + len(data)
        return self._written(call, opened.file, position, data)

    def _written(self, call: Call, file: int, offset: int, data: bytes) -> Step:
        content = self.contents[file]
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data
        return Step("write", call.start, call.end, file, offset=offset, data=data)

    def on_ftruncate(self, call: Call) -> Iterator[Step]:
        opened = self.opened.get(call.number(0))
        if opened is not None:
            content, size = self.contents[opened.file], call.number(1)
            content.extend(bytes(max(0, size - len(content))))
            del content[size:]
            yield Step("resize", call.start, call.end, opened.file, offset=call.number(1))

    def on_fsync(self, call: Call) -> Iterator[Step]:
        opened = self.opened.get(call.number(0))
        if opened is not None:
            yield Step("sync", call.start, call.end, opened.file, data_only=call.name == "fdatasync")

    on_fdatasync = on_fsync

    def on_rename(self, call: Call) -> Iterator[Step]:
        source, target = call.path(0), call.path(1)
        if self.mine(source) != self.mine(target):
            raise Unmodelled(f"{source} was moved to {target}")
        if self.mine(source):
            number = self.names[target] = self.names.pop(source)
            yield Step("move", call.start, call.end, number, source, target)

    def on_link(self, call: Call) -> Iterator[Step]:
        if self.mine(call.path(0)):
            number = self.names[call.path(1)] = self.names[call.path(0)]
            yield Step("link", call.start, call.end, number, call.path(0), call.path(1))

    def on_linkat(self, call: Call) -> Iterator[Step]:
        if self.mine(call.path(1)):
            number = self.names[call.path(3)] = self.names[call.path(1)]
            yield Step("link", call.start, call.end, number, call.path(1), call.path(3))

    def on_unlink(self, call: Call) -> Iterator[Step]:
        if self.mine(call.path(0)):
            yield Step("unname", call.start, call.end, self.names.pop(call.path(0)), call.path(0))

    def on_unlinkat(self, call: Call) -> Iterator[Step]:
        if self.mine(call.path(1)):
            yield Step("unname", call.start, call.end, self.names.pop(call.path(1)), call.path(1))

    def on_mkdir(self, call: Call) -> Iterator[Step]:
        if self.mine(call.path(0)):
            yield Step("folder", call.start, call.end, self._new(call.path(0)), call.path(0))

    def on_sendto(self, call: Call) -> Iterator[Step]:
        if call.result > 1:  # asyncio wakes its own loop with single bytes
            yield Step("sent", call.start, call.end, call.number(0), data=call.text(1)[: call.result])

    def on_mmap(self, call: Call) -> Iterator[Step]:
        shared = "MAP_SHARED" in call.arguments[3] and "PROT_WRITE" in call.arguments[2]
        if shared and call.arguments[4].isdecimal() and int(call.arguments[4]) in self.opened:
            raise Unmodelled("a file of the program is written through memory")
        return iter(())


def numbered(root: str, before: Mapping[str, bytes | None]) -> list[str]:
    """What is there before the program starts, in the order of the numbers it gets, from 1."""
    return [root, *sorted(before)]


def calls_of(lines: Sequence[str]) -> list[Call]:
    """Join what strace split where threads interleave; only calls that succeeded, in order of their start."""
    found: list[Call] = []
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        match = _LINE.fullmatch(line.rstrip("\n"))
        if match is None:
            continue
        pid, text = match["pid"], match["text"]
        if text.endswith(_UNFINISHED):
            begun[pid] = (number, text.removesuffix(_UNFINISHED))
            continue
        start = number
        if resumed := _RESUMED.fullmatch(text):
            start, head = begun.pop(pid)
            text = head + resumed["rest"]
        if text.startswith(tuple(f"{name}(" for name in _OPENING)):
            start = number  # a descriptor is there at its end: another thread may close its number until then
        if (call := _CALL.fullmatch(text)) and call["result"] != "?" and not call["result"].startswith("-"):
            found.append(Call(call["name"], tuple(call["args"].split(", ")), int(call["result"], 0), start, number))
    return sorted(found, key=lambda call: call.start)


@dataclass(frozen=True, slots=True)
class Recording:
    """What a program did to the files below ``root``, and what was there before it."""

    root: Path
    before: Mapping[str, bytes | None]
    """Path -> content; None for a folder."""
    steps: tuple[Step, ...]
    """In the order of their effect: a sync where it ended, anything else where it began."""


def snapshot(root: Path) -> dict[str, bytes | None]:
    """What lies below ``root`` now."""
    found = (path for path in root.rglob("*") if not path.name.endswith(VOLATILE))
    return {str(path): path.read_bytes() if path.is_file() else None for path in found}


def traced(output: Path) -> tuple[str, ...]:
    """The beginning of a command line that writes the trace of the rest of it to ``output``."""
    assert STRACE is not None
    options = ("-f", "-qq", "--seccomp-bpf", "-xx", "-s", str(LONGEST), "-e", f"trace={CALLS}", "-e", "signal=none")
    return (STRACE, *options, "-o", str(output))


def read_trace(root: Path, before: Mapping[str, bytes | None], output: Path) -> Recording:
    """Read what a program did to the files below ``root``."""
    with output.open(encoding="ascii") as trace:
        steps = Reader(str(root), before).steps(calls_of(trace.readlines()))
        ordered = sorted(steps, key=lambda step: step.end if step.kind == "sync" else step.start)
    output.unlink()
    return Recording(root, before, tuple(ordered))


def record(root: Path, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Recording:
    """Run ``command`` under strace; it must end well."""
    output, before = root.with_name(root.name + ".trace"), snapshot(root)
    done = subprocess.run(
        (*traced(output), *command), cwd=cwd, env=environment, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return read_trace(root, before, output)
