"""What a browser asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

from agent.domain.calendar import local_date
from agent.domain.errors import BadInput, NotFound, NotPermitted, Refused, Unavailable
from agent.hub.domain.records import HubRole
from agent.hub.domain.tokens import token_hash
from agent.hub.web.context import ADMINISTRATION, BOOKS, CLOCK, FLEET, HUB_STORE, PERSON
from agent.hub.web.pages.fleet import Filter, fleet_page, till_page
from agent.hub.web.pages.markup import Markup, page, tag
from agent.hub.web.pages.search import books_page, invoice_page, search_page
from agent.hub.web.people import COOKIE, Handler, Right, allowed, require_own_origin, require_seller, sign_in
from agent.hub_contract.reading import is_plain
from agent.web.problems import status_of

STYLE: Final = (Path(__file__).parent / "style.css").read_bytes()
POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
LONGEST_TOKEN: Final = 200


def routes() -> list[web.RouteDef]:
    """The routes of the pages."""
    return [
        web.get("/style.css", style),
        web.get("/login", get_login),
        web.post("/login", post_login),
        web.post("/logout", post_logout),
        web.get("/", _page(Right.FLEET, get_fleet, elsewhere="/invoices")),
        web.get(r"/tills/{id:\d{1,9}}", _page(Right.FLEET, get_till)),
        web.post(r"/tills/{id:\d{1,9}}/adopt", _page(Right.MANAGE, post_adopt)),
        web.get("/invoices", _page(Right.SEARCH, get_invoices)),
        web.get("/invoices/{sha256:[0-9a-f]{64}}", _page(Right.SEARCH, get_invoice)),
        web.post("/invoices/{sha256:[0-9a-f]{64}}/settle", _page(Right.MANAGE, post_settle)),
        web.get("/books", _page(Right.BOOKS, get_books)),
    ]


def _page(right: Right, handler: Handler, *, elsewhere: str | None = None) -> Handler:
    """Return a page for who has the right; refusals are pages too. ``elsewhere``: where other roles begin."""
    checked = allowed(right, handler, page=True)

    async def shown(request: web.Request) -> web.StreamResponse:
        try:
            return await checked(request)
        except (Refused, Unavailable) as error:
            if isinstance(error, NotPermitted) and elsewhere is not None and error.code == "role":
                raise web.HTTPFound(elsewhere) from None
            sentence = tag("p", error.detail, class_="error")
            return html(page("Nie można", request.get(PERSON), sentence), status=status_of(error))

    return shown


REFRESH_SECONDS: Final = 15
"""Of what happens now; whoever reads slowly stops it ("bez odświeżania"; WCAG 2.2.2)."""


def html(text: str, status: int = 200, *, refresh: bool = False) -> web.Response:
    """Return a page with the policy of pages that have forms and no scripts.

    Its forms name their origin: with the listener's no-referrer, browsers send Origin: null, which require_own_origin
    refuses.
    """
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
    if refresh:
        headers["Refresh"] = str(REFRESH_SECONDS)
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)


async def style(request: web.Request) -> web.Response:
    """GET /style.css."""
    return web.Response(body=STYLE, content_type="text/css", charset="utf-8")


async def get_login(request: web.Request) -> web.Response:
    """GET /login."""
    return _login()


def _login(wrong: str = "", status: int = 200) -> web.Response:
    field = Markup('<input type="password" name="token" autocomplete="current-password" required autofocus>')
    form = tag("form", tag("label", "Kod dostępu ", field), tag("button", "Wejdź"), method="post", class_="filter")
    hint = tag("p", "Kod nadaje kierownik centrali: ksef-agent hub token add IMIĘ --role viewer, auditor albo manager.")
    return html(page("Centrala KSeF", None, tag("p", wrong, class_="error") if wrong else "", form, hint), status)


async def post_login(request: web.Request) -> web.StreamResponse:
    """POST /login: the token becomes a cookie."""
    require_own_origin(request)
    given = (await request.post()).get("token", "")
    secret = given.strip() if isinstance(given, str) else ""
    digest = token_hash(secret[:LONGEST_TOKEN])
    person = await request.app[HUB_STORE].read(lambda tx: tx.parties.person_of(digest))
    if person is None:
        return _login("Ten kod jest nieznany albo został wycofany.", status=403)
    answer = _see("/invoices" if person.role is HubRole.AUDITOR else "/")
    sign_in(request, answer, secret)
    return answer


async def post_logout(request: web.Request) -> web.StreamResponse:
    """POST /logout: forget the token."""
    answer = _see("/login")
    answer.del_cookie(COOKIE, path="/")
    return answer


def _see(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


async def get_fleet(request: web.Request) -> web.StreamResponse:
    """GET /: the fleet, worst first."""
    query = request.query
    nip, shop, word = (query.get(name, "") for name in ("nip", "shop", "word"))
    chosen = Filter(nip, shop, "trouble" in query, word, "still" in query)
    fleet = await request.app[FLEET].look(request[PERSON].nip)
    return html(fleet_page(request[PERSON], fleet, chosen), refresh=not chosen.still)


async def get_till(request: web.Request) -> web.StreamResponse:
    """GET /tills/{id}: one till."""
    person = request[PERSON]
    return html(till_page(person, await request.app[FLEET].till(int(request.match_info["id"]), person.nip)))


async def post_adopt(request: web.Request) -> web.StreamResponse:
    """POST /tills/{id}/adopt: whoever reports next under this name is the till."""
    require_own_origin(request)
    person = request[PERSON]
    till = (await request.app[FLEET].till(int(request.match_info["id"]), person.nip)).view.till
    if till.revoked_at is not None:  # its name may be another till's now
        raise NotFound("Ta kasa jest wycofana.", code="till-unknown")
    await request.app[ADMINISTRATION].adopt(till.name, till.nip, by=person.name)
    raise web.HTTPSeeOther(f"/tills/{till.id}")


async def get_invoices(request: web.Request) -> web.StreamResponse:
    """GET /invoices?q=: search across tills."""
    text = request.query.get("q", "").strip()
    hits = await request.app[BOOKS].search(text, request[PERSON].nip) if text else None
    return html(search_page(request[PERSON], text, hits))


async def get_invoice(request: web.Request) -> web.StreamResponse:
    """GET /invoices/{sha256}: one invoice."""
    found = await request.app[BOOKS].invoice(bytes.fromhex(request.match_info["sha256"]), request[PERSON].nip)
    return html(invoice_page(request[PERSON], found, local_date(request.app[CLOCK].now())))


async def post_settle(request: web.Request) -> web.StreamResponse:
    """POST /invoices/{sha256}/settle: what KSeF refused, and no till reads, was looked after; form field ``why``."""
    require_own_origin(request)
    person, sha256 = request[PERSON], bytes.fromhex(request.match_info["sha256"])
    why = (await request.post()).get("why", "")
    if not isinstance(why, str) or not is_plain(why):
        raise BadInput("Napisz zwykłym tekstem, jak sprawę załatwiono.")
    await request.app[ADMINISTRATION].settle(sha256, why, by=person.name, nip=person.nip)
    raise web.HTTPSeeOther(f"/invoices/{sha256.hex()}")


async def get_books(request: web.Request) -> web.StreamResponse:
    """GET /books?nip=&month=: register and outages."""
    person = request[PERSON]
    known = await request.app[HUB_STORE].read(lambda tx: tx.parties.sellers())
    sellers = [each for each in known if person.nip in {None, each.nip}]
    nip = request.query.get("nip", sellers[0].nip if sellers else "")
    month = request.query.get("month", f"{local_date(request.app[CLOCK].now()):%Y-%m}")
    require_seller(request, nip)
    days = await request.app[BOOKS].outages(nip, month) if nip else []
    return html(books_page(person, sellers, nip, month, days))
