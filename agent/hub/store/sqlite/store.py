"""HubStore over SQLite: one process, no administration.

The same connection settings, durability and meaning of errors as the till's store (agent/store): WAL, synchronous
EXTRA, each setting read back; COMMIT that fails in any other way than by a full disk ends the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from agent.domain.errors import StoreLost, Unavailable
from agent.hub.store.busy import busy
from agent.hub.store.damage import BYTES_CHECKED
from agent.hub.store.leadership import HeldLeadership
from agent.hub.store.signals import Signals
from agent.hub.store.sqlite.database import SqliteDatabase
from agent.hub.store.sqlite.file import MIGRATIONS, check, claim, close_all, require_current
from agent.hub.store.transaction import StoredTransaction
from agent.ports import Clock
from agent.store import connection as sqlite
from agent.store.failures import is_disk_full, of_commit
from agent.store.lock import DataLock
from agent.store.migrate import migrate
from agent.store.statements import execute, roll_back
from agent.store.unit import UnitConnection

T = TypeVar("T")
Work = Callable[[StoredTransaction], Awaitable[T]]

READERS = 2
COURIERS_READERS = 1
"""Beside them, of those who bring invoices to KSeF: a month's register stops nobody who sends."""
MOST_WAITING = 500
"""Units of tills and people that wait for the writer; more are told to come back."""
CHECKPOINT_EVERY = 50  # commits

log = logging.getLogger(__name__)


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
        self._free = _queue(readers[COURIERS_READERS:])
        self._free_for_couriers = _queue(readers[:COURIERS_READERS])
        self._turn = asyncio.Lock()
        self._queue = asyncio.Lock()
        """Whoever has it is the only one that waits for the turn beside the couriers."""
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
        await asyncio.to_thread(claim, path, lock if exclusive else None)
        opened: list[sqlite.Connection] = []
        try:
            opened.append(await sqlite.connect(path, threaded=threaded))
            if exclusive:
                await migrate(opened[0], clock, MIGRATIONS)
            else:
                await require_current(opened[0])
            for _ in range(READERS + COURIERS_READERS):
                opened.append(await sqlite.connect(path, read_only=True, threaded=threaded))
        except BaseException:
            await close_all(opened)
            lock.release()
            raise
        return cls(path, clock, opened[0], opened[1:], lock)

    async def write(self, work: Work[T]) -> T:
        """Run inside BEGIN IMMEDIATE, commit with fsync, then wake who waits."""
        self._refuse()
        if self._waiting >= MOST_WAITING:
            raise busy()
        self._waiting += 1
        return await self._shielded(self._queued(work))

    async def write_first(self, work: Work[T]) -> T:
        """As write(), but behind one unit of a till at most and never refused for how many wait: for couriers."""
        self._refuse()
        return await self._shielded(self._in_turn(work))

    async def read(self, work: Work[T]) -> T:
        """Run against a consistent snapshot."""
        self._refuse()
        return await self._shielded(self._snapshot(self._free, work))

    async def read_first(self, work: Work[T]) -> T:
        """As read(), over a connection that only couriers use."""
        self._refuse()
        return await self._shielded(self._snapshot(self._free_for_couriers, work))

    def for_couriers(self) -> CouriersStore:
        """Return the same memory, ahead of what tills and people want of it."""
        return CouriersStore(self)

    def changed(self, channel: str) -> asyncio.Future[None]:
        """Return what the next tell() of this channel fulfils."""
        return self._signals.next(channel)

    async def lead(self, name: str) -> HeldLeadership | None:
        """Become the holder: the only process there is always can, unless it is already."""
        if name in self._led:
            return None

        async def release() -> None:
            self._led.pop(name, None)

        holder, first = f"proces {os.getpid()}", self.for_couriers()
        token = await first.write(lambda tx: tx.log.take_lead(name, holder))
        held = HeldLeadership(first, name, token, release)
        self._led[name] = held
        return held

    async def check(self) -> str | None:
        """Verify structure and references of the whole file, and the bytes of the last two days."""
        return await asyncio.to_thread(check, self.path, self._now() - BYTES_CHECKED)

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
        await close_all([self._writer, *self._readers])
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

    async def _queued(self, work: Work[T]) -> T:
        try:
            async with self._queue:
                return await self._in_turn(work)
        finally:
            self._waiting -= 1

    async def _in_turn(self, work: Work[T]) -> T:
        async with self._turn:
            if self._lost is not None:
                raise self._lost
            try:
                return await self._transact(work)
            except StoreLost as error:
                self._lose(error)
                raise

    async def _transact(self, work: Work[T]) -> T:
        await execute(self._writer, "BEGIN IMMEDIATE")
        unit = UnitConnection(self._writer)
        database = SqliteDatabase(unit)
        try:
            result = await work(StoredTransaction(database, self._now))
            unit.check()
        except BaseException:
            unit.end()
            await roll_back(self._writer)
            raise
        unit.end()
        try:
            await self._writer.fetch("COMMIT")
        except sqlite3.Error as error:
            failure = of_commit(error)
            if not isinstance(failure, StoreLost):
                await roll_back(self._writer)
            raise failure from error
        for channel in database.told:
            self._signals.set(channel)
        await self._checkpoint_when_due()
        return result

    async def _snapshot(self, free: asyncio.Queue[sqlite.Connection], work: Work[T]) -> T:
        reader = await free.get()
        try:
            await execute(reader, "BEGIN")
            unit = UnitConnection(reader)
            try:
                result = await work(StoredTransaction(SqliteDatabase(unit), self._now))
                unit.check()
                return result
            finally:
                unit.end()
                await roll_back(reader)
        except StoreLost as error:
            self._lose(error)
            raise
        finally:
            free.put_nowait(reader)

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


class CouriersStore:
    """The same memory ahead of tills and people, never refused (port HubStore).

    What waits for the one writer is limited, so that tills hear "hub-busy" instead of a timeout; a courier that heard
    it would give up its lead, and nothing of what waits would ever become less.
    """

    def __init__(self, store: SqliteHubStore) -> None:
        self._store = store

    async def write(self, work: Work[T]) -> T:
        """Run behind one unit of a till at most."""
        return await self._store.write_first(work)

    async def read(self, work: Work[T]) -> T:
        """Run over a connection of the couriers' own."""
        return await self._store.read_first(work)

    def for_couriers(self) -> CouriersStore:
        """Return this one."""
        return self

    def changed(self, channel: str) -> asyncio.Future[None]:
        """As the store's."""
        return self._store.changed(channel)

    async def lead(self, name: str) -> HeldLeadership | None:
        """As the store's, whose holders write through here anyway."""
        return await self._store.lead(name)

    async def check(self) -> str | None:
        """As the store's."""
        return await self._store.check()

    async def size(self) -> int:
        """As the store's."""
        return await self._store.size()

    async def watch(self) -> None:
        """As the store's."""
        await self._store.watch()

    async def close(self) -> None:
        """As the store's."""
        await self._store.close()


def _queue(readers: Sequence[sqlite.Connection]) -> asyncio.Queue[sqlite.Connection]:
    queue: asyncio.Queue[sqlite.Connection] = asyncio.Queue()
    for reader in readers:
        queue.put_nowait(reader)
    return queue
