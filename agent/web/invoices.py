"""Invoices over HTTP: issue, find, show, print again, and the ways out of a rejection."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from agent.services.paper.papers import exported
from agent.services.queries.invoices import UPO_SCOPES
from agent.web import json_views, request_body, request_query
from agent.web.answers.invoice import InvoiceList, invoice_of, invoices_of
from agent.web.answers.records import events_of, prints_of
from agent.web.context import (
    INVOICES,
    ISSUING,
    PREVIEWS,
    REJECTED,
    REPRINTING,
    SALE_PREVIEW,
    file_response,
    pressed,
    reason_of,
    shielded,
)
from agent.web.security import caller_of, require_manager

MOST_PAGES: Final = 10_000
"""Beyond any picture; how many one really has, its first page says."""


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    one = "/v1/invoices/{id}"
    return [
        web.post("/v1/invoices", issue),
        web.post("/v1/preview", preview),
        web.get("/v1/invoices", list_invoices),
        web.get(one, show),
        web.get(f"{one}/xml", xml),
        web.get(f"{one}/upo", upo),
        web.get(f"{one}/receipt.png", receipt_png),
        web.get(f"{one}/receipt.txt", receipt_text),
        web.get(f"{one}/receipt.pdf", receipt_pdf),
        web.get(f"{one}/receipt.escpos", receipt_escpos),
        web.get(f"{one}/code.svg", code_svg),
        web.get(f"{one}/events", events),
        web.get(f"{one}/prints", prints),
        web.post(f"{one}/reprint", reprint),
        web.post(f"{one}/technical-correction", technical_correction),
        web.post(f"{one}/resend", resend),
        web.post(f"{one}/close", close),
    ]


async def issue(request: web.Request) -> web.Response:
    """POST /v1/invoices."""
    caller = caller_of(request)
    key = request_body.idempotency_key(request)
    body, ready = await request_body.sale_body(request)
    receipt_nip = request_query.receipt_nip(request, ready=ready)
    issuing = request.app[ISSUING]
    own_printing = request_query.own_printing(request, ready=ready)
    if ready:
        work = issuing.supplied(body, key, caller, receipt_nip, own_printing=own_printing)
    else:
        work = issuing.sale(body, key, caller)
    return await pressed(request, work)


async def preview(request: web.Request) -> web.Response:
    """POST /v1/preview: the slip of a JSON sale as text; nothing is issued."""
    text = await request.app[SALE_PREVIEW].text(await request_body.json_body(request))
    return web.Response(text=text, content_type="text/plain")


async def list_invoices(request: web.Request) -> web.Response:
    """GET /v1/invoices: newest first; ``next`` is the value of ?after= for the following page."""
    query = request_query.invoice_filter(request)
    found = await request.app[INVOICES].find(query)
    following = found[-1].record.id if len(found) == query.limit else None
    return json_views.json_response(InvoiceList(invoices_of(found), following))


async def show(request: web.Request) -> web.Response:
    """GET /v1/invoices/{id}."""
    return await _as_it_stands(request, request.match_info["id"])


async def xml(request: web.Request) -> web.Response:
    """GET …/xml: the very bytes that KSeF gets."""
    answer = await request.app[INVOICES].one(request.match_info["id"])
    if not answer.record.xml:
        raise exported(answer.record)
    return file_response(answer.record.xml, "application/xml")


async def upo(request: web.Request) -> web.Response:
    """GET …/upo: the invoice's own, else its session's; ``?scope=`` asks for just one, X-Upo-Scope names it."""
    scope = request_query.choice(request, "scope", UPO_SCOPES[0], UPO_SCOPES) if "scope" in request.query else None
    found = await request.app[INVOICES].upo(request.match_info["id"], scope)
    response = file_response(found.xml, "application/xml")
    response.headers["X-Upo-Scope"] = found.scope
    return response


async def receipt_png(request: web.Request) -> web.Response:
    """GET …/receipt.png?page=1: X-Pages says how many there are, Link names the next."""
    number = request_query.whole(request, "page", 1, 1, MOST_PAGES)
    picture = await request.app[PREVIEWS].picture(request.match_info["id"], number)
    response = file_response(picture.png, "image/png")
    response.headers["X-Pages"] = str(picture.pages)
    if picture.page < picture.pages:
        response.headers["Link"] = f'<{request.path}?page={picture.page + 1}>; rel="next"'
    return response


async def receipt_text(request: web.Request) -> web.Response:
    """GET …/receipt.txt."""
    text = await request.app[PREVIEWS].text(request.match_info["id"])
    return web.Response(text=text, content_type="text/plain")


async def receipt_pdf(request: web.Request) -> web.Response:
    """GET …/receipt.pdf?page=a4|receipt."""
    size = request_query.choice(request, "page", "a4", ("a4", "receipt"))
    return file_response(await request.app[PREVIEWS].pdf(request.match_info["id"], size), "application/pdf")


async def receipt_escpos(request: web.Request) -> web.Response:
    """GET …/receipt.escpos: the bytes last sent to the printer."""
    data = await request.app[PREVIEWS].last_sent(request.match_info["id"])
    return file_response(data, "application/octet-stream")


async def code_svg(request: web.Request) -> web.Response:
    """GET …/code.svg: KOD I for a screen."""
    return file_response(await request.app[PREVIEWS].code(request.match_info["id"]), "image/svg+xml")


async def events(request: web.Request) -> web.Response:
    """GET …/events."""
    found = await request.app[INVOICES].events(request.match_info["id"])
    return json_views.json_response(events_of(found))


async def prints(request: web.Request) -> web.Response:
    """GET …/prints."""
    found = await request.app[INVOICES].prints(request.match_info["id"])
    return json_views.json_response(prints_of(found))


async def reprint(request: web.Request) -> web.Response:
    """POST …/reprint."""
    invoice_id = request.match_info["id"]
    await request_body.no_body(request)
    await shielded(request, request.app[REPRINTING].reprint(invoice_id, caller_of(request)))
    return await _as_it_stands(request, invoice_id)


async def technical_correction(request: web.Request) -> web.Response:
    """POST …/technical-correction: no body, or the corrected FA(3) as application/xml. Managers only."""
    caller, invoice_id = require_manager(request), request.match_info["id"]
    xml = None
    if request.content_type == request_body.XML_TYPE:
        xml = (await request_body.sale_body(request))[0]
    else:
        await request_body.no_body(request)
    await shielded(request, request.app[REJECTED].correct_technically(invoice_id, caller, xml))
    return await _as_it_stands(request, invoice_id)


async def resend(request: web.Request) -> web.Response:
    """POST …/resend: the same bytes again after a refusal for missing permissions. Managers only."""
    caller, invoice_id = require_manager(request), request.match_info["id"]
    await request_body.no_body(request)
    await shielded(request, request.app[REJECTED].resend(invoice_id, caller))
    return await _as_it_stands(request, invoice_id)


async def close(request: web.Request) -> web.Response:
    """POST …/close {"reason"}: the sale of a rejected invoice has another document. Managers only."""
    caller, invoice_id = require_manager(request), request.match_info["id"]
    reason = await reason_of(request)
    await shielded(request, request.app[REJECTED].close(invoice_id, reason, caller))
    return await _as_it_stands(request, invoice_id)


async def _as_it_stands(request: web.Request, invoice_id: str) -> web.Response:
    return json_views.json_response(invoice_of(await request.app[INVOICES].one(invoice_id)))
