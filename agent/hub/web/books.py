"""JSON, CSV and ZIP for people and their programs: the fleet, search, register, outages, evidence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import date, datetime

from aiohttp import web

from agent.domain.calendar import local_date
from agent.domain.errors import BadInput
from agent.domain.json_io.canonical import Json
from agent.hub.domain.books import CSV_HEAD, row, to_csv
from agent.hub.domain.fleet import TillView, Trouble
from agent.hub.web.context import BOOKS, CLOCK, FLEET, PERSON
from agent.hub.web.people import Right, allowed, require_seller
from agent.web.streaming import streamed

OF_PEOPLE = frozenset(
    {"/v1/fleet", "/v1/search", "/v1/register", "/v1/register/changes", "/v1/outages", "/v1/evidence"}
)
"""What a till's token does not open."""


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/v1/fleet", allowed(Right.FLEET, get_fleet)),
        web.get("/v1/search", allowed(Right.SEARCH, get_search)),
        web.get("/v1/register", allowed(Right.BOOKS, get_register)),
        web.get("/v1/register/changes", allowed(Right.BOOKS, get_changes)),
        web.get("/v1/outages", allowed(Right.BOOKS, get_outages)),
        web.get("/v1/evidence", allowed(Right.BOOKS, get_evidence)),
    ]


async def get_fleet(request: web.Request) -> web.Response:
    """GET /v1/fleet: all tills, worst first."""
    view = await request.app[FLEET].look(request[PERSON].nip)
    return web.json_response(
        {
            "at": view.at.isoformat(),
            "status": view.grade.name.lower(),
            "troubles": [trouble_json(each) for each in view.troubles],
            "sellers": view.overview.to_json()["sellers"],
            "shares": [asdict(each) for each in view.shares],
            "tills": [till_json(each) for each in view.tills],
        },
        dumps=_dumps,
    )


async def get_search(request: web.Request) -> web.Response:
    """GET /v1/search?q=: number or KSeF number, or the beginning of one; NIP, amount, hash, scanned code."""
    hits = await request.app[BOOKS].search(request.query.get("q", ""), request[PERSON].nip)
    today = local_date(request.app[CLOCK].now())
    rows = [row(each.invoice, each.till, today) for each in hits.found]
    return web.json_response({"invoices": rows, "more": hits.more})


async def get_register(request: web.Request) -> web.StreamResponse:
    """GET /v1/register?nip=&month=&format=: the rows with their JPK markers; format json (default) or csv."""
    nip, month = _seller(request), request.query.get("month", "")
    pages = request.app[BOOKS].register(nip, month)
    match request.query.get("format", "json"):
        case "csv":
            name = f"rejestr-{nip}-{month}.csv"
            return await streamed(request, _csv(pages), "text/csv", name)
        case "json":
            return await streamed(request, _document({"nip": nip, "month": month}, "rows", pages), "application/json")
        case _:
            raise BadInput("Parametr „format” to json albo csv.", code="bad-query")


async def get_changes(request: web.Request) -> web.StreamResponse:
    """GET /v1/register/changes?nip=&month=&since=: the rows that differ from those of the day of filing."""
    nip, month, since = _seller(request), request.query.get("month", ""), request.query.get("since", "")
    pages = request.app[BOOKS].changes(nip, month, since)
    head = {"nip": nip, "month": month, "since": since}
    return await streamed(request, _document(head, "changes", pages), "application/json")


def _seller(request: web.Request) -> str:
    """Return the NIP that is asked for, which has to be said, and one the asker may look at."""
    nip = request.query.get("nip", "")
    if not nip:
        raise BadInput("Podaj NIP sprzedawcy (nip).", code="bad-query")
    require_seller(request, nip)
    return nip


async def _csv(pages: AsyncIterator[list[dict[str, Json]]]) -> AsyncIterator[str]:
    yield CSV_HEAD
    async for page in pages:
        yield to_csv(page)


async def _document(
    head: Mapping[str, str], name: str, pages: AsyncIterator[list[dict[str, Json]]]
) -> AsyncIterator[str]:
    """Yield a JSON object: ``head``, and under ``name`` the rows of all pages."""
    yield f"{json.dumps(head)[:-1]}, {json.dumps(name)}: ["
    comma = ""
    async for page in pages:
        for each in page:
            yield comma + json.dumps(each)
            comma = ", "
    yield "]}"


async def get_outages(request: web.Request) -> web.Response:
    """GET /v1/outages?nip=&month=: days and tills whose invoices went out without their number."""
    nip = _seller(request)
    found = await request.app[BOOKS].outages(nip, request.query.get("month", ""))
    return web.json_response({"days": [asdict(each) for each in found]}, dumps=_dumps)


async def get_evidence(request: web.Request) -> web.Response:
    """GET /v1/evidence?sha256=: what proves one invoice, as ZIP."""
    text = request.query.get("sha256", "")
    try:
        sha256 = bytes.fromhex(text)
    except ValueError:
        sha256 = b""
    if len(sha256) != 32:
        raise BadInput("Podaj skrót faktury: 64 znaki szesnastkowe (sha256).", code="bad-query")
    headers = {"Content-Disposition": f'attachment; filename="dowody-{text[:16].lower()}.zip"'}
    packed = await request.app[BOOKS].evidence(sha256, request[PERSON].nip)
    return web.Response(body=packed, content_type="application/zip", headers=headers)


def trouble_json(trouble: Trouble) -> dict[str, Json]:
    """Return a problem."""
    return {"code": trouble.code, "severity": trouble.grade.name.lower(), "message": trouble.text}


def till_json(view: TillView) -> dict[str, Json]:
    """Return one till."""
    return {
        "id": view.till.id,
        "till": view.till.name,
        "shop": view.till.shop,
        "nip": view.till.nip,
        "revoked_at": None if view.till.revoked_at is None else view.till.revoked_at.isoformat(),
        "status": view.grade.name.lower(),
        "heard_at": None if view.heard_at is None else view.heard_at.isoformat(),
        "address": view.address,
        "version": view.version,
        "mode": view.mode,
        "unsent": view.unsent,
        "held": view.held,
        "alone": view.alone,
        "refused": view.refused,
        "deadline": None if view.deadline is None else view.deadline.isoformat(),
        "printers": view.printers,
        "certificate_days": view.certificate_days,
        "troubles": [trouble_json(each) for each in view.troubles],
    }


def _dumps(value: object) -> str:
    def plain(each: object) -> str:
        if isinstance(each, date | datetime):
            return each.isoformat()
        raise TypeError(type(each).__name__)

    return json.dumps(value, default=plain)
