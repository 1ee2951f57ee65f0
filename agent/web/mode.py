"""How the till stands, over HTTP: queue, mode, status, and what the till page asks for."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from agent.domain.errors import BadInput, FieldError, NotFound
from agent.domain.invoice import Mode
from agent.web import json_views, request_body, request_query
from agent.web.answers.health import health_of
from agent.web.answers.invoice import invoices_of
from agent.web.answers.till import Changes, KnownBuyers, Page, Queue, SyncBegun, buyer_of, clock_of, mode_of
from agent.web.context import (
    BUYERS,
    CHANGES,
    CLOCK_CHECK,
    DECLARATIONS,
    HEALTH,
    INVOICES,
    MODE,
    OUTBOXES,
    PAGE,
    PENDING,
    QUEUE,
    REASON_WANTED,
    TRUSTED_TIME,
    shielded,
)
from agent.web.corrections import corrections_of
from agent.web.manager import MANAGERS
from agent.web.security import caller_of, require_manager
from agent.web.stopping import until_stop

CHANGES_SECONDS: Final = 25
"""Longest wait of /v1/changes; below the usual 30 s of proxies and browsers."""


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/v1/queue", queue),
        web.post("/v1/sync", sync),
        web.get("/v1/mode", show_mode),
        web.post("/v1/mode", declare_mode),
        web.delete("/v1/mode", withdraw_mode),
        web.get("/v1/clock", show_clock),
        web.post("/v1/clock", confirm_clock),
        web.get("/v1/status", status),
        web.get("/v1/changes", changes),
        web.get("/v1/buyers", buyers),
        web.get("/v1/buyers/{nip}", buyer),
        web.get("/v1/page", page_settings),
    ]


async def queue(request: web.Request) -> web.Response:
    """GET /v1/queue: unsent, most urgent first, and the corrections that wait for their base or for a manager."""
    unsent = await request.app[INVOICES].queue()
    waiting = invoices_of(unsent.invoices)
    corrections = await corrections_of(request.app[PENDING])
    told = health_of(request.app[HEALTH].report()).queue
    return json_views.json_response(
        Queue(
            waiting, unsent.total, corrections.held, corrections.refused, told.waiting_for_window, told.window_opens_at
        )
    )


async def sync(request: web.Request) -> web.Response:
    """POST /v1/sync: send now."""
    await request_body.no_body(request)
    return json_views.json_response(SyncBegun(await request.app[QUEUE].send_now()), status=202)


async def show_mode(request: web.Request) -> web.Response:
    """GET /v1/mode."""
    return json_views.json_response(mode_of(request.app[MODE].current()))


async def declare_mode(request: web.Request) -> web.Response:
    """POST /v1/mode {"mode", "reason"}. Managers only."""
    caller = require_manager(request)
    body = await request_body.json_object(request)
    request_body.known_only(body, "mode", "reason")
    reason = request_body.required_text(body, "reason", REASON_WANTED)
    word = body.get("mode")
    if word not in (Mode.OFFLINE24, Mode.TOTAL_FAILURE):
        sentence = "Kierownik może ogłosić tylko tryb offline24 albo potwierdzić awarię całkowitą (total_failure)."
        raise BadInput(sentence, errors=(FieldError("/mode", sentence, "unknown-mode"),))
    work = request.app[DECLARATIONS].declare(Mode(str(word)), reason, caller)
    return json_views.json_response(mode_of(await shielded(request, work)))


async def withdraw_mode(request: web.Request) -> web.Response:
    """DELETE /v1/mode {"reason", "false_alarm"}, or both as query for clients that send no body. Managers only."""
    caller = require_manager(request)
    false_alarm = request_query.choice(request, "false_alarm", "false", ("false", "true")) == "true"
    body = dict(await request_body.json_object(request) if request.can_read_body else {})
    request_body.known_only(body, "reason", "false_alarm")
    if request.query.get("reason"):
        body["reason"] = request.query["reason"]
    reason = request_body.required_text(body, "reason", REASON_WANTED)
    false_alarm = false_alarm or request_body.flag(body, "false_alarm")
    work = request.app[DECLARATIONS].withdraw(reason, caller, false_alarm=false_alarm)
    return json_views.json_response(mode_of(await shielded(request, work)))


async def show_clock(request: web.Request) -> web.Response:
    """GET /v1/clock."""
    return json_views.json_response(clock_of(request.app[CLOCK_CHECK].answer()))


async def confirm_clock(request: web.Request) -> web.Response:
    """POST /v1/clock {"date"}: the clock is right. ``date`` as it was shown. Managers only."""
    caller = require_manager(request)
    body = await request_body.json_object(request)
    request_body.known_only(body, "date")
    day = request_body.day(body, "date")
    work = request.app[TRUSTED_TIME].confirm(day, caller)
    return json_views.json_response(clock_of(await shielded(request, work)))


async def status(request: web.Request) -> web.Response:
    """GET /v1/status: the body of /health, for the till page."""
    return json_views.json_response(health_of(request.app[HEALTH].report()))


async def changes(request: web.Request) -> web.Response:
    """GET /v1/changes?after=N&wait=S: waits until the event log grows beyond N, at most S seconds."""
    after = request_query.whole(request, "after", -1, -1, 2**62)
    wait = request_query.whole(request, "wait", CHANGES_SECONDS, 0, CHANGES_SECONDS)
    newest = await until_stop(request, request.app[CHANGES].wait(after, float(wait)))
    return json_views.json_response(Changes(after if newest is None else newest))


async def buyer(request: web.Request) -> web.Response:
    """GET /v1/buyers/{nip}: name and address, for the form."""
    found = await request.app[BUYERS].buyer(request.match_info["nip"])
    if found is None:
        raise NotFound("Nie znamy jeszcze tego nabywcy. Wpisz jego nazwę i adres.", code="buyer-unknown")
    return json_views.json_response(buyer_of(found))


async def buyers(request: web.Request) -> web.Response:
    """GET /v1/buyers?text=…: who is remembered by that name, for the list under the form's field."""
    found = await request.app[BUYERS].matching(request_query.words(request, "text"))
    return json_views.json_response(KnownBuyers(tuple(buyer_of(each) for each in found)))


async def page_settings(request: web.Request) -> web.Response:
    """GET /v1/page: what the till page has to know at its start."""
    caller = caller_of(request)
    report = request.app[HEALTH].report()
    settings = request.app[PAGE]
    outboxes = request.app[OUTBOXES]
    return json_views.json_response(
        Page(
            till=report.till,
            nip=report.nip,
            version=report.version,
            name=caller.name,
            role=caller.role,
            sample_basket=settings.sample_basket,
            lookup_buyers=settings.lookup_buyers,
            manager_pin=request.app[MANAGERS].have_pins(),
            screen_keyboard=settings.screen_keyboard,
            return_to=settings.return_to,
            webhooks=any(True for _ in outboxes),
        )
    )
