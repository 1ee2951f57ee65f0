"""A hub as a server in this process: its HTTP, its couriers and its store; tills reach it over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from agent.hub.courier.couriers import CourierGateway, Couriers
from agent.hub.domain.records import Seller, Till
from agent.hub.domain.tokens import token_hash
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.settings.model import CourierSettings
from agent.hub.web.app import hub_app
from agent.hub_route.client import HubClient
from agent.hub_route.gateway import HubGateway
from agent.ports import Clock
from agent.sandbox.listener import Listener
from agent.services.background import BackgroundTasks
from tests.fakes.hub_stores import NIP, sqlite_hub

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ServedHub:
    """The hub, and how its line is made to misbehave."""

    store: HubStore
    clock: Clock
    listener: Listener
    couriers: Couriers
    lost: list[str] = field(default_factory=list)
    """Methods whose next answer gets lost."""
    defects: list[tuple[str, BaseException]] = field(default_factory=list)

    async def till(self, name: str, *, series: tuple[str, ...] = (), nip: str = NIP) -> tuple[Till, str]:
        """Add a till; return it and its token."""

        async def work(tx: HubTransaction) -> Till:
            if nip not in {each.nip for each in await tx.parties.sellers()}:
                await tx.parties.add_seller(nip, "Sklep", {})
            return await tx.parties.add_till(nip, name, f"Sklep {name}", series, token_hash(f"token-{nip}-{name}"))

        return await self.store.write(work), f"token-{nip}-{name}"

    def client(self, token: str, database: str = "database-1") -> HubClient:
        return HubClient(self.listener.url, self.clock, token=token, database=database)

    async def gateway(self, name: str = "1") -> HubGateway:
        """Return the second route of a new till."""
        _, token = await self.till(name)
        return HubGateway(self.client(token, f"database-{name}"), self.clock)


@asynccontextmanager
async def served_hub(
    folder: Path,
    clock: Clock,
    open_gateway: Callable[[Seller], CourierGateway],
    *,
    settings: CourierSettings | None = None,
    threaded: bool = False,
) -> AsyncIterator[ServedHub]:
    """Serve a hub whose couriers use ``open_gateway``."""
    async with sqlite_hub(folder, clock, threaded=threaded) as store:
        defects: list[tuple[str, BaseException]] = []
        tasks = BackgroundTasks(lambda name, error: defects.append((name, error)))
        app = hub_app(store, clock, tasks, version="1.2.3")
        lost: list[str] = []

        @web.middleware
        async def lose(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            if request.method in lost:
                lost.remove(request.method)
                assert request.transport is not None
                request.transport.abort()
            return response

        app.middlewares.insert(0, lose)
        listener = Listener(app)
        await listener.start()
        couriers = Couriers(store, clock, open_gateway, settings)
        running = asyncio.create_task(couriers.run(), name="couriers")
        try:
            yield ServedHub(store, clock, listener, couriers, lost, defects)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await listener.stop()
            await tasks.drain(0.1)
            assert not defects, defects
