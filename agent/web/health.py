"""For HQ: /health, /health/live, /health/ready, /metrics on their own listener. Read-only, no secrets, no I/O.

docs/hq/ holds what reads them; schemas/api/health.schema.json is the published form of /health.
"""

from __future__ import annotations

import asyncio
from importlib import import_module

from aiohttp import web

from agent.ports import Json
from agent.services.assembly.services import Services
from agent.services.monitoring.health import HealthReport
from agent.services.monitoring.outward_heartbeat import OutwardHeartbeat
from agent.web import json_views
from agent.web.answers.health import health_of
from agent.web.connections import working_middleware
from agent.web.context import BACKLOGS, COUNTERS, HEALTH, HEARTBEAT, SHOP
from agent.web.pacing import Pace, paced_middleware
from agent.web.problems import problems_middleware
from agent.web.security import put_security_headers
from agent.web.wire import plain_object

PER_SECOND = 20.0
"""Answers of this listener; each takes some milliseconds from the presses. All of its connections wait 3 s at most."""
BURST = 40


def health_app(services: Services, heartbeat: OutwardHeartbeat | None = None) -> web.Application:
    """Application of the health listener. ``heartbeat``: signs of life to headquarters, where they are sent."""
    paced = paced_middleware(Pace(PER_SECOND, BURST))
    app = web.Application(middlewares=[paced, working_middleware, problems_middleware])
    app.on_response_prepare.append(put_security_headers)
    app[HEALTH] = services.health
    app[COUNTERS] = services.counters
    app[BACKLOGS] = services.backlogs
    app[SHOP] = services.settings.health.shop
    if heartbeat is not None:
        app[HEARTBEAT] = heartbeat
    app.router.add_get("/health", _health)
    app.router.add_get("/health/live", _live)
    app.router.add_get("/health/ready", _ready)
    app.router.add_get("/metrics", _metrics)
    return app


def health_json(report: HealthReport) -> dict[str, Json]:
    """The body of /health."""
    return plain_object(health_of(report))


async def _health(request: web.Request) -> web.Response:
    report = request.app[HEALTH].report()
    return json_views.json_response(health_of(report), status=503 if report.status == "critical" else 200)


async def _live(request: web.Request) -> web.Response:
    live = request.app[HEALTH].report().live
    return json_views.json_response({"live": live}, status=200 if live else 503)


async def _ready(request: web.Request) -> web.Response:
    ready = request.app[HEALTH].report().ready
    return json_views.json_response({"ready": ready}, status=200 if ready else 503)


async def _metrics(request: web.Request) -> web.Response:
    app = request.app
    await asyncio.to_thread(import_module, "agent.web.metrics")  # opens files the first time
    from agent.web.metrics import CONTENT_TYPE, render  # noqa: PLC0415 - loaded only where somebody asks for it

    page = render(app[HEALTH].report(), app[COUNTERS], app[BACKLOGS].last, shop=app[SHOP], heartbeat=app.get(HEARTBEAT))
    return web.Response(body=page.encode(), headers={"Content-Type": CONTENT_TYPE})
