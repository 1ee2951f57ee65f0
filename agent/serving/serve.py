"""A service's life: loops, the calendar's jobs and listeners from the start until a signal, watched by systemd."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import AsyncExitStack
from functools import partial

from agent.app import Agent, assembled
from agent.domain.errors import Unavailable
from agent.ports import Clock
from agent.services.tokens import Tokens, ensure_token
from agent.serving import schedule
from agent.serving.drop_folder import watched_folder
from agent.serving.listeners import listening
from agent.serving.loops import Loop, running
from agent.serving.warm_up import warm_up
from agent.serving.watched import raise_defect, starting, stop_on_signals, watched
from agent.settings.model import Settings
from agent.system.clock import SystemClock
from agent.system.file_pages import give_back
from agent.system.heap import trim

LOG = logging.getLogger("agent")
REST_SECONDS = 5.0
"""How long a loop rests that a full disk stopped."""


async def supervise(agent: Agent) -> None:
    """Run the loops and the calendar's jobs until ``agent.shutdown``; a loop that dies begins it."""
    loops: dict[str, Loop] = {
        "store": agent.store.watch,
        "sync": agent.queue.run,
        "upo": agent.upos.run,
        "corrections": agent.pending.run,
        "reporting": agent.problems.run,
    }
    loops |= {f"outbox-{number}": outbox.run for number, outbox in enumerate(agent.outboxes)}
    with watched_folder(agent) as folder:
        if folder is not None:
            loops["drop-folder"] = folder.run
        scheduler = schedule.calendar_jobs(agent)
        loops |= schedule.loops(agent)
        loops["calendar"] = partial(schedule.follow_the_clock, agent, scheduler)
        async with running(loops, agent.shutdown, agent.clock, rest_seconds=REST_SECONDS):
            scheduler.start()
            agent.queue.wake()
            try:
                await agent.shutdown.wait()
            finally:
                scheduler.shutdown(wait=False)


async def let_go(agent: Agent) -> None:
    """Give back the memory that only the start needed: what it read of the store, of the libraries, and what lies free.

    Before the loops, whose threads may load libraries, and the warm-up, which brings in what a press uses.
    """
    await agent.store.shrink()
    await asyncio.to_thread(trim)
    await asyncio.to_thread(give_back)


async def settle(agent: Agent) -> None:
    """Warm up, then keep what a start leaves in memory for good out of every later search for garbage.

    A search through all of it takes tens of milliseconds, sooner or later in the middle of a press.
    """
    await warm_up(agent)
    gc.collect()
    gc.freeze()


def let_commands_in(tokens: Tokens, settings: Settings) -> None:
    """See that commands of this machine have a token; without one the service sends, prints and alarms all the same."""
    try:
        ensure_token(tokens, settings.data_dir)
    except (Unavailable, OSError) as error:
        LOG.error("commands get no token: %s", error)  # noqa: TRY400 - the sentence says it all


async def run(settings: Settings, clock: Clock | None = None) -> int:
    """Serve until a signal; return the exit code (0 asked to stop, 1 a defect)."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        async with starting(clock):
            agent = await stack.enter_async_context(assembled(settings, clock))
        stop_on_signals(agent.shutdown)
        let_commands_in(agent.tokens, settings)
        await let_go(agent)
        await settle(agent)
        async with listening(agent), watched(f"Kasa {settings.till}: gotowa", agent.clock, agent.heartbeats.silent):
            await supervise(agent)
        raise_defect(agent.shutdown)
    return 0
