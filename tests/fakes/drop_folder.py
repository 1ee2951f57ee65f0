"""An agent with a drop folder in memory, for tests that look at what comes back."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.ports import DropFolder, Place
from agent.services.assembly.drop_folder import drop_folder_watch
from agent.services.exchange.watcher import DropFolderWatch
from agent.settings.model import DropFolderSettings, Settings
from agent.web.answers import exchange
from tests.fakes.folder import FakeFolder
from tests.fakes.world import World, settings


def folder_settings(tmp_path: Path, **changes: Any) -> Settings:
    """Settings of a test till that watches a folder."""
    return replace(settings(tmp_path), drop_folder=DropFolderSettings(path=tmp_path / "kasa", **changes))


def remembered(data_dir: Path) -> list[str]:
    """What the notebook holds of files."""
    with closing(sqlite3.connect(data_dir / "agent.db")) as database:
        rows = database.execute("SELECT name FROM notebook WHERE name LIKE 'drop-folder:%' ORDER BY name")
        return [str(name) for (name,) in rows]


def watch_over(place: World, folder: DropFolder) -> DropFolderWatch:
    """Join the watch as the service does."""
    return drop_folder_watch(place, folder, exchange.written)


@dataclass
class Shop:
    """A folder, and the agent that watches it."""

    place: World
    folder: FakeFolder = field(default_factory=FakeFolder)

    def __post_init__(self) -> None:
        self.watch = watch_over(self.place, self.folder)

    async def passes(self, count: int = 2, seconds: float = 2.0) -> None:
        """Let the watch look so often; by default often enough for what lies there to be taken."""
        for _ in range(count):
            looking = asyncio.ensure_future(self.watch.pass_once())
            try:
                while not looking.done():
                    await self.place.clock.advance(0.2)
                await looking
            finally:
                looking.cancel()
            await self.place.clock.advance(seconds)

    async def take(self, name: str, data: bytes | str) -> dict[str, Any]:
        """Drop a file and return its answer."""
        self.folder.drop(name, data)
        await self.passes()
        return self.answer(name)

    def answer(self, name: str) -> dict[str, Any]:
        """Return the answer to a file, among the done or the refused."""
        result = f"{name.rpartition('.')[0]}.result.json"
        for place in (Place.REFUSED, Place.DONE):
            data = self.folder.content(place, result)
            if data is not None and self.folder.content(place, name) is not None:
                found: dict[str, Any] = json.loads(data)
                return found
        raise AssertionError(f"no answer to {name}: {sorted(self.folder.files)}")
