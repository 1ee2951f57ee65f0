"""The connection beside the pool: it hears what other processes tell, and holds the locks of what this one leads.

The server drops both with the connection. So while it is away nothing is led, and once it is back everybody who waits
looks again, since nobody knows what was told in between.

It alone tries a server that is away, once a second. Were each request to try, a server that replays its log would make
and end hundreds of processes a second for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from agent.hub.store.postgresql.errors import UNREACHABLE, unreachable
from agent.hub.store.signals import Signals
from agent.ports import Clock

CHANNEL = "ksef_hub"
CONNECT_SECONDS = 5.0
ALIVE_SECONDS = 5.0
"""How often the connection is tried; one that does not answer within as long again is given up."""
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class Control:
    """One connection, made anew whenever it is lost."""

    def __init__(self, dsn: str, clock: Clock, session: Mapping[str, str]) -> None:
        self._dsn = dsn
        self._clock = clock
        self._session = dict(session)
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._held: dict[str, Callable[[], None]] = {}
        self._gone = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self.signals = Signals()

    async def start(self) -> None:
        """Connect; Unavailable where the server cannot be reached."""
        await self._connect()
        self._keeping = asyncio.create_task(self._keep(), name="hub-store-control")

    @property
    def lost(self) -> bool:
        """Whether the connection is away that was there; False before start()."""
        return self._keeping is not None and (self._connection is None or self._gone.is_set())

    async def connect_pool(self, *arguments: Any, **options: Any) -> Any:
        """Make a connection of a pool, with the driver's arguments; Unavailable, untried, while this one is lost."""
        if self.lost:
            raise unreachable(ConnectionError())
        return await asyncpg.connect(*arguments, **options)

    async def lock(self, name: str) -> bool:
        """Take the lock of a name; False where another process, or this one, has it."""
        if name in self._held:
            return False
        async with self._using() as connection:
            taken = bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", _key(name)))
            if taken:
                self._held[name] = _nothing
        return taken

    async def unlock(self, name: str) -> None:
        """Give the lock of a name back; harmless where it is lost."""
        if self._held.pop(name, None) is not None:
            async with self._using() as connection:
                await connection.execute("SELECT pg_advisory_unlock($1)", _key(name))

    def on_loss(self, name: str, lose: Callable[[], None]) -> None:
        """Call ``lose`` when the lock of a name is lost, at once where it is already."""
        if name in self._held:
            self._held[name] = lose
        else:
            lose()

    async def close(self) -> None:
        """Close the connection; nothing is led any more."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._drop()

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[Any]:
        async with self._turn:
            if self._connection is None:
                raise unreachable(ConnectionError())
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    yield self._connection
            except (*UNREACHABLE, TimeoutError) as error:
                self._gone.set()
                raise unreachable(error) from error

    async def _connect(self) -> None:
        try:
            connection = await asyncpg.connect(
                self._dsn, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS, server_settings=self._session
            )
        except (*UNREACHABLE, TimeoutError, asyncpg.PostgresError) as error:
            raise unreachable(error) from error
        self._gone.clear()
        try:
            connection.add_termination_listener(lambda _: self._gone.set())
            await connection.add_listener(CHANNEL, self._heard)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, (*UNREACHABLE, TimeoutError, asyncpg.PostgresError)):
                raise unreachable(error) from error
            raise
        self._connection = connection

    def _heard(self, connection: object, process: int, channel: str, payload: object) -> None:
        self.signals.set(str(payload))

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await self._clock.within(ALIVE_SECONDS, self._gone.wait())
            if not self._gone.is_set():
                with contextlib.suppress(*UNREACHABLE, Exception):
                    async with self._using() as connection:
                        await connection.fetchval("SELECT 1")
            if self._gone.is_set():
                log.warning("the connection to the hub's database is lost; nothing is led until it is back")
                await self._drop()
                await self._connect_again()
                log.warning("the connection to the hub's database is back")

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        held, self._held = self._held, {}
        for lose in held.values():
            lose()
        if connection is not None:
            connection.terminate()
        self.signals.set_all()

    async def _connect_again(self) -> None:
        while True:
            try:
                await self._connect()
            except Exception as error:  # noqa: BLE001 - whatever keeps it away, it is tried again
                log.debug("the hub's database is still away: %s", error)
                await self._clock.sleep(RETRY_SECONDS)
            else:
                self.signals.set_all()
                return


def _key(name: str) -> int:
    """Return the lock's number: 64 bits of a hash, so that no other program meets it by chance."""
    return int.from_bytes(hashlib.sha256(f"ksef-agent hub {name}".encode()).digest()[:8], "big", signed=True)


def _nothing() -> None:
    """Nobody has to be told yet."""
