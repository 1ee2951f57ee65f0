"""HTTP for the till (DESIGN section 6): handlers only translate; the use cases are behind ``Till``.

A press is shielded: the cashier's dropped connection, a reload of the page or the stop of this server never cancels it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Final, TypeVar

from aiohttp import web

from agent.config import ApiSettings, PageSettings
from agent.domain.errors import BadInput, FieldError, NotFound
from agent.domain.invoice import Mode
from agent.domain.strict_json import parse_object
from agent.ports import Json
from agent.services.contract import Till
from agent.services.tokens import Tokens
from agent.web import answers, bodies, openapi, page, queries
from agent.web.health import health_app, health_json
from agent.web.problems import problems_middleware
from agent.web.security import (
    bearer_middleware,
    caller_of,
    headers_middleware,
    origin_middleware,
    require_manager,
)
from agent.web.shelter import Shelter

T = TypeVar("T")

CHANGES_SECONDS: Final = 25
REASON_WANTED: Final = "Podaj powód: zostanie w dzienniku."
"""Longest wait of /v1/changes; below the usual 30 s of proxies and browsers."""


TILL: Final = web.AppKey("till", Till)
SHELTER: Final = web.AppKey("shelter", Shelter)
PAGE: Final = web.AppKey("page", PageSettings)


def till_app(
    till: Till,
    tokens: Tokens,
    api: ApiSettings,
    settings: PageSettings | None = None,
    *,
    open_token: str | None = None,
) -> web.Application:
    """Application of the till's listener: API under /v1/, /openapi.json, the till page at /.

    ``open_token``: for the demo only, the page opens without asking for a token.
    """
    app = web.Application(
        middlewares=[
            headers_middleware,
            problems_middleware,
            origin_middleware(api.host, api.origins),
            bearer_middleware(tokens),
        ],
        client_max_size=api.max_body_bytes,
    )
    app[TILL] = till
    app[SHELTER] = Shelter()
    app[PAGE] = settings or PageSettings()
    app.add_routes(routes())
    app.add_routes(page.routes(open_token))
    app.on_shutdown.append(_stop)
    app.on_cleanup.append(_drain)
    return app


def routes() -> list[web.RouteDef]:
    """Every route of the API; schemas/api/openapi.json is checked against this table."""
    one = "/v1/invoices/{id}"
    held_one = "/v1/corrections/{id}"
    return [
        web.get("/openapi.json", openapi.serve),
        web.post("/v1/invoices", issue),
        web.get("/v1/invoices", list_invoices),
        web.get(one, show),
        web.get(f"{one}/xml", xml),
        web.get(f"{one}/upo", upo),
        web.get(f"{one}/receipt.png", receipt_png),
        web.get(f"{one}/receipt.txt", receipt_text),
        web.get(f"{one}/receipt.pdf", receipt_pdf),
        web.get(f"{one}/receipt.escpos", receipt_escpos),
        web.get(f"{one}/events", events),
        web.get(f"{one}/prints", prints),
        web.post(f"{one}/reprint", reprint),
        web.post(f"{one}/corrections", correct),
        web.post(f"{one}/technical-correction", technical_correction),
        web.post(f"{one}/resend", resend),
        web.post(f"{one}/close", close),
        web.post("/v1/corrections", correct_outside),
        web.get("/v1/corrections", held_corrections),
        web.get(held_one, show_held),
        web.post(f"{held_one}/reprint", reprint_slip),
        web.post(f"{held_one}/close", settle),
        web.get("/v1/queue", queue),
        web.post("/v1/sync", sync),
        web.get("/v1/mode", show_mode),
        web.post("/v1/mode", declare_mode),
        web.delete("/v1/mode", withdraw_mode),
        web.get("/v1/status", status),
        web.get("/v1/changes", changes),
        web.get("/v1/buyers/{nip}", buyer),
        web.get("/v1/register", register),
        web.get("/v1/register/changes", register_changes),
        web.get("/v1/register/counts", register_counts),
        web.get("/v1/outbox", outbox),
        web.post("/v1/outbox/replay", replay),
        web.get("/v1/evidence", evidence),
        web.get("/v1/page", page_settings),
    ]


async def _stop(app: web.Application) -> None:
    app[SHELTER].stopping.set()


async def _drain(app: web.Application) -> None:
    await app[SHELTER].drain()


async def _sheltered(request: web.Request, work: Coroutine[object, object, T]) -> T:
    return await request.app[SHELTER].run(work, f"web-{request.method}-{request.path}")


def _file(body: bytes, content_type: str, name: str | None = None) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if name else None
    return web.Response(body=body, content_type=content_type, headers=headers)


# --- invoices ---------------------------------------------------------------------------------------


async def issue(request: web.Request) -> web.Response:
    """POST /v1/invoices."""
    caller = caller_of(request)
    key = bodies.idempotency_key(request)
    body, ready = await bodies.sale_body(request)
    till = request.app[TILL]
    work = till.issue_ready(body, key, caller) if ready else till.issue_sale(body, key, caller)
    return answers.issued(await _sheltered(request, work))


async def list_invoices(request: web.Request) -> web.Response:
    """GET /v1/invoices: newest first; ``next`` is the value of ?after= for the following page."""
    query = queries.invoice_filter(request)
    found = await request.app[TILL].invoices(query)
    following = found[-1].record.id if len(found) == query.limit else None
    return answers.json_response({"invoices": answers.invoices(found), "next": following})


async def show(request: web.Request) -> web.Response:
    """GET /v1/invoices/{id}."""
    return answers.json_response(answers.invoice(await request.app[TILL].invoice(request.match_info["id"])))


async def xml(request: web.Request) -> web.Response:
    """GET …/xml: the very bytes that KSeF gets."""
    answer = await request.app[TILL].invoice(request.match_info["id"])
    if not answer.record.xml:
        raise NotFound("Treść tej faktury wyeksportowano i usunięto z kasy; jest w archiwum.", code="exported")
    return _file(answer.record.xml, "application/xml")


async def upo(request: web.Request) -> web.Response:
    """GET …/upo: the invoice's own, else its session's; ``?scope=`` asks for just one, X-Upo-Scope names it."""
    found = await request.app[TILL].upo(request.match_info["id"], request.query.get("scope"))
    response = _file(found.xml, "application/xml")
    response.headers["X-Upo-Scope"] = found.scope
    return response


async def receipt_png(request: web.Request) -> web.Response:
    """GET …/receipt.png."""
    return _file(await request.app[TILL].receipt_png(request.match_info["id"]), "image/png")


async def receipt_text(request: web.Request) -> web.Response:
    """GET …/receipt.txt."""
    text = await request.app[TILL].receipt_text(request.match_info["id"])
    return web.Response(text=text, content_type="text/plain")


async def receipt_pdf(request: web.Request) -> web.Response:
    """GET …/receipt.pdf?page=a4|receipt."""
    size = queries.choice(request, "page", "a4", ("a4", "receipt"))
    return _file(await request.app[TILL].receipt_pdf(request.match_info["id"], size), "application/pdf")


async def receipt_escpos(request: web.Request) -> web.Response:
    """GET …/receipt.escpos: the bytes last sent to the printer."""
    data = await request.app[TILL].receipt_bytes(request.match_info["id"])
    return _file(data, "application/octet-stream")


async def events(request: web.Request) -> web.Response:
    """GET …/events."""
    found = await request.app[TILL].events(request.match_info["id"])
    return answers.json_response({"events": [answers.event(item) for item in found]})


async def prints(request: web.Request) -> web.Response:
    """GET …/prints."""
    found = await request.app[TILL].prints(request.match_info["id"])
    return answers.json_response({"prints": [answers.print_job(item) for item in found]})


async def reprint(request: web.Request) -> web.Response:
    """POST …/reprint."""
    work = request.app[TILL].reprint(request.match_info["id"], caller_of(request))
    return answers.json_response(answers.invoice(await _sheltered(request, work)))


async def correct(request: web.Request) -> web.Response:
    """POST …/corrections."""
    key = bodies.idempotency_key(request)
    body = await bodies.json_body(request)
    work = request.app[TILL].correct(request.match_info["id"], body, key, caller_of(request))
    return answers.issued(await _sheltered(request, work))


async def correct_outside(request: web.Request) -> web.Response:
    """POST /v1/corrections: of an invoice that was issued elsewhere, which the body describes."""
    key = bodies.idempotency_key(request)
    body = await bodies.json_body(request)
    return answers.issued(await _sheltered(request, request.app[TILL].correct_outside(body, key, caller_of(request))))


async def held_corrections(request: web.Request) -> web.Response:
    """GET /v1/corrections: those that wait for the KSeF number of their base, and the refused ones; oldest first."""
    return answers.json_response(await _corrections(request.app[TILL]))


async def _corrections(till: Till) -> dict[str, Json]:
    return {
        "held": [answers.held(item) for item in await till.held()],
        "refused": [answers.held(item) for item in await till.refused()],
    }


async def show_held(request: web.Request) -> web.Response:
    """GET /v1/corrections/{id}."""
    return answers.json_response(answers.held(await request.app[TILL].held_one(request.match_info["id"])))


async def reprint_slip(request: web.Request) -> web.Response:
    """POST …/corrections/{id}/reprint: the customer's slip again, while the correction waits."""
    work = request.app[TILL].reprint_slip(request.match_info["id"], caller_of(request))
    return answers.json_response(answers.held(await _sheltered(request, work)))


async def settle(request: web.Request) -> web.Response:
    """POST …/corrections/{id}/close {"reason"}: a person has seen to a correction that can not be issued. Managers."""
    caller = require_manager(request)
    reason = await _reason(request)
    work = request.app[TILL].settle(request.match_info["id"], reason, caller)
    return answers.json_response(answers.held(await _sheltered(request, work)))


async def technical_correction(request: web.Request) -> web.Response:
    """POST …/technical-correction: no body, or the corrected FA(3) as application/xml. Managers only."""
    caller = require_manager(request)
    body = (await bodies.sale_body(request))[0] if request.content_type == bodies.XML_TYPE else None
    work = request.app[TILL].technical_correction(request.match_info["id"], caller, body)
    return answers.json_response(answers.invoice(await _sheltered(request, work)))


async def resend(request: web.Request) -> web.Response:
    """POST …/resend: the same bytes again after a refusal for missing permissions. Managers only."""
    work = request.app[TILL].resend(request.match_info["id"], require_manager(request))
    return answers.json_response(answers.invoice(await _sheltered(request, work)))


async def close(request: web.Request) -> web.Response:
    """POST …/close {"reason"}: the sale of a rejected invoice has another document. Managers only."""
    caller = require_manager(request)
    reason = await _reason(request)
    work = request.app[TILL].close(request.match_info["id"], reason, caller)
    return answers.json_response(answers.invoice(await _sheltered(request, work)))


async def _reason(request: web.Request) -> str:
    body = parse_object(await bodies.json_body(request))
    bodies.known_only(body, "reason")
    return bodies.required_text(body, "reason", REASON_WANTED)


# --- the till's state -------------------------------------------------------------------------------


async def queue(request: web.Request) -> web.Response:
    """GET /v1/queue: unsent, most urgent first, and the corrections that wait for their base or for a manager."""
    till = request.app[TILL]
    waiting = answers.invoices(await till.queue())
    return answers.json_response({"invoices": waiting, **await _corrections(till)})


async def sync(request: web.Request) -> web.Response:
    """POST /v1/sync: send now."""
    return answers.json_response({"waiting": await request.app[TILL].sync_now()}, status=202)


async def show_mode(request: web.Request) -> web.Response:
    """GET /v1/mode."""
    return answers.json_response(answers.mode(request.app[TILL].mode()))


async def declare_mode(request: web.Request) -> web.Response:
    """POST /v1/mode {"mode", "reason"}. Managers only."""
    caller = require_manager(request)
    body = parse_object(await bodies.json_body(request))
    bodies.known_only(body, "mode", "reason")
    reason = bodies.required_text(body, "reason", REASON_WANTED)
    word = body.get("mode")
    if word not in (Mode.OFFLINE24, Mode.TOTAL_FAILURE):
        sentence = "Kierownik może ogłosić tylko tryb offline24 albo potwierdzić awarię całkowitą (total_failure)."
        raise BadInput(sentence, errors=(FieldError("/mode", sentence, "unknown-mode"),))
    work = request.app[TILL].declare(Mode(str(word)), reason, caller)
    return answers.json_response(answers.mode(await _sheltered(request, work)))


async def withdraw_mode(request: web.Request) -> web.Response:
    """DELETE /v1/mode {"reason", "false_alarm"}, or both as query for clients that send no body. Managers only."""
    caller = require_manager(request)
    queries.known_only(request, frozenset({"reason", "false_alarm"}))
    false_alarm = queries.choice(request, "false_alarm", "false", ("false", "true")) == "true"
    body = dict(parse_object(await bodies.json_body(request)) if request.can_read_body else {})
    bodies.known_only(body, "reason", "false_alarm")
    if request.query.get("reason"):
        body["reason"] = request.query["reason"]
    reason = bodies.required_text(body, "reason", REASON_WANTED)
    false_alarm = false_alarm or bodies.flag(body, "false_alarm")
    work = request.app[TILL].withdraw(reason, caller, false_alarm=false_alarm)
    return answers.json_response(answers.mode(await _sheltered(request, work)))


async def status(request: web.Request) -> web.Response:
    """GET /v1/status: the body of /health, for the till page."""
    return answers.json_response(health_json(request.app[TILL].health()))


async def changes(request: web.Request) -> web.Response:
    """GET /v1/changes?after=N&wait=S: waits until the event log grows beyond N, at most S seconds."""
    after = queries.whole(request, "after", -1, -1, 2**62)
    wait = queries.whole(request, "wait", CHANGES_SECONDS, 0, CHANGES_SECONDS)
    newest = await request.app[SHELTER].until_stop(request.app[TILL].wait_changes(after, float(wait)))
    return answers.json_response({"seq": after if newest is None else newest})


async def buyer(request: web.Request) -> web.Response:
    """GET /v1/buyers/{nip}: name and address, for the form."""
    found = await request.app[TILL].buyer(request.match_info["nip"])
    if found is None:
        raise NotFound("Nie znamy jeszcze tego nabywcy. Wpisz jego nazwę i adres.", code="buyer-unknown")
    return answers.json_response(found)


async def page_settings(request: web.Request) -> web.Response:
    """GET /v1/page: what the till page has to know at its start."""
    caller = caller_of(request)
    report = request.app[TILL].health()
    settings = request.app[PAGE]
    return answers.json_response(
        {
            "till": report.till,
            "nip": report.nip,
            "version": report.version,
            "name": caller.name,
            "role": str(caller.role),
            "sample_basket": settings.sample_basket,
            "lookup_buyers": settings.lookup_buyers,
        }
    )


# --- the books --------------------------------------------------------------------------------------


async def register(request: web.Request) -> web.Response:
    """GET /v1/register?month=YYYY-MM&format=json|csv[&as_of=YYYY-MM-DD]."""
    queries.known_only(request, frozenset({"month", "format", "as_of"}))
    month = queries.month(request)
    as_of = queries.optional_day(request, "as_of")
    if queries.choice(request, "format", "json", ("json", "csv")) == "csv":
        text = await request.app[TILL].register_csv(month, as_of)
        name = f'attachment; filename="rejestr-{month}.csv"'
        return web.Response(text=text, content_type="text/csv", headers={"Content-Disposition": name})
    rows = await request.app[TILL].register_rows(month, as_of)
    return answers.json_response({"month": month, "rows": rows})


async def register_changes(request: web.Request) -> web.Response:
    """GET /v1/register/changes?month=YYYY-MM&since=YYYY-MM-DD[&as_of=]: what to change in books filed on ``since``."""
    queries.known_only(request, frozenset({"month", "since", "as_of"}))
    month, since = queries.month(request), queries.required_day(request, "since")
    changes = await request.app[TILL].register_changes(month, since, queries.optional_day(request, "as_of"))
    return answers.json_response({"month": month, "since": answers.day(since), "changes": changes})


async def register_counts(request: web.Request) -> web.Response:
    """GET /v1/register/counts?month=YYYY-MM[&as_of=]."""
    queries.known_only(request, frozenset({"month", "as_of"}))
    month = queries.month(request)
    counts = await request.app[TILL].register_counts(month, queries.optional_day(request, "as_of"))
    return answers.json_response(counts)


async def outbox(request: web.Request) -> web.Response:
    """GET /v1/outbox: how far each webhook subscriber is. Managers only."""
    require_manager(request)
    return answers.json_response(answers.outbox(await request.app[TILL].outbox()))


async def replay(request: web.Request) -> web.Response:
    """POST /v1/outbox/replay {"from": sequence number}. Managers only."""
    caller = require_manager(request)
    body = parse_object(await bodies.json_body(request))
    bodies.known_only(body, "from")
    start = body.get("from")
    if isinstance(start, bool) or not isinstance(start, int):
        sentence = "Podaj w polu „from” numer zdarzenia, od którego powtórzyć."
        raise BadInput(sentence, errors=(FieldError("/from", sentence, "required"),))
    return answers.json_response(answers.outbox(await request.app[TILL].replay(start, caller)))


async def evidence(request: web.Request) -> web.Response:
    """GET /v1/evidence?from=&to=: one zip for an auditor. Managers only."""
    require_manager(request)
    queries.known_only(request, frozenset({"from", "to"}))
    first, last = queries.required_day(request, "from"), queries.required_day(request, "to")
    queries.in_order(first, last)
    data = await request.app[TILL].evidence(first, last)
    return _file(data, "application/zip", f"dowody-{first}-{last}.zip")


__all__ = ["health_app", "routes", "till_app"]
