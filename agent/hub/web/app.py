"""The hub's application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from aiohttp import web

from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import HubStore
from agent.hub.services.administration import Administration
from agent.hub.services.books import BookQueries
from agent.hub.services.certificates import OfflineCertificates
from agent.hub.services.fleet import Fleet
from agent.hub.services.heartbeats import Heartbeats
from agent.hub.services.intake import Intake
from agent.hub.services.ksef_time import KsefTime, never
from agent.hub.services.outcomes import Outcomes
from agent.hub.settings.model import FleetSettings
from agent.hub.web import books, health, tills
from agent.hub.web.bulk import BULK_ROOM, BulkRoom
from agent.hub.web.context import (
    ADMINISTRATION,
    BOOKS,
    CLOCK,
    FLEET,
    HEARTBEATS,
    HUB_STORE,
    HUB_TASKS,
    INTAKE,
    KSEF_TIME,
    OFFLINE_CERTIFICATES,
    OUTCOMES,
    RATE_LIMITED,
)
from agent.hub.web.pages import handlers as pages
from agent.hub.web.security import plain_query_middleware, till_middleware
from agent.ports import Clock
from agent.services.background import BackgroundTasks
from agent.web.connections import working_middleware
from agent.web.problems import problems_middleware
from agent.web.request_body import BODY_SECONDS
from agent.web.security import put_security_headers
from agent.web.stopping import STOPPING

MOST_BODY_BYTES = 32 * 1024 * 1024
"""A thousand invoices as base64, unpacked."""
BODY_IN_SECONDS = 60.0
"""In which a body has to be there, over a shop's slow line."""


def hub_app(
    store: HubStore,
    clock: Clock,
    tasks: BackgroundTasks,
    *,
    version: str,
    fleet: FleetSettings | None = None,
    keys: OfflineKeys | None = None,
    backup_within: timedelta | None = None,
    tls_ends: datetime | None = None,
    rate_limited: Mapping[str, int] | None = None,
    refused: Callable[[], str | None] = lambda: None,
    ksef_time: KsefTime | None = None,
    told: Callable[[str | None], None] = lambda _: None,
) -> web.Application:
    """Application of the hub's listener: tills under /v1/, people and monitoring beside them.

    ``rate_limited``: by NIP, how many calls of this process KSeF turned away (429). ``refused``: see Fleet.
    ``ksef_time``: what tills are told of the time; without it nobody vouches for the clock but a time server.
    ``told``: see Intake.
    """
    app = web.Application(
        middlewares=[
            working_middleware,
            problems_middleware,
            plain_query_middleware,
            till_middleware(store, books.OF_PEOPLE),
        ],
        client_max_size=MOST_BODY_BYTES,
        handler_args={"auto_decompress": False},  # request_body.read() unpacks, and says what is wrong
    )
    app.on_response_prepare.append(put_security_headers)
    app[BODY_SECONDS] = BODY_IN_SECONDS
    app[CLOCK] = clock
    app[KSEF_TIME] = ksef_time = ksef_time or KsefTime(never, clock)
    app[BULK_ROOM] = BulkRoom()
    app[INTAKE] = Intake(store, told)
    app[OUTCOMES] = Outcomes(store, clock)
    certificates = OfflineCertificates(store, clock, keys or OfflineKeys())
    app[OFFLINE_CERTIFICATES] = certificates
    app[HEARTBEATS] = Heartbeats(store, clock, version, certificates)
    app[HUB_TASKS] = tasks
    app[HUB_STORE] = store
    app[FLEET] = Fleet(
        store,
        clock,
        fleet or FleetSettings(),
        version,
        backup_within,
        tls_ends=tls_ends,
        refused=refused,
        clock_trouble=ksef_time.trouble,
    )
    app[RATE_LIMITED] = {} if rate_limited is None else rate_limited
    app[BOOKS] = BookQueries(store, clock)
    app[ADMINISTRATION] = Administration(store)
    app[STOPPING] = asyncio.Event()
    app.add_routes(tills.routes())
    app.add_routes(health.routes())
    app.add_routes(books.routes())
    app.add_routes(pages.routes())
    app.on_shutdown.append(_stop)
    return app


async def _stop(app: web.Application) -> None:
    app[STOPPING].set()
