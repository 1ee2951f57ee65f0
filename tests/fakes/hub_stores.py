"""The hub's store for tests: over SQLite, and over a real PostgreSQL."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from agent.hub.domain.records import Offer, Till
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.store.postgresql.schema import migrate
from agent.hub.store.postgresql.store import PostgresqlHubStore
from agent.hub.store.sqlite.file import DATABASE
from agent.hub.store.sqlite.store import SqliteHubStore
from agent.ports import Clock
from tests.fakes.clock import FakeClock
from tests.fakes.postgres import Cluster, NoPostgres, binaries, cluster, execute, fresh_database

NIP = "5265877635"
OTHER_NIP = "1111111111"
TEMPLATE = "hub_template"


class Postgres:
    """One cluster, started when it is first wanted, with the hub's schema as a template."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._cluster: Cluster | None = None
        self._has_template = False
        self._made: list[str] = []

    def running(self) -> Cluster:
        """Return the cluster."""
        if self._cluster is None:
            self._cluster = self._stack.enter_context(cluster())
        return self._cluster

    async def database(self) -> str:
        """Return the DSN of an empty database with the hub's schema: one nobody uses any more, else another."""
        for dsn in self._made:
            if await _emptied(dsn):
                return dsn
        self._made.append(await self.own_database())
        return self._made[-1]

    async def own_database(self) -> str:
        """Return the DSN of the same that the test may spoil; nobody gets it after it."""
        if not self._has_template:
            await execute(self.running().dsn("postgres"), f"CREATE DATABASE {TEMPLATE}")
            connection = await asyncpg.connect(self.running().dsn(TEMPLATE))
            await migrate(connection, FakeClock().now())
            await connection.close()
            self._has_template = True
        return await fresh_database(self.running(), TEMPLATE)

    def stop(self) -> None:
        """End it."""
        self._stack.close()


async def _emptied(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        if await connection.fetchval(others):
            return False
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = ", ".join({str(row[0]) for row in tables} - {"schema_version", "moves"})
        await connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
        return True
    finally:
        await connection.close()


def postgres_session() -> Iterator[Postgres]:
    """Body of the session's fixture; skips, by name, where there is no server to run, and fails there in CI."""
    try:
        binaries()
    except NoPostgres as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    postgres = Postgres()
    yield postgres
    postgres.stop()


@asynccontextmanager
async def sqlite_hub(folder: Path, clock: Clock, *, threaded: bool = True) -> AsyncIterator[SqliteHubStore]:
    """Open the hub's store over a file."""
    store = await SqliteHubStore.open(folder / DATABASE, clock, threaded=threaded)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def postgresql_hub(dsn: str, clock: Clock, connections: int = 4) -> AsyncIterator[PostgresqlHubStore]:
    """Open the hub's store over a server, as one process would."""
    store = await PostgresqlHubStore.open(dsn, clock, connections=connections)
    try:
        yield store
    finally:
        await store.close()


def token(word: str) -> bytes:
    """SHA-256 of a token."""
    return hashlib.sha256(word.encode()).digest()


async def seller_and_till(store: HubStore, name: str = "kasa 1", nip: str = NIP) -> Till:
    """Add a till, and its seller where it is new."""

    async def work(tx: HubTransaction) -> Till:
        if nip not in {each.nip for each in await tx.parties.sellers()}:
            await tx.parties.add_seller(nip, "Sklep Testowy", {"auth": "token"})
        return await tx.parties.add_till(nip, name, "Sklep nr 1", (f"FV-{name}",), token(f"{nip} {name}"))

    return await store.write(work)


def offer(number: str = "FV-1/1", **changes: Any) -> Offer:
    """An invoice whose bytes follow its number."""
    xml = changes.pop("xml", f"<Faktura>{number}</Faktura>".encode())
    given: dict[str, Any] = {
        "nip": NIP,
        "kind": "VAT",
        "number": number,
        "issued_on": date(2026, 11, 24),
        "gross": Decimal("123.00"),
        "currency": "PLN",
        "buyer_identifier": "5261040828",
        "buyer_name": "Zażółć sp. z o.o.",
        "offline": True,
        "group": "HB-1",
        "deadline": date(2026, 11, 25),
    }
    return Offer(sha256=hashlib.sha256(xml).digest(), xml=xml, **{**given, **changes})
