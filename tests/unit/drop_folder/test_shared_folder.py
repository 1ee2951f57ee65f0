"""The real folder: what strangers may put there, what goes away, what a full or read-only disk says."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import shared_folder
from agent.ports import FileHeld, FolderAway, Place
from agent.shared_folder import SharedFolder
from agent.system.clock import SystemClock
from tests.fakes.clock import FakeClock


def every(name: str) -> bool:
    return True


def write(folder: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"{}")


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "kasa"
    made.mkdir()
    return made


@pytest.fixture
def folder(path: Path) -> Iterator[SharedFolder]:
    made = SharedFolder(path, SystemClock())
    yield made
    made.close()


async def test_links_devices_and_folders_are_never_looked_at(folder: SharedFolder, path: Path) -> None:
    (path / "plain.json").write_text("{}")
    (path / "link.json").symlink_to(path / "plain.json")
    (path / "dangling.json").symlink_to("/nowhere")
    os.mkfifo(path / "pipe.json")
    (path / "folder.json").mkdir()
    assert [look.name for look in await folder.looks(Place.INBOX, every, 9)] == ["plain.json"]


async def test_a_link_put_in_place_after_the_look_is_not_followed(folder: SharedFolder, path: Path) -> None:
    (path / "a.json").write_text("{}")
    (look,) = await folder.looks(Place.INBOX, every, 9)
    (path / "a.json").unlink()
    (path / "a.json").symlink_to("/etc/hostname")
    with pytest.raises(FileHeld):
        await folder.read(look)
    (path / "a.json").unlink()
    os.mkfifo(path / "a.json")
    with pytest.raises(FileHeld):
        await folder.read(look)


async def test_a_link_among_what_was_taken_is_not_followed(folder: SharedFolder, path: Path) -> None:
    """Those who share the folder may put one there; what it leads to must not get into an answer."""
    secret = path.parent / "secret.json"
    secret.write_text("{}")
    assert await folder.names(Place.TAKEN, "") == []
    (path / "taken-1" / "a.json").symlink_to(secret)
    assert await folder.load(Place.TAKEN, "a.json") is None
    assert await folder.sha256(Place.TAKEN, "a.json") is None


async def test_a_link_in_the_place_of_the_answers_is_not_followed(folder: SharedFolder, path: Path) -> None:
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    (path / "done").symlink_to(elsewhere)
    with pytest.raises(FolderAway):
        await folder.put(Place.DONE, "a.result.json", b"{}")
    assert list(elsewhere.iterdir()) == []


async def test_an_answer_replaces_a_link_and_never_writes_through_it(folder: SharedFolder, path: Path) -> None:
    target = path.parent / "target"
    target.write_text("mine")
    (path / "done").mkdir()
    (path / "done" / "a.result.json").symlink_to(target)
    (path / "done" / shared_folder.TEMPORARY.format(till="1")).symlink_to(target)
    await folder.put(Place.DONE, "a.result.json", b"{}")
    assert target.read_text() == "mine"
    assert (path / "done" / "a.result.json").read_bytes() == b"{}"
    assert not (path / "done" / "a.result.json").is_symlink()


async def test_a_folder_with_the_name_of_an_answer_is_that_answers_trouble(folder: SharedFolder, path: Path) -> None:
    (path / "done" / "a.result.json" / "inside").mkdir(parents=True)
    with pytest.raises(FileHeld):
        await folder.put(Place.DONE, "a.result.json", b"{}")
    await folder.put(Place.DONE, "b.result.json", b"{}")
    assert (path / "done" / "b.result.json").read_bytes() == b"{}"


async def test_a_folder_with_the_name_of_the_temporary_file_makes_room(folder: SharedFolder, path: Path) -> None:
    (path / "done" / shared_folder.TEMPORARY.format(till="1")).mkdir(parents=True)
    await folder.put(Place.DONE, "a.result.json", b"{}")
    assert [file.name for file in files(path / "done")] == ["a.result.json"]


async def test_of_two_agents_neither_takes_the_others_half_written_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (SharedFolder(path, SystemClock(), till=till) for till in ("1", "2"))
    sync = os.fsync
    begun: list[int] = []

    def slow(descriptor: int) -> None:
        """While the first one writes, the second one puts an answer of its own in place."""
        begun.append(descriptor)
        if len(begun) == 1:
            other._put(Place.DONE, "b.result.json", b"other")
        sync(descriptor)

    (path / "done").mkdir()
    monkeypatch.setattr(os, "fsync", slow)
    await one.put(Place.DONE, "a.result.json", b"one")
    found = {file.name: file.read_bytes() for file in files(path / "done")}
    assert found == {"a.result.json": b"one", "b.result.json": b"other"}
    for each in (one, other):
        each.close()


async def test_of_two_agents_one_gets_the_file(path: Path) -> None:
    one, other = (SharedFolder(path, SystemClock(), till=till) for till in ("1", "2"))
    (path / "a.json").write_text("{}")
    (look,) = await one.looks(Place.INBOX, every, 9)
    assert await other.looks(Place.INBOX, every, 9) == [look]
    await one.claim(look)
    with pytest.raises(FileHeld):
        await other.claim(look)
    assert await other.looks(Place.TAKEN, every, 9) == []
    assert [each.name for each in await one.looks(Place.TAKEN, every, 9)] == ["a.json"]
    one.close()
    other.close()


async def test_answers_are_for_the_group_only(folder: SharedFolder, path: Path) -> None:
    before = os.umask(0)
    try:
        await folder.put(Place.DONE, "a.result.json", b"{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((path / "done" / "a.result.json").stat().st_mode) == 0o660
    assert stat.S_IMODE((path / "done").stat().st_mode) == 0o770


async def test_names_with_odd_characters(folder: SharedFolder, path: Path) -> None:
    raw = [b"zam\xf3wienie \xb1.json", b"new\nline.json", "Łódź „1”.json".encode(), b"a" * 250 + b".json"]
    for name in raw:
        write(path, name)
    looks = await folder.looks(Place.INBOX, every, 9)
    assert sorted(os.fsencode(look.name) for look in looks) == sorted(raw)
    for look in looks:
        assert await folder.read(look) == b"{}"
        await folder.move(Place.INBOX, look.name, Place.DONE, look.name)
    assert sorted(os.fsencode(each.name) for each in files(path / "done")) == sorted(raw)


async def test_a_file_that_its_program_has_locked(folder: SharedFolder, path: Path) -> None:
    (path / "a.json").write_text("{}")
    (look,) = await folder.looks(Place.INBOX, every, 9)
    with (path / "a.json").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FileHeld):
            await folder.read(look)
    assert await folder.read(look) == b"{}"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EBUSY, errno.ETXTBSY, errno.EAGAIN, errno.ENOENT])
async def test_a_share_mode_of_windows_is_one_files_trouble(
    folder: SharedFolder, path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (path / "a.json").write_text("{}")
    (look,) = await folder.looks(Place.INBOX, every, 9)
    opened = os.open

    def refuse(name: object, *more: object, **others: object) -> int:
        if name == "a.json":
            raise OSError(number, "sharing violation")
        return opened(name, *more, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileHeld):
        await folder.read(look)


async def test_a_folder_that_is_not_there_and_comes_back(folder: SharedFolder, path: Path) -> None:
    shutil.move(path, path.parent / "elsewhere")
    with pytest.raises(FolderAway) as caught:
        await folder.looks(Place.INBOX, every, 9)
    assert caught.value.reason == "nie ma takiego pliku ani katalogu"
    shutil.move(path.parent / "elsewhere", path)
    assert await folder.looks(Place.INBOX, every, 9) == []


async def test_a_share_that_is_not_mounted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = SharedFolder(path, SystemClock(), mounted=True)
    mounts: set[Path] = {Path("/")}
    monkeypatch.setattr(Path, "is_mount", lambda self: self in mounts)
    with pytest.raises(FolderAway):
        await share.looks(Place.INBOX, every, 9)
    mounts.add(path.parent)
    assert await share.looks(Place.INBOX, every, 9) == []
    share.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
async def test_a_disk_that_takes_nothing(
    folder: SharedFolder, path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (path / "a.json").write_text("{}")
    await folder.put(Place.DONE, "a.result.json", b"old")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(FolderAway):
        await folder.put(Place.DONE, "a.result.json", b"new")
    with pytest.raises(FolderAway):
        await folder.move(Place.INBOX, "a.json", Place.DONE, "a.json")
    monkeypatch.undo()
    assert (path / "done" / "a.result.json").read_bytes() == b"old"
    assert (path / "a.json").exists()
    await folder.put(Place.DONE, "a.result.json", b"new")
    assert (path / "done" / "a.result.json").read_bytes() == b"new"


async def test_file_systems_that_cannot_sync_a_folder(folder: SharedFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    await folder.put(Place.DONE, "a.result.json", b"{}")
    assert await folder.load(Place.DONE, "a.result.json") == b"{}"


async def test_a_share_that_hangs_costs_its_thread_and_not_the_loop(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    share = SharedFolder(path, clock)
    hangs, release = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> int:
        hangs.set()
        release.wait()
        raise OSError(errno.EIO, "at last")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", hang)
        looking = asyncio.ensure_future(share.looks(Place.INBOX, every, 9))
        await asyncio.sleep(0)
        await asyncio.to_thread(hangs.wait)
        await clock.advance(shared_folder.SECONDS)
        with pytest.raises(FolderAway) as caught:
            await looking
        assert "nie odpowiada" in caught.value.reason
    release.set()
    assert await share.looks(Place.INBOX, every, 9) == []
    share.close()


async def test_huge_files_are_not_read_into_memory(
    folder: SharedFolder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_folder, "LARGEST", 10)
    (path / "done").mkdir()
    (path / "done" / "a.json").write_bytes(b"x" * 11)
    assert await folder.load(Place.DONE, "a.json") is None
    first = await folder.sha256(Place.DONE, "a.json")
    assert first is not None
    (path / "done" / "a.json").write_bytes(b"y" * 12)
    assert await folder.sha256(Place.DONE, "a.json") != first


async def test_descriptors_are_given_back(folder: SharedFolder, path: Path) -> None:
    (path / "a.json").write_text("{}")
    (look,) = await folder.looks(Place.INBOX, every, 9)
    before = len(files(Path("/proc/self/fd")))
    for _ in range(50):
        await folder.read(look)
        await folder.put(Place.DONE, "a.result.json", b"{}")
        await folder.sha256(Place.DONE, "a.result.json")
        await folder.sha256(Place.DONE, "missing")
        await folder.count(Place.REFUSED, every, 5)
    assert len(files(Path("/proc/self/fd"))) == before
