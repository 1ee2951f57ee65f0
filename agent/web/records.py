"""The books over HTTP: register, webhooks, evidence."""

from __future__ import annotations

from dataclasses import replace
from os import SEEK_END

from aiohttp import web

from agent.domain.books.jpk import JpkCsv, JpkXml
from agent.domain.books.payments import PaymentTable
from agent.domain.calendar import local_date
from agent.domain.callers import Role
from agent.domain.errors import BadInput, FieldError
from agent.domain.records.outage_closing_paper import paper_of
from agent.domain.records.policy_annex import policy_annex
from agent.domain.spreadsheets import EXCEL, RFC_4180, Dialect
from agent.services.records.annex import annex_facts
from agent.services.records.months import month_of
from agent.web import json_views, request_body, request_query
from agent.web.answers.records import Outbox, RegisterChanges, changes_of, comparison_of, outages_of
from agent.web.context import (
    BOOKS,
    CLOCK_CHECK,
    COMPARISONS,
    EVIDENCE,
    OUTAGES,
    OUTBOXES,
    PREVIEWS,
    REGISTER,
    RETENTION,
    SETTINGS,
    file_response,
    shielded,
)
from agent.web.security import caller_of, require_manager, require_reader
from agent.web.streaming import CSV, JSON, streamed
from agent.web.wire import plain


def routes() -> list[web.RouteDef]:
    """The routes of this module."""
    return [
        web.get("/v1/register", register),
        web.get("/v1/register/changes", register_changes),
        web.get("/v1/register/counts", register_counts),
        web.get("/v1/register/ksef", register_ksef),
        web.get("/v1/outbox", outbox),
        web.post("/v1/outbox/replay", replay),
        web.get("/v1/evidence", evidence),
        web.get("/v1/outages", outages),
        web.get("/v1/annex", annex),
        web.get("/v1/retention", retention),
        web.post("/v1/retention", erase),
        web.get("/v1/outages/{name}", outage),
    ]


async def register(request: web.Request) -> web.StreamResponse:
    """GET /v1/register?month=YYYY-MM&format=json|csv|jpk|jpk-csv|payments[&as_of=][&dialect=rfc4180|excel][&bom=0|1].

    json and csv: invoices by P_1, everything the register knows. jpk and jpk-csv: rows of JPK_V7M(3) by tax point.
    payments: a table of payments by KSeF number, of invoices by P_1.
    """
    month = request_query.month(request)
    as_of = request_query.optional_day(request, "as_of")
    form = request_query.choice(request, "format", "json", ("json", "csv", "jpk", "jpk-csv", "payments"))
    dialect = _dialect(request)
    taken = request.method == "GET"  # whoever asks with HEAD gets no rows to file
    filing = taken and as_of is None and caller_of(request).role is not Role.AUDITOR
    match form:
        case "csv":
            table = request.app[REGISTER].csv(month, as_of, dialect)
            return await streamed(request, table, CSV, f"rejestr-{month}.csv")
        case "jpk":
            rows = request.app[BOOKS].written(month, as_of, JpkXml(), filing=filing)
            return await streamed(request, rows, "application/xml", f"jpk-sprzedaz-{month}.xml")
        case "jpk-csv":
            rows = request.app[BOOKS].written(month, as_of, JpkCsv(dialect), filing=filing)
            return await streamed(request, rows, CSV, f"jpk-{month}.csv")
        case "payments":
            table = request.app[BOOKS].payments(month, PaymentTable(dialect))
            return await streamed(request, table, CSV, f"platnosci-{month}.csv")
    return await streamed(request, request.app[REGISTER].json(month, as_of), JSON)


def _dialect(request: web.Request) -> Dialect:
    """How tables are written: for programs, or as a Polish Excel opens them; ``bom`` overrides the byte order mark."""
    name = request_query.choice(request, "dialect", "rfc4180", ("rfc4180", "excel"))
    dialect = EXCEL if name == "excel" else RFC_4180
    return replace(dialect, bom=request_query.choice(request, "bom", "01"[dialect.bom], ("0", "1")) == "1")


async def register_changes(request: web.Request) -> web.Response:
    """GET /v1/register/changes?month=YYYY-MM[&since=YYYY-MM-DD][&as_of=]: what to change in books that were filed.

    ``since``: the day of filing; left out: when the rows of that month were last given out (format jpk, jpk-csv).
    """
    month, as_of = request_query.month(request), request_query.optional_day(request, "as_of")
    since = request_query.optional_day(request, "since") or await request.app[BOOKS].exported_at(month)
    if since is None:
        sentence = "Wierszy za ten miesiąc jeszcze stąd nie pobrano: podaj w „since” dzień złożenia JPK."
        raise BadInput(sentence, code="bad-query", errors=(FieldError("?since", sentence, "bad-query"),))
    changes = await request.app[BOOKS].changes(month, since, as_of)
    return json_views.json_response(RegisterChanges(month, str(plain(since)), changes_of(changes)))


async def register_counts(request: web.Request) -> web.Response:
    """GET /v1/register/counts?month=YYYY-MM[&as_of=]."""
    month = request_query.month(request)
    counts = await request.app[REGISTER].counts(month, request_query.optional_day(request, "as_of"))
    return json_views.json_response(counts)


async def register_ksef(request: web.Request) -> web.Response:
    """GET /v1/register/ksef?month=YYYY-MM[&from=&to=]: the register beside KSeF's own metadata, by P_1."""
    first, last = month_of(request_query.month(request))
    begin = request_query.optional_day(request, "from") or first
    end = request_query.optional_day(request, "to") or last
    request_query.in_order(begin, end)
    request_query.within(begin, end, first, last)
    found = await request.app[COMPARISONS].of_days(begin, end)
    return json_views.json_response(comparison_of(found))


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
    """GET /v1/evidence?from=&to=: one zip for an auditor. Managers and auditors."""
    require_reader(request)
    first, last = request_query.required_day(request, "from"), request_query.required_day(request, "to")
    request_query.in_order(first, last)
    file = await request.app[EVIDENCE].bundle(first, last)  # read and closed by the answer, piece by piece
    response = file_response(file, "application/zip", f"dowody-{first}-{last}.zip")
    if request.method != "HEAD":
        return response
    with file:  # nobody reads it, so nobody would close it
        return web.Response(headers={**response.headers, "Content-Length": str(file.seek(0, SEEK_END))})


async def outages(request: web.Request) -> web.Response:
    """GET /v1/outages[?from=&to=]: every outage this till knows of, oldest first. Managers and auditors."""
    require_reader(request)
    first, last = request_query.optional_day(request, "from"), request_query.optional_day(request, "to")
    request_query.in_order(first, last)
    return json_views.json_response(outages_of(await request.app[OUTAGES].listed(first, last)))


async def outage(request: web.Request) -> web.Response:
    """GET /v1/outages/{name}[?format=json|pdf]: the closing report of an outage. Managers and auditors."""
    require_reader(request)
    form = request_query.choice(request, "format", "json", ("json", "pdf"))
    report = await request.app[OUTAGES].closing(request.match_info["name"])
    if form == "json":
        return json_views.json_response(report)
    pdf = await request.app[PREVIEWS].report(paper_of(report))
    return file_response(pdf, "application/pdf", f"raport-{report.id}.pdf")


async def annex(request: web.Request) -> web.Response:
    """GET /v1/annex: the annex to the shop's accounting policy as PDF. Managers and auditors."""
    require_reader(request)
    day = local_date(request.app[CLOCK_CHECK].best())
    pdf = await request.app[PREVIEWS].report(policy_annex(annex_facts(request.app[SETTINGS], day)))
    return file_response(pdf, "application/pdf", "zalacznik-polityka-rachunkowosci.pdf")


async def retention(request: web.Request) -> web.Response:
    """GET /v1/retention: the periods, and consumers' data whose period is over. Managers and auditors."""
    require_reader(request)
    return json_views.json_response(await request.app[RETENTION].plan())


async def erase(request: web.Request) -> web.Response:
    """POST /v1/retention: erase it now. Managers only."""
    require_manager(request)
    await request_body.no_body(request)
    return json_views.json_response(await shielded(request, request.app[RETENTION].erase()))
