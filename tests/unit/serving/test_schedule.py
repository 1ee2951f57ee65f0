"""Loops do not care what the wall clock does; the calendar's jobs survive it, in constant time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from apscheduler.schedulers import base
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from hypothesis import given
from hypothesis import strategies as st

from agent.app import Agent
from agent.services.heartbeats import Heartbeats
from agent.services.presses import Presses
from agent.serving import schedule
from agent.settings.model import WatchSettings
from tests.fakes.clock import FakeClock

HOUR = 3600.0
SPAN = HOUR / 2
YEARS = 20_000
"""Days from 1970 to now, about."""
STEPS = [timedelta(hours=-1), timedelta(hours=1), timedelta(days=-400), timedelta(days=90), timedelta(days=YEARS)]


class Counted:
    """An agent of which only is known how often what was asked for."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.times: Counter[str] = Counter()
        self.defects: list[object] = []
        self.settings = SimpleNamespace(watch=WatchSettings())
        self.chain = None
        self.heartbeat = None
        self.connection = SimpleNamespace(probe=self._counts("probe"), breaker=SimpleNamespace(allows=False))
        self.announcements = SimpleNamespace(poll=self._counts("latarnia"))
        self.books = SimpleNamespace(read_some=self._counts("books"))
        self.deadlines = SimpleNamespace(follow=self._counts("deadlines"))
        self.clock_check = SimpleNamespace(keep=self._counts("clock"))
        self.heartbeats = Heartbeats(clock)
        self.sender = SimpleNamespace(warm=self._counts("session"))
        self.queue = SimpleNamespace(wake=lambda: self.times.update(["sync"]))
        self.upos = SimpleNamespace(wake=lambda: self.times.update(["upo"]))
        self.problems = SimpleNamespace(refresh=self._counts("report"))
        self.printers = SimpleNamespace(ask=self._counts("printers"))
        self.backlogs = SimpleNamespace(count=self._counts("backlogs"))
        self.presses = Presses(clock)
        self.store_checks = SimpleNamespace(owed=False)
        self.check_database = self._counts("database")
        self.upkeep = SimpleNamespace(look=self._counts("certificate files"), renew=self._counts("certificates"))
        self.erase_consumers = self._counts("retention")

    def _counts(self, name: str) -> schedule.Work:
        async def work() -> None:
            self.times[name] += 1

        return work

    def fail(self, *what: object) -> None:
        self.defects.append(what)

    @property
    def agent(self) -> Agent:
        return cast(Agent, self)


@pytest.fixture(autouse=True)
def trimmed(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return how often free memory was given back."""
    times: list[None] = []
    monkeypatch.setattr(schedule, "trim", lambda: times.append(None))
    return times


async def half_an_hour(step: timedelta | None) -> Counter[str]:
    """Return how often everything was done in half an hour, the clock set after a minute of it."""
    counted = Counted(FakeClock())
    tasks = [asyncio.ensure_future(run()) for run in schedule.loops(counted.agent).values()]
    await counted.clock.advance(60)
    if step is not None:
        counted.clock.step(step)
    await counted.clock.advance(SPAN)
    for task in tasks:
        assert not task.done(), task
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return counted.times


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_no_step_of_the_clock_stops_or_hurries_a_loop(step: timedelta) -> None:
    settings = WatchSettings()
    times = await half_an_hour(step)
    for name, seconds in (
        ("latarnia", settings.latarnia_seconds),
        ("sync", schedule.SYNC_SECONDS),
        ("upo", schedule.SYNC_SECONDS),
        ("report", schedule.REPORT_SECONDS),
        ("clock", schedule.CLOCK_SECONDS),
        ("printers", schedule.PRINTER_SECONDS),
        ("session", schedule.SESSION_SECONDS),
        ("books", schedule.READING_SECONDS),
    ):
        assert times[name] == pytest.approx(SPAN / seconds, rel=0.15, abs=2), name
    # those of a line that is down, and the steady ones
    expected = SPAN / schedule.RECOVERY_SECONDS + SPAN / settings.probe_seconds
    assert times["probe"] == pytest.approx(expected, rel=0.15)
    assert times["deadlines"] in {0, 1}


async def test_what_the_start_wants_is_done_at_once() -> None:
    counted = Counted(FakeClock())
    tasks = [asyncio.ensure_future(run()) for run in schedule.loops(counted.agent).values()]
    await counted.clock.advance(0)
    assert counted.times == {"latarnia": 1, "probe": 1, "session": 1, "clock": 1, "printers": 1, "backlogs": 1}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_free_memory_is_given_back_while_nobody_presses(trimmed: list[None]) -> None:
    counted = Counted(FakeClock())
    running = asyncio.ensure_future(schedule.loops(counted.agent)["memory"]())
    with counted.presses.under_way():
        await counted.clock.advance(schedule.MEMORY_SECONDS * (1 - schedule.SPREAD) - 1)
        assert trimmed == []
    await counted.clock.advance(schedule.MEMORY_SECONDS * (1 + schedule.SPREAD))
    assert trimmed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_one_at_a_time_and_a_rest_after_each() -> None:
    clock = FakeClock()
    begun: list[float] = []

    async def slow() -> None:
        begun.append(clock.monotonic())
        await clock.sleep(12)

    loop = asyncio.ensure_future(schedule.every(clock, 5, slow, first=0))
    await clock.advance(40)
    loop.cancel()
    assert begun == [1000.0, 1017.0, 1034.0]


# --- the calendar -------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """APScheduler reads the same clock as everybody."""
    counted = Counted(FakeClock())

    class Now(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return counted.clock.now()

    monkeypatch.setattr(base, "datetime", Now)
    return counted


@pytest.fixture
async def planned(counted: Counted) -> AsyncIterator[AsyncIOScheduler]:
    scheduler = schedule.calendar_jobs(counted.agent)
    scheduler.start()
    following = asyncio.ensure_future(schedule.follow_the_clock(counted.agent, scheduler))
    yield scheduler
    following.cancel()
    scheduler.shutdown(wait=False)
    await asyncio.gather(following, return_exceptions=True)


async def test_daily_jobs_are_asked_soon_after_the_start_and_then_hourly(
    counted: Counted, planned: AsyncIOScheduler
) -> None:
    await counted.clock.advance(29)
    assert not counted.times
    await counted.clock.advance(400)
    assert counted.times == {"database": 1, "certificates": 1, "retention": 1}
    await counted.clock.advance(10 * HOUR)
    assert 9 <= counted.times["database"] <= 12
    assert not counted.defects


def test_a_database_that_the_start_did_not_read_is_looked_at_soon(counted: Counted) -> None:
    counted.store_checks.owed = True
    job = schedule.calendar_jobs(counted.agent).get_job("database")
    assert job.next_run_time == counted.clock.now() + timedelta(seconds=schedule.OWED_LOOK_SECONDS)


@pytest.mark.parametrize("step", [timedelta(hours=2), *(each for each in STEPS if each != timedelta(hours=1))], ids=str)
async def test_daily_jobs_after_a_step(
    counted: Counted, planned: AsyncIOScheduler, step: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    ask = schedule.FromNow.get_next_fire_time

    def count(self: schedule.FromNow, previous: datetime | None, now: datetime) -> datetime:
        nonlocal asked
        asked += 1
        return ask(self, previous, now)

    monkeypatch.setattr(schedule.FromNow, "get_next_fire_time", count)
    await counted.clock.advance(400)
    before, asked = dict(counted.times), 0
    counted.clock.step(step)
    await counted.clock.advance(61)
    missed = step > timedelta(0)
    assert {name: counted.times[name] - times for name, times in before.items()} == dict.fromkeys(before, int(missed))
    assert asked <= 2 * len(before) * 2, "however many runs were missed, none is counted"
    await counted.clock.advance(3 * HOUR)
    assert all(2 <= counted.times[name] - times - missed <= 4 for name, times in before.items())


async def test_daily_jobs_of_a_till_that_slept(counted: Counted, planned: AsyncIOScheduler) -> None:
    """The loop's timers stood still, wall and boot time went on: within a minute all is done."""
    await counted.clock.advance(400)
    counted.clock.slept(timedelta(hours=8))
    await counted.clock.advance(61)
    assert counted.times == {"database": 2, "certificates": 2, "retention": 2}


async def test_a_till_that_boots_in_1970_and_is_then_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a million runs of an hourly job were missed; one is made up for."""
    trigger = schedule.FromNow(schedule.CHORES)
    began = datetime(1970, 1, 1, tzinfo=UTC)
    now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    scheduler = AsyncIOScheduler(timezone=UTC)
    job = scheduler.add_job(lambda: None, trigger, next_run_time=began)
    assert job._get_run_times(now) == [began]


@given(st.lists(st.timedeltas(timedelta(days=-YEARS), timedelta(days=YEARS)), max_size=30))
def test_the_next_run_is_always_an_interval_from_now(steps: list[timedelta]) -> None:
    trigger = schedule.FromNow(timedelta(hours=1))
    now = datetime(2000, 1, 1, tzinfo=UTC)
    previous: datetime | None = None
    for step in steps:
        now = max(datetime(1950, 1, 1, tzinfo=UTC), min(datetime(2100, 1, 1, tzinfo=UTC), now + step))
        previous = trigger.get_next_fire_time(previous, now)
        assert timedelta(minutes=54) <= previous - now <= timedelta(minutes=66)
