"""A service's life: loops, the calendar's jobs and listeners from the start until a signal, watched by systemd."""

from __future__ import annotations

import asyncio
import logging
import signal
from functools import partial

from agent.app import Agent, assembled
from agent.domain.errors import AgentError
from agent.services.tokens import ensure_token
from agent.serving import schedule
from agent.serving.drop_folder import watched_folder
from agent.serving.listeners import listening
from agent.serving.loops import Loop, running
from agent.settings.model import Settings
from agent.system import systemd

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
        loops["warm-up"] = agent.warm_up.run
        async with running(loops, agent.shutdown, agent.clock, rest_seconds=REST_SECONDS):
            scheduler.start()
            agent.queue.wake()
            try:
                await agent.shutdown.wait()
            finally:
                scheduler.shutdown(wait=False)


async def run(settings: Settings) -> int:
    """Serve until a signal; return the exit code (0 asked to stop, 1 a defect)."""
    async with assembled(settings) as agent:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.shutdown.begin)
        ensure_token(agent.tokens, settings.data_dir)
        async with listening(agent):
            systemd.notify(f"READY=1\nSTATUS=Kasa {settings.till}: gotowa")
            feeding = asyncio.create_task(_feed_watchdog(agent), name="watchdog")
            try:
                await supervise(agent)
            finally:
                feeding.cancel()
                systemd.notify("STOPPING=1")
        if (defect := agent.shutdown.defect) is not None:
            raise AgentError(f"Program zatrzymany z powodu błędu: {defect}") from defect
    return 0


async def _feed_watchdog(agent: Agent) -> None:
    """Feed systemd's watchdog while every loop turns; where one stands still, systemd restarts the agent."""
    seconds = systemd.watchdog_seconds()
    if seconds is None:
        return
    told: tuple[str, ...] = ()
    while True:
        silent = agent.heartbeats.silent()
        if not silent:
            systemd.notify("WATCHDOG=1")
        elif silent != told:
            LOG.critical("loops stand still: %s; systemd will restart the agent", ", ".join(silent))
        told = silent
        await agent.clock.sleep(seconds)
