"""A manager at the till page: the PIN opens a session, the page ends it (manager_session.py)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from agent.domain.errors import NotPermitted, Unavailable
from agent.domain.values import dataclass
from agent.services.manager_pins import ManagerPins
from agent.web import json_views, request_body
from agent.web.answers.till import ManagerSession
from agent.web.manager_session import COOKIE, LONGEST_SECONDS, ManagerSessions, from_the_page
from agent.web.security import SESSION_PATH, till_of


@dataclass(frozen=True, slots=True)
class Managers:
    """PINs and the sessions they opened."""

    pins: ManagerPins
    sessions: ManagerSessions

    def have_pins(self) -> bool:
        """Whether a PIN can open a session here, or might: a file that is damaged says so where one is typed."""
        try:
            return bool(self.pins.names())
        except Unavailable:
            return True


MANAGERS: Final = web.AppKey("managers", Managers)


def routes() -> list[web.RouteDef]:
    """The routes of this module: the page's own, no part of the API."""
    return [web.post(SESSION_PATH, begin), web.delete(SESSION_PATH, end)]


async def begin(request: web.Request) -> web.Response:
    """POST /page/manager-session {"pin"}, with the till's bearer token: from the till page only."""
    managers = request.app[MANAGERS]
    if not from_the_page(request):
        raise NotPermitted("PIN działa tylko na stronie kasy. Program podaje kod dostępu kierownika.")
    body = await request_body.json_object(request)
    request_body.known_only(body, "pin")
    pin = request_body.required_text(body, "pin", "Podaj PIN.")
    name = await managers.pins.check(pin)
    response = json_views.json_response(ManagerSession(name))
    secret = managers.sessions.begin(name, till_of(request))
    response.set_cookie(COOKIE, secret, max_age=int(LONGEST_SECONDS), path="/", httponly=True, samesite="Strict")
    return response


async def end(request: web.Request) -> web.Response:
    """DELETE /page/manager-session: the manager goes."""
    request.app[MANAGERS].sessions.end(request)
    response = web.Response(status=204)
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return response
