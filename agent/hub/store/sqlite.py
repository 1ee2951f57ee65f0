"""HubStore over SQLite: one process, no administration.

The same connection settings, durability and meaning of errors as the till's store (agent/store): WAL, synchronous
EXTRA, each setting read back; COMMIT that fails in any other way than by a full disk ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from agent.domain.errors import StoreLost, StoreUnfit, Unavailable
from agent.hub.store import queries
from agent.hub.store.database import Parameters, Row, Value
from agent.hub.store.leadership import HeldLeadership
from agent.hub.store.signals import Signals
from agent.hub.store.transaction import StoredTransaction
from agent.ports import Clock
from agent.store import connection as sqlite
from agent.store import disk
from agent.store.failures import is_disk_full, of_commit, of_statement
from agent.store.lock import DataLock
from agent.store.migrate import migrate, migrations, missing_steps
from agent.store.unit import UnitConnection

T = TypeVar("T")
Work = Callable[[StoredTransaction], Awaitable[T]]

DATABASE = "hub.db"
MIGRATIONS = migrations(Path(__file__).parent / "migrations" / "sqlite")
READERS = 2
MOST_WAITING = 500
"""Units that wait for the writer; more are told to come back."""
CHECKPOINT_EVERY = 50  # commits

log = logging.getLogger(__name__)


class SqliteDatabase:
    """One unit of work's connection."""

    def __init__(self, unit: UnitConnection) -> None:
        self._unit = unit
        self.told: list[str] = []

    async def run(self, name: str, /, **parameters: Value) -> list[Row]:
        """Run a named statement."""
        return await self._run(name, parameters)

    async def run_many(self, name: str, parameters: Sequence[Parameters]) -> list[Row]:
        """Run it once for each."""
        rows: list[Row] = []
        for each in parameters:
            rows += await self._run(name, each)
        return rows

    async def _run(self, name: str, parameters: Parameters) -> list[Row]:
        columns = {key: _column(value) for key, value in parameters.items()}
        return [Row(dict(row)) for row in await self._unit.run_sql(queries.SQLITE[name], columns)]

    async def tell(self, channel: str) -> None:
        """Wake who waits, after the commit."""
        self.told.append(channel)


class SqliteHubStore:
    """The hub's durable memory in one file."""

    def __init__(
        self, path: Path, clock: Clock, writer: sqlite.Connection, readers: list[sqlite.Connection], lock: DataLock
    ) -> None:
        self.path = path
        self._now = clock.now
        self._writer = writer
        self._readers = readers
        self._lock = lock
        self._free: asyncio.Queue[sqlite.Connection] = asyncio.Queue()
        for reader in readers:
            self._free.put_nowait(reader)
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._commits = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._signals = Signals()
        self._led: dict[str, HeldLeadership] = {}
        self._lost: StoreLost | None = None
        self._stopped = asyncio.Event()
        self._closing = False

    @classmethod
    async def open(cls, path: Path, clock: Clock, *, exclusive: bool = True, threaded: bool = True) -> SqliteHubStore:
        """Open, making and migrating the database where needed.

        exclusive=False is for commands beside a running hub: no lock, no migration; who waits there hears nothing.
        Conflict "already-running" where another hub has it, StoreUnfit where it cannot be used safely.
        threaded=False runs SQLite on the event loop's thread, for simulations under a moved clock.
        """
        lock = DataLock(path)
        await asyncio.to_thread(_claim, path, lock if exclusive else None)
        opened: list[sqlite.Connection] = []
        try:
            opened.append(await sqlite.connect(path, threaded=threaded))
            if exclusive:
                await migrate(opened[0], clock, MIGRATIONS)
            else:
                await _require_current(opened[0])
            for _ in range(READERS):
                opened.append(await sqlite.connect(path, read_only=True, threaded=threaded))
        except BaseException:
            await _close_all(opened)
            lock.release()
            raise
        return cls(path, clock, opened[0], opened[1:], lock)

    async def write(self, work: Work[T]) -> T:
        """Run inside BEGIN IMMEDIATE, commit with fsync, then wake who waits."""
        self._refuse()
        if self._waiting >= MOST_WAITING:
            raise Unavailable("Centrala ma teraz za dużo pracy. Ponów za chwilę.", code="hub-busy")
        self._waiting += 1
        return await self._shielded(self._in_turn(work))

    async def read(self, work: Work[T]) -> T:
        """Run against a consistent snapshot."""
        self._refuse()
        return await self._shielded(self._snapshot(work))

    def for_couriers(self) -> SqliteHubStore:
        """Return this one: there is one writer, and reads wait for nobody."""
        return self

    def changed(self, channel: str) -> asyncio.Future[None]:
        """Return what the next tell() of this channel fulfils."""
        return self._signals.next(channel)

    async def lead(self, name: str) -> HeldLeadership | None:
        """Become the holder: the only process there is always can, unless it is already."""
        if name in self._led:
            return None

        async def release() -> None:
            self._led.pop(name, None)

        holder = f"process {os.getpid()}"
        token = await self.write(lambda tx: tx.log.take_lead(name, holder))
        held = HeldLeadership(self, name, token, release)
        self._led[name] = held
        return held

    async def check(self) -> str | None:
        """Verify structure and references of the whole file."""
        return await asyncio.to_thread(_check, self.path)

    async def size(self) -> int:
        """Return the bytes on disk, the write-ahead log included."""
        parts = (self.path, self.path.with_name(self.path.name + "-wal"))
        return await asyncio.to_thread(lambda: sum(part.stat().st_size for part in parts if part.exists()))

    async def watch(self) -> None:
        """Return when the store was closed; raise StoreLost when it was lost."""
        await self._stopped.wait()
        if self._lost is not None:
            raise self._lost

    async def close(self) -> None:
        """Finish what waits, close all connections, give the lock back."""
        if self._closing:
            await self._stopped.wait()
            return
        self._closing = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for held in list(self._led.values()):
            held.lose()
        await _close_all([self._writer, *self._readers])
        self._lock.release()
        self._stopped.set()

    # --- inside ------------------------------------------------------------------------------------

    def _refuse(self) -> None:
        if self._lost is not None:
            raise self._lost
        if self._closing:
            raise Unavailable("Centrala kończy pracę.", code="store-closed")

    async def _shielded(self, work: Awaitable[T]) -> T:
        """Run to the end whatever becomes of the caller: a connection must not stay inside a transaction."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _in_turn(self, work: Work[T]) -> T:
        try:
            async with self._turn:
                if self._lost is not None:
                    raise self._lost
                try:
                    return await self._transact(work)
                except StoreLost as error:
                    self._lose(error)
                    raise
        finally:
            self._waiting -= 1

    async def _transact(self, work: Work[T]) -> T:
        await _fetch(self._writer, "BEGIN IMMEDIATE")
        unit = UnitConnection(self._writer)
        database = SqliteDatabase(unit)
        try:
            result = await work(StoredTransaction(database, self._now))
            unit.check()
        except BaseException:
            unit.end()
            await _roll_back(self._writer)
            raise
        unit.end()
        try:
            await self._writer.fetch("COMMIT")
        except sqlite3.Error as error:
            failure = of_commit(error)
            if not isinstance(failure, StoreLost):
                await _roll_back(self._writer)
            raise failure from error
        for channel in database.told:
            self._signals.set(channel)
        await self._checkpoint_when_due()
        return result

    async def _snapshot(self, work: Work[T]) -> T:
        reader = await self._free.get()
        try:
            await _fetch(reader, "BEGIN")
            unit = UnitConnection(reader)
            try:
                result = await work(StoredTransaction(SqliteDatabase(unit), self._now))
                unit.check()
                return result
            finally:
                unit.end()
                await _roll_back(reader)
        except StoreLost as error:
            self._lose(error)
            raise
        finally:
            self._free.put_nowait(reader)

    async def _checkpoint_when_due(self) -> None:
        """Copy the WAL into the database, here and not inside SQLite, which would swallow a failed fsync."""
        self._commits += 1
        if self._commits < CHECKPOINT_EVERY:
            return
        self._commits = 0
        try:
            await self._writer.fetch("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            if not is_disk_full(error):
                self._lose(StoreLost(f"Błąd zapisu na dysk: {error}."))

    def _lose(self, error: StoreLost) -> None:
        if self._lost is None:
            log.critical("the hub's store is lost: %s", error)
            self._lost = error
            self._stopped.set()


def _claim(path: Path, lock: DataLock | None) -> None:
    if lock is None:
        disk.require(path)
        return
    disk.prepare(path)
    lock.take()
    if not disk.is_there(path):
        disk.make_empty(path)
    lock.take_database()


async def _require_current(connection: sqlite.Connection) -> None:
    try:
        rows = await connection.fetch("SELECT version, sha256 FROM schema_version")
    except sqlite3.Error as error:
        raise of_statement(error) from error
    if missing_steps({row["version"]: row["sha256"] for row in rows}, MIGRATIONS):
        raise StoreUnfit("Baza centrali jest ze starszej wersji programu; najpierw uruchom centralę.")


def _column(value: Value) -> sqlite.Value:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else value


def _check(path: Path) -> str | None:
    problems: list[str] = []
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            problems += [str(row[0]) for row in reader.execute("PRAGMA integrity_check") if row[0] != "ok"]
            problems += [f"{row[0]}: wiersz {row[1]}" for row in reader.execute("PRAGMA foreign_key_check")]
    except sqlite3.Error as error:
        problems.append(str(error))
    return f"Baza danych centrali jest uszkodzona: {'; '.join(problems[:5])}." if problems else None


async def _fetch(connection: sqlite.Connection, sql: str) -> None:
    try:
        await connection.fetch(sql)
    except sqlite3.Error as error:
        raise of_statement(error) from error


async def _roll_back(connection: sqlite.Connection) -> None:
    """Leave no transaction behind; SQLite may have ended it by itself."""
    if not connection.in_transaction:
        return
    try:
        await connection.fetch("ROLLBACK")
    except sqlite3.Error as error:
        raise StoreLost(f"Nie można wycofać zapisu w bazie danych: {error}.") from error


async def _close_all(connections: list[sqlite.Connection]) -> None:
    for connection in reversed(connections):
        try:
            await connection.close()
        except sqlite3.Error:
            log.exception("a connection did not close cleanly; the WAL keeps everything")
