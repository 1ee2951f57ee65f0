"""The replay itself: what each model lets a power cut lose, and what it reads out of a trace."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from tests.crash.powerloss.disk import SECTOR, Disk, Lies, Model, State, always_lies, never_lies, states
from tests.crash.powerloss.trace import Reader, Step, Unmodelled, calls_of

ROOT = "/till"
FILE, NEW = f"{ROOT}/a", f"{ROOT}/b"
OLD = b"o" * SECTOR * 2


def hexed(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def steps(*lines: str, before: dict[str, bytes | None] | None = None) -> list[Step]:
    """Steps of a trace of thread 1; ``before``: by default FILE holds OLD."""
    reader = Reader(ROOT, {FILE: OLD} if before is None else before)
    found = reader.steps(calls_of([line if line[0].isdecimal() else f"1 {line}" for line in lines]))
    return sorted(found, key=lambda step: step.end if step.kind == "sync" else step.start)


OPEN = f"openat(AT_FDCWD, {hexed(FILE)}, O_RDWR) = 5"
OVERWRITE = f"pwrite64(5, {hexed(b'n' * SECTOR * 2)}, {SECTOR * 2}, 0) = {SECTOR * 2}"
GROW = f"pwrite64(5, {hexed(b'g' * 4)}, 4, {SECTOR * 2}) = 4"
CREATE = f"openat(AT_FDCWD, {hexed(NEW)}, O_RDWR|O_CREAT, 0600) = 6"
FILL = f"write(6, {hexed(b'new')}, 3) = 3"
FOLDER = f"openat(AT_FDCWD, {hexed(ROOT)}, O_RDONLY|O_DIRECTORY) = 7"
RENAME = f"rename({hexed(NEW)}, {hexed(FILE)}) = 0"


def left(model: Model, taken: Sequence[Step], lies: Lies = never_lies) -> set[tuple[tuple[str, bytes], ...]]:
    """Every state that a few thousand draws find after these steps."""
    disk = Disk(ROOT, model, {FILE: OLD}, lies=lies)
    for step in taken:
        disk.take(step)
    drawn: list[State] = list(itertools.islice(states(disk, random.Random(1)), 2000))
    return {tuple(sorted(state.files.items())) for state in drawn}


def contents(model: Model, *lines: str, lies: Lies = never_lies) -> set[bytes]:
    return {dict(files)[FILE] for files in left(model, steps(*lines), lies)}


@pytest.mark.parametrize("model", list(Model), ids=lambda model: model.value)
def test_sectors_survive_in_any_order_until_they_are_synced(model: Model) -> None:
    o, n = b"o" * SECTOR, b"n" * SECTOR
    any_order = {o + o, n + o, o + n, n + n}
    assert contents(model, OPEN, OVERWRITE) == any_order
    assert contents(model, OPEN, OVERWRITE, "fdatasync(5) = 0") == {n + n}
    assert contents(model, OPEN, OVERWRITE, "fdatasync(5) = -1 EIO (Input/output error)") == {
        o + o,
        n + o,
        o + n,
        n + n,
    }
    assert contents(model, OPEN, OVERWRITE, "fdatasync(5) = 0", lies=always_lies) == any_order


def test_a_sync_covers_only_what_had_ended_when_it_began() -> None:
    begun, _, result = OVERWRITE.partition(")")
    lines = (OPEN, f"2 {begun} <unfinished ...>", "fdatasync(5) = 0", f"2 <... pwrite64 resumed>){result}")
    assert len(contents(Model.POSIX, *lines)) == 4


def test_a_number_that_one_thread_closes_while_another_opens_is_the_openers() -> None:
    begun, _, result = CREATE.rpartition(")")
    lines = (
        OPEN.replace("= 5", "= 6"),
        f"2 {begun} <unfinished ...>",
        "close(6) = 0",
        f"2 <... openat resumed>){result}",
    )
    assert contents(Model.POSIX, *lines, FILL, "fsync(6) = 0", RENAME) == {OLD, b"new"}


def test_a_longer_file_has_its_data_on_ext4_and_may_hold_junk_elsewhere() -> None:
    assert contents(Model.EXT4, OPEN, GROW) == {OLD, OLD + b"gggg"}
    posix = contents(Model.POSIX, OPEN, GROW)
    assert {OLD, OLD + b"gggg", OLD + bytes(4)} < posix


def test_a_new_name_needs_a_sync_of_its_folder_except_on_ext4() -> None:
    written = (CREATE, FILL, "fsync(6) = 0")
    names = {model: {NEW in dict(files) for files in left(model, steps(*written))} for model in Model}
    assert names == {Model.POSIX: {True, False}, Model.EXT4: {True}}
    assert {NEW in dict(files) for files in left(Model.POSIX, steps(*written, FOLDER, "fsync(7) = 0"))} == {True}


def test_a_rename_without_a_sync_of_the_content_may_leave_an_empty_file() -> None:
    for model in Model:
        assert contents(model, CREATE, FILL, RENAME) >= {OLD, b"", b"new"}
        assert contents(model, CREATE, FILL, "fsync(6) = 0", RENAME) == {OLD, b"new"}


@pytest.mark.parametrize(
    "line",
    [
        f"truncate({hexed(FILE)}, 0) = 0",
        "writev(5, [], 0) = 0",
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 5, 0) = 0x7f0000000000",
        f"rename({hexed(FILE)}, {hexed('/elsewhere')}) = 0",
        f"pwrite64(5, {hexed('x')}..., 9, 0) = 9",
        "sync() = 0",
    ],
)
def test_what_the_replay_does_not_know_is_refused(line: str) -> None:
    with pytest.raises(Unmodelled):
        steps(OPEN, line)


def test_short_writes_count_as_far_as_they_went() -> None:
    short = f"pwrite64(5, {hexed(b'n' * 8)}, 8, 0) = 3"
    (step,) = (step for step in steps(OPEN, short) if step.kind == "write")
    assert step.data == b"nnn"
