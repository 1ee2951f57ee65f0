"""The two HTTP listeners: the till's (loopback, tokens) and HQ's (read-only)."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from agent.domain.errors import AgentError
from agent.serving.descriptors import BACKLOG, HEALTH_PER_ADDRESS, descriptor_limit, shares
from agent.serving.quiet import AcceptFailures
from agent.system.os_errors import polish_reason
from agent.web.api import till_app
from agent.web.connections import Connections, Limits, Site
from agent.web.health import health_app

if TYPE_CHECKING:
    from agent.app import Agent

STOP_SECONDS = 25.0
TILL_IDLE_SECONDS = 75.0
"""A browser keeps its connection for the next press."""
HEALTH_IDLE_SECONDS = 20.0
"""Prometheus asks every 15 seconds over one connection; a poller that comes once a minute opens a new one."""
REASONS = {
    errno.EADDRINUSE: "zajmuje go inny program; zatrzymaj go albo zmień port w ustawieniach",
    errno.EADDRNOTAVAIL: "tego adresu nie ma na tym komputerze; popraw host w ustawieniach",
    errno.EACCES: "brak uprawnień; wybierz port od 1024 wzwyż",
}
"""What a technician can do about it."""


@asynccontextmanager
async def listening(agent: Agent, *, open_token: str | None = None) -> AsyncIterator[None]:
    """Listen on both addresses; a taken port is one clear sentence and nothing half started.

    ``open_token``: for the demo only, the till page opens without asking for a token.
    """
    settings = agent.settings
    room = shares(descriptor_limit())
    till_limits = Limits(room.till, per_address=room.till, idle_seconds=TILL_IDLE_SECONDS)
    health_limits = Limits(room.health, per_address=HEALTH_PER_ADDRESS, idle_seconds=HEALTH_IDLE_SECONDS)
    app = till_app(agent, agent.tokens, settings.api, settings.page, open_token=open_token)
    till = web.AppRunner(app, shutdown_timeout=STOP_SECONDS, access_log=None)
    health = web.AppRunner(health_app(agent, agent.heartbeat), shutdown_timeout=1.0, access_log=None)
    await till.setup()
    await health.setup()
    loop = asyncio.get_running_loop()
    handler_before = loop.get_exception_handler()
    loop.set_exception_handler(AcceptFailures())
    try:
        await _listen(till, settings.api.host, settings.api.port, till_limits, "kasy")
        await _listen(health, settings.health.host, settings.health.port, health_limits, "nadzoru (health)")
        yield
    finally:
        await till.cleanup()
        await health.cleanup()
        loop.set_exception_handler(handler_before)


async def _listen(runner: web.AppRunner, host: str, port: int, limits: Limits, whom: str) -> None:
    try:
        await Site(runner, host, port, Connections(limits), backlog=BACKLOG).start()
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or polish_reason(error)
        # Not ConfigError: the port may be free, or the address there, at the next start.
        raise AgentError(f"Nie można otworzyć portu {port} na adresie {host} dla {whom}: {reason}.") from error
