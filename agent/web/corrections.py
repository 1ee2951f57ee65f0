"""Corrections over HTTP, and those that wait for their base."""

from __future__ import annotations

from aiohttp import web

from agent.services.corrections.pending import PendingCorrections
from agent.web import json_views, request_body
from agent.web.answers.corrections import HeldList, all_held, held_of
from agent.web.context import ISSUING, PENDING, SLIP, pressed, reason_of, shielded
from agent.web.security import caller_of, require_manager


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    one = "/v1/corrections/{id}"
    return [
        web.post("/v1/invoices/{id}/corrections", correct),
        web.post("/v1/corrections", correct_outside),
        web.get("/v1/corrections", held_corrections),
        web.get(one, show_held),
        web.post(f"{one}/reprint", reprint_slip),
        web.post(f"{one}/close", close_case),
    ]


async def correct(request: web.Request) -> web.Response:
    """POST …/corrections."""
    key = request_body.idempotency_key(request)
    body = await request_body.json_body(request)
    work = request.app[ISSUING].correct(request.match_info["id"], body, key, caller_of(request))
    return await pressed(request, work)


async def correct_outside(request: web.Request) -> web.Response:
    """POST /v1/corrections: of an invoice that was issued elsewhere, which the body describes."""
    key = request_body.idempotency_key(request)
    body = await request_body.json_body(request)
    work = request.app[ISSUING].correct_external(body, key, caller_of(request))
    return await pressed(request, work)


async def held_corrections(request: web.Request) -> web.Response:
    """GET /v1/corrections: those that wait for the KSeF number of their base, and the refused ones; oldest first."""
    return json_views.json_response(await corrections_of(request.app[PENDING]))


async def show_held(request: web.Request) -> web.Response:
    """GET /v1/corrections/{id}."""
    return json_views.json_response(held_of(await request.app[PENDING].one(request.match_info["id"])))


async def reprint_slip(request: web.Request) -> web.Response:
    """POST …/corrections/{id}/reprint: the customer's slip again, while the correction waits."""
    held_id = request.match_info["id"]
    await request_body.no_body(request)
    await shielded(request, request.app[SLIP].reprint(held_id, caller_of(request)))
    return json_views.json_response(held_of(await request.app[PENDING].one(held_id)))


async def close_case(request: web.Request) -> web.Response:
    """POST …/corrections/{id}/close {"reason"}: a person has seen to a correction that cannot be issued. Managers."""
    caller = require_manager(request)
    reason = await reason_of(request)
    work = request.app[PENDING].close_case(request.match_info["id"], reason, caller)
    return json_views.json_response(held_of(await shielded(request, work)))


async def corrections_of(pending: PendingCorrections) -> HeldList:
    """Those that wait for their base, and the refused ones that wait for a manager."""
    return HeldList(all_held(await pending.waiting()), all_held(await pending.refused()))
