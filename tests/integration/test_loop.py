"""The event loop during presses: nothing blocks it, and nothing is left behind (docs/reliability.md: I11)."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from blockbuster import BlockingError, blockbuster_ctx

from agent.domain.lifecycle import InvoiceState
from agent.store.sqlite import SqliteStore
from tests.fakes import counter
from tests.fakes.swift_clock import SwiftClock
from tests.fakes.world import CASHIER, World, sale, world

PRESSES = 50
WATCHED = ("agent", "printers")
"""Packages whose calls may not block. SQLite works in its own threads, and the few files of a start (schema, keys,
settings) are read before the first press. One call is exempt: the free space of the local disk, for the report."""


@asynccontextmanager
async def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A till with its store in threads, as in production."""
    monkeypatch.setattr(SqliteStore, "open", partial(_threaded, SqliteStore.open))
    clock = SwiftClock()
    async with clock.running(), world(folder, clock=clock) as place:
        yield place


async def _threaded(really: object, path: Path, clock: SwiftClock, **_: object) -> SqliteStore:
    return await really(path, clock, threaded=True)  # type: ignore[operator, no-any-return]


async def press(place: World, key: str) -> str:
    answer = await counter.sale(place, json.dumps(sale()).encode(), key, CASHIER)
    return answer.invoices[0].record.id


async def a_day(place: World, name: str, presses: int) -> None:
    """Presses online and off, a sync, a reprint, a picture."""
    for number in range(presses):
        place.gateway.up = number % 5 != 3
        invoice_id = await press(place, f"{name}-{number}")
        if number % 10 == 0:
            await place.reprinting.reprint(invoice_id, CASHIER)
    place.gateway.up = True
    for _ in range(4):
        await place.connection.probe()
        await place.queue.pass_once()
        await place.announcements.poll()
        await place.problems.refresh()
        await place.clock.sleep(120.0)


async def test_no_press_and_no_sync_blocks_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path, monkeypatch) as place:
        await press(place, "warm")
        with blockbuster_ctx(list(WATCHED)) as watchman:
            watchman.functions["os.statvfs"].can_block_in("agent/services/monitoring/disk.py", {"free", "files"})
            await a_day(place, "a", 8)
        assert await place.store.read(lambda tx: tx.invoices.queue()) == []


async def test_the_watchman_is_awake(tmp_path: Path) -> None:
    """Planted: a call of the agent that writes a file in the loop is caught."""
    from agent.system.durable_files import write_whole

    with blockbuster_ctx(list(WATCHED)), pytest.raises(BlockingError):
        write_whole(tmp_path / "agent.db.series", b"", 0o600)


@pytest.mark.nightly
async def test_fifty_presses_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path, monkeypatch) as place:
        await a_day(place, "warm", 10)
        before = await _burden()
        await a_day(place, "b", PRESSES)
        after = await _burden()
        assert after == before
        records = await place.store.read(lambda tx: tx.invoices.unsent())
        assert {record.state for record in records} <= {InvoiceState.ACCEPTED}


async def _burden() -> tuple[int, int, int]:
    """Tasks, threads and open files, when all is quiet."""
    for _ in range(50):
        await asyncio.sleep(0)
    gc.collect()
    return len(asyncio.all_tasks()), threading.active_count(), _open_files()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
