"""One SQLite connection with the settings durability needs, each read back before anything is trusted to it."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiosqlite

from agent.domain.errors import StoreUnfit
from agent.store.failures import illegible

Value = None | int | float | str | bytes
Parameters = Sequence[Value] | Mapping[str, Value]
T = TypeVar("T")

OLDEST_SQLITE = (3, 38, 0)
"""STRICT tables, RETURNING, built-in JSON. Debian 12 has 3.40."""

COMMON_PRAGMAS: Mapping[str, int | str] = {
    "busy_timeout": 5000,
    "trusted_schema": 0,
    "cell_size_check": 1,
    "mmap_size": 0,
}
"""mmap_size 0: a bad sector must be an error code, not SIGBUS."""

WRITER_PRAGMAS: Mapping[str, int | str] = {
    **COMMON_PRAGMAS,
    "journal_mode": "wal",
    "synchronous": 3,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "wal_autocheckpoint": 0,
    "journal_size_limit": 16 * 1024 * 1024,
    "secure_delete": 1,
}
"""synchronous 3 is EXTRA: free in WAL, and saves the last commit where a file system refuses WAL.

secure_delete: what is erased (erasures.py) is overwritten, not only unlinked; Debian's SQLite does so by itself.
recursive_triggers lets REPLACE fire the triggers that forbid deletes. wal_autocheckpoint 0: SQLite swallows the
errors of its own checkpoints, so the writer makes them itself (sqlite.py).
"""

READER_PRAGMAS: Mapping[str, int | str] = {**COMMON_PRAGMAS, "query_only": 1}


class Connection(Protocol):
    """What the store needs of a connection: one primitive, so nothing is left half fetched."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; SQLite ends one by itself after some errors."""
        ...

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """Run one statement to its end and return its rows; raises sqlite3.Error."""
        ...

    async def drive(self, unit: Callable[[Connection], Awaitable[T]]) -> T:
        """Run ``unit`` from beginning to end where SQLite works, over a connection whose fetch() never waits.

        A thread is woken once for all its statements. ``unit`` may touch the disk; it awaits nothing but this
        connection: RuntimeError otherwise.
        """
        ...

    async def close(self) -> None: ...


class InlineConnection:
    """A connection on the caller's own thread: inside a unit, and for simulations under a clock that tests move."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except UnicodeDecodeError as error:
            raise illegible() from error

    async def drive(self, unit: Callable[[Connection], Awaitable[T]]) -> T:
        return run_through(unit(self))

    async def close(self) -> None:
        self._connection.close()


_here = threading.local()


def within_unit() -> bool:
    """Whether a unit is being run in this thread."""
    return getattr(_here, "unit", False)


def run_through(work: Awaitable[T]) -> T:
    """Run to its end what never has to wait; RuntimeError where it does."""
    steps = work.__await__()
    _here.unit = True
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        _here.unit = False
    if (close := getattr(steps, "close", None)) is not None:
        close()
    raise RuntimeError("a unit of work awaits nothing but its transaction")


class _UnitRunner(sqlite3.Connection):
    """A connection whose commit() runs the next unit: aiosqlite calls it in the connection's thread, in order."""

    units: deque[Callable[[InlineConnection], None]]

    def commit(self) -> None:
        self.units.popleft()(InlineConnection(self))


class ThreadedConnection:
    """A connection on a thread of its own (aiosqlite): the event loop never waits for the disk."""

    def __init__(self, connection: aiosqlite.Connection, runner: _UnitRunner) -> None:
        """``runner``: the same connection, as its thread sees it."""
        self._connection = connection
        self._runner = runner

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        try:
            return list(await self._connection.execute_fetchall(sql, parameters))
        except UnicodeDecodeError as error:
            raise illegible() from error

    async def drive(self, unit: Callable[[Connection], Awaitable[T]]) -> T:
        results: list[T] = []

        def run(connection: InlineConnection) -> None:
            results.append(run_through(unit(connection)))

        self._runner.units.append(run)
        await self._connection.commit()
        return results[0]

    async def close(self) -> None:
        await self._connection.close()


def require_sqlite() -> None:
    """Raise StoreUnfit where this machine's SQLite is older than OLDEST_SQLITE."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreUnfit(f"SQLite {sqlite3.sqlite_version} jest za stary; potrzebny co najmniej 3.38.")


async def connect(path: Path, *, read_only: bool = False, threaded: bool = True) -> Connection:
    """Open ``path`` and set it up; StoreUnfit where a setting does not hold or the file is no database."""
    require_sqlite()
    connection = await _open(path, read_only=read_only, threaded=threaded)
    try:
        await set_pragmas(connection, READER_PRAGMAS if read_only else WRITER_PRAGMAS)
    except sqlite3.Error as error:
        await connection.close()
        raise StoreUnfit(f"Nie można użyć bazy {path}: {error}.") from error
    except BaseException:
        await connection.close()
        raise
    return connection


async def _open(path: Path, *, read_only: bool, threaded: bool) -> Connection:
    uri = _uri(path, read_only=read_only)
    try:
        if threaded:
            made: list[_UnitRunner] = []

            def runner(*args: Any, **settings: Any) -> sqlite3.Connection:
                made.append(_UnitRunner(*args, **settings))
                made[0].units = deque()
                return made[0]

            connecting = aiosqlite.connect(uri, uri=True, isolation_level=None, factory=runner)
            # a connection that nobody closed must not keep a dying process alive
            thread: threading.Thread = getattr(connecting, "_thread", connecting)  # type: ignore[arg-type] # 0.20 is one
            thread.daemon = True
            opened = await connecting
            opened.row_factory = sqlite3.Row
            return ThreadedConnection(opened, made[0])
        inline = sqlite3.connect(uri, uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreUnfit(f"Nie można otworzyć bazy {path}: {error}.") from error
    inline.row_factory = sqlite3.Row
    return InlineConnection(inline)


def _uri(path: Path, *, read_only: bool) -> str:
    return f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"


async def set_pragmas(connection: Connection, pragmas: Mapping[str, int | str]) -> None:
    """Set each, then check all."""
    for name, value in pragmas.items():
        await connection.fetch(f"PRAGMA {name}={value}")
    await check_pragmas(connection, pragmas)


async def check_pragmas(connection: Connection, pragmas: Mapping[str, int | str]) -> None:
    """Read each setting back; StoreUnfit names every one that does not hold."""
    wrong = []
    for name, expected in pragmas.items():
        rows = await connection.fetch(f"PRAGMA {name}")
        actual = rows[0][0] if rows else None
        if actual != expected:
            wrong.append(f"{name}={actual} (wymagane {expected})")
    if wrong:
        raise StoreUnfit(f"Baza danych nie przyjęła ustawień: {', '.join(wrong)}.")
