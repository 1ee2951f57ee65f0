"""A hub process's life: loops and the listener from the start until a signal, watched by systemd."""

from __future__ import annotations

import asyncio
import logging
import resource
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import web

from agent.domain.errors import AgentError
from agent.hub.app import Hub, assembled, database_url, server_tls, tls_until
from agent.hub.settings.model import HubSettings
from agent.hub.web.app import hub_app
from agent.hub.web.context import OPEN_TOKEN
from agent.serving.descriptors import BACKLOG, RESERVE
from agent.serving.listeners import REASONS
from agent.serving.loops import running
from agent.serving.quiet import AcceptFailures
from agent.serving.watched import raise_defect, stop_on_signals, watched
from agent.system.os_errors import polish_reason
from agent.web.connections import Connections, Limits, Site

LOG = logging.getLogger("agent.hub")
STOP_SECONDS = 25.0
IDLE_SECONDS = 75.0
"""A till's connection is kept for its next question."""
REST_SECONDS = 2.0
"""How long a loop rests that the database stopped."""


async def run(settings: HubSettings) -> int:
    """Serve until a signal; return the exit code (0 asked to stop). AgentError for a defect."""
    tls = server_tls(settings)
    async with assembled(settings) as hub:
        stop_on_signals(hub.shutdown)
        async with listening(hub, tls), watched("Centrala: gotowa", hub.clock, hub.heartbeats.silent):
            await supervise(hub)
        raise_defect(hub.shutdown)
    return 0


async def supervise(hub: Hub) -> None:
    """Run the loops until ``hub.shutdown``; a loop that dies begins it."""
    loops = {
        "store": hub.store.watch,
        "couriers": hub.couriers.run,
        "latarnia": hub.announcements.run,
        "intake": hub.intake_probe.run,
        "clock": hub.ksef_time.run,
    }
    async with running(loops, hub.shutdown, hub.clock, rest_seconds=REST_SECONDS):
        await hub.shutdown.wait()


@asynccontextmanager
async def listening(
    hub: Hub,
    tls: ssl.SSLContext | None = None,
    *,
    open_token: str | None = None,
    extra: Sequence[web.RouteDef] = (),
) -> AsyncIterator[None]:
    """Listen; a taken port is one clear sentence and nothing half started.

    ``open_token``, ``extra``: for the demo, whose pages ask nobody who he is, and have buttons of their own.
    """
    settings = hub.settings.hub
    room = _room(settings.connections)
    limits = Limits(room, per_address=room, idle_seconds=IDLE_SECONDS)
    app = hub_app(
        hub.store,
        hub.clock,
        hub.tasks,
        version=hub.version,
        fleet=hub.settings.fleet,
        keys=hub.keys,
        backup_within=_backup_within(hub.settings),
        tls_ends=tls_until(hub.settings) if tls is not None else None,
        rate_limited=hub.rate_limited,
        refused=lambda: hub.intake_probe.refused,
        ksef_time=hub.ksef_time,
        told=hub.intake_probe.told,
    )
    app[OPEN_TOKEN] = open_token or ""
    app.add_routes(extra)
    runner = web.AppRunner(app, shutdown_timeout=STOP_SECONDS, access_log=None)
    await runner.setup()
    loop = asyncio.get_running_loop()
    handler_before = loop.get_exception_handler()
    loop.set_exception_handler(AcceptFailures())
    try:
        connections = Connections(limits)
        try:
            await Site(runner, settings.host, settings.port, connections, backlog=BACKLOG * 8, tls=tls).start()
        except OSError as error:
            reason = REASONS.get(error.errno or 0) or polish_reason(error)
            raise AgentError(
                f"Nie można otworzyć portu {settings.port} na adresie {settings.host} dla centrali: {reason}."
            ) from error
        yield
    finally:
        await runner.cleanup()
        loop.set_exception_handler(handler_before)


def _backup_within(settings: HubSettings) -> timedelta | None:
    """Return how old the newest copy may be; None where PostgreSQL's own tools make them, or nobody asks."""
    if database_url(settings) or not settings.backup.hours:
        return None
    return timedelta(hours=settings.backup.hours)


def _room(wanted: int) -> int:
    """Return how many connections this process's descriptors allow, raising their limit as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - RESERVE)
    if room < wanted:
        LOG.warning("only %s connections of %s: LimitNOFILE is %s", room, wanted, soft)
    return max(8, room)
