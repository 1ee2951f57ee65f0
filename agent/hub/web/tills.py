"""HTTP for tills: invoices in, outcomes out, heartbeats. Every call may be repeated.

Nothing is answered before it is committed; a dropped connection cancels nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from agent.domain.errors import BadInput, NotPermitted, Refused, Unavailable
from agent.domain.fa3.schema import MAX_BYTES
from agent.domain.json_io.body import parse_object
from agent.domain.json_io.canonical import Json
from agent.hub.domain.offers import read_offer
from agent.hub.domain.records import HubInvoice, Offer, Till
from agent.hub.services.intake import NumberTaken, Taken
from agent.hub.services.outcomes import read_cursor, status_of
from agent.hub.web.bulk import BULK_ROOM
from agent.hub.web.context import CLOCK, HEARTBEATS, HUB_TASKS, INTAKE, OFFLINE_CERTIFICATES, OUTCOMES, TILL
from agent.hub_contract.certificates import pair_to_json
from agent.hub_contract.heartbeat import heartbeat_from_json, news_to_json, require_plausible
from agent.hub_contract.offers import (
    MOST_AT_ONCE,
    MOST_WAIT_SECONDS,
    Claims,
    NotALine,
    claims_from_query,
    offer_from_line,
)
from agent.hub_contract.reading import ContractError, Members
from agent.hub_contract.status import (
    InvoiceStatus,
    confirmation_to_json,
    outcomes_to_json,
    page_to_json,
    status_to_json,
)
from agent.web.problems import problem_response
from agent.web.problems import status_of as http_status_of
from agent.web.request_body import XML_TYPE, read
from agent.web.stopping import until_stop

MOST_BEAT_BYTES: Final = 1_000_000
"""Each look at the fleet reads the newest sign of life of every till; one is some kilobytes."""
READ_AT_ONCE: Final = 10
"""Lines of a POST."""
NDJSON: Final = "application/x-ndjson"
DATABASE_HEADER: Final = "X-Till-Database"
PROCESS_HEADER: Final = "X-Till-Process"
"""Which till speaks, where two have one name: its database, and the run of its program, which tells a copied disk from
the one it was copied from. A till of 0.2 does not send the latter.
"""


def routes() -> list[web.RouteDef]:
    """Every route of a till."""
    one = "/v1/invoices/{sha256:[0-9a-f]{64}}"
    return [
        web.put(one, put_invoice),
        web.get(one, get_invoice),
        web.get(f"{one}/upo", get_upo),
        web.post("/v1/invoices", post_invoices),
        web.get("/v1/invoices", find_invoices),
        web.get("/v1/upo", get_group_upo),
        web.put("/v1/exempt/{sha256:[0-9a-f]{64}}", put_exempt),
        web.put("/v1/closed/{sha256:[0-9a-f]{64}}", put_closed),
        web.get("/v1/outcomes", get_outcomes),
        web.put("/v1/heartbeat", put_heartbeat),
        web.get("/v1/offline-certificate", get_offline_certificate),
    ]


async def put_invoice(request: web.Request) -> web.Response:
    """PUT /v1/invoices/{sha256}: 202 durable here, 200 with what KSeF said within ``wait``."""
    till, wait = await _till(request), _seconds(request, "wait")
    sha256, offer = _sha256(request), await _offer(request, till)
    try:
        taken = await request.app[HUB_TASKS].run(f"intake-{offer.number}", request.app[INTAKE].take(till, offer))
    except NumberTaken as conflict:
        return _taken(conflict)
    status = status_of(taken)
    if not status.decided and wait > 0:
        status = await _waited(request, till, sha256, wait) or status
    return web.json_response(status_to_json(status), status=200 if status.decided else 202)


async def put_exempt(request: web.Request) -> web.Response:
    """PUT /v1/exempt/{sha256}: an invoice that is never sent, for the books. A path of its own: a hub that does not
    know it must not take it for one to be sent.
    """
    till = await _till(request)
    offer = await _offer(request, till)
    try:
        kept = await request.app[HUB_TASKS].run(f"keep-{offer.number}", request.app[INTAKE].keep(till, offer))
    except NumberTaken as conflict:
        return _taken(conflict)
    return web.json_response(status_to_json(status_of(kept)))


async def put_closed(request: web.Request) -> web.Response:
    """PUT /v1/closed/{sha256}?at=: a manager closed the case of a refused invoice on its till, at that instant."""
    till = await _till(request)
    try:
        at = Members(dict(request.query), "query").instant("at")
    except ContractError as error:
        raise BadInput(f"Nieprawidłowe parametry: {error}.", code="bad-query") from error
    closed = await request.app[INTAKE].close(till, _sha256(request), at)
    return web.json_response(status_to_json(status_of(closed)))


async def get_invoice(request: web.Request) -> web.Response:
    """GET /v1/invoices/{sha256}?wait=: where one stands."""
    till, sha256 = request[TILL], _sha256(request)
    status = await _waited(request, till, sha256, _seconds(request, "wait"))
    if status is None:  # the server stops: what is known now
        status = await request.app[OUTCOMES].status(till, sha256)
    return web.json_response(status_to_json(status))


async def get_upo(request: web.Request) -> web.Response:
    """GET …/upo: KSeF's confirmation."""
    confirmation = await request.app[OUTCOMES].confirmation(request[TILL], _sha256(request))
    return web.json_response(confirmation_to_json(confirmation))


async def find_invoices(request: web.Request) -> web.Response:
    """GET /v1/invoices?group= or ?ksef_number=: what was handed over under one name, or has that number."""
    till, outcomes = request[TILL], request.app[OUTCOMES]
    if number := request.query.get("ksef_number"):
        found = await outcomes.by_ksef_number(till, number)
    else:
        found = await outcomes.group(till, _group(request))
    return web.json_response({"invoices": [status_to_json(each) for each in found]})


async def get_group_upo(request: web.Request) -> web.Response:
    """GET /v1/upo?group=: what confirms everything handed over under one name, page by page."""
    pages = await request.app[OUTCOMES].pages(request[TILL], _group(request))
    return web.json_response({"pages": [page_to_json(each) for each in pages]})


async def post_invoices(request: web.Request) -> web.Response:
    """POST /v1/invoices: up to a thousand, a line each; each gets its own answer, in order."""
    till = await _till(request)
    if request.content_type != NDJSON:
        raise BadInput(f"Ustaw Content-Type: {NDJSON}.", code="unsupported-media-type")
    async with request.app[BULK_ROOM].place(till.id):
        return web.json_response({"results": await _take_lines(request, till)})


async def _take_lines(request: web.Request, till: Till) -> list[Json]:
    lines = [line for line in (await read(request)).split(b"\n") if line.strip()]
    if not 0 < len(lines) <= MOST_AT_ONCE:
        raise BadInput(f"Od 1 do {MOST_AT_ONCE} faktur naraz, a jest {len(lines)}.", code="bad-query")
    now = request.app[CLOCK].now()
    answers: list[Json] = [None] * len(lines)
    offers: list[tuple[int, Offer]] = []
    for place, line in enumerate(lines):
        if place % READ_AT_ONCE == 0:
            await asyncio.sleep(0)  # others' turn: a thousand long lines take a second
        try:
            offers.append((place, read_offer(till, *offer_from_line(line), now)))
        except ContractError as error:
            code = "not-json" if isinstance(error, NotALine) else "bad-query"
            answers[place] = _problem(BadInput(f"Wiersz {place + 1}: {error}.", code=code))
        except Refused as error:
            answers[place] = _problem(error)
    intake = request.app[INTAKE].take_all(till, [offer for _, offer in offers])
    taken = await request.app[HUB_TASKS].run(f"intake-{len(offers)}", intake)
    for (place, _), each in zip(offers, taken, strict=True):
        answers[place] = _answer(each)
    return answers


async def get_outcomes(request: web.Request) -> web.Response:
    """GET /v1/outcomes?after=&wait=: what became of this till's invoices, in order.

    Not for a second till of its name: what that one reads would count as known to the till.
    """
    till, after = await _till(request), read_cursor(request.query.get("after", ""))
    work = request.app[OUTCOMES].lines(till, after, _seconds(request, "wait"))
    found = await until_stop(request, work)
    if found is None:
        found = await request.app[OUTCOMES].lines(till, after)
    lines, cursor, known = found
    return web.json_response(outcomes_to_json(lines, str(cursor), from_beginning=not known))


async def put_heartbeat(request: web.Request) -> web.Response:
    """PUT /v1/heartbeat: the till's state in, the news out."""
    body = await read(request.clone(client_max_size=MOST_BEAT_BYTES))
    try:
        beat = heartbeat_from_json(parse_object(body))
        require_plausible(beat)
    except ContractError as error:
        raise BadInput(f"Nieczytelny meldunek kasy: {error}.", code="bad-input") from error
    news = await request.app[HEARTBEATS].hear(request[TILL], beat, request.remote or "", secure=request.secure)
    return web.json_response(news_to_json(news))


async def get_offline_certificate(request: web.Request) -> web.Response:
    """GET /v1/offline-certificate: the pair this till shall use. Over TLS of the hub's own only, whoever asks."""
    if not request.secure:
        raise NotPermitted("Certyfikat i klucz Offline centrala wydaje tylko przez własny TLS.", code="tls-only")
    pair = await request.app[OFFLINE_CERTIFICATES].give(await _till(request))
    return web.json_response(pair_to_json(pair))


async def _till(request: web.Request) -> Till:
    """Return the till that hands something over or reads on, after a look whether a second one has its name."""
    said = request.headers
    await request.app[HEARTBEATS].require_own(request[TILL], said.get(DATABASE_HEADER), said.get(PROCESS_HEADER))
    return request[TILL]


async def _offer(request: web.Request, till: Till) -> Offer:
    if request.content_type != XML_TYPE:
        raise BadInput(f"Ustaw Content-Type: {XML_TYPE}.", code="unsupported-media-type")
    xml, claims = await read(request.clone(client_max_size=MAX_BYTES)), _from_query(request)
    offer = read_offer(till, _sha256(request), xml, claims, request.app[CLOCK].now())
    _require_agreement(request, offer)
    return offer


def _sha256(request: web.Request) -> bytes:
    return bytes.fromhex(request.match_info["sha256"])


def _from_query(request: web.Request) -> Claims:
    try:
        return claims_from_query(request.query)
    except ContractError as error:
        raise BadInput(f"Nieprawidłowe parametry: {error}.", code="bad-query") from error


def _require_agreement(request: web.Request, offer: Offer) -> None:
    """Number and kind may be said beside the bytes; then they have to be those of the bytes."""
    for name, value in (("number", offer.number), ("kind", offer.kind)):
        if request.query.get(name, value) != value:
            raise BadInput(f"Parametr „{name}” różni się od treści faktury ({value}).", code="offer-differs")


def _group(request: web.Request) -> str:
    group = request.query.get("group", "")
    if not group:
        raise BadInput("Podaj parametr „group”.", code="bad-query")
    return group


def _seconds(request: web.Request, name: str) -> float:
    text = request.query.get(name, "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadInput(f"Parametr „{name}” to liczba sekund.", code="bad-query")
    return min(seconds, MOST_WAIT_SECONDS)


async def _waited(request: web.Request, till: Till, sha256: bytes, wait: float) -> InvoiceStatus | None:
    return await until_stop(request, request.app[OUTCOMES].status(till, sha256, wait))


def _accepted(invoice: HubInvoice) -> Json:
    status = status_of(invoice)
    return {"status": 200 if status.decided else 202, "invoice": status_to_json(status)}


def _problem(error: Refused | Unavailable) -> dict[str, Json]:
    """Return the answer to a line that was not taken, in the words of a problem document."""
    retry_safe = isinstance(error, Unavailable)
    return {"status": http_status_of(error), "code": error.code, "detail": error.detail, "retry_safe": retry_safe}


def _answer(taken: Taken) -> Json:
    if taken.invoice is not None:
        return _accepted(taken.invoice)
    assert taken.refusal is not None
    holder = {"holder": _holder(taken.refusal)} if isinstance(taken.refusal, NumberTaken) else {}
    return {**_problem(taken.refusal), **holder}


def _taken(conflict: NumberTaken) -> web.Response:
    return problem_response(409, conflict.code, conflict.detail, more={"holder": _holder(conflict)})


def _holder(conflict: NumberTaken) -> Mapping[str, Json]:
    holder = conflict.holder
    return {"sha256": holder.sha256.hex(), "ksef_number": holder.ksef_number, "session": holder.session_ref}
