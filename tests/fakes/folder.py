"""A drop folder in memory, under the same contract suite as the real one (tests/contract/test_folder_contract.py)."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable

from agent.ports import FileHeld, FolderAway, Look, Place

MAX_NAME = 255
"""Bytes, on most file systems."""


class FakeFolder:
    """DropFolder port. ``away`` fails every call, ``held`` those for these names, ``full`` those that write."""

    def __init__(self) -> None:
        self.files: dict[tuple[Place, str], bytes] = {}
        self.away: str | None = None
        self.full = False
        self.held: set[str] = set()
        self.of_others: dict[str, bytes] = {}
        """FOLDER/NAME of files that an agent of another name took."""
        self.puts: list[tuple[Place, str]] = []
        self._versions: dict[str, int] = {}
        self._next = itertools.count(1)

    def drop(self, name: str, data: bytes | str) -> None:
        """A program puts a file there, in one step."""
        self.files[Place.INBOX, name] = data.encode() if isinstance(data, str) else data
        self._versions[name] = next(self._next)

    def leave(self, path: str, data: str) -> None:
        """An agent of another name took it."""
        if "/" in path:
            self.of_others[path] = data.encode()

    def content(self, place: Place, name: str) -> bytes | None:
        return self.files.get((place, name))

    def in_place(self, place: Place) -> list[str]:
        return sorted(name for where, name in self.files if where is place)

    async def looks(self, place: Place, wanted: Callable[[str], bool], limit: int) -> list[Look]:
        self._reach()
        return [self._look(name, place) for name in self.in_place(place) if wanted(name)][:limit]

    async def read(self, look: Look) -> bytes:
        self._reach()
        if look.name in self.held:
            raise FileHeld("używa go inny program")
        if (Place.INBOX, look.name) not in self.files or self._look(look.name) != look:
            raise FileHeld("zmienia się podczas odczytu")
        return self.files[Place.INBOX, look.name]

    async def claim(self, look: Look) -> None:
        await self.read(look)
        self._write()
        self.files[Place.TAKEN, look.name] = self.files.pop((Place.INBOX, look.name))

    async def load(self, place: Place, name: str) -> bytes | None:
        self._reach()
        return self.content(place, name)

    async def sha256(self, place: Place, name: str) -> str | None:
        self._reach()
        data = self.content(place, name)
        return None if data is None else hashlib.sha256(data).hexdigest()

    async def names(self, place: Place, prefix: str) -> list[str]:
        self._reach()
        return [name for name in self.in_place(place) if name.startswith(prefix)]

    async def put(self, place: Place, name: str, data: bytes) -> None:
        self._write()
        if name in self.held:
            raise FileHeld("używa go inny program")
        self.files[place, name] = data
        self.puts.append((place, name))

    async def move(self, place: Place, name: str, to: Place, new_name: str) -> None:
        self._write()
        if len(os.fsencode(new_name)) > MAX_NAME:
            raise FileHeld("nazwa jest za długa")
        if name in self.held:
            raise FileHeld("używa go inny program")
        if (place, name) in self.files:
            self.files[to, new_name] = self.files.pop((place, name))

    async def taken_by_others(self, wanted: Callable[[str], bool], limit: int) -> list[str]:
        self._reach()
        return sorted(each for each in self.of_others if wanted(each.rpartition("/")[2]))[:limit]

    async def count(self, place: Place, wanted: Callable[[str], bool], limit: int) -> int:
        self._reach()
        return min(limit, sum(wanted(name) for name in self.in_place(place)))

    def _look(self, name: str, place: Place = Place.INBOX) -> Look:
        version = self._versions[name] if place is Place.INBOX else 0
        return Look(name, len(self.files[place, name]), version, version)

    def _reach(self) -> None:
        if self.away is not None:
            raise FolderAway(self.away)

    def _write(self) -> None:
        self._reach()
        if self.full:
            raise FolderAway("brak miejsca na dysku")
