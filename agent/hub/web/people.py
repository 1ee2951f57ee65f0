"""People at the hub: who they are (bearer token, or the cookie of the login page) and what their role allows.

The cookie is HttpOnly and SameSite=Strict, so no other site can use it; what changes something asks for Origin as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from agent.domain.errors import NotPermitted
from agent.hub.domain.records import HubRole, Person
from agent.hub.domain.tokens import token_hash
from agent.hub.web.context import HUB_STORE, OPEN_TOKEN, PERSON
from agent.hub.web.security import bearer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
COOKIE: Final = "ksef-hub"
COOKIE_SECONDS: Final = 12 * 3600


class Right(StrEnum):
    """What a role may do."""

    FLEET = "fleet"
    SEARCH = "search"
    BOOKS = "books"
    MANAGE = "manage"
    METRICS = "metrics"


RIGHTS: Final[dict[HubRole, frozenset[Right]]] = {
    HubRole.MONITOR: frozenset({Right.METRICS}),
    HubRole.VIEWER: frozenset({Right.FLEET, Right.SEARCH, Right.METRICS}),
    HubRole.AUDITOR: frozenset({Right.SEARCH, Right.BOOKS}),
    HubRole.MANAGER: frozenset(Right),
}


def allowed(right: Right, handler: Handler, *, page: bool = False) -> Handler:
    """Return the handler for people who have this right; ``page``: others are sent to the login."""

    async def checked(request: web.Request) -> web.StreamResponse:
        try:
            request[PERSON] = await person_of(request)
        except NotPermitted:
            if page:
                raise web.HTTPFound("/login") from None
            raise
        if right not in RIGHTS[request[PERSON].role]:
            raise NotPermitted("Twoja rola w centrali na to nie pozwala.", code="role")
        return await handler(request)

    return checked


async def person_of(request: web.Request) -> Person:
    """Return who asks; NotPermitted where nobody known does."""
    secret = request.cookies.get(COOKIE) or request.app.get(OPEN_TOKEN) or bearer(request)
    digest = token_hash(secret)
    person = await request.app[HUB_STORE].read(lambda tx: tx.parties.person_of(digest))
    if person is None:
        raise NotPermitted("Kod dostępu jest nieznany albo został wycofany.", code="token-unknown")
    return person


def require_seller(request: web.Request, nip: str) -> None:
    """Refuse a question about a seller that is not the one the asker's token is bound to."""
    if request[PERSON].nip not in {None, nip}:
        raise NotPermitted("Twój kod dostępu jest dla innego sprzedawcy.", code="other-seller")


def require_own_origin(request: web.Request) -> None:
    """Refuse a form that another site sent."""
    origin = request.headers.get("Origin", "")
    if origin and urlsplit(origin).netloc != request.host:
        raise NotPermitted("To żądanie pochodzi z innej strony.", code="origin")


def sign_in(request: web.Request, response: web.StreamResponse, secret: str) -> None:
    """Let the browser remember the token for half a day."""
    response.set_cookie(
        COOKIE, secret, max_age=COOKIE_SECONDS, httponly=True, samesite="Strict", secure=request.secure, path="/"
    )
