"""The books over HTTP: register, webhooks, evidence."""

from __future__ import annotations

from aiohttp import web

from agent.domain.errors import BadInput, FieldError
from agent.web import json_views, request_body, request_query
from agent.web.answers.records import Outbox
from agent.web.context import EVIDENCE, OUTBOXES, REGISTER, file_response
from agent.web.security import require_manager


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/v1/register", register),
        web.get("/v1/register/changes", register_changes),
        web.get("/v1/register/counts", register_counts),
        web.get("/v1/outbox", outbox),
        web.post("/v1/outbox/replay", replay),
        web.get("/v1/evidence", evidence),
    ]


async def register(request: web.Request) -> web.Response:
    """GET /v1/register?month=YYYY-MM&format=json|csv[&as_of=YYYY-MM-DD]."""
    month = request_query.month(request)
    as_of = request_query.optional_day(request, "as_of")
    if request_query.choice(request, "format", "json", ("json", "csv")) == "csv":
        text = await request.app[REGISTER].csv(month, as_of)
        name = f'attachment; filename="rejestr-{month}.csv"'
        return web.Response(text=text, content_type="text/csv", headers={"Content-Disposition": name})
    rows = await request.app[REGISTER].rows(month, as_of)
    return json_views.json_response({"month": month, "rows": rows})


async def register_changes(request: web.Request) -> web.Response:
    """GET /v1/register/changes?month=YYYY-MM&since=YYYY-MM-DD[&as_of=]: what to change in books filed on ``since``."""
    month, since = request_query.month(request), request_query.required_day(request, "since")
    changes = await request.app[REGISTER].changes(month, since, request_query.optional_day(request, "as_of"))
    return json_views.json_response({"month": month, "since": since, "changes": changes})


async def register_counts(request: web.Request) -> web.Response:
    """GET /v1/register/counts?month=YYYY-MM[&as_of=]."""
    month = request_query.month(request)
    counts = await request.app[REGISTER].counts(month, request_query.optional_day(request, "as_of"))
    return json_views.json_response(counts)


async def outbox(request: web.Request) -> web.Response:
    """GET /v1/outbox: how far each webhook subscriber is. Managers only."""
    require_manager(request)
    return json_views.json_response(Outbox(tuple(await request.app[OUTBOXES].status())))


async def replay(request: web.Request) -> web.Response:
    """POST /v1/outbox/replay {"from": sequence number}. Managers only."""
    caller = require_manager(request)
    body = await request_body.json_object(request)
    request_body.known_only(body, "from")
    start = body.get("from")
    if isinstance(start, bool) or not isinstance(start, int):
        sentence = "Podaj w polu „from” numer zdarzenia, od którego powtórzyć."
        raise BadInput(sentence, errors=(FieldError("/from", sentence, "required"),))
    return json_views.json_response(Outbox(tuple(await request.app[OUTBOXES].replay(start, caller))))


async def evidence(request: web.Request) -> web.Response:
    """GET /v1/evidence?from=&to=: one zip for an auditor. Managers only."""
    require_manager(request)
    first, last = request_query.required_day(request, "from"), request_query.required_day(request, "to")
    request_query.in_order(first, last)
    file = await request.app[EVIDENCE].bundle(first, last)  # read and closed by the answer, piece by piece
    return file_response(file, "application/zip", f"dowody-{first}-{last}.zip")
