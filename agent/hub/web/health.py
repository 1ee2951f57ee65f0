"""What monitoring asks the hub: its health without a token, counts and words that name nobody; metrics with one."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from agent.hub.domain.fleet import Grade
from agent.hub.web.context import FLEET, KSEF_TIME, PERSON, RATE_LIMITED
from agent.hub.web.metrics import render
from agent.hub.web.people import Right, allowed


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/health/live", live),
        web.get("/health", health),
        web.get("/metrics", allowed(Right.METRICS, metrics)),
    ]


async def live(request: web.Request) -> web.Response:
    """GET /health/live: the process answers; ``now`` is KSeF's time as it knows it.

    Not ``confirmed``: the clock of this machine, which nobody vouches for.
    """
    time = request.app[KSEF_TIME].tell()
    return web.json_response({"live": True, "now": time.now.isoformat(), "confirmed": time.confirmed})


async def health(request: web.Request) -> web.Response:
    """GET /health: the hub and its tills in numbers; 503 where something is critical."""
    view = await request.app[FLEET].look()
    body = {
        "status": {Grade.CRITICAL: "critical", Grade.WARNING: "degraded"}.get(view.grade, "ok"),
        "at": view.at.isoformat(),
        "draining": view.overview.draining,
        "open": sum(view.overview.open_counts.values()),
        "tills": {grade.name.lower(): sum(each.grade is grade for each in view.tills) for grade in Grade},
        "problems": [{"code": each.code, "severity": each.grade.name.lower()} for each in view.troubles],
    }
    return web.json_response(body, status=503 if view.grade is Grade.CRITICAL else 200)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: Prometheus text. It names sellers, shops and tills, so it asks for a token (role monitor)."""
    text = render(await request.app[FLEET].look(request[PERSON].nip), request.app[RATE_LIMITED])
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
