"""The application around the parts: names of calls, limits, faults, errors in KSeF's shape, KSeF's own time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from email.utils import format_datetime

from aiohttp import web

from agent.domain.values import dataclass
from agent.sandbox.ksef.faults import Faults
from agent.sandbox.ksef.limits import RateLimits
from agent.sandbox.ksef.state import SkewedClock
from agent.sandbox.ksef.wire import ApiProblem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PREFIX = "/v2"
MAX_BODY = 110 * 1024 * 1024
"""A part of a batch has up to 100 MB."""

# (method, path) -> (call of the fault plan, group of the rate limits; None: not limited)
CALLS: dict[tuple[str, str], tuple[str, str | None]] = {
    ("POST", "/auth/challenge"): ("auth", "anonymous"),
    ("POST", "/auth/xades-signature"): ("auth", "anonymous"),
    ("POST", "/auth/ksef-token"): ("auth", "anonymous"),
    ("GET", "/auth/{reference}"): ("auth", "anonymous"),
    ("POST", "/auth/token/redeem"): ("auth", "anonymous"),
    ("POST", "/auth/token/refresh"): ("auth", "anonymous"),
    ("GET", "/auth/sessions"): ("auth", "other"),
    ("DELETE", "/auth/sessions/current"): ("auth", "other"),
    ("DELETE", "/auth/sessions/{reference}"): ("auth", "other"),
    ("GET", "/security/public-key-certificates"): ("keys", "anonymous"),
    ("POST", "/sessions/online"): ("open", "onlineSession"),
    ("POST", "/sessions/online/{reference}/invoices"): ("send", "invoiceSend"),
    ("POST", "/sessions/online/{reference}/close"): ("close", "onlineSessionClose"),
    ("GET", "/sessions"): ("status", "sessionList"),
    ("GET", "/sessions/{reference}"): ("status", "sessionMisc"),
    ("GET", "/sessions/{reference}/invoices"): ("status", "sessionInvoiceList"),
    ("GET", "/sessions/{reference}/invoices/failed"): ("status", "sessionInvoiceList"),
    ("GET", "/sessions/{reference}/invoices/{invoice}"): ("status", "invoiceStatus"),
    ("GET", "/sessions/{reference}/invoices/{invoice}/upo"): ("upo", "sessionMisc"),
    ("GET", "/sessions/{reference}/invoices/ksef/{number}/upo"): ("upo", "sessionMisc"),
    ("GET", "/sessions/{reference}/upo/{upo}"): ("upo", "sessionMisc"),
    ("GET", "/storage/upo/{secret}"): ("upo", None),
    ("POST", "/sessions/batch"): ("batch", "batchSession"),
    ("PUT", "/storage/batch/{reference}/{part}/{secret}"): ("batch", None),
    ("POST", "/sessions/batch/{reference}/close"): ("batch", "batchSessionClose"),
    ("GET", "/invoices/ksef/{number}"): ("original", "invoiceDownload"),
    ("POST", "/invoices/query/metadata"): ("query", "invoiceMetadata"),
    ("GET", "/rate-limits"): ("limits", "other"),
    ("GET", "/limits/context"): ("limits", "other"),
    ("GET", "/limits/subject"): ("limits", "other"),
    ("GET", "/certificates/limits"): ("certificates", "other"),
    ("GET", "/certificates/enrollments/data"): ("certificates", "other"),
    ("POST", "/certificates/enrollments"): ("certificates", "other"),
    ("GET", "/certificates/enrollments/{reference}"): ("certificates", "other"),
    ("POST", "/certificates/retrieve"): ("certificates", "other"),
    ("POST", "/certificates/query"): ("certificates", "other"),
    ("POST", "/certificates/{serial}/revoke"): ("certificates", "other"),
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and KSeF's answer to it, before a fault of the line spoils that. ``template``: path below /v2."""

    method: str
    template: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer_headers: Mapping[str, str]
    content_type: str
    answer: bytes


Observer = Callable[[Exchange], None]


def application(
    routes: Iterable[web.RouteDef],
    *,
    prefix: str,
    clock: SkewedClock,
    faults: Faults,
    call: str | None = None,
    limits: RateLimits | None = None,
    observers: Sequence[Observer] = (),
) -> web.Application:
    """Return an application over the parts' routes. ``call`` names all its calls; None: by the table above.

    ``observers`` may be added to later; an exception of theirs fails the request.
    """

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiProblem as problem:
            return problem.answer(request, clock.now())

    @web.middleware
    async def outer(request: web.Request, handler: Handler) -> web.StreamResponse:
        name, group = _known(request, prefix) if call is None else (call, None)

        async def limited(request: web.Request) -> web.StreamResponse:
            if limits is not None and group is not None:
                _count(limits, group, request)
            return await handler(request)

        async def guarded(request: web.Request) -> web.StreamResponse:
            response = await answer(request, limited)
            for observer in observers:
                observer(await _exchange(request, response, prefix))
            return response

        async def faulty(request: web.Request) -> web.StreamResponse:
            return await faults.apply(name, request, guarded)

        return await answer(request, faulty)

    async def own_time(request: web.Request, response: web.StreamResponse) -> None:
        del request
        response.headers["Date"] = format_datetime(clock.now(), usegmt=True)

    found = web.Application(middlewares=[outer], client_max_size=MAX_BODY)
    found.router.add_routes([_prefixed(route, prefix) for route in routes])
    found.on_response_prepare.append(own_time)
    return found


def _prefixed(route: web.RouteDef, prefix: str) -> web.RouteDef:
    return web.RouteDef(route.method, prefix + route.path, route.handler, route.kwargs)


async def _exchange(request: web.Request, response: web.StreamResponse, prefix: str) -> Exchange:
    body = response.body if isinstance(response, web.Response) else None
    return Exchange(
        method=request.method,
        template=_template(request, prefix),
        query=dict(request.query),
        headers=dict(request.headers),
        body=await request.read(),
        status=response.status,
        answer_headers=dict(response.headers),
        content_type=response.content_type,
        answer=bytes(body) if isinstance(body, bytes | bytearray) else b"",
    )


def _template(request: web.Request, prefix: str) -> str:
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical.removeprefix(prefix)


def _known(request: web.Request, prefix: str) -> tuple[str, str | None]:
    method = "GET" if request.method == "HEAD" else request.method
    return CALLS.get((method, _template(request, prefix)), ("*", None))


def _count(limits: RateLimits, group: str, request: web.Request) -> None:
    address = request.remote or ""
    limits.count("global", address)
    if group == "anonymous":
        limits.count(group, address)
    else:
        limits.count(group, f"{limits.context_of(request)} {address}")
