"""A hub's database of every schema there was, over SQLite and PostgreSQL: taken over whole, and used as if it were new.

The snapshots (hub_schemas/) were written by the programs of their day.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from _pytest.mark import ParameterSet

from agent.domain.errors import StoreUnfit
from agent.hub.domain.books import Find, Question
from agent.hub.domain.records import HubRole, InvoiceFacts
from agent.hub.domain.states import OPEN, HubState
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.store.postgresql import schema
from agent.hub.store.postgresql import store as postgresql
from agent.hub.store.sqlite.file import DATABASE, MIGRATIONS
from agent.store import connection as sqlite
from agent.store.migrate import migrate
from tests.contract.hub_schemas.story import CORRECTION, EXEMPT, FOLDER, LEFT, SERIAL, UNPROVEN
from tests.fakes.clock import FakeClock, at
from tests.fakes.hub_stores import NIP, Postgres, offer, postgresql_hub, sqlite_hub, token
from tests.fakes.hub_world import HubWorld, world_over
from tests.unit.sandbox.sandbox_client import invoice as fa3

SCHEMAS = sorted({path.name.split(".")[0] for path in FOLDER.glob("*.sql")})
WITH_CERTIFICATES, WITH_EXEMPT = "0003", "0004"
THE_DAY_AFTER = at("2026-11-25 08:00")
Tables = dict[str, list[dict[str, object]]]
_PARTS = """
SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default, is_identity)
    FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function ' || proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


class Died(BaseException):
    """The process ends here."""


@dataclass
class File:
    """A snapshot in a SQLite file."""

    folder: Path

    async def load(self, version: str) -> None:
        """Make the database as that program left it."""
        path = self.folder / DATABASE
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript((FOLDER / f"{version}.sqlite.sql").read_text("utf-8"))
        path.chmod(0o600)

    def opened(self, clock: FakeClock) -> AbstractAsyncContextManager[HubStore]:
        """Start a hub of today on it."""
        return sqlite_hub(self.folder, clock, threaded=False)

    async def tables(self) -> Tables:
        """Return all rows of all tables."""
        with closing(sqlite3.connect(self.folder / DATABASE)) as connection:
            connection.row_factory = sqlite3.Row
            names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for (name,) in names}

    async def parts(self) -> set[tuple[str, ...]]:
        """Return everything the schema consists of."""
        with closing(sqlite3.connect(self.folder / DATABASE)) as connection:
            rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'")
            return {(str(kind), str(name), " ".join(str(sql).split())) for kind, name, sql in rows}

    async def upgrade(self, dies_before: int) -> bool:
        """Migrate in a process that dies before that statement; False where there are fewer."""
        connection = await sqlite.connect(self.folder / DATABASE, threaded=False)
        try:
            await migrate(cast("sqlite.Connection", Dying(connection, dies_before)), FakeClock(), MIGRATIONS)
        except Died:
            return True
        finally:
            await connection.close()
        return False


@dataclass
class Server:
    """A snapshot in a database of PostgreSQL."""

    dsn: str

    async def load(self, version: str) -> None:
        """Make the database as that program left it."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            await connection.execute((FOLDER / f"{version}.postgresql.sql").read_text("utf-8"))
        finally:
            await connection.close()

    def opened(self, clock: FakeClock) -> AbstractAsyncContextManager[HubStore]:
        """Start a hub of today on it."""
        return postgresql_hub(self.dsn, clock)

    async def tables(self) -> Tables:
        """Return all rows of all tables."""
        connection = await asyncpg.connect(self.dsn)
        try:
            names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return {str(name): [dict(row) for row in await connection.fetch(f"TABLE {name}")] for (name,) in names}
        finally:
            await connection.close()

    async def parts(self) -> set[tuple[str, ...]]:
        """Return everything the schema consists of."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return {(str(name), str(text)) for name, text in await connection.fetch(_PARTS)}
        finally:
            await connection.close()

    async def upgrade(self, dies_before: int) -> bool:
        """Migrate in a process that dies before that statement; False where there are fewer."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await schema.migrate(Dying(connection, dies_before), FakeClock().now())
        except Died:
            return True
        finally:
            connection.terminate()
        return False


class Dying:
    """A connection whose process dies before its nth statement; nothing is said on it afterwards."""

    def __init__(self, connection: Any, dies_before: int) -> None:
        self._connection = connection
        self._left = dies_before

    @property
    def in_transaction(self) -> bool:
        return False  # nobody is left to roll back

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        await self._connection.execute("BEGIN")
        yield
        await self.execute("COMMIT")

    async def execute(self, *words: object) -> Any:
        self._live()
        return await self._connection.execute(*words)

    async def fetch(self, *words: object) -> Any:
        self._live()
        return await self._connection.fetch(*words)

    def _live(self) -> None:
        if not self._left:
            raise Died
        self._left -= 1


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def place(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> File | Server:
    if database == "sqlite":
        return File(tmp_path)
    postgres: Postgres = request.getfixturevalue("postgres")
    return Server(await postgres.own_database())


def every_snapshot() -> Iterator[ParameterSet]:
    """Over PostgreSQL by day the oldest and the newest; it takes most of a second each."""
    for version in SCHEMAS:
        yield pytest.param("sqlite", version)
        slow = version not in {SCHEMAS[0], SCHEMAS[-1]}
        yield pytest.param("postgresql", version, marks=pytest.mark.nightly if slow else ())


async def test_every_schema_before_todays_has_its_snapshot() -> None:
    """And today's, so that the next migration begins with one."""
    assert [f"{step.version:04}" for step in MIGRATIONS] == SCHEMAS


def lost(old: list[dict[str, object]], new: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows that are no longer there as they were; columns may have been added."""
    if not old:
        return []
    columns = list(old[0])
    kept = {tuple(row[name] for name in columns) for row in new}
    return [row for row in old if tuple(row[name] for name in columns) not in kept]


@pytest.mark.parametrize(("database", "version"), list(every_snapshot()), indirect=["database"])
async def test_every_row_is_kept_and_used_as_if_it_were_new(place: File | Server, version: str) -> None:
    await place.load(version)
    before = await place.tables()
    clock = FakeClock(THE_DAY_AFTER)
    async with place.opened(clock) as store:
        after = await place.tables()
        assert {name: lost(rows, after[name]) for name, rows in before.items() if lost(rows, after[name])} == {}
        grown = {name for name, rows in before.items() if len(rows) != len(after[name])}
        assert grown <= {"schema_version", "moves"}
        assert await store.check() is None
        async with chain(store, clock) as world:
            till = world.tills["1"]
            await what_was_known_is_known(world, version)
            cursor = await store.read(lambda tx: tx.outcomes.last(till.id))
            await what_was_in_hand_is_brought_to_ksef(world)
            lines, known = await store.read(lambda tx: tx.outcomes.after(till.id, cursor, 100))
            assert known, "a till goes on where it was"
            told = {(each.kind.value, each.sha256) for each in lines}
            assert {kind for kind, _ in told} >= {"sent", "accepted", "upo", "doubt"}
            assert ("upo", offer(xml=fa3(UNPROVEN)).sha256) in told
            await new_things_are_possible(world)


async def test_the_schema_is_that_of_a_new_database(place: File | Server) -> None:
    async with place.opened(FakeClock()):
        new = await place.parts()
    await place.load(SCHEMAS[0])
    async with place.opened(FakeClock()):
        assert await place.parts() == new


@asynccontextmanager
async def chain(store: HubStore, clock: FakeClock) -> AsyncIterator[HubWorld]:
    async with world_over(store, clock) as world:
        for each in await store.read(_accepted):
            assert each.ksef_number is not None
            world.gateway.ledger[NIP, each.kind, each.number] = (each.ksef_number, each.sha256)
        world.tills = {each.name: each for each in await store.read(lambda tx: tx.parties.tills(NIP))}
        yield world


async def what_was_known_is_known(world: HubWorld, version: str) -> None:
    assert set(world.tills) == {"1", "2"}

    async def work(tx: HubTransaction) -> None:
        assert await tx.parties.till_of(token("1")) == world.tills["1"]
        assert {each.nip for each in await tx.parties.sellers()} == {NIP, "1111111111"}
        people = {each.name: each for each in await tx.parties.people()}
        assert (people["Anna"].role, people["Anna"].nip) == (HubRole.MANAGER, None)
        assert people["Biuro"].nip == (NIP if version >= WITH_CERTIFICATES else None)
        beats = {each.till_id: each for each in await tx.fleet.last_beats()}
        assert beats[world.tills["2"].id].duplicate_at is not None
        assert beats[world.tills["1"].id].beat.unsent == 2
        found = await tx.books.find(Question(Find.NUMBER, "FV-1/8"), THE_DAY_AFTER.date(), 10)
        assert [(each.state, each.mode, each.refusal and each.refusal.code) for each in found] == [
            (HubState.REJECTED, "", 450)
        ]
        page = await tx.books.find(Question(Find.NUMBER, "FV-2/4"), THE_DAY_AFTER.date(), 10)
        assert isinstance(await tx.sessions.upo(page[0].sha256), tuple), "confirmed by its batch's page"
        if version >= WITH_CERTIFICATES:
            assert [(each.slot, each.serial) for each in await tx.certificates.of(NIP)] == [(1, SERIAL), (2, None)]
        if version >= WITH_EXEMPT:
            exempt = await tx.invoices.get(offer(xml=fa3(EXEMPT)).sha256)
            assert (exempt.state, exempt.mode) == (HubState.EXEMPT, "total_failure")

    await world.store.read(work)


async def what_was_in_hand_is_brought_to_ksef(world: HubWorld) -> None:
    hashes = {state: offer(xml=fa3(number)).sha256 for state, number in LEFT.items()}
    found = {state: await world.store.read(_get(sha256)) for state, sha256 in hashes.items()}
    assert all(each.state is state for state, each in found.items())
    await world.store.write(lambda tx: tx.invoices.move(hashes[HubState.SENT], HubState.DOUBT, InvoiceFacts()))
    world.start()
    await world.catch_up()
    assert (await world.find(await world.store.read(_get(offer(xml=fa3(CORRECTION)).sha256)))).state not in OPEN
    for sha256 in hashes.values():
        assert (await world.store.read(_get(sha256))).state is HubState.ACCEPTED
    order = [read for _, _, read in world.gateway.ledger]
    assert order.index(CORRECTION) > order.index(LEFT[HubState.WAITING])
    for _ in range(200):
        if not [each for each in await world.store.read(_accepted) if not each.proven]:
            return
        await world.clock.advance(2)
    raise AssertionError("a UPO did not come")


async def new_things_are_possible(world: HubWorld) -> None:
    """Of every kind that a migration brought."""
    sold = await world.offer("FV-2/40", urgent=3.0, mode="online")
    await world.catch_up()
    assert (await world.find(sold)).mode == "online"
    ends = world.clock.now()

    async def work(tx: HubTransaction) -> None:
        exempt = offer("FV-2/41", xml=fa3("FV-2/41"), mode="failure")
        await tx.invoices.add(world.tills["2"], exempt)
        await tx.invoices.move(exempt.sha256, HubState.EXEMPT, InvoiceFacts())
        await tx.invoices.move(exempt.sha256, HubState.WAITING, InvoiceFacts())
        await tx.certificates.issued(await tx.certificates.draw(NIP, 3, b"key"), "02", b"PEM", ends)
        await tx.parties.add_person("Ewa", HubRole.VIEWER, token("Ewa"), NIP)
        await tx.log.append("drain", {})
        await tx.parties.add_till(NIP, "3", "", (), token("3"))

    await world.store.write(work)
    await world.catch_up()


def _get(sha256: bytes) -> Callable[[HubTransaction], Any]:
    return lambda tx: tx.invoices.get(sha256)


async def _accepted(tx: HubTransaction) -> Any:
    return await tx.invoices.in_state(NIP, HubState.ACCEPTED, 100)


async def test_a_death_within_the_upgrade_leaves_what_the_next_start_completes(place: File | Server) -> None:
    """Before each statement in turn; SQLite keeps whole steps, PostgreSQL upgrades in one transaction."""
    await place.load(SCHEMAS[0])
    old = await place.tables()
    dies_before = 0
    while await place.upgrade(dies_before):
        left = await place.tables()
        assert {name for name, rows in old.items() if lost(rows, left[name])} == set(), dies_before
        if isinstance(place, File):
            async with place.opened(FakeClock()):
                pass
            assert len((await place.tables())["schema_version"]) == len(MIGRATIONS)
            await place.load(SCHEMAS[0])
        else:
            assert left.keys() == old.keys()
            assert len(left["schema_version"]) == 1
        dies_before += 1
    assert dies_before > 2 * (len(MIGRATIONS) - 1)
    async with place.opened(FakeClock()) as store:
        assert await store.check() is None
    assert len((await place.tables())["schema_version"]) == len(MIGRATIONS)


async def test_a_database_of_a_newer_program_or_another_one_is_refused_in_a_sentence(place: File | Server) -> None:
    for statement, said in (
        ("INSERT INTO schema_version VALUES (9999, 'later', 'x', '2027-01-01 00:00:00+00:00')", "wersję 9999"),
        ("UPDATE schema_version SET sha256 = 'x' WHERE version = 2", "krok 2"),
    ):
        await place.load(SCHEMAS[-1])
        if isinstance(place, File):
            with closing(sqlite3.connect(place.folder / DATABASE)) as connection, connection:
                connection.execute(statement)
        else:
            session = await asyncpg.connect(place.dsn)
            await session.execute(statement)
            await session.close()
        with pytest.raises(StoreUnfit, match=said):
            async with place.opened(FakeClock()):
                pass


async def test_an_upgrade_takes_as_long_as_it_takes(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index over a year of invoices is built for longer than any statement of daily work may last."""
    (tmp_path / "0001_slow.sql").write_text("CREATE TABLE made AS SELECT pg_sleep(0.3)::text AS nothing", "utf-8")
    monkeypatch.setattr(postgresql, "COMMAND_SECONDS", 0.1)
    monkeypatch.setattr(postgresql, "migrate", lambda connection, now: schema.migrate(connection, now, tmp_path))
    server = Server(await postgres.own_database())
    opening = await asyncpg.connect(server.dsn)
    await opening.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await opening.close()
    async with asyncio.timeout(20), server.opened(FakeClock()):
        assert "made" in await server.tables()
