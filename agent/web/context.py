"""What the handlers share: the use cases behind them, and how work and files leave through them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import BinaryIO, Final, TypeVar

from aiohttp import web

from agent.services.assembly.services import Services
from agent.services.background import BackgroundTasks
from agent.services.buyers.lookup import BuyerLookup
from agent.services.changes import Changes
from agent.services.corrections.pending import PendingCorrections
from agent.services.corrections.pending_slip import PendingCorrectionSlip
from agent.services.delivery.queue import SendQueue
from agent.services.exchange.made import ExchangeRequests
from agent.services.issuing.idempotency import IssueOutcome
from agent.services.issuing.issue import Issuing
from agent.services.issuing.rejected import RejectedInvoices
from agent.services.issuing.sale_preview import SalePreview
from agent.services.monitoring.backlogs import Backlogs
from agent.services.monitoring.counters import CountersInMemory
from agent.services.monitoring.health import HealthReporter
from agent.services.monitoring.outward_heartbeat import OutwardHeartbeat
from agent.services.monitoring.webhooks import Outboxes
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.declarations import Declarations
from agent.services.outages.mode import CurrentMode
from agent.services.outages.trusted_time import TrustedTime
from agent.services.paper.previews import Previews
from agent.services.paper.reprint import Reprinting
from agent.services.presses import Presses
from agent.services.queries.invoices import InvoiceQueries
from agent.services.records.books import Books
from agent.services.records.evidence import Evidence
from agent.services.records.ksef_comparison import KsefComparisons
from agent.services.records.outages import OutageReports
from agent.services.records.register import RegisterReports
from agent.services.records.retention import Retention
from agent.settings.model import PageSettings, Settings
from agent.web import json_views, request_body

T = TypeVar("T")

ISSUING: Final = web.AppKey("issuing", Issuing)
SALE_PREVIEW: Final = web.AppKey("sale_preview", SalePreview)
PENDING: Final = web.AppKey("pending", PendingCorrections)
SLIP: Final = web.AppKey("slip", PendingCorrectionSlip)
REJECTED: Final = web.AppKey("rejected", RejectedInvoices)
INVOICES: Final = web.AppKey("invoices", InvoiceQueries)
PREVIEWS: Final = web.AppKey("previews", Previews)
REPRINTING: Final = web.AppKey("reprinting", Reprinting)
QUEUE: Final = web.AppKey("queue", SendQueue)
MODE: Final = web.AppKey("mode", CurrentMode)
DECLARATIONS: Final = web.AppKey("declarations", Declarations)
CLOCK_CHECK: Final = web.AppKey("clock_check", ClockCheck)
TRUSTED_TIME: Final = web.AppKey("trusted_time", TrustedTime)
HEALTH: Final = web.AppKey("health", HealthReporter)
HEARTBEAT: Final = web.AppKey("heartbeat", OutwardHeartbeat)
"""Absent where none is sent."""
REGISTER: Final = web.AppKey("register", RegisterReports)
BOOKS: Final = web.AppKey("books", Books)
COMPARISONS: Final = web.AppKey("comparisons", KsefComparisons)
EVIDENCE: Final = web.AppKey("evidence", Evidence)
OUTAGES: Final = web.AppKey("outages", OutageReports)
RETENTION: Final = web.AppKey("retention", Retention)
OUTBOXES: Final = web.AppKey("outboxes", Outboxes)
BUYERS: Final = web.AppKey("buyers", BuyerLookup)
CHANGES: Final = web.AppKey("changes", Changes)
EXCHANGE: Final = web.AppKey("exchange", ExchangeRequests)
TASKS: Final = web.AppKey("tasks", BackgroundTasks)
PRESSES: Final = web.AppKey("presses", Presses)
COUNTERS: Final = web.AppKey("counters", CountersInMemory)
BACKLOGS: Final = web.AppKey("backlogs", Backlogs)
SETTINGS: Final = web.AppKey("settings", Settings)
SHOP: Final = web.AppKey("shop", str)
"""Label of the metrics."""
PAGE: Final = web.AppKey("page", PageSettings)
REASON_WANTED: Final = "Podaj powód: zostanie w dzienniku."


def provide(app: web.Application, services: Services) -> None:
    """Give the handlers the use cases behind them."""
    app[SETTINGS] = services.settings
    app[TASKS] = services.tasks
    app[PRESSES] = services.presses
    app[ISSUING] = services.issuing
    app[SALE_PREVIEW] = services.sale_preview
    app[PENDING] = services.pending
    app[SLIP] = services.slip
    app[REJECTED] = services.rejected
    app[INVOICES] = services.invoices
    app[PREVIEWS] = services.previews
    app[REPRINTING] = services.reprinting
    app[QUEUE] = services.queue
    app[MODE] = services.mode
    app[DECLARATIONS] = services.declarations
    app[CLOCK_CHECK] = services.clock_check
    app[TRUSTED_TIME] = services.trusted_time
    app[HEALTH] = services.health
    app[REGISTER] = services.register
    app[BOOKS] = services.books
    app[COMPARISONS] = services.comparisons
    app[EVIDENCE] = services.evidence
    app[OUTAGES] = services.outages
    app[RETENTION] = services.retention
    app[OUTBOXES] = services.outboxes
    app[BUYERS] = services.buyers
    app[CHANGES] = services.changes
    app[EXCHANGE] = services.exchange


async def shielded(request: web.Request, work: Coroutine[object, object, T]) -> T:
    """Await ``work``, which goes on to its end whatever becomes of the request."""
    return await request.app[TASKS].run(f"web-{request.method}-{request.path}", work)


async def pressed(request: web.Request, work: Coroutine[object, object, IssueOutcome]) -> web.Response:
    """Answer a press with what it made, as it stands; what can wait stands back until then.

    Issuing shields a press itself: it goes on to its end whatever becomes of the request.
    """
    with request.app[PRESSES].under_way():
        outcome = await work
        return json_views.issued(await request.app[INVOICES].issued(outcome))


def file_response(body: bytes | BinaryIO, content_type: str, name: str | None = None) -> web.Response:
    """Answer with a file; with ``name`` browsers save it."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if name else None
    return web.Response(body=body, content_type=content_type, headers=headers)


async def reason_of(request: web.Request) -> str:
    """Read {"reason"}, the whole body of what a manager does with a word of why; BadInput without it."""
    body = await request_body.json_object(request)
    request_body.known_only(body, "reason")
    return request_body.required_text(body, "reason", REASON_WANTED)
