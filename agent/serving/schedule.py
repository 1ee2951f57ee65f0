"""The periodic triggers. APScheduler only wakes services; the queue is the store (docs/decisions.md, number 8).

Its settings: never drop a late job, run what was missed once, never twice at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

if TYPE_CHECKING:
    from agent.app import Agent

RECOVERY_SECONDS = 5
"""While the line is down it is probed so often: a few hundred bytes, and cashiers are online soon after it is back."""
SYNC_SECONDS = 5
REPORT_SECONDS = 10
PRINTER_SECONDS = 30
SESSION_SECONDS = 15 * 60
"""How often the warm session is looked after; seldom, since refused credentials are tried as often."""
CHORE_SECONDS = 60 * 60
"""How often daily chores are asked whether they are due: the till may be off at any fixed time of the day."""
DEADLINES_SECONDS = 60 * 60
"""An announced end may come without any further news: a total failure that is over exempts what was issued in it."""
FIRST_CHORES = (30.0, 300.0)
"""Seconds after the start in which they are asked first; all tills of a chain are switched on at once."""


def periodic_triggers(agent: Agent) -> AsyncIOScheduler:
    """Return a scheduler, not started, that wakes the agent's services."""
    watch = agent.settings.watch
    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    )

    async def probe() -> None:
        if await agent.watch.probe():
            agent.sync.wake()

    async def begin() -> None:
        await probe()
        await agent.courier.warm()

    async def recover() -> None:
        if not agent.watch.breaker.allows:
            await probe()

    async def wake() -> None:
        agent.sync.wake()
        agent.upos.wake()

    def every(name: str, seconds: float, work: Callable[[], Awaitable[None]], jitter: float = 0) -> None:
        scheduler.add_job(_stoppable(work), "interval", seconds=seconds, jitter=jitter or None, id=name, name=name)

    def soon(work: Callable[[], Awaitable[None]], name: str) -> None:
        at = agent.clock.now() + timedelta(seconds=random.uniform(*FIRST_CHORES))  # noqa: S311 - spreads a chain's tills
        scheduler.add_job(_stoppable(work), "date", run_date=at, id=name, name=name)

    def failed(event: JobExecutionEvent) -> None:
        agent.shutdown.fail(event.job_id, event.exception)

    every("latarnia", watch.latarnia_seconds, agent.watch.poll_latarnia, jitter=watch.latarnia_seconds / 10)
    every("probe", watch.probe_seconds, probe, jitter=watch.probe_seconds / 10)
    every("recovery", RECOVERY_SECONDS, recover, jitter=RECOVERY_SECONDS / 10)
    every("session", SESSION_SECONDS, agent.courier.warm, jitter=SESSION_SECONDS / 10)
    every("sync", SYNC_SECONDS, wake)
    every("report", REPORT_SECONDS, agent.reporting.refresh)
    every("printers", PRINTER_SECONDS, agent.reporting.ask_printers)
    every("deadlines", DEADLINES_SECONDS, agent.watch.follow_deadlines, jitter=DEADLINES_SECONDS / 10)
    every("database", CHORE_SECONDS, agent.check_database, jitter=CHORE_SECONDS / 10)
    every("certificates", CHORE_SECONDS, agent.renew_certificates, jitter=CHORE_SECONDS / 10)
    scheduler.add_listener(failed, EVENT_JOB_ERROR)
    scheduler.add_job(_stoppable(agent.watch.poll_latarnia), id="latarnia-at-start")
    scheduler.add_job(_stoppable(begin), id="probe-at-start")
    scheduler.add_job(_stoppable(agent.reporting.ask_printers), id="printers-at-start")
    soon(agent.check_database, "database-at-start")
    soon(agent.renew_certificates, "certificates-at-start")
    return scheduler


def _stoppable(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Let a stop in the middle of a job be the end of that job, not a defect: the scheduler cancels what runs."""

    async def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await work()

    return run
