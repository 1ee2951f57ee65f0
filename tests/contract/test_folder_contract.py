"""One suite for the drop folder in memory and the one on a disk."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from agent.ports import DropFolder, FileHeld, Place
from agent.shared_folder import SharedFolder
from agent.system.clock import SystemClock
from tests.fakes.folder import FakeFolder


class Dropping(DropFolder, Protocol):
    """The folder, and a program that puts files there."""

    def drop(self, name: str, data: bytes | str) -> None: ...

    def leave(self, path: str, data: str) -> None:
        """An agent of another name took it."""
        ...


class RealFolder(SharedFolder):
    def __init__(self, path: Path) -> None:
        super().__init__(path, SystemClock())
        self.path = path

    def drop(self, name: str, data: bytes | str) -> None:
        (self.path / name).write_bytes(data.encode() if isinstance(data, str) else data)

    def leave(self, path: str, data: str) -> None:
        (self.path / path).parent.mkdir(exist_ok=True)
        (self.path / path).write_text(data)


@pytest.fixture(params=["memory", "disk"])
async def folder(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Dropping]:
    if request.param == "memory":
        yield FakeFolder()
        return
    real = RealFolder(tmp_path)
    yield real
    real.close()


def json_only(name: str) -> bool:
    return name.endswith(".json")


async def test_looks_at_the_first_wanted_names(folder: Dropping) -> None:
    for name in ("c.json", "a.json", "b.txt", "b.json"):
        folder.drop(name, "{}")
    assert [look.name for look in await folder.looks(Place.INBOX, json_only, 2)] == ["a.json", "b.json"]
    assert await folder.looks(Place.INBOX, lambda name: False, 2) == []


async def test_what_a_till_of_another_name_took_is_seen(folder: Dropping) -> None:
    folder.drop("a.json", "{}")
    (look,) = await folder.looks(Place.INBOX, json_only, 9)
    await folder.claim(look)
    assert await folder.taken_by_others(json_only, 9) == [], "its own"
    folder.leave("taken-9/b.json", "{}")
    folder.leave("taken-9/c.json", "{}")
    folder.leave("taken-9/d.txt", "{}")
    folder.leave("taken-old", "no folder")
    assert await folder.taken_by_others(json_only, 9) == ["taken-9/b.json", "taken-9/c.json"]
    assert await folder.taken_by_others(json_only, 1) == ["taken-9/b.json"]


async def test_a_file_looks_the_same_until_it_changes(folder: Dropping) -> None:
    folder.drop("a.json", "{}")
    first = await folder.looks(Place.INBOX, json_only, 9)
    assert await folder.looks(Place.INBOX, json_only, 9) == first
    folder.drop("a.json", '{"more": 1}')
    assert await folder.looks(Place.INBOX, json_only, 9) != first
    with pytest.raises(FileHeld):
        await folder.read(first[0])


async def test_reads_what_was_looked_at(folder: Dropping) -> None:
    folder.drop("a.json", b"\xb1\x00x")
    assert await folder.read((await folder.looks(Place.INBOX, json_only, 9))[0]) == b"\xb1\x00x"


async def test_a_claim_takes_what_was_looked_at_and_nothing_else(folder: Dropping) -> None:
    folder.drop("a.json", "first")
    (look,) = await folder.looks(Place.INBOX, json_only, 9)
    folder.drop("a.json", "second one")
    with pytest.raises(FileHeld):
        await folder.claim(look)
    (look,) = await folder.looks(Place.INBOX, json_only, 9)
    await folder.claim(look)
    folder.drop("a.json", "third")
    assert [each.name for each in await folder.looks(Place.TAKEN, json_only, 9)] == ["a.json"]
    assert await folder.load(Place.TAKEN, "a.json") == b"second one"
    with pytest.raises(FileHeld):
        await folder.claim(look)
    await folder.move(Place.TAKEN, "a.json", Place.DONE, "a.json")
    assert await folder.looks(Place.TAKEN, json_only, 9) == []


async def test_an_answer_takes_the_place_of_an_older_one(folder: Dropping) -> None:
    await folder.put(Place.DONE, "a.result.json", b"1")
    await folder.put(Place.DONE, "a.result.json", b"22")
    assert await folder.load(Place.DONE, "a.result.json") == b"22"
    assert await folder.sha256(Place.DONE, "a.result.json") == hashlib.sha256(b"22").hexdigest()
    assert await folder.load(Place.REFUSED, "a.result.json") is None
    assert await folder.sha256(Place.REFUSED, "a.result.json") is None


async def test_a_move_may_be_repeated_and_replaces(folder: Dropping) -> None:
    await folder.put(Place.DONE, "a.json", b"old")
    folder.drop("a.json", "new")
    for _ in range(2):
        await folder.move(Place.INBOX, "a.json", Place.DONE, "a.json")
    assert await folder.load(Place.DONE, "a.json") == b"new"
    assert await folder.looks(Place.INBOX, json_only, 9) == []
    await folder.move(Place.DONE, "a.json", Place.DONE, "b.json")
    assert await folder.names(Place.DONE, "b") == ["b.json"]


async def test_counts_up_to_a_limit(folder: Dropping) -> None:
    for number in range(4):
        await folder.put(Place.REFUSED, f"{number}.json", b"")
    await folder.put(Place.REFUSED, "0.result.txt", b"")
    assert await folder.count(Place.REFUSED, json_only, 9) == 4
    assert await folder.count(Place.REFUSED, json_only, 3) == 3
    assert await folder.count(Place.DONE, json_only, 3) == 0
