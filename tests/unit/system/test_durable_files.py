"""Files that outlive a power cut; what a cut leaves is tested in tests/crash/test_powerloss_commands.py."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Barrier

import pytest

from agent.system import durable_files
from agent.system.durable_files import (
    SYNCS_AT_ONCE,
    clear_leftovers,
    make_private_folders,
    private_mode,
    sync_names,
    write_all,
    write_whole,
    written_whole,
)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were synced, in order."""
    found: list[Path] = []
    monkeypatch.setattr(durable_files, "sync_folder", found.append)
    return found


def test_names_are_synced_up_to_the_mount_point(
    tmp_path: Path, synced: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    sync_names(tmp_path / "a" / "b" / "file")
    assert synced == [tmp_path / "a" / "b", tmp_path / "a", tmp_path]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Path] = []

    def refusing(folder: Path) -> None:
        if folder == tmp_path.parent:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        found.append(folder)

    monkeypatch.setattr(durable_files, "sync_folder", refusing)
    sync_names(tmp_path / "file")
    assert found == [tmp_path]
    with pytest.raises(PermissionError):
        sync_names(tmp_path.parent / "file")


def test_a_file_is_whole_private_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "key"
    (tmp_path / ".key.0123456789abcdef.tmp").write_bytes(b"left by a killed run")
    for content in (b"first", b"second"):
        write_whole(target, content, 0o600)
        assert target.read_bytes() == content
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "key"
    write_whole(target, b"first", 0o600)

    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        write_whole(target, b"second", 0o600)
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_many_files_are_whole_and_their_folder_is_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / ".anything.0123456789abcdef.tmp"
    for name in (left.name, ".kept.tmp", "kept.0123456789abcdef.tmp"):
        (tmp_path / name).write_bytes(b"")
    clear_leftovers(tmp_path)
    assert not left.exists()
    assert len(list(tmp_path.iterdir())) == 2
    names: list[list[str]] = []
    monkeypatch.setattr(
        durable_files, "sync_names", lambda path: names.append(sorted(each.name for each in path.parent.iterdir()))
    )
    files = {tmp_path / f"file-{number}": f"{number}".encode() for number in range(3)}
    write_all(files)
    assert {path: path.read_bytes() for path in files} == files
    assert names == [[".kept.tmp", "file-0", "file-1", "file-2", "kept.0123456789abcdef.tmp"]]


def test_many_files_are_synced_side_by_side_before_any_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {tmp_path / f"file-{number}": b"new" for number in range(2 * SYNCS_AT_ONCE)}
    together = Barrier(SYNCS_AT_ONCE, timeout=10)
    synced = os.fsync

    def waiting(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            together.wait()
            assert not any(path.exists() for path in files)
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", waiting)
    write_all(files)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_of_many_files_a_write_that_fails_leaves_each_whole_or_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    files = {tmp_path / f"file-{number}": b"new" for number in range(3)}
    (tmp_path / "file-1").write_bytes(b"old")
    place = os if failing == "fsync" else Path
    work = getattr(place, failing)
    count = itertools.count(1)

    def second_fails(*arguments: object) -> None:
        if next(count) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        work(*arguments)

    monkeypatch.setattr(place, failing, second_fails)
    with pytest.raises(OSError, match="Input/output"):
        write_all(files)
    done = {} if failing == "fsync" else {"file-0": b"new"}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file-1": b"old", **done}


class TestPlanted:
    """What somebody else put in the way, in a folder that both may write (/tmp): never followed, never opened."""

    def test_links_are_replaced_not_followed(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"untouched")
        for name in ("out", "out.part", "out.tmp", ".out.tmp", ".out.0123456789abcdef.tmp"):
            (tmp_path / name).symlink_to(victim)
        write_whole(tmp_path / "out", b"written")
        assert victim.read_bytes() == b"untouched"
        assert not (tmp_path / "out").is_symlink()
        assert (tmp_path / "out").read_bytes() == b"written"

    def test_a_dangling_link_makes_no_file_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
        write_whole(tmp_path / "out", b"written")
        assert not (tmp_path / "elsewhere").exists()

    def test_a_pipe_or_a_folder_in_place_of_a_leftover_stops_nothing(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / ".out.0123456789abcdef.tmp")
        (tmp_path / ".out.fedcba9876543210.tmp").mkdir()
        write_whole(tmp_path / "out", b"written")
        assert (tmp_path / "out").read_bytes() == b"written"

    def test_the_temporary_name_cannot_be_guessed(self, tmp_path: Path) -> None:
        names = set()
        for _ in range(20):
            with written_whole(tmp_path / "out"):
                (name,) = [path.name for path in tmp_path.iterdir() if path.name != "out"]
            names.add(name)
        assert len(names) == 20
        assert all(len(name.removeprefix(".out.").removesuffix(".tmp")) == 16 for name in names)

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
    def test_only_files_are_replaced(self, tmp_path: Path, make: Callable[[Path], None]) -> None:
        make(tmp_path / "out")
        with pytest.raises(OSError, match=r"a folder|not a file"):
            write_whole(tmp_path / "out", b"written")
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_a_link_to_a_device_stays(self, tmp_path: Path) -> None:
        """--out /dev/stdout is such a link, and root could replace it."""
        (tmp_path / "out").symlink_to("/dev/null")
        with pytest.raises(OSError, match="not a file"):
            write_whole(tmp_path / "out", b"written")
        assert (tmp_path / "out").is_symlink()


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    with written_whole(tmp_path / "out") as first:
        first.write(b"first")
        write_whole(tmp_path / "out", b"second")
        assert (tmp_path / "out").read_bytes() == b"second"
    assert (tmp_path / "out").read_bytes() == b"first"


def test_an_interrupted_block_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with written_whole(tmp_path / "out") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_files_are_the_owner_s_and_a_group_s_where_the_folder_hands_it_on(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        write_whole(tmp_path / "out", b"")
        assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
        tmp_path.chmod(0o2770)
        assert private_mode(tmp_path) == 0o640
        make_private_folders(tmp_path / "2026" / "11")
        write_whole(tmp_path / "2026" / "11" / "out", b"")
        assert stat.S_IMODE((tmp_path / "2026" / "11" / "out").stat().st_mode) == 0o640
        assert stat.S_IMODE((tmp_path / "2026" / "11").stat().st_mode) == 0o2750
    finally:
        os.umask(umask)


def test_the_longest_name_there_is(tmp_path: Path) -> None:
    write_whole(tmp_path / ("ż" * 127), b"written")
    assert len(list(tmp_path.iterdir())) == 1
