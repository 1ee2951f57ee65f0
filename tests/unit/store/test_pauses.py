"""What the store does between presses, so that no press has to: checkpoints, and numbers reserved ahead."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from agent.domain.errors import StoreLost
from agent.store import mark as mark_module
from agent.store.connection import Connection, Parameters
from agent.store.mark import BLOCK, Mark, mark_path, read_mark
from agent.store.sqlite import CHECKPOINT_EVERY, CHECKPOINT_LATEST, SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import SERIES, add_next

T = TypeVar("T")
LATEST = CHECKPOINT_LATEST * CHECKPOINT_EVERY


class Watched:
    """A real connection that counts its checkpoints."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.checkpoints = 0

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        self.checkpoints += sql.startswith("PRAGMA wal_checkpoint")
        return await self._connection.fetch(sql, parameters)

    async def drive(self, unit: Callable[[Connection], Awaitable[T]]) -> T:
        return await self._connection.drive(unit)

    async def close(self) -> None:
        await self._connection.close()


class Till:
    """A store, and whether somebody presses right now."""

    def __init__(self, store: SqliteStore) -> None:
        assert store._writer is not None
        self.store = store
        self.writer = store._writer = Watched(store._writer)
        self.pressing = False
        self.issued = 0
        store.give_way(lambda: self.pressing)

    async def commit(self, times: int) -> None:
        for _ in range(times):
            await self.store.write(lambda transaction: transaction.key_values.put("x", 1))
        await self.settle()

    async def issue(self, times: int) -> None:
        for _ in range(times):
            self.issued += 1
            await self.store.write(partial(add_next, name=str(self.issued)))
        await self.settle()

    async def settle(self) -> None:
        """Let the writer do what it does after a unit; a unit that raises commits nothing, and is not counted."""
        with pytest.raises(ZeroDivisionError):
            await self.store.write(_fail)
        await asyncio.sleep(0)


async def _fail(_: object) -> None:
    raise ZeroDivisionError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


async def open_till(path: Path) -> Till:
    return Till(await SqliteStore.open(path, FakeClock(), threaded=False))


def reserved(path: Path) -> int:
    mark = read_mark(mark_path(path))
    assert mark is not None
    return mark.reserved[SERIES]


async def test_a_checkpoint_stands_back_for_a_press_and_is_made_when_that_is_over(path: Path) -> None:
    till = await open_till(path)
    till.pressing = True
    await till.commit(CHECKPOINT_EVERY + 5)
    assert till.writer.checkpoints == 0
    till.pressing = False
    till.store.let_go_on()
    await asyncio.sleep(0)
    await till.settle()
    assert till.writer.checkpoints == 1
    till.store.let_go_on()
    await till.settle()
    assert till.writer.checkpoints == 1, "none is due"
    await till.store.close()


async def test_whoever_presses_without_end_puts_off_no_checkpoint_for_ever(path: Path) -> None:
    till = await open_till(path)
    till.pressing = True
    await till.commit(LATEST - 1)
    assert till.writer.checkpoints == 0
    await till.commit(2)
    assert till.writer.checkpoints == 1
    assert till.store.size() < 16 * 1024 * 1024
    await till.store.close()


async def test_a_store_that_nobody_presses_in_makes_it_at_once(path: Path) -> None:
    till = await open_till(path)
    await till.commit(CHECKPOINT_EVERY)
    assert till.writer.checkpoints == 1
    await till.store.close()


async def test_a_closing_store_is_closed_whatever_stood_back(path: Path) -> None:
    till = await open_till(path)
    till.pressing = True
    await till.commit(CHECKPOINT_EVERY)
    closing = asyncio.create_task(till.store.close())
    await asyncio.sleep(0)
    till.store.let_go_on()
    await closing
    assert not path.with_name("agent.db-wal").exists(), "the last one out merges it"


async def test_numbers_are_reserved_in_a_pause_before_they_run_out(path: Path) -> None:
    """Planted: without it the mark goes on saying 50, until a press finds none left."""
    till = await open_till(path)
    await till.issue(25)
    assert reserved(path) == BLOCK
    await till.commit(CHECKPOINT_EVERY - 25)
    assert reserved(path) == 25 + BLOCK
    await till.commit(CHECKPOINT_EVERY)
    assert reserved(path) == 25 + BLOCK, "what is there suffices"
    await till.store.close()
    assert reserved(path) == 25, "exact after an orderly stop"


async def test_a_full_disk_in_a_pause_is_told_by_the_press_that_needs_a_number(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = await open_till(path)
    await till.issue(25)
    monkeypatch.setattr(mark_module, "write_mark", _refused(errno.ENOSPC))
    await till.commit(CHECKPOINT_EVERY - 25)
    await till.issue(25)  # of those that were reserved before
    monkeypatch.undo()
    await till.issue(1)
    assert reserved(path) >= 51
    await till.store.close()


async def test_a_broken_disk_in_a_pause_ends_the_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    till = await open_till(path)
    await till.issue(25)
    monkeypatch.setattr(mark_module, "write_mark", _refused(errno.EIO))
    for _ in range(CHECKPOINT_EVERY - 25):
        await till.store.write(lambda transaction: transaction.key_values.put("x", 1))
    with pytest.raises(StoreLost):
        await till.store.write(lambda transaction: transaction.key_values.put("x", 1))
    await till.store.close()


def _refused(number: int) -> Callable[[Path, Mark, str], None]:
    def write(place: Path, mark: Mark, boot: str) -> None:
        raise OSError(number, os.strerror(number), str(place))

    return write
