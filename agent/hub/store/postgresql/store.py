"""HubStore over PostgreSQL: any number of hub processes on one database.

Durability is the server's: it is asked at the start whether it syncs (fsync, full_page_writes, synchronous_commit),
and a server that does not is refused, as a SQLite file would be whose settings do not hold.

A connection that breaks in the middle of COMMIT leaves an unknown outcome. Every unit of the hub stands being run
again, so that is Unavailable("store-unreachable") here, not the end of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import asyncpg

from agent.domain.errors import StoreUnfit, Unavailable
from agent.hub.store import queries
from agent.hub.store.busy import busy
from agent.hub.store.damage import BYTES_CHECKED, damaged, wrong_bytes
from agent.hub.store.database import Parameters, Row, Value
from agent.hub.store.leadership import HeldLeadership
from agent.hub.store.postgresql.control import CHANNEL, Control
from agent.hub.store.postgresql.errors import UNREACHABLE, translated, unreachable
from agent.hub.store.postgresql.schema import migrate
from agent.hub.store.transaction import StoredTransaction
from agent.ports import Clock

T = TypeVar("T")
Work = Callable[[StoredTransaction], Awaitable[T]]

CONNECTIONS = 10
COURIERS_CONNECTIONS = 4
"""Beside them, of those who bring invoices to KSeF: that goes on where tills want more than there is."""
MOST_WAITING = 500
"""Units that wait for a connection; more are told to come back."""
PATIENCE_SECONDS = 5.0
"""How long one waits for it."""
COMMAND_SECONDS = 60.0
"""A statement that takes longer hangs."""
TRIES = 3
"""Of a unit that two processes deadlocked over."""
OLDEST_SERVER = 130000
SYNCED = frozenset({"on", "remote_write", "remote_apply"})
"""synchronous_commit: on, or more."""
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_0-9]+)")
_SESSION = {
    "application_name": "ksef-agent hub",
    "timezone": "UTC",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
}
"""Keepalives: the server lets the locks of a machine that vanished go after 20 seconds."""
HOUR = timedelta(hours=1)
WRONG_BYTES = (
    "SELECT count(*) FROM contents JOIN invoices USING (sha256) "
    "WHERE received_at > $1 AND received_at <= $2 AND sha256 <> sha256(xml)"
)

log = logging.getLogger(__name__)


class Statements:
    """The named statements with $1, $2, … in place of :name."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._prepared = {name: _numbered(sql) for name, sql in named.items()}

    def bound(self, name: str, parameters: Parameters) -> tuple[str, list[Value]]:
        """Return the statement and its arguments in order."""
        sql, names = self._prepared[name]
        return sql, [parameters[each] for each in names]


def _numbered(sql: str) -> tuple[str, list[str]]:
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return _PARAMETER.sub(place, sql), names


STATEMENTS = Statements(queries.POSTGRESQL)


class PostgresqlDatabase:
    """One unit of work's connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def run(self, name: str, /, **parameters: Value) -> list[Row]:
        """Run a named statement."""
        sql, arguments = STATEMENTS.bound(name, parameters)
        return [Row(record) for record in await self._connection.fetch(sql, *arguments)]

    async def run_many(self, name: str, parameters: Sequence[Parameters]) -> list[Row]:
        """Run it once for each, in one go over the wire."""
        if not parameters:
            return []
        sql, _ = STATEMENTS.bound(name, parameters[0])
        arguments = [STATEMENTS.bound(name, each)[1] for each in parameters]
        return [Row(record) for record in await self._connection.fetchmany(sql, arguments)]

    async def tell(self, channel: str) -> None:
        """Wake who waits in any process; the server sends it at the commit, each word once."""
        await self._connection.execute("SELECT pg_notify($1, $2)", CHANNEL, channel)


class PostgresqlHubStore:
    """The hub's durable memory in a database server."""

    def __init__(
        self,
        pool: Any,
        control: Control,
        clock: Clock,
        *,
        patience: float = PATIENCE_SECONDS,
        couriers: PostgresqlHubStore | None = None,
    ) -> None:
        self._pool = pool
        self._control = control
        self._patience = patience
        self._couriers = couriers
        self._now: Callable[[], datetime] = clock.now
        self._waiting = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped = asyncio.Event()
        self._closing = False
        self._holder = f"{socket.gethostname()}, proces {os.getpid()}"

    @classmethod
    async def open(cls, dsn: str, clock: Clock, *, connections: int = CONNECTIONS) -> PostgresqlHubStore:
        """Connect, check the server's durability, migrate where needed.

        StoreUnfit where the server cannot be used safely; Unavailable where it cannot be reached.
        """
        # A stack trace for each attempt while the server is away; the loops that wait for it say so in a sentence.
        logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
        control = Control(dsn, clock, _SESSION)
        pool = await _pool(dsn, connections, control)
        try:
            with translated():  # a server that goes away between the first connection and the first question
                async with pool.acquire() as connection:
                    await require_durable(connection)
                await _migrated(dsn, clock)
            own = await _pool(dsn, COURIERS_CONNECTIONS, control)
        except BaseException:
            await pool.close()
            raise
        try:
            await control.start()
        except BaseException:
            await asyncio.gather(pool.close(), own.close())
            raise
        return cls(pool, control, clock, couriers=cls(own, control, clock, patience=COMMAND_SECONDS))

    def for_couriers(self) -> PostgresqlHubStore:
        """Return the same memory over connections that tills do not use up."""
        return self._couriers or self

    async def write(self, work: Work[T]) -> T:
        """Run in a transaction, synced by the server before this returns."""
        return await self._shielded(self._transact(work, read_only=False))

    async def read(self, work: Work[T]) -> T:
        """Run against a consistent snapshot."""
        return await self._shielded(self._transact(work, read_only=True))

    def changed(self, channel: str) -> asyncio.Future[None]:
        """Return what the next tell() of this channel fulfils, whichever process tells it."""
        return self._control.signals.next(channel)

    async def lead(self, name: str) -> HeldLeadership | None:
        """Try to become the holder: by the server's lock, then by a number above all earlier holders'."""
        if not await self._control.lock(name):
            return None
        try:
            token = await self.write(lambda tx: tx.log.take_lead(name, self._holder))
        except BaseException:
            await self._control.unlock(name)
            raise

        async def release() -> None:
            with contextlib.suppress(Unavailable):
                await self._control.unlock(name)

        held = HeldLeadership(self, name, token, release)
        self._control.on_loss(name, held.lose)
        return held

    async def check(self) -> str | None:
        """Compare the bytes of the last two days with their hashes, an hour of them in one statement."""
        wrong, now = 0, self._now()
        for hours in range(BYTES_CHECKED // HOUR):
            end = now - hours * HOUR
            async with self._connection() as connection:
                wrong += await connection.fetchval(WRONG_BYTES, end - HOUR, end)
        return damaged([wrong_bytes(wrong)] if wrong else [])

    async def size(self) -> int:
        """Return the bytes of the database."""
        async with self._connection() as connection:
            return int(await connection.fetchval("SELECT pg_database_size(current_database())"))

    async def watch(self) -> None:
        """Return when the store was closed; a server that is away is waited for."""
        await self._stopped.wait()

    async def close(self) -> None:
        """Finish what waits and close."""
        if self._closing:
            await self._stopped.wait()
            return
        self._closing = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._couriers is not None:
            await self._couriers.close()
        await self._control.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._pool.close()
        self._pool.terminate()
        self._stopped.set()

    # --- inside ------------------------------------------------------------------------------------

    async def _shielded(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_unheard)
            raise

    async def _transact(self, work: Work[T], *, read_only: bool) -> T:
        for attempt in range(1, TRIES + 1):
            async with self._connection() as connection:
                try:
                    isolation = "repeatable_read" if read_only else "read_committed"
                    async with connection.transaction(isolation=isolation, readonly=read_only):
                        return await work(StoredTransaction(PostgresqlDatabase(connection), self._now))
                except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
                    if attempt == TRIES:
                        raise
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        if self._closing:
            raise Unavailable("Centrala kończy pracę.", code="store-closed")
        if self._waiting >= MOST_WAITING:
            raise busy()
        with translated():
            self._waiting += 1
            try:
                connection = await self._pool.acquire(timeout=self._patience)
            except TimeoutError as error:
                raise busy() from error
            finally:
                self._waiting -= 1
            try:
                yield connection
            finally:
                await self._release(connection)

    async def _release(self, connection: Any) -> None:
        """Give a connection back. One that is no longer usable is ended by the pool; what was done on it stands."""
        with contextlib.suppress(*UNREACHABLE, TimeoutError):
            await self._pool.release(connection)


def _unheard(task: asyncio.Future[Any]) -> None:
    """Say in one line how a unit failed whose request was gone before; asyncio would write a stack trace."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("a unit of work whose request was gone failed: %s", error)


async def _pool(dsn: str, connections: int, control: Control) -> Any:
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections,
            connect=control.connect_pool,
            timeout=PATIENCE_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings=_SESSION,
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        raise unreachable(error) from error


async def _migrated(dsn: str, clock: Clock) -> None:
    """Bring the schema up to date, over a connection whose statements may last: an index over years does."""
    connection = await asyncpg.connect(dsn, timeout=PATIENCE_SECONDS, server_settings=_SESSION)
    try:
        await migrate(connection, clock.now())
    finally:
        connection.terminate()  # close() waits for the server's word, which a line half open never brings


async def require_durable(connection: Any) -> None:
    """Refuse (StoreUnfit) a server that acknowledges before it syncs, is too old, or only follows another."""
    settings = {
        name: await connection.fetchval("SELECT current_setting($1)", name)
        for name in ("fsync", "full_page_writes", "synchronous_commit", "server_version_num", "server_encoding")
    }
    always = ("fsync", "full_page_writes")
    wrong = [f"{name}={settings[name]} (wymagane on)" for name in always if settings[name] != "on"]
    if settings["synchronous_commit"] not in SYNCED:
        wrong.append(f"synchronous_commit={settings['synchronous_commit']} (wymagane on albo więcej)")
    if settings["server_encoding"] != "UTF8":
        wrong.append(f"server_encoding={settings['server_encoding']} (wymagane UTF8)")
    if int(settings["server_version_num"]) < OLDEST_SERVER:
        wrong.append("serwer starszy niż PostgreSQL 13")
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        wrong.append("serwer jest kopią (standby) i nie przyjmuje zapisów")
    if wrong:
        raise StoreUnfit(f"Serwer PostgreSQL nie nadaje się na bazę centrali: {'; '.join(wrong)}.")
