"""The Store port over SQLite: one writer task, snapshots for readers, nothing answered before fsync.

What each failure leaves behind, in the order of a unit of work:

    BEGIN, statements   nothing stored; disk full is Unavailable("disk-full")
    the work raises     rolled back; its error comes out of write()
    files compared      a name leads elsewhere, another program wrote: StoreLost, nothing stored; the process must end
    numbers reserved    the mark could not be written: as for statements
    COMMIT              disk full: nothing stored. Any other error: StoreLost, nobody knows; the process must end
    checkpoint          the commit before it stands, but the disk failed: StoreLost for everything after it
    numbers, ahead      as at a checkpoint; no room: the press that finds none reserved says so

A lost store is closed without merging its write-ahead log: the next start reads it. Where only names changed it is
merged, and a database that was deleted is written into a new file first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from agent.domain.errors import AgentError, StoreLost, Unavailable
from agent.domain.values import dataclass
from agent.ports import Clock, Copies
from agent.store import copies, disk, maintenance, soundness
from agent.store.connection import Connection, connect, within_unit
from agent.store.failures import DISK_FULL, is_disk_full, of_commit
from agent.store.guard import Guard
from agent.store.lock import DataLock
from agent.store.migrate import migrate, require_current
from agent.store.opening import Opened, open_alone
from agent.store.statements import execute, roll_back
from agent.store.transaction import SqliteTransaction
from agent.store.unit import UnitConnection

T = TypeVar("T")
Work = Callable[[SqliteTransaction], Awaitable[T]]

DATABASE = "agent.db"
"""Name of the database inside data_dir."""
READERS = 2
CHECKPOINT_EVERY = 50
"""Commits; about 4 MB of WAL."""
CHECKPOINT_LATEST = 4
"""After so many times CHECKPOINT_EVERY it is made beside whoever has to be given way to: 16 MB of WAL."""
MOST_NAMED = 5
"""Damaged documents that a sentence names."""
LOOK_SECONDS = 5.0
"""Between two looks at the files of an idle till."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit of work that waits for the writer, and the caller's future (done early where the caller was cancelled)."""

    work: Work[Any]
    future: asyncio.Future[Any]

    def succeed(self, result: object) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)
        else:
            log.warning("a unit of work failed after its caller had gone: %r", error)


@dataclass(frozen=True, slots=True)
class _Moment:
    """No unit of work: a moment in which nobody waits for the writer."""


class SqliteStore:
    """Durable memory of one till. Build it with open() or open_readonly()."""

    def __init__(
        self,
        path: Path,
        now: Callable[[], datetime],
        *,
        writer: Connection | None,
        readers: list[Connection],
        guard: Guard | None = None,
        opened: Opened | None = None,
    ) -> None:
        """``guard``, ``opened``: of the one agent that has the database for itself."""
        self.path = path
        self.found = None if opened is None else opened.report.sentence()
        """What the look before the start found wrong with single documents, a Polish sentence."""
        self.full = False
        """Whether the newest unit that had an event or a number to store found no room; only one of these tells."""
        self._whole = opened is not None and opened.whole
        """All of it was found whole when it was last looked at."""
        self.looked_through = opened is None or opened.report.complete
        """Whether this run has looked at all of the file, before its start or since then."""
        self._damaged: dict[str, None] = {}
        self._now = now
        self._writer = writer
        self._readers = readers
        self._guard = guard
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        for reader in readers:
            self._free.put_nowait(reader)
        self._waiting: asyncio.Queue[_Unit | _Moment | None] = asyncio.Queue()
        self._reads: set[asyncio.Task[Any]] = set()
        self._looks: dict[asyncio.Future[soundness.Report], soundness.Turns] = {}
        self._commits = 0
        self._busy: Callable[[], bool] = lambda: False
        self._lost: StoreLost | None = None
        self._stopped = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._writing = asyncio.create_task(self._run_writer(), name="store-writer")

    @classmethod
    async def open(
        cls, path: Path, clock: Clock, *, exclusive: bool = True, threaded: bool = True, readers: int = READERS
    ) -> SqliteStore:
        """Open for writing, making and migrating the database where needed.

        exclusive=False is for short maintenance beside a live agent: no lock, no migration, and no numbers.
        threaded=False runs SQLite on the event loop's thread, for simulations under a moved clock.
        Conflict "already-running" where another agent has the data; StoreUnfit where the database cannot be used
        safely, is damaged, or was lost (agent.store.opening).
        """
        if not exclusive:
            await asyncio.to_thread(disk.require, path)
            return await cls._open_beside(path, clock, threaded=threaded, readers=readers)
        lock = DataLock(path)
        connections: list[Connection] = []
        try:
            opened = await open_alone(path, clock, lock, threaded=threaded)
            connections.append(opened.writer)
            for _ in range(readers):
                connections.append(await connect(path, read_only=True, threaded=threaded))
            for connection in connections:
                await connection.fetch("SELECT count(*) FROM sqlite_schema")  # opens the log and its index
            opened.files.begin()
        except BaseException:
            await _close_all(connections)
            lock.release()
            raise
        guard = Guard(path, lock, opened.mark, opened.files, clock.now)
        return cls(path, clock.now, writer=opened.writer, readers=connections[1:], guard=guard, opened=opened)

    @classmethod
    async def _open_beside(cls, path: Path, clock: Clock, *, threaded: bool, readers: int) -> SqliteStore:
        connections: list[Connection] = []
        try:
            writer = await connect(path, threaded=threaded)
            connections.append(writer)
            await require_current(writer)
            for _ in range(readers):
                connections.append(await connect(path, read_only=True, threaded=threaded))
        except BaseException:
            await _close_all(connections)
            raise
        return cls(path, clock.now, writer=writer, readers=connections[1:])

    @classmethod
    async def open_copy(cls, path: Path, clock: Clock) -> SqliteStore:
        """Open a copy that nobody else knows of, and migrate it: what a restore completes before it gets its name."""
        writer = await connect(path)
        try:
            await migrate(writer, clock)
        except BaseException:
            await writer.close()
            raise
        return cls(path, clock.now, writer=writer, readers=[])

    @classmethod
    async def open_readonly(cls, path: Path) -> SqliteStore:
        """Open a database, of a live agent too, for reading only; NotFound where there is none."""
        await asyncio.to_thread(disk.require, path)
        reader = await connect(path, read_only=True)
        try:
            await require_current(reader)
        except BaseException:
            await reader.close()
            raise
        return cls(path, _no_clock, writer=None, readers=[reader])

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in the writer task inside BEGIN IMMEDIATE, commit with fsync, return its result."""
        self._refuse()
        if self._writer is None:
            raise RuntimeError("the store was opened for reading only")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(_Unit(work, future))
        return await future

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` against a consistent snapshot."""
        self._refuse()
        task = asyncio.create_task(self._snapshot(work), name="store-read")
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)
        # shielded: a cancelled caller must not leave a connection inside its transaction
        return await asyncio.shield(task)

    async def check(self, stand_back: Callable[[], None] | None = None) -> str | None:
        """Read the whole file; a Polish sentence where something is wrong. Slow: for once a day.

        Whoever cancels it ends it: the loop waits for its thread when the service stops.
        """
        turns = soundness.Turns(stand_back)
        work = partial(soundness.check, self.path, turns=turns)
        looking = asyncio.get_running_loop().run_in_executor(None, work)
        self._looks[looking] = turns
        looking.add_done_callback(self._looks.pop)
        try:
            report = await asyncio.shield(looking)
        except AgentError as error:
            self._whole = False
            return str(error)
        finally:
            turns.end()
        found = report.sentence()
        self.looked_through = self.looked_through or report.complete
        self._whole = found is None and (report.complete or self._whole)
        return found

    @property
    def damage(self) -> str | None:
        """What the start, or the use of a document since then, found damaged; a Polish sentence."""
        if not self._damaged:
            return self.found
        used = f"Treść w bazie danych nie zgadza się ze skrótem SHA-256: {', '.join(list(self._damaged)[:MOST_NAMED])}."
        return used if self.found is None else f"{self.found} {used}"

    async def shrink(self) -> None:
        """Let go of the pages that its connections keep in memory, up to 2 MB each; for after a start has read much."""
        self._refuse()
        for connection in (self._writer, *self._readers):
            if connection is not None:
                await connection.fetch("PRAGMA shrink_memory")

    def give_way(self, busy: Callable[[], bool]) -> None:
        """Make no checkpoint while ``busy()``, as long as that can wait; let_go_on() says that it is over.

        A checkpoint writes and syncs pages all over the file. A unit of work that comes meanwhile waits for it, and a
        press has two.
        """
        self._busy = busy

    def let_go_on(self) -> None:
        """Make the checkpoint that stood back, if there is one."""
        if self._commits >= CHECKPOINT_EVERY and self._closing is None:
            self._waiting.put_nowait(_Moment())

    def copies(self) -> Copies:
        """What `ksef-agent backup` wrote of its newest runs."""
        return copies.read(self.path)

    def size(self) -> int:
        """Bytes of the database on disk, its write-ahead log included."""
        parts = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    async def watch(self) -> None:
        """Return when the store was closed; raise StoreLost when it was lost. For the supervisor.

        Looks every few seconds whether the files are still in place, so that no customer is the first to notice.
        """
        while not self._stopped.is_set():
            if self._guard is not None and self._closing is None:
                with contextlib.suppress(Unavailable, StoreLost):
                    await self.write(_look)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), LOOK_SECONDS)
        if self._lost is not None:
            raise self._lost

    async def backup(self, target: Path, *, replace: bool = False) -> maintenance.Summary:
        """Copy the database into one checked file; presses do not wait. Errors: maintenance.back_up."""
        return await asyncio.to_thread(maintenance.back_up, self.path, target, replace=replace)

    async def close(self) -> None:
        """Finish what waits, close all connections, give the lock back. May be called twice."""
        if self._closing is None:
            self._waiting.put_nowait(None)
            self._closing = asyncio.create_task(self._close(), name="store-close")
        await asyncio.shield(self._closing)

    # --- inside ------------------------------------------------------------------------------------

    def _refuse(self) -> None:
        if within_unit():
            raise RuntimeError("a unit of work must not wait for another one")
        if self._lost is not None:
            raise self._lost
        if self._closing is not None:
            raise Unavailable("Agent kończy pracę.", code="store-closed")

    async def _run_writer(self) -> None:
        try:
            while (next_one := await self._waiting.get()) is not None:
                if isinstance(next_one, _Unit):
                    await self._perform(next_one)
                if self._pause_is_due():
                    await self._checkpoint()
                    await self._reserve_ahead()
        except asyncio.CancelledError:
            self._lose(StoreLost("Zapis przerwano, zanim było wiadomo, czy się powiódł."))
            raise
        finally:
            while not self._waiting.empty():
                if isinstance(unit := self._waiting.get_nowait(), _Unit):
                    unit.fail(self._lost or Unavailable("Agent kończy pracę.", code="store-closed"))

    async def _perform(self, unit: _Unit) -> None:
        if self._lost is not None:
            unit.fail(self._lost)
            return
        assert self._writer is not None
        try:
            result = await self._writer.drive(partial(self._transact, unit.work))
            self._commits += 1
        except StoreLost as error:
            self._lose(error)
            unit.fail(error)
        except BaseException as error:
            self.full = self.full or (isinstance(error, Unavailable) and error.code == DISK_FULL)
            unit.fail(error)
            if _is_cancelled():
                raise
        else:
            unit.succeed(result)

    async def _transact(self, work: Work[T], writer: Connection) -> T:
        """Run a unit of work from BEGIN to COMMIT; in SQLite's thread, so it awaits nothing but ``writer``."""
        await execute(writer, "BEGIN IMMEDIATE")
        unit = UnitConnection(writer, self._damaged)
        try:
            result = await work(SqliteTransaction(unit, self._now))
            unit.check()
        except BaseException:
            unit.end()
            await roll_back(writer)
            raise
        unit.end()
        await self._commit(unit, writer)
        return result

    async def _commit(self, unit: UnitConnection, writer: Connection) -> None:
        try:
            if self._guard is not None:
                self._guard.before_commit(unit)
            await writer.fetch("COMMIT")
        except AgentError:  # the guard's
            await roll_back(writer)
            raise
        except sqlite3.Error as error:
            failure = of_commit(error)
            if not isinstance(failure, StoreLost):
                await roll_back(writer)
            raise failure from error
        if unit.numbers or unit.head is not None:
            self.full = False
        if self._guard is not None:
            self._guard.after_commit(unit)

    async def _snapshot(self, work: Work[T]) -> T:
        reader = await self._free.get()
        try:
            return await reader.drive(partial(self._read_in, work))
        except StoreLost as error:
            self._lose(error)
            raise
        finally:
            self._free.put_nowait(reader)

    async def _read_in(self, work: Work[T], reader: Connection) -> T:
        """Run a unit of work on a snapshot; in SQLite's thread, as _transact()."""
        await execute(reader, "BEGIN")
        unit = UnitConnection(reader, self._damaged)
        try:
            result = await work(SqliteTransaction(unit, self._now))
            unit.check()
            return result
        finally:
            unit.end()
            await roll_back(reader)

    def _pause_is_due(self) -> bool:
        if self._guard is None or self._lost is not None or self._commits < CHECKPOINT_EVERY:
            return False
        return self._commits >= CHECKPOINT_LATEST * CHECKPOINT_EVERY or not self._busy()

    async def _checkpoint(self) -> None:
        """Copy the WAL into the database, here and not inside SQLite, which would swallow a failed fsync."""
        assert self._writer is not None
        assert self._guard is not None
        self._commits = 0
        try:
            await self._writer.fetch("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            if is_disk_full(error):
                log.warning("no room for a checkpoint; the WAL keeps everything")
            else:
                self._lose(StoreLost(f"Błąd zapisu na dysk: {error}."))
        finally:
            self._guard.files.written()  # one that failed has brought some pages into the database, too

    async def _reserve_ahead(self) -> None:
        guard, writer = self._guard, self._writer
        if guard is None or writer is None or self._lost is not None:
            return

        async def reserve(_: Connection) -> None:
            guard.in_pause()

        try:
            await writer.drive(reserve)  # in the thread in which all else happens to the mark
        except StoreLost as error:
            self._lose(error)
        except Unavailable:
            log.warning("no room to reserve numbers ahead; the press that finds none left says so")

    async def _close(self) -> None:
        try:
            await asyncio.gather(self._writing, return_exceptions=True)
            await asyncio.gather(*self._reads, return_exceptions=True)
            await self._end_looks()
            opened = list(self._readers)
            if self._writer is not None:
                opened.insert(0, self._writer)  # closed last: it merges the WAL
                if self._guard is not None:
                    await self._guard.before_closing(self._writer, self._lost)
            await _close_all(opened)
            if self._guard is not None:
                await self._guard.after_closing(self._lost, whole=self._whole and self.damage is None)
        finally:
            if self._guard is not None:
                self._guard.lock.release()
            self._stopped.set()

    async def _end_looks(self) -> None:
        """End what still looks at the file: while its connection is open, nothing can merge the log."""
        looks = dict(self._looks)
        for turns in looks.values():
            turns.end()
        await asyncio.gather(*looks, return_exceptions=True)

    def _lose(self, error: StoreLost) -> None:
        if self._lost is None:
            log.critical("the store is lost: %s", error)
            self._lost = error
            self._stopped.set()


async def _look(_: SqliteTransaction) -> None:
    """A unit that changes nothing: the guard looks at the files before its COMMIT, and SQLite writes nothing."""


def _is_cancelled() -> bool:
    """Whether the running task itself was cancelled (a work may raise CancelledError by itself)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _close_all(connections: list[Connection]) -> None:
    for connection in reversed(connections):
        try:
            await connection.close()
        except sqlite3.Error:
            log.exception("a connection did not close cleanly; the WAL keeps everything")


def _no_clock() -> NoReturn:
    raise RuntimeError("the store was opened for reading only")
