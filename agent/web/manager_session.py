"""A manager at the till page: a short PIN opens a session, which the page's own requests carry as a cookie.

The cookie alone opens nothing. A request acts as the manager only where all of these hold: the till's own bearer token,
the same that opened the session; the cookie (HttpOnly, SameSite=Strict); the header PAGE_HEADER, which no
other origin may send (it is in no CORS answer); no sign of another origin. So a PIN is of no use to programs and no
foreign page can ride on it. Sessions are in memory only: one ends with the agent, after IDLE_SECONDS without a request,
after LONGEST_SECONDS, and when the page says so.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from aiohttp import web

from agent.domain.callers import Caller, Role
from agent.domain.values import dataclass
from agent.ports import Clock

COOKIE: Final = "ksef-agent-manager"
PAGE_HEADER: Final = "X-Ksef-Agent-Manager"
PAGE_WORD: Final = "page"
IDLE_SECONDS: Final = 300.0
LONGEST_SECONDS: Final = 3600.0
MOST: Final = 8
"""Sessions at once; the oldest makes room."""


@dataclass(slots=True)
class _Session:
    manager: str
    till: str
    begun: float
    used: float


class ManagerSessions:
    """The sessions that are open."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, _Session] = {}

    def begin(self, manager: str, till: Caller) -> str:
        """Open a session of ``manager`` at the till with this token; return what its cookie holds."""
        secret = secrets.token_urlsafe(32)
        now = self._clock.monotonic()
        while len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        self._open[_digest(secret)] = _Session(manager, till.name, now, now)
        return secret

    def manager(self, request: web.Request, till: Caller) -> Caller | None:
        """Return as which manager this request acts, None where as none."""
        if not from_the_page(request):
            return None
        name = _digest(request.cookies.get(COOKIE, ""))
        session = self._open.get(name)
        if session is None or session.till != till.name:
            return None
        now = self._clock.monotonic()
        if now - session.used > IDLE_SECONDS or now - session.begun > LONGEST_SECONDS:
            del self._open[name]
            return None
        session.used = now
        return Caller(session.manager, Role.MANAGER)

    def end(self, request: web.Request) -> None:
        """End the session of this request, if there is one."""
        self._open.pop(_digest(request.cookies.get(COOKIE, "")), None)


def from_the_page(request: web.Request) -> bool:
    """Whether the page of this very address asks: what no other origin and no link can make a browser send."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    own = origin is None or origin == f"http://{request.host}"
    return request.headers.get(PAGE_HEADER) == PAGE_WORD and site == "same-origin" and own


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
