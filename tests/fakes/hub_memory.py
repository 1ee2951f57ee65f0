"""The database of a hub in tests with real processes: made anew, copied, put back, and asked past the program."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from click.testing import CliRunner

from agent.commands.hub import command
from agent.hub.ports import HubStore
from agent.hub.store.postgresql.store import PostgresqlHubStore
from agent.hub.store.sqlite.file import DATABASE
from agent.hub.store.sqlite.store import SqliteHubStore
from agent.system.clock import SystemClock
from tests.fakes.postgres import Cluster, binaries, execute

NAME = "hub_chain"


class HubMemory(Protocol):
    """What a test does to it. Only ``ask``, ``copy`` and ``open`` on PostgreSQL beside a running hub."""

    @property
    def dsn(self) -> str:
        """For [hub] dsn; empty: SQLite."""
        ...

    async def begin_anew(self) -> None:
        """Let everything be gone."""
        ...

    async def copy(self, place: Path) -> None:
        """Make a copy, as docs/hub.md says."""
        ...

    async def put_back(self, place: Path) -> None:
        """Put a copy in its place."""
        ...

    async def open(self) -> HubStore:
        """Open it as the hub would."""
        ...

    async def ask(self, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a statement."""
        ...


class SqliteMemory:
    """One file of one hub."""

    dsn = ""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._file = config.with_suffix(".data") / DATABASE

    async def begin_anew(self) -> None:
        """Remove the file."""
        for each in self._file.parent.glob(f"{DATABASE}*"):
            each.unlink()

    async def copy(self, place: Path) -> None:
        """`ksef-agent hub backup FILE`."""
        given = ["backup", str(place), "--config", str(self._config)]
        result = await asyncio.to_thread(CliRunner().invoke, command, given)
        assert result.exit_code == 0, f"{result.output} {result.exception}"

    async def put_back(self, place: Path) -> None:
        """Put the file in place of hub.db, without its -wal file."""
        await self.begin_anew()
        shutil.copy(place, self._file)

    async def open(self) -> HubStore:
        """Open the file."""
        return await SqliteHubStore.open(self._file, SystemClock())

    async def ask(self, statement: str) -> list[dict[str, Any]]:
        """Read the file."""
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as opened:
            opened.row_factory = sqlite3.Row
            return [dict(row) for row in opened.execute(statement)]


class PostgresqlMemory:
    """One database on a server."""

    def __init__(self, server: Cluster) -> None:
        self.server = server
        self.dsn = server.dsn(NAME)

    async def begin_anew(self) -> None:
        """Drop the database."""
        await execute(self.server.dsn("postgres"), f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        await execute(self.server.dsn("postgres"), f"CREATE DATABASE {NAME}")

    async def copy(self, place: Path) -> None:
        """pg_dump."""
        await self._run("pg_dump", "--format=custom", f"--file={place}", self.dsn)

    async def put_back(self, place: Path) -> None:
        """pg_restore into an empty database."""
        await self.begin_anew()
        await self._run("pg_restore", "--exit-on-error", f"--dbname={self.dsn}", str(place))

    async def open(self) -> HubStore:
        """Connect."""
        return await PostgresqlHubStore.open(self.dsn, SystemClock(), connections=2)

    async def ask(self, statement: str) -> list[dict[str, Any]]:
        """Ask over a connection of its own."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return [dict(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    async def _run(self, program: str, *arguments: str) -> None:
        await asyncio.to_thread(subprocess.run, [str(binaries() / program), *arguments], check=True)
