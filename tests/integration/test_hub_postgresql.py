"""The hub's store over a real PostgreSQL: several processes, a server that goes away or cannot be trusted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from agent.domain.errors import StoreUnfit, Unavailable
from agent.hub.domain.states import MOVES
from agent.hub.errors import LeadershipLost
from agent.hub.ports import HubTransaction
from agent.hub.store.postgresql import schema
from agent.hub.store.postgresql.control import RETRY_SECONDS
from agent.hub.store.postgresql.store import PostgresqlHubStore
from agent.hub.store.sqlite.file import MIGRATIONS
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import NIP, Postgres, offer, postgresql_hub, seller_and_till
from tests.fakes.postgres import cluster, execute, fresh_database


@dataclass
class Pair:
    """Two processes of a hub on one database."""

    dsn: str
    clock: FakeClock
    one: PostgresqlHubStore
    two: PostgresqlHubStore


@pytest.fixture
async def pair(postgres: Postgres) -> AsyncIterator[Pair]:
    dsn, clock = await postgres.database(), FakeClock()
    async with postgresql_hub(dsn, clock) as one, postgresql_hub(dsn, clock) as two:
        yield Pair(dsn, clock, one, two)


ADMIN_SHUTDOWN = b"57P01"
_FIELDS = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
STARTING_UP = b"E" + (len(_FIELDS) + 4).to_bytes(4, "big") + _FIELDS
SOCKET = ".s.PGSQL.5432"
LOCKS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
IN_TRANSACTION = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"


async def end_connections(dsn: str, which: str) -> None:
    """End the server's side of some connections."""
    await execute(dsn, f"SELECT pg_terminate_backend(pid) FROM ({which}) AS found WHERE pid <> pg_backend_pid()")


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served(folder: Path, serve: Callable[[Stream], Awaitable[None]]) -> AsyncIterator[None]:
    """Serve each connection to the folder's socket; at the end all of them are over and closed."""
    serving: set[asyncio.Task[None]] = set()

    async def to_its_end(client: Stream) -> None:
        async with closing(client):
            await serve(client)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(to_its_end((reader, writer))))

    server = await asyncio.start_unix_server(accept, str(folder / SOCKET))
    try:
        yield
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@asynccontextmanager
async def closing(stream: Stream) -> AsyncIterator[Stream]:
    """Close a connection at the end, and wait until it is closed."""
    try:
        yield stream
    finally:
        stream[1].close()
        with contextlib.suppress(ConnectionError):
            await stream[1].wait_closed()


async def passed_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> AsyncIterator[bytes]:
    """Pass on what comes until its source hangs up, and tell it."""
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
            yield data


@asynccontextmanager
async def half_open_line(postgres: Postgres, folder: Path, last_word: asyncio.Event) -> AsyncIterator[None]:
    """A line to the server that passes on what it says, its last word too, but not that it hung up."""

    async def answers(server: Stream, client: Stream) -> None:
        async for data in passed_on(server[0], client[1]):
            if ADMIN_SHUTDOWN in data:
                last_word.set()

    async def serve(client: Stream) -> None:
        async with closing(await asyncio.open_unix_connection(str(postgres.running().folder / SOCKET))) as server:
            answering = asyncio.create_task(answers(server, client))
            try:
                async for _ in passed_on(client[0], server[1]):
                    pass
            finally:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)

    async with served(folder, serve):
        yield


class Recovering:
    """A way to the server; while ``away``, each new connection is refused as a server in recovery refuses it."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._writers: list[asyncio.StreamWriter] = []
        self.away = False
        self.refused = 0

    def go_away(self) -> None:
        """End every connection and refuse new ones."""
        self.away = True
        for writer in self._writers:
            writer.close()

    async def serve(self, client: Stream) -> None:
        """Serve one connection to its end."""
        async with closing(await asyncio.open_unix_connection(str(self._server / SOCKET))) as server:
            if self.away:
                await client[0].read(65536)
                self.refused += 1
                client[1].write(STARTING_UP)
                return
            self._writers += [client[1], server[1]]
            await asyncio.gather(_until_closed(client[0], server[1]), _until_closed(server[0], client[1]))


async def _until_closed(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    async for _ in passed_on(source, target):
        pass
    target.close()


@asynccontextmanager
async def recovering(postgres: Postgres, folder: Path) -> AsyncIterator[Recovering]:
    """Offer such a way in a folder."""
    way = Recovering(postgres.running().folder)
    async with served(folder, way.serve):
        yield way


# --- several processes ----------------------------------------------------------------------------------------------


async def test_one_process_hears_what_another_tells(pair: Pair) -> None:
    heard = pair.two.changed("till:1")
    await pair.one.write(lambda tx: tx.tell("till:1"))
    await asyncio.wait_for(heard, 10)


async def test_a_unit_that_fails_after_its_request_was_gone_is_one_line(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: HubTransaction) -> None:
        begun.set()
        await go_on.wait()
        raise Unavailable("the server is away")

    request = asyncio.ensure_future(pair.one.write(work))
    await begun.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    go_on.set()
    await asyncio.wait(pair.one._tasks)
    await asyncio.sleep(0)
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == [
        "a unit of work whose request was gone failed: the server is away"
    ]


async def test_two_processes_take_an_invoice_once(pair: Pair) -> None:
    till = await seller_and_till(pair.one)
    added = await asyncio.gather(
        *(store.write(lambda tx: tx.invoices.add(till, offer())) for store in (pair.one, pair.two) * 4)
    )
    assert len([each for each in added if each is not None]) == 1


async def test_another_process_leads_when_the_first_is_gone(pair: Pair) -> None:
    held = await pair.one.lead(NIP)
    assert held is not None
    assert await pair.two.lead(NIP) is None
    await end_connections(pair.dsn, LOCKS)
    await asyncio.wait_for(held.lost(), 10)
    successor = await pair.two.lead(NIP)
    assert successor is not None
    assert successor.token == held.token + 1
    with pytest.raises(LeadershipLost):
        await held.write(lambda tx: tx.log.put("x", 1))
    await successor.write(lambda tx: tx.log.put("x", 2))


async def test_a_unit_of_the_old_holder_is_whole_before_the_next_one_begins(pair: Pair) -> None:
    """The next holder's number waits for units under way: none of them is committed after it."""
    held = await pair.one.lead(NIP)
    assert held is not None
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: HubTransaction) -> None:
        await tx.log.put("by", "old")
        inside.set()
        await go_on.wait()

    writing = asyncio.ensure_future(held.write(slow))
    await inside.wait()
    await end_connections(pair.dsn, LOCKS)
    await asyncio.wait_for(held.lost(), 10)
    taking = asyncio.ensure_future(pair.two.lead(NIP))
    done, _ = await asyncio.wait({taking}, timeout=0.3)
    assert not done
    go_on.set()
    await writing
    successor = await taking
    assert successor is not None
    assert await pair.two.read(lambda tx: tx.log.value("by")) == "old"


async def test_two_processes_that_start_at_once_make_one_schema(postgres: Postgres) -> None:
    dsn = await fresh_database(postgres.running())
    stores = await asyncio.gather(*(PostgresqlHubStore.open(dsn, FakeClock(), connections=2) for _ in range(3)))
    for store in stores:
        await store.write(lambda tx: tx.log.put("x", 1))
        await store.close()


async def test_tills_that_use_up_all_connections_stop_nobody_who_brings_invoices_to_ksef(postgres: Postgres) -> None:
    async with postgresql_hub(await postgres.database(), FakeClock(), connections=1) as store:
        till = await seller_and_till(store)
        inside, go_on = asyncio.Event(), asyncio.Event()

        async def slow(tx: HubTransaction) -> None:
            await tx.invoices.add(till, offer())
            inside.set()
            await go_on.wait()

        busy = asyncio.ensure_future(store.write(slow))
        await inside.wait()
        work = store.for_couriers()
        held = await work.lead(NIP)
        assert held is not None
        await asyncio.wait_for(held.write(lambda tx: tx.log.put("x", 1)), 20)
        assert await asyncio.wait_for(work.read(lambda tx: tx.log.value("x")), 20) == 1
        go_on.set()
        await busy


# --- the server goes away -------------------------------------------------------------------------------------------


async def test_a_connection_that_breaks_is_unknown_and_a_repeat_is_safe(pair: Pair) -> None:
    till = await seller_and_till(pair.one)

    async def broken(tx: HubTransaction) -> None:
        await tx.invoices.add(till, offer())
        await end_connections(pair.dsn, IN_TRANSACTION)

    with pytest.raises(Unavailable) as away:
        await pair.one.write(broken)
    assert away.value.code == "store-unreachable"
    assert await pair.one.write(lambda tx: tx.invoices.add(till, offer())) is not None


@pytest.mark.nightly
async def test_a_server_that_said_it_ends_and_whose_stream_has_not_ended_yet_is_away(
    postgres: Postgres, tmp_path: Path
) -> None:
    """The server's last word and the end of its stream come apart: under load, and through what stands in between."""
    dsn, clock = await postgres.database(), FakeClock()
    last_word = asyncio.Event()
    async with half_open_line(postgres, tmp_path, last_word), postgresql_hub(dsn, clock) as sound:
        till = await seller_and_till(sound)
        through = f"{dsn.partition('?')[0]}?host={tmp_path}"
        async with postgresql_hub(through, clock, connections=1) as store:

            async def broken(tx: HubTransaction) -> None:
                await tx.invoices.add(till, offer())
                await end_connections(dsn, IN_TRANSACTION)
                await last_word.wait()
                for _ in range(10):  # from the line's socket into the driver
                    await asyncio.sleep(0)

            with pytest.raises(Unavailable) as away:
                await store.write(broken)
            assert away.value.code == "store-unreachable"
            assert await store.write(lambda tx: tx.invoices.add(till, offer())) is not None


@pytest.mark.usefixtures("postgres")
async def test_a_server_that_stops_is_waited_for() -> None:
    """Everything acknowledged is there after SIGKILL of the whole server; who waited looks again; nothing is led."""
    with cluster() as running:
        dsn = await fresh_database(running)
        store = await PostgresqlHubStore.open(dsn, RealTime(), connections=2)
        try:
            await store.write(lambda tx: tx.log.put("x", 1))
            held, heard = await store.lead(NIP), store.changed("till:1")
            assert held is not None
            await asyncio.to_thread(running.kill)
            await asyncio.wait_for(held.lost(), 20)
            await asyncio.wait_for(heard, 20)
            with pytest.raises(Unavailable):
                await store.write(lambda tx: tx.log.put("x", 2))
            await asyncio.to_thread(running.start)
            again = None
            while again is None:
                with contextlib.suppress(Unavailable):
                    again = await store.lead(NIP)
                await asyncio.sleep(0.05)
            assert await store.read(lambda tx: tx.log.value("x")) == 1
        finally:
            await store.close()


async def test_a_server_in_recovery_is_tried_by_one_connection_not_by_each_request(
    postgres: Postgres, tmp_path: Path
) -> None:
    dsn, clock = await postgres.database(), FakeClock()
    through = f"{dsn.partition('?')[0]}?host={tmp_path}"
    async with recovering(postgres, tmp_path) as way, postgresql_hub(through, clock) as store:
        await store.write(lambda tx: tx.log.put("x", 1))
        heard = store.changed("till:1")
        way.go_away()
        await asyncio.wait_for(heard, 20)
        for tills in (store, store.for_couriers()):
            requests = (tills.read(lambda tx: tx.log.value("x")) for _ in range(50))
            answers = await asyncio.gather(*requests, return_exceptions=True)
            assert {getattr(each, "code", each) for each in answers} == {"store-unreachable"}
        assert way.refused < 10
        way.away = False
        back = store.changed("till:1")
        await clock.advance(RETRY_SECONDS)
        await asyncio.wait_for(back, 20)
        for tills in (store, store.for_couriers()):
            assert await tills.read(lambda tx: tx.log.value("x")) == 1


async def test_connections_that_live_serve_on_while_the_one_that_leads_is_away(
    postgres: Postgres, tmp_path: Path
) -> None:
    dsn, clock = await postgres.database(), FakeClock()
    through = f"{dsn.partition('?')[0]}?host={tmp_path}"
    async with recovering(postgres, tmp_path) as way, postgresql_hub(through, clock) as store:
        held = await store.lead(NIP)
        assert held is not None
        way.away = True
        await end_connections(dsn, LOCKS)
        await asyncio.wait_for(held.lost(), 20)
        await store.write(lambda tx: tx.log.put("x", 1))
        with pytest.raises(Unavailable):
            await store.lead(NIP)


async def test_a_server_out_of_reach_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="niedostępna"):
        await PostgresqlHubStore.open(f"postgresql://hub@/hub?host={tmp_path}", FakeClock())


# --- a server that cannot be trusted ----------------------------------------------------------------------------------


async def test_a_server_that_acknowledges_before_it_syncs_is_refused(postgres: Postgres) -> None:
    dsn = await postgres.own_database()
    name = urlsplit(dsn).path.removeprefix("/")
    await execute(postgres.running().dsn("postgres"), f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(StoreUnfit, match="synchronous_commit=off"):
        await PostgresqlHubStore.open(dsn, FakeClock())


async def test_a_database_of_a_newer_program_is_refused(postgres: Postgres) -> None:
    dsn = await postgres.own_database()
    await execute(dsn, "INSERT INTO schema_version VALUES (999, 'future', '', now())")
    with pytest.raises(StoreUnfit, match="999"):
        await PostgresqlHubStore.open(dsn, FakeClock())
    await execute(dsn, "DELETE FROM schema_version WHERE version = 999; UPDATE schema_version SET sha256 = 'other'")
    with pytest.raises(StoreUnfit, match="krok 1"):
        await PostgresqlHubStore.open(dsn, FakeClock())


# --- twins ------------------------------------------------------------------------------------------------------------


async def test_both_databases_have_the_same_tables_and_moves(postgres: Postgres) -> None:
    connection = await asyncpg.connect(await postgres.database())
    columns = await connection.fetch(
        "SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = 'public'"
    )
    moves = await connection.fetch("SELECT before, after FROM moves")
    indexes = await connection.fetch("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
    await connection.close()
    lite = sqlite3.connect(":memory:")
    for step in MIGRATIONS:
        for statement in step.statements:
            lite.execute(statement)
    tables = [row[0] for row in lite.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    twin = {
        (table, row[1], "NO" if row[3] or row[5] else "YES")
        for table in tables
        for row in lite.execute(f"PRAGMA table_info({table})")
    }
    ours = {tuple(row) for row in columns if row["table_name"] != "schema_version"}
    assert ours == twin
    assert {(row[0], row[1]) for row in moves} == {(old.value, new.value) for old, new in MOVES}
    assert {(row[0], row[1]) for row in lite.execute("SELECT * FROM moves")} == {tuple(row) for row in moves}
    named = {row[0] for row in lite.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")}
    assert named <= {row[0] for row in indexes}
    lite.close()


def test_migrations_are_numbered_alike() -> None:
    twins = [path.name for path in sorted(schema.FOLDER.glob("*.sql"))]
    assert twins == [f"{step.version:04}_{step.name}.sql" for step in MIGRATIONS]
    assert all(re.fullmatch(r"\d{4}_\w+\.sql", name) for name in twins)


class RealTime(FakeClock):
    """Waits for real where a real server has to come back; never long."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.05))
