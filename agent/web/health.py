"""For HQ: /health, /health/live, /health/ready, /metrics on their own listener. Read-only, no secrets, no I/O.

docs/hq/ holds what reads them; schemas/api/health.schema.json is the published form of /health.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from aiohttp import web

from agent.ports import Json
from agent.services.assembly import Services
from agent.services.monitoring.alerts import Problem
from agent.services.monitoring.health import HealthReport
from agent.web import json_views
from agent.web.connections import working_middleware
from agent.web.context import BACKLOGS, COUNTERS, HEALTH, SHOP
from agent.web.metrics import CONTENT_TYPE, render
from agent.web.problems import problems_middleware
from agent.web.security import headers_middleware

LISTED_OF_A_CODE: Final = 20
"""Problems of one code that are listed; a long outage makes thousands of late invoices, and HQ polls every minute."""


def health_app(services: Services) -> web.Application:
    """Application of the health listener."""
    app = web.Application(middlewares=[working_middleware, headers_middleware, problems_middleware])
    app[HEALTH] = services.reporting
    app[COUNTERS] = services.counters
    app[BACKLOGS] = services.backlogs
    app[SHOP] = services.desk.settings.health.shop
    app.router.add_get("/health", _health)
    app.router.add_get("/health/live", _live)
    app.router.add_get("/health/ready", _ready)
    app.router.add_get("/metrics", _metrics)
    return app


def health_json(report: HealthReport) -> dict[str, Json]:
    """The body of /health."""
    printers: list[Json] = [json_views.printer(item) for item in report.printers]
    return {
        "status": report.status,
        "version": report.version,
        "till": report.till,
        "nip": report.nip,
        "at": json_views.instant(report.at),
        "started_at": json_views.instant(report.started_at),
        "mode": str(report.mode.mode),
        "mode_reason": report.mode.reason,
        "legal_basis": report.mode.legal_basis,
        "declared_by": report.mode.declared_by,
        "total_failure_to_confirm": report.mode.total_failure_to_confirm,
        "ksef": {
            "state": report.mode.ksef,
            "seen_at": json_views.instant(report.ksef_seen_at),
            "latarnia": report.mode.latarnia,
            "latarnia_seen_at": json_views.instant(report.latarnia_seen_at),
        },
        "queue": {
            "unsent": report.queue.unsent,
            "in_doubt": report.queue.in_doubt,
            "rejected": report.queue.rejected,
            "overdue": report.queue.overdue,
            "next_deadline": json_views.day(report.queue.next_deadline),
        },
        "printer": printers[0] if printers else None,
        "printers": printers,
        "certificates": [
            {
                "use": item.use,
                "serial": item.serial,
                "expires": json_views.instant(item.expires),
                "days_left": item.days_left,
            }
            for item in report.certificates
        ],
        "clock": _clock(report),
        "backup": {
            "last_at": json_views.instant(report.copies.last_at),
            "file": report.copies.last_file,
            "failed_at": json_views.instant(report.copies.failed_at),
            "problem": report.copies.problem,
        },
        "disk": {"free_bytes": report.disk_free_bytes, "database_bytes": report.database_bytes},
        "problems": [
            {
                "code": item.code,
                "message": item.message,
                "since": json_views.instant(item.since),
                "severity": item.severity,
            }
            for item in _listed(report.problems)
        ],
        "problems_total": len(report.problems),
    }


def _clock(report: HealthReport) -> dict[str, Json]:
    clock = report.clock
    return {
        "skew_seconds": report.clock_skew_seconds,
        "state": None if clock is None else clock.state,
        "confirmed_by": None if clock is None else clock.confirmed_by,
        "confirmed_at": json_views.instant(None if clock is None else clock.confirmed_at),
    }


def _listed(problems: Iterable[Problem]) -> Iterator[Problem]:
    seen: Counter[str] = Counter()
    for item in problems:
        seen[item.code] += 1
        if seen[item.code] <= LISTED_OF_A_CODE:
            yield item


async def _health(request: web.Request) -> web.Response:
    report = request.app[HEALTH].health()
    return json_views.json_response(health_json(report), status=503 if report.status == "critical" else 200)


async def _live(request: web.Request) -> web.Response:
    live = request.app[HEALTH].health().live
    return json_views.json_response({"live": live}, status=200 if live else 503)


async def _ready(request: web.Request) -> web.Response:
    ready = request.app[HEALTH].health().ready
    return json_views.json_response({"ready": ready}, status=200 if ready else 503)


async def _metrics(request: web.Request) -> web.Response:
    app = request.app
    page = render(app[HEALTH].health(), app[COUNTERS], app[BACKLOGS].last, shop=app[SHOP])
    return web.Response(body=page.encode(), headers={"Content-Type": CONTENT_TYPE})
