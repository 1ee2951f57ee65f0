"""What monitoring asks the hub, without a token: nothing of it names an invoice."""

from __future__ import annotations

from aiohttp import web

from agent.hub.web.context import CLOCK


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [web.get("/health/live", live)]


async def live(request: web.Request) -> web.Response:
    """GET /health/live: the process answers; ``now`` is its clock."""
    return web.json_response({"live": True, "now": request.app[CLOCK].now().isoformat()})
