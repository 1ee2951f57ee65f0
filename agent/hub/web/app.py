"""The hub's application."""

from __future__ import annotations

import asyncio

from aiohttp import web

from agent.hub.ports import HubStore
from agent.hub.services.heartbeats import Heartbeats
from agent.hub.services.intake import Intake
from agent.hub.services.outcomes import Outcomes
from agent.hub.web import health, tills
from agent.hub.web.context import CLOCK, HEARTBEATS, HUB_TASKS, INTAKE, OUTCOMES
from agent.hub.web.security import till_middleware
from agent.ports import Clock
from agent.services.background import BackgroundTasks
from agent.web.connections import working_middleware
from agent.web.problems import problems_middleware
from agent.web.request_body import BODY_SECONDS
from agent.web.security import headers_middleware
from agent.web.stopping import STOPPING

MOST_BODY_BYTES = 32 * 1024 * 1024
"""A thousand invoices as base64, unpacked."""
BODY_IN_SECONDS = 60.0
"""In which a body has to be there, over a shop's slow line."""


def hub_app(store: HubStore, clock: Clock, tasks: BackgroundTasks, *, version: str) -> web.Application:
    """Application of the hub's listener: tills under /v1/."""
    app = web.Application(
        middlewares=[working_middleware, headers_middleware, problems_middleware, till_middleware(store)],
        client_max_size=MOST_BODY_BYTES,
        handler_args={"auto_decompress": False},  # request_body.read() unpacks, and says what is wrong
    )
    app[BODY_SECONDS] = BODY_IN_SECONDS
    app[CLOCK] = clock
    app[INTAKE] = Intake(store)
    app[OUTCOMES] = Outcomes(store, clock)
    app[HEARTBEATS] = Heartbeats(store, clock, version)
    app[HUB_TASKS] = tasks
    app[STOPPING] = asyncio.Event()
    app.add_routes(tills.routes())
    app.add_routes(health.routes())
    app.on_shutdown.append(_stop)
    return app


async def _stop(app: web.Application) -> None:
    app[STOPPING].set()
