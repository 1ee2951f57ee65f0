"""Who may ask: bearer tokens and roles, Host and Origin, headers of every answer.

A web page on the till's own computer must not be able to use the agent (DNS rebinding, cross-site requests):
the Host has to be an address of this very socket, the Origin has to be ours or a configured one. The only cookie is
that of a manager at the till page; alone it opens nothing (manager_session.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from agent.domain.callers import Caller, Role
from agent.domain.errors import NotPermitted
from agent.services.tokens import Tokens
from agent.web.headers import only_header
from agent.web.manager_session import ManagerSessions

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CALLER: Final = web.RequestKey("caller", Caller)
TILL: Final = web.RequestKey("till", Caller)
"""Whose token it is, whoever works at the page."""
PERMITTED_ORIGIN: Final = web.RequestKey("permitted_origin", str)
"""A configured origin that asks: it may read every answer, refusals too."""
PROTECTED_PREFIX: Final = "/v1/"
SESSION_PATH: Final = "/page/manager-session"
"""Of the page, beside the API; the till's token is asked for all the same."""
LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CORS_METHODS: Final = "GET, POST, DELETE"
EXPOSED_HEADERS: Final = "Idempotent-Replayed, Link, Location, Retry-After, X-Pages, X-Upo-Scope"
CORS_HEADERS: Final = "Authorization, Content-Encoding, Content-Type, Idempotency-Key"


FOR_AUDITORS: Final = frozenset(
    {
        "/v1/invoices",
        "/v1/invoices/{id}",
        "/v1/invoices/{id}/events",
        "/v1/invoices/{id}/upo",
        "/v1/invoices/{id}/xml",
        "/v1/register",
        "/v1/register/changes",
        "/v1/register/counts",
        "/v1/register/ksef",
        "/v1/evidence",
        "/v1/annex",
        "/v1/retention",
        "/v1/outages",
        "/v1/outages/{name}",
        "/v1/status",
    }
)
"""What an auditor may GET or HEAD; all else is refused, also what is added later."""


def caller_of(request: web.Request) -> Caller:
    """Return who asks; the token was checked by the middleware."""
    return request[CALLER]


def till_of(request: web.Request) -> Caller:
    """Return whose bearer token it is, also while a manager works at that page."""
    return request[TILL]


def require_manager(request: web.Request) -> Caller:
    """Return the caller if it is a manager; NotPermitted otherwise."""
    caller = request[CALLER]
    if caller.role is not Role.MANAGER:
        raise NotPermitted("To może zrobić tylko kierownik (potrzebny jest jego kod dostępu).")
    return caller


def require_reader(request: web.Request) -> Caller:
    """Return the caller if it may read evidence: a manager or an auditor; NotPermitted otherwise."""
    return request[CALLER] if request[CALLER].role is Role.AUDITOR else require_manager(request)


def _require_no_auditor(request: web.Request) -> None:
    resource = request.match_info.route.resource
    if request.method in {"GET", "HEAD"} and resource is not None and resource.canonical in FOR_AUDITORS:
        return
    raise NotPermitted("Ten kod dostępu służy tylko do odczytu faktur, rejestrów i dowodów.")


def bearer_middleware(tokens: Tokens, sessions: ManagerSessions) -> Middleware:
    """Ask for a known token on every route under /v1/; a manager's session at the till page adds to it."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(PROTECTED_PREFIX) or request.path == SESSION_PATH:
            scheme, _, secret = only_header(request, "Authorization").partition(" ")
            if scheme.lower() != "bearer" or not secret.strip():
                raise NotPermitted("Brak kodu dostępu do programu.", code="token-missing")
            caller = await tokens.caller(secret.strip())
            if caller is None:
                raise NotPermitted("Kod dostępu jest nieznany albo został wycofany.", code="token-unknown")
            request[TILL] = caller
            request[CALLER] = sessions.manager(request, caller) or caller
            if caller.role is Role.AUDITOR:
                _require_no_auditor(request)
        return await handler(request)

    return check


def origin_middleware(host: str, origins: tuple[str, ...]) -> Middleware:
    """Check Host and Origin; answer preflights of configured origins."""
    configured = frozenset(origin.rstrip("/") for origin in origins)
    configured_hosts = frozenset(urlsplit(origin).netloc for origin in configured)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        own = _own_authorities(request, host)
        origin = ", ".join(request.headers.getall("Origin", [])) if "Origin" in request.headers else None
        foreign = origin is not None and origin not in {f"http://{name}" for name in own}
        if foreign and origin is not None and origin in configured:
            request[PERMITTED_ORIGIN] = origin
        if _authority(request).lower() not in own | configured_hosts:
            raise NotPermitted("Ten adres nie należy do programu kasowego.", code="host-not-allowed")
        if foreign and PERMITTED_ORIGIN not in request:
            raise NotPermitted("Strona spod innego adresu nie może używać tego programu.", code="origin-not-allowed")
        if foreign and request.method == "OPTIONS":
            return web.Response(status=204)
        return await handler(request)

    return check


def _authority(request: web.Request) -> str:
    """Return whom the request is for: of a target in absolute form its own authority (RFC 9112, 3.2.2), else Host."""
    in_absolute_form = request.raw_path.lower().startswith(("http://", "https://"))
    return request.url.authority if in_absolute_form else request.host


def _own_authorities(request: web.Request, host: str) -> frozenset[str]:
    """Host:port forms under which this socket may be addressed; the port is the one really listened on."""
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    if not isinstance(name, tuple):
        return frozenset()
    address, port = str(name[0]), int(name[1])
    own = {f"[{address}]" if ":" in address else address, host.lower()}
    if address in {"127.0.0.1", "::1"}:
        own.update(LOOPBACK_NAMES)
    return frozenset(f"{item}:{port}" for item in own) | (frozenset(own) if port == 80 else frozenset())


async def put_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on every answer, before its first byte: a streamed one is sent inside its handler."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


async def put_cors_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Let a page of a configured origin read whatever it is answered: a browser hides an answer without these."""
    origin = request.get(PERMITTED_ORIGIN)
    if origin is None:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Methods"] = CORS_METHODS
    response.headers["Access-Control-Allow-Headers"] = CORS_HEADERS
    response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    response.headers["Vary"] = "Origin"
