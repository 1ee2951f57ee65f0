"""What the store does when the disk, SQLite or its caller fails."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from agent.domain.errors import AgentError, StoreLost, Unavailable
from agent.ports import InvoiceFilter, Transaction
from agent.store.connection import Connection, Parameters, connect
from agent.store.failures import of_commit, of_statement
from agent.store.sqlite import CHECKPOINT_EVERY, SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next

T = TypeVar("T")


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(f"code {code}")
    error.sqlite_errorcode = code
    return error


@dataclass
class Failure:
    """What is to fail next, once, before or after SQLite has done it."""

    at: str = ""
    error: sqlite3.Error = field(default_factory=lambda: sqlite_error(sqlite3.SQLITE_IOERR))
    done_first: bool = False


class FailingConnection:
    """A real connection that fails a chosen statement, alone or within a unit."""

    def __init__(self, connection: Connection, failure: Failure | None = None) -> None:
        self._connection = connection
        self.failure = failure or Failure()

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        if self.failure.at and sql.startswith(self.failure.at):
            self.failure.at = ""
            if self.failure.done_first:
                await self._connection.fetch(sql, parameters)
            raise self.failure.error
        return await self._connection.fetch(sql, parameters)

    async def drive(self, unit: Callable[[Connection], Awaitable[T]]) -> T:
        return await self._connection.drive(lambda inside: unit(FailingConnection(inside, self.failure)))

    async def close(self) -> None:
        await self._connection.close()


async def open_failing(path: Path) -> tuple[SqliteStore, FailingConnection]:
    store = await SqliteStore.open(path, FakeClock())
    assert store._writer is not None
    writer = store._writer = FailingConnection(store._writer)
    return store, writer


async def add(store: SqliteStore, name: str) -> int:
    return await store.write(lambda transaction: add_next(transaction, name))


async def stored(path: Path) -> list[str]:
    store = await SqliteStore.open(path, FakeClock())
    records = await store.read(lambda transaction: transaction.invoices.find(InvoiceFilter()))
    await store.close()
    return [record.id for record in reversed(records)]


@pytest.mark.parametrize("done_first", [False, True])
async def test_a_failed_commit_loses_the_store(tmp_path: Path, done_first: bool) -> None:
    store, writer = await open_failing(tmp_path / "agent.db")
    await add(store, "a")
    writer.failure.at, writer.failure.done_first = "COMMIT", done_first
    first, second = asyncio.create_task(add(store, "b")), asyncio.create_task(add(store, "c"))
    watching = asyncio.create_task(store.watch())
    for task in (first, second, watching):
        with pytest.raises(StoreLost):
            await task
    with pytest.raises(StoreLost):
        await add(store, "d")
    with pytest.raises(StoreLost):
        await store.read(lambda transaction: transaction.key_values.get("a"))
    await store.close()
    # nobody knew, and only the restart tells: the key decides
    assert await stored(tmp_path / "agent.db") == (["inv-a", "inv-b"] if done_first else ["inv-a"])


async def test_a_full_disk_at_commit_stores_nothing_and_the_next_unit_works(tmp_path: Path) -> None:
    store, writer = await open_failing(tmp_path / "agent.db")
    writer.failure.at, writer.failure.error = "COMMIT", sqlite_error(sqlite3.SQLITE_FULL)
    with pytest.raises(Unavailable) as caught:
        await add(store, "a")
    assert caught.value.code == "disk-full"
    assert await add(store, "b") == 1
    await store.close()
    assert await stored(tmp_path / "agent.db") == ["inv-b"]


def found_no_room(store: SqliteStore) -> bool:
    return store.full


async def test_a_full_disk_inside_a_unit_stores_nothing(tmp_path: Path) -> None:
    store, writer = await open_failing(tmp_path / "agent.db")
    await add(store, "a")
    await writer.fetch("PRAGMA max_page_count=1")  # SQLite keeps the pages it has
    free = await writer.fetch("PRAGMA freelist_count")
    assert free[0][0] == 0

    async def big(transaction: Transaction) -> None:
        await add_next(transaction, "b")
        await transaction.key_values.put("big", "x" * 100_000)

    with pytest.raises(Unavailable) as caught:
        await store.write(big)
    assert caught.value.code == "disk-full"
    assert caught.value.retry_safe
    assert found_no_room(store)
    await store.write(lambda transaction: transaction.facts.all())
    assert found_no_room(store), "nothing was tried"
    await writer.fetch("PRAGMA max_page_count=100000")
    assert await add(store, "c") == 2
    assert not found_no_room(store)
    await store.close()


async def test_an_error_that_the_work_swallows_still_fails_the_unit(tmp_path: Path) -> None:
    store, writer = await open_failing(tmp_path / "agent.db")

    async def careless(transaction: Transaction) -> str:
        await add_next(transaction, "a")
        writer.failure.at = "INSERT INTO notebook"
        for _ in range(2):
            try:
                await transaction.key_values.put("x", 1)
            except AgentError:
                continue
        return "done"

    with pytest.raises(StoreLost):
        await store.write(careless)
    await store.close()
    assert await stored(tmp_path / "agent.db") == []


@pytest.mark.parametrize("some_pages_written", [False, True])
async def test_a_failed_checkpoint_keeps_the_answer_and_loses_the_store(
    tmp_path: Path, some_pages_written: bool
) -> None:
    store, writer = await open_failing(tmp_path / "agent.db")
    writer.failure.at, writer.failure.done_first = "PRAGMA wal_checkpoint", some_pages_written
    for number in range(1, CHECKPOINT_EVERY + 1):
        assert await add(store, f"{number}") == number
    with pytest.raises(StoreLost):
        await add(store, "after")
    await store.close()
    aside = await asyncio.to_thread(lambda: list(tmp_path.glob("agent.db.overwritten-*")))
    assert not aside, "no other program wrote: the log stays the database's"
    assert len(await stored(tmp_path / "agent.db")) == CHECKPOINT_EVERY


@pytest.mark.parametrize("some_pages_written", [False, True])
async def test_a_full_disk_at_a_checkpoint_is_no_loss(tmp_path: Path, some_pages_written: bool) -> None:
    store, writer = await open_failing(tmp_path / "agent.db")
    writer.failure.at, writer.failure.done_first = "PRAGMA wal_checkpoint", some_pages_written
    writer.failure.error = sqlite_error(sqlite3.SQLITE_FULL)
    for number in range(1, CHECKPOINT_EVERY + 2):
        assert await add(store, f"{number}") == number
    await store.close()
    assert len(await stored(tmp_path / "agent.db")) == CHECKPOINT_EVERY + 1


async def test_checkpoints_keep_the_wal_small(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "agent.db", FakeClock(), threaded=False)
    for number in range(1, 4 * CHECKPOINT_EVERY):
        await add(store, f"{number}")
    wal = (tmp_path / "agent.db-wal").stat().st_size
    await store.close()
    assert wal < 8 * 1024 * 1024
    assert not (tmp_path / "agent.db-wal").exists(), "the last one out merges it"


async def test_a_broken_read_loses_the_store(tmp_path: Path) -> None:
    path = tmp_path / "agent.db"
    store = await SqliteStore.open(path, FakeClock(), readers=0)
    reader = FailingConnection(await connect(path, read_only=True))
    store._readers.append(reader)
    store._free.put_nowait(reader)
    reader.failure.at, reader.failure.error = "SELECT * FROM facts", sqlite_error(sqlite3.SQLITE_CORRUPT)
    with pytest.raises(StoreLost):
        await store.read(lambda transaction: transaction.facts.all())
    with pytest.raises(StoreLost):
        await store.watch()
    await store.close()


async def test_a_cancelled_writer_fails_those_that_wait(tmp_path: Path) -> None:
    store, _ = await open_failing(tmp_path / "agent.db")
    inside, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    async def slow(transaction: Transaction) -> int:
        loop.call_soon_threadsafe(inside.set)
        released.wait()  # without a limit of its own: on a busy machine this process may stand still for as long
        return await add_next(transaction, "a")

    waiting = [asyncio.create_task(store.write(slow)), asyncio.create_task(add(store, "b"))]
    await inside.wait()
    store._writing.cancel()
    try:
        results = await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        released.set()
    assert isinstance(results[0], asyncio.CancelledError)
    assert isinstance(results[1], StoreLost)
    await store.close()
    assert await stored(tmp_path / "agent.db") == ["inv-a"], "its caller does not know, and the key tells"


@pytest.mark.parametrize(
    ("code", "in_statement", "at_commit"),
    [
        (sqlite3.SQLITE_FULL, Unavailable, Unavailable),
        (sqlite3.SQLITE_BUSY, Unavailable, StoreLost),
        (sqlite3.SQLITE_IOERR, StoreLost, StoreLost),
        (sqlite3.SQLITE_IOERR | (4 << 8), StoreLost, StoreLost),  # SQLITE_IOERR_FSYNC
        (sqlite3.SQLITE_CORRUPT, StoreLost, StoreLost),
        (sqlite3.SQLITE_NOMEM, StoreLost, StoreLost),
        (sqlite3.SQLITE_ERROR, sqlite3.OperationalError, StoreLost),
    ],
)
def test_each_error_has_its_meaning(code: int, in_statement: type, at_commit: type) -> None:
    assert type(of_statement(sqlite_error(code))) is in_statement
    assert type(of_commit(sqlite_error(code))) is at_commit
