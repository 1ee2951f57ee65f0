"""The daily look at the database beside presses: it stands back for them, and a stop of the service ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.services import presses as presses_module
from agent.services.monitoring.daily import DailyJobs
from agent.services.monitoring.store_checks import StoreChecks
from agent.services.presses import Presses
from agent.services.signals import Signal
from agent.store import soundness
from agent.store.soundness import Turns, check
from agent.store.sqlite import DATABASE, SqliteStore
from tests.fakes.clock import FakeClock

LIMIT_SECONDS = 10.0
"""Of a wait that ends at once unless something is wrong."""


class WatchedPresses(Presses):
    """Tells when somebody stands back."""

    def __init__(self) -> None:
        super().__init__(FakeClock())
        self.asked = threading.Event()

    def stand_back(self) -> None:
        self.asked.set()
        super().stand_back()


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    monkeypatch.setattr(soundness, "TURN_STEPS", 10)  # a new database is a small one
    opened = await SqliteStore.open(tmp_path / DATABASE, FakeClock())
    yield opened
    await opened.close()


async def test_a_press_goes_before_the_daily_look(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presses_module, "LONGEST_SECONDS", LIMIT_SECONDS)
    presses = WatchedPresses()
    checks = StoreChecks(store, FakeClock(), presses, Signal())
    with presses.under_way():
        looking = asyncio.create_task(checks.check())
        assert await asyncio.to_thread(presses.asked.wait, LIMIT_SECONDS)
        assert not looking.done()
    await looking
    assert (checks.checked, checks.problem) == (True, None)


def test_a_busy_counter_does_not_stop_the_daily_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presses_module, "LONGEST_SECONDS", 0)
    presses = Presses(FakeClock())
    with presses.under_way(), presses.under_way():
        presses.stand_back()


def test_the_last_press_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presses_module, "LONGEST_SECONDS", LIMIT_SECONDS)
    presses = WatchedPresses()
    waiting = threading.Thread(target=presses.stand_back)
    with presses.under_way():
        with presses.under_way():
            waiting.start()
            assert presses.asked.wait(LIMIT_SECONDS)
        assert waiting.is_alive()
    waiting.join(LIMIT_SECONDS)
    assert not waiting.is_alive()


async def test_a_look_that_is_ended_tells_no_damage(store: SqliteStore) -> None:
    def end() -> None:
        turns.end()

    turns = Turns(end)
    report = await asyncio.to_thread(check, store.path, turns=turns)
    assert (report.complete, report.sentence()) == (False, None)
    report = await asyncio.to_thread(check, store.path, turns=turns)  # before it could begin
    assert (report.complete, report.sentence()) == (False, None)


async def test_a_look_that_the_start_owes_is_made_whatever_was_done_today(store: SqliteStore) -> None:
    daily = DailyJobs(store, FakeClock().now)
    checks = StoreChecks(store, FakeClock(), Presses(FakeClock()), Signal())
    looks = 0

    async def look() -> bool:
        nonlocal looks
        looks += 1
        await checks.check()
        return True

    store.looked_through = False
    for owed in (True, False):
        assert checks.owed is owed
        await daily.once_a_day("check-database", look, again=checks.owed)
    assert looks == 1
    store.looked_through = False
    await daily.once_a_day("check-database", look, again=checks.owed)
    assert looks == 2


async def test_a_stop_ends_the_daily_look(store: SqliteStore) -> None:
    """The loop waits for its threads before the process ends; systemd would kill it after TimeoutStopSec."""
    begun, stopped = threading.Event(), threading.Event()
    looks = 0

    def stand_back() -> None:
        nonlocal looks
        looks += 1
        begun.set()
        assert stopped.wait(LIMIT_SECONDS)

    loop = asyncio.get_running_loop()
    threads = ThreadPoolExecutor()
    loop.set_default_executor(threads)
    looking = asyncio.create_task(store.check(stand_back))
    assert await asyncio.to_thread(begun.wait, LIMIT_SECONDS)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    stopped.set()
    threads.shutdown()
    loop.set_default_executor(ThreadPoolExecutor())
    assert looks == 1
