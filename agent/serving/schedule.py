"""What happens by itself: loops on monotonic time, and the calendar's jobs in APScheduler.

No loop asks the wall clock, so none stops, runs early or piles up when that is set. APScheduler, which lives by the
wall clock, keeps only what the calendar wants (the daily check of the database, renewals of certificates). Its own
triggers would count every run missed in between (from 1970: half a million an hour's job), and wait for a time to come
after the clock was set back; ``FromNow`` and ``follow_the_clock`` do neither, in constant time.

Its settings: never drop a late job, run what was missed once, never twice at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from agent.domain.errors import Unavailable
from agent.ports import Clock
from agent.services.heartbeats import Heartbeats
from agent.system.heap import trim

if TYPE_CHECKING:
    from agent.app import Agent

RECOVERY_SECONDS = 5
"""While the line is down it is probed so often: a few hundred bytes, and cashiers are online soon after it is back."""
SYNC_SECONDS = 5
REPORT_SECONDS = 10
CLOCK_SECONDS = 10
"""How often the wall clock is compared with the monotonic one, and what is known of it kept."""
PRINTER_SECONDS = 30
CERTIFICATES_SECONDS = 60
"""How often it is looked whether somebody put another certificate in place."""
FIRST_HEARTBEAT_SECONDS = 15.0
"""Within so long after a start headquarters hears of it."""
BACKLOG_SECONDS = 15
"""How often what waits is counted for /metrics: as often as Prometheus asks."""
OUTCOMES_SECONDS = 0.5
"""Between two questions for outcomes, which the hub holds back while there are none: they come in bunches."""
BOOKS_SECONDS = 60
"""How often the hub is handed, for its books, what is never sent, and what it should know and does not."""
READING_SECONDS = 60
"""How often the books read what was issued since."""
SESSION_SECONDS = 15 * 60
"""How often the warm session is looked after; seldom, since refused credentials are tried as often."""
CHORES = timedelta(hours=1)
"""How often daily chores are asked whether they are due: the till may be off at any fixed time of the day."""
DEADLINES_SECONDS = 60 * 60
"""An announced end may come without any further news: a total failure that is over exempts what was issued in it."""
FIRST_CHORES = (30.0, 300.0)
"""Seconds after the start in which they are asked first; all tills of a chain are switched on at once."""
OWED_LOOK_SECONDS = 15.0
"""After a start that did not read all of the database it is looked at so soon: after the first presses and sends."""
MEMORY_SECONDS = 60
"""How often free memory is given back; a backlog that went out leaves most of it. A press after it takes 50 pages."""
CALENDAR_SECONDS = 60
"""How often APScheduler is told to look at the clock again; it sleeps by the clock as it was."""
SPREAD = 0.1
"""Part of an interval by which each run is moved at random, so that the tills of a chain do not call all at once."""

Work = Callable[[], Awaitable[None]]


def loops(agent: Agent) -> Mapping[str, Work]:
    """Return the loops that wake services at intervals, by name; each serves until it is cancelled."""
    settings = agent.settings.watch
    clock = agent.clock

    async def probe() -> None:
        if await agent.connection.probe():
            agent.queue.wake()

    async def begin() -> None:
        await probe()
        await agent.sender.warm()
        await probing()

    async def recover() -> None:
        if not agent.connection.breaker.allows:
            await probe()

    async def wake() -> None:
        agent.queue.wake()
        agent.upos.wake()

    async def give_back() -> None:
        await agent.presses.pass_by()
        await asyncio.to_thread(trim)

    def turning(name: str, seconds: float, work: Work, *, spread: float = 0.0, first: float | None = None) -> Work:
        agent.heartbeats.expect(name, seconds)
        return lambda: every(clock, seconds, with_beat(agent.heartbeats, name, work), spread=spread, first=first)

    chain: dict[str, Work] = {}
    if agent.chain is not None:
        from agent.serving.chain import books, refill, reporter  # noqa: PLC0415 - only where the route is used

        talk = reporter(agent, agent.chain)
        seconds = agent.settings.hub.heartbeat_seconds
        chain["hub"] = turning("hub", seconds, talk.report, spread=SPREAD, first=0)
        chain["hub-books"] = turning("hub-books", BOOKS_SECONDS, books(agent, agent.chain).hand_over, spread=SPREAD)
        chain["hub-refill"] = turning("hub-refill", BOOKS_SECONDS, refill(agent, agent.chain).run, spread=SPREAD)
        chain["hub-outcomes"] = turning("hub-outcomes", OUTCOMES_SECONDS, talk.hear, first=0)
    outward: dict[str, Work] = {}
    heartbeat = agent.heartbeat
    if heartbeat is not None:

        async def beat() -> None:
            await heartbeat.send(agent.health.report())

        seconds = agent.settings.heartbeat.seconds
        # all tills of a chain are switched on at once
        first = random.uniform(0, min(seconds, FIRST_HEARTBEAT_SECONDS))  # noqa: S311 - spreads a chain's tills
        outward["heartbeat"] = turning("heartbeat", seconds, beat, spread=SPREAD, first=first)
    probing = turning("probe", settings.probe_seconds, probe, spread=SPREAD)
    return (
        chain
        | outward
        | {
            "latarnia": turning(
                "latarnia", settings.latarnia_seconds, agent.announcements.poll, spread=SPREAD, first=0
            ),
            "probe": begin,
            "recovery": turning("recovery", RECOVERY_SECONDS, recover, spread=SPREAD),
            "session": turning("session", SESSION_SECONDS, agent.sender.warm, spread=SPREAD),
            "wake": turning("wake", SYNC_SECONDS, wake),
            "report": turning("report", REPORT_SECONDS, agent.problems.refresh),
            "clock": turning("clock", CLOCK_SECONDS, agent.clock_check.keep, first=0),
            "printers": turning("printers", PRINTER_SECONDS, agent.printers.ask, first=0),
            "certificates": turning("certificates", CERTIFICATES_SECONDS, agent.upkeep.look, spread=SPREAD),
            "backlogs": turning("backlogs", BACKLOG_SECONDS, agent.backlogs.count, first=0),
            "books": turning("books", READING_SECONDS, agent.books.read_some, spread=SPREAD),
            "memory": turning("memory", MEMORY_SECONDS, give_back, spread=SPREAD),
            "deadlines": turning("deadlines", DEADLINES_SECONDS, agent.deadlines.follow, spread=SPREAD),
        }
    )


def with_beat(heartbeats: Heartbeats, name: str, work: Work) -> Work:
    """Return ``work`` with a beat after each of its rounds, also after one that a full disk ended."""

    async def round_of_it() -> None:
        try:
            await work()
        except Unavailable:
            heartbeats.beat(name)
            raise
        heartbeats.beat(name)

    return round_of_it


async def every(clock: Clock, seconds: float, work: Work, *, spread: float = 0.0, first: float | None = None) -> None:
    """Do ``work`` again and again, ``seconds`` of rest after each time; ``first``: the rest before the first time."""
    rest = seconds if first is None else first
    while True:
        if rest > 0:
            await clock.sleep(rest * (1 + random.uniform(-spread, spread)))  # noqa: S311 - spreads a chain's tills
        await work()
        rest = seconds


# --- the calendar -------------------------------------------------------------------------------------


class FromNow(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """Runs a job once in each ``interval``, counted from the moment it is asked, never from the run before.

    So however far the clock was set forward, exactly one run was missed.
    """

    def __init__(self, interval: timedelta) -> None:
        self.interval = interval

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return a moment about one interval from now."""
        return now + self.interval * (1 + random.uniform(-SPREAD, SPREAD))  # noqa: S311 - spreads a chain's tills


def calendar_jobs(agent: Agent) -> AsyncIOScheduler:
    """Return a scheduler, not started, of what the calendar wants; follow_the_clock() keeps it awake."""
    scheduler = AsyncIOScheduler(
        timezone=UTC,
        executors={"default": AsyncIOExecutor()},  # its own choice, which it would import beside the first presses
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )

    def failed(event: JobExecutionEvent) -> None:
        agent.shutdown.fail(event.job_id, event.exception)

    scheduler.add_listener(failed, EVENT_JOB_ERROR)
    chores = (
        ("database", agent.check_database),
        ("certificates", agent.upkeep.renew),
        ("retention", agent.erase_consumers),
    )
    for name, work in chores:
        rest = random.uniform(*FIRST_CHORES)  # noqa: S311 - spreads a chain's tills
        if name == "database" and agent.store_checks.owed:
            rest = OWED_LOOK_SECONDS
        first = agent.clock.now() + timedelta(seconds=rest)
        scheduler.add_job(_stoppable(work), FromNow(CHORES), id=name, name=name, next_run_time=first)
    return scheduler


async def follow_the_clock(agent: Agent, scheduler: AsyncIOScheduler) -> None:
    """Make the scheduler look at the clock once a minute of monotonic time, until cancelled.

    It sleeps until the next run by the clock as it was: after suspend that is late, after the clock was set back it is
    never. A run that lies further off than any run can was planned by another clock, and is planned anew.
    """

    async def look() -> None:
        now = agent.clock.now()
        for job in scheduler.get_jobs():
            if job.next_run_time > now + CHORES * (1 + SPREAD):
                job.modify(next_run_time=job.trigger.get_next_fire_time(None, now))
        scheduler.wakeup()

    await every(agent.clock, CALENDAR_SECONDS, look)


def _stoppable(work: Work) -> Work:
    """Let a stop in the middle of a job be the end of that job, not a defect: the scheduler cancels what runs."""

    async def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await work()

    return run
