"""HTTP for the till (docs/api.md): handlers only translate; the use cases are given to them.

A press is shielded: the cashier's dropped connection, a reload of the page or the stop of this server never cancels it.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from agent.services.assembly.services import Services
from agent.services.manager_pins import ManagerPins
from agent.services.tokens import Tokens
from agent.settings.model import ApiSettings, PageSettings
from agent.web import corrections, exchange, invoices, manager, mode, openapi, page, records
from agent.web.connections import working_middleware
from agent.web.context import PAGE, provide
from agent.web.manager import MANAGERS, Managers
from agent.web.manager_session import ManagerSessions
from agent.web.problems import problems_middleware
from agent.web.request_body import BODY_SECONDS
from agent.web.request_query import known_parameters
from agent.web.security import bearer_middleware, origin_middleware, put_cors_headers, put_security_headers
from agent.web.stopping import STOPPING


def till_app(
    services: Services,
    tokens: Tokens,
    api: ApiSettings,
    settings: PageSettings | None = None,
    *,
    open_token: str | None = None,
    body_seconds: float = 30.0,
) -> web.Application:
    """Application of the till's listener: API under /v1/, /openapi.json, the till page at /.

    ``open_token``: for the demo only, the page opens without asking for a token. ``body_seconds``: in which the body
    of a request has to be there.
    """
    clock = services.ports.clock
    managers = Managers(ManagerPins(services.settings.data_dir, clock), ManagerSessions(clock))
    app = web.Application(
        middlewares=[
            working_middleware,
            problems_middleware,
            origin_middleware(api.host, api.origins),
            bearer_middleware(tokens, managers.sessions),
            known_parameters,
        ],
        client_max_size=api.max_body_bytes,
        handler_args={"auto_decompress": False},  # bodies.read() unpacks, and says what is wrong
    )
    app.on_response_prepare.extend((put_security_headers, put_cors_headers))
    app[BODY_SECONDS] = body_seconds
    provide(app, services)
    app[STOPPING] = asyncio.Event()
    app[PAGE] = settings or PageSettings()
    app[MANAGERS] = managers
    app.add_routes(routes())
    app.add_routes(page.routes(open_token))
    app.add_routes(manager.routes())
    app.on_shutdown.append(_stop)
    return app


def routes() -> list[web.RouteDef]:
    """Every route of the API; schemas/api/openapi.json is checked against this table."""
    return [
        web.get("/openapi.json", openapi.serve),
        *invoices.routes(),
        *corrections.routes(),
        *exchange.routes(),
        *mode.routes(),
        *records.routes(),
    ]


async def _stop(app: web.Application) -> None:
    app[STOPPING].set()
