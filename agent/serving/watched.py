"""A service as systemd sees it: ready, alive while its loops turn, asked to stop, ended by a defect."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from agent.domain.errors import AgentError
from agent.ports import Clock
from agent.services.shutdown import Shutdown
from agent.system import systemd

LOG = logging.getLogger("agent")
Silent = Callable[[], tuple[str, ...]]
"""Returns the loops that have stood still for too long."""
STARTING_SECONDS = 30.0
EXTENSION = "EXTEND_TIMEOUT_USEC=90000000"
"""As long again as TimeoutStartSec= of the unit, from now."""


def stop_on_signals(shutdown: Shutdown) -> None:
    """Let SIGTERM and SIGINT begin the shutdown."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shutdown.begin)


@asynccontextmanager
async def starting(clock: Clock) -> AsyncIterator[None]:
    """Tell systemd while the block runs that the start goes on: a new version may take minutes over a large database.

    Ended by TimeoutStartSec= it would begin again and again from where it was. A loop that stands still tells nothing.
    """
    telling = asyncio.create_task(_tell_of_start(clock), name="start")
    try:
        yield
    finally:
        telling.cancel()


async def _tell_of_start(clock: Clock) -> None:
    while True:
        systemd.notify(EXTENSION)
        await clock.sleep(STARTING_SECONDS)


@asynccontextmanager
async def watched(status: str, clock: Clock, silent: Silent) -> AsyncIterator[None]:
    """Tell systemd that the block serves, under a Polish ``status``, and that it is alive while no loop is silent."""
    systemd.notify(f"READY=1\nSTATUS={status}")
    feeding = asyncio.create_task(feed_watchdog(clock, silent), name="watchdog")
    try:
        yield
    finally:
        feeding.cancel()
        systemd.notify("STOPPING=1")


def raise_defect(shutdown: Shutdown) -> None:
    """Raise AgentError where it was no signal that ended the service."""
    if (defect := shutdown.defect) is not None:
        raise AgentError(f"Program zatrzymany z powodu błędu: {defect}") from defect


async def feed_watchdog(clock: Clock, silent: Silent) -> None:
    """Feed systemd's watchdog while every loop turns; where one stands still, systemd restarts the service."""
    seconds = systemd.watchdog_seconds()
    if seconds is None:
        return
    reported: tuple[str, ...] = ()
    while True:
        standing = silent()
        if not standing:
            systemd.notify("WATCHDOG=1")
        elif standing != reported:
            LOG.critical("loops stand still: %s; systemd will restart the service", ", ".join(standing))
        reported = standing
        await clock.sleep(seconds)
