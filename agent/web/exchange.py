"""EDI++ over HTTP: one file in, how each of its documents came out."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from agent.web import json_views, request_body, request_query
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
    own_printing = request_query.own_printing(request)
    work = request.app[EXCHANGE].issue(data, key, caller_of(request), own_printing=own_printing)
    made = await shielded(request, work)
    return json_views.json_response(exchange_of(made))
