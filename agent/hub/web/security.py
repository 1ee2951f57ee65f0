"""Who may ask the hub: a bearer token for each till, bound to its NIP, name and series."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from agent.domain.errors import BadInput, NotPermitted
from agent.hub.domain.tokens import token_hash
from agent.hub.ports import HubStore
from agent.hub.web.context import TILL
from agent.hub_contract.reading import is_plain
from agent.web.headers import only_header

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PREFIX = "/v1/"


@web.middleware
async def plain_query_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a query that no database could look for (NUL, bytes that are no UTF-8), whatever parameter it is in."""
    for name, value in request.query.items():
        if not (is_plain(name) and is_plain(value)):
            raise BadInput("Zapytanie zawiera znak, którego nie ma w żadnym tekście (NUL).", code="bad-query")
    return await handler(request)


def till_middleware(store: HubStore, of_people: Collection[str]) -> Middleware:
    """Ask for a till's token on every route under /v1/; a revoked one is refused from the next request on.

    ``of_people``: the paths that ask for a person's token themselves.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(PREFIX) and request.path not in of_people:
            digest = token_hash(bearer(request))
            till = await store.read(lambda tx: tx.parties.till_of(digest))
            if till is None:
                raise NotPermitted("Kod dostępu kasy jest nieznany albo został wycofany.", code="token-unknown")
            request[TILL] = till
        return await handler(request)

    return check


def bearer(request: web.Request) -> str:
    """Return the bearer token of a request; NotPermitted "token-missing" without one."""
    scheme, _, secret = only_header(request, "Authorization").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise NotPermitted("Brak kodu dostępu.", code="token-missing")
    return secret.strip()
