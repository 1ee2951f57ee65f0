"""Rate limits: sliding windows of a second, a minute and an hour per context and address (limity-api.md, 2.9.0)."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping

from aiohttp import web

from agent.domain.values import dataclass
from agent.sandbox.ksef.auth import Auth
from agent.sandbox.ksef.state import Behaviour, SkewedClock
from agent.sandbox.ksef.wire import ApiProblem, JsonObject, json_answer

UNLIMITED = -1
WINDOWS = (("perSecond", 1.0, "sekundę"), ("perMinute", 60.0, "minutę"), ("perHour", 3600.0, "godzinę"))


@dataclass(frozen=True, slots=True)
class Limit:
    """Calls allowed in each window; -1: no limit."""

    second: int
    minute: int = UNLIMITED
    hour: int = UNLIMITED

    def to_json(self) -> JsonObject:
        """EffectiveApiRateLimitValues."""
        return {"perSecond": self.second, "perMinute": self.minute, "perHour": self.hour}


PRODUCTION: Mapping[str, Limit] = {
    "onlineSession": Limit(10, 30, 120),
    "onlineSessionClose": Limit(20, 60, 240),
    "batchSession": Limit(10, 20, 60),
    "batchSessionClose": Limit(20, 40, 120),
    "invoiceSend": Limit(10, 30, 180),
    "invoiceStatus": Limit(30, 120, 1200),
    "sessionList": Limit(5, 10, 60),
    "sessionInvoiceList": Limit(10, 20, 200),
    "sessionMisc": Limit(10, 120, 1200),
    "invoiceMetadata": Limit(8, 16, 20),
    "invoiceExport": Limit(8, 16, 20),
    "invoiceExportStatus": Limit(10, 60, 600),
    "invoiceDownload": Limit(8, 16, 64),
    "collectiveIdentifier": Limit(20, 120, 240),
    "other": Limit(10, 30, 120),
    "anonymous": Limit(60),
    "global": Limit(75),
}
NO_LIMITS: Mapping[str, Limit] = dict.fromkeys(PRODUCTION, Limit(UNLIMITED))
TABLES = {"production": PRODUCTION, "none": NO_LIMITS}


class RateLimits:
    """Counts calls. The table may be replaced at any time."""

    def __init__(self, clock: SkewedClock, behaviour: Behaviour, auth: Auth, table: Mapping[str, Limit]) -> None:
        self.table = dict(table)
        self.refused = 0
        """Calls answered 429: an agent that keeps its budget never provokes one."""
        self.answered: Counter[str] = Counter()
        """Calls that were not refused, by group; "global" counts all of them."""
        self._clock = clock
        self._behaviour = behaviour
        self._auth = auth
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, relative to /v2."""
        return [
            web.get("/rate-limits", self.rate_limits),
            web.get("/limits/context", self.context),
            web.get("/limits/subject", self.subject),
        ]

    def count(self, group: str, caller: str) -> None:
        """Count one call; 429 with Retry-After where a window is full. A refused call is not counted."""
        limit = self.table.get(group, Limit(UNLIMITED))
        if limit == Limit(UNLIMITED):
            self.answered[group] += 1
            return
        now = self._clock.monotonic()
        calls = self._calls.setdefault((group, caller), deque())
        while calls and calls[0] <= now - WINDOWS[-1][1]:
            calls.popleft()
        wait, allowed, name = max(_waits(limit, calls, now))
        if wait > 0:
            self.refused += 1
            pause = math.ceil(wait)
            detail = f"Przekroczono limit {allowed} żądań na {name}. Spróbuj ponownie po {pause} sekundach."
            raise ApiProblem(429, 0, detail, retry_after=pause)
        calls.append(now)
        self.answered[group] += 1

    def context_of(self, request: web.Request) -> str:
        """Return the caller's context; limits count per context and address. 401 comes before 429."""
        return self._auth.require(request, "access", "refresh").context

    async def rate_limits(self, request: web.Request) -> web.Response:
        """GET /rate-limits."""
        self._auth.require(request)
        return json_answer({group: limit.to_json() for group, limit in self.table.items()})

    async def context(self, request: web.Request) -> web.Response:
        """GET /limits/context."""
        self._auth.require(request)
        megabytes = max(1, self._behaviour.max_invoice_bytes // 1_000_000)
        session = {
            "maxInvoiceSizeInMB": megabytes,
            "maxInvoiceWithAttachmentSizeInMB": 3,
            "maxInvoices": self._behaviour.max_invoices,
        }
        return json_answer(
            {"onlineSession": session, "batchSession": session, "collectiveIdentifier": {"maxInvoices": 100}}
        )

    async def subject(self, request: web.Request) -> web.Response:
        """GET /limits/subject."""
        self._auth.require(request)
        return json_answer(
            {
                "enrollment": {"maxEnrollments": self._behaviour.max_enrollments},
                "certificate": {"maxCertificates": self._behaviour.max_certificates},
            }
        )


def _waits(limit: Limit, calls: deque[float], now: float) -> Iterator[tuple[float, int, str]]:
    """Yield for each window: seconds until one more call may enter it (0: now), its size, its name."""
    for allowed, (_, seconds, name) in zip((limit.second, limit.minute, limit.hour), WINDOWS, strict=True):
        if allowed == UNLIMITED or len(calls) < allowed:
            yield 0.0, allowed, name
        elif allowed == 0:
            yield seconds, allowed, name
        else:
            # the call that must leave the window before one more may enter
            yield calls[-allowed] + seconds - now, allowed, name
