"""EDI++ over HTTP: one file in, how each of its documents came out."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from agent.web import json_views, request_body
from agent.web.answers.exchange import exchange_of
from agent.web.context import EXCHANGE, shielded
from agent.web.security import caller_of

EPP_TYPE: Final = "application/x-epp"


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [web.post("/v1/exchange", issue)]


async def issue(request: web.Request) -> web.Response:
    """POST /v1/exchange: 200 where the file could be read; each document says what became of it."""
    key = request_body.idempotency_key(request)
    data = await request_body.bytes_of(request, EPP_TYPE)
    made = await shielded(request, request.app[EXCHANGE].issue(data, key, caller_of(request)))
    return json_views.json_response(exchange_of(made))
