"""A hub as a server in this process: its HTTP, its couriers and its store; tills reach it over loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aiohttp import web

from agent.hub.app import certificate_keeper
from agent.hub.courier.certificates import CertificateKeeper
from agent.hub.courier.couriers import CourierGateway, Couriers
from agent.hub.domain.records import Seller, Till
from agent.hub.domain.tokens import token_hash
from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.hub.private_ca import issue
from agent.hub.services.ksef_time import KsefTime
from agent.hub.settings.model import CourierSettings
from agent.hub.web.app import hub_app
from agent.hub_route.client import HubClient
from agent.hub_route.gateway import HubGateway
from agent.ports import Clock
from agent.sandbox.listener import Listener
from agent.services.background import BackgroundTasks
from agent.settings.model import KsefSettings
from tests.fakes.hub_stores import NIP, sqlite_hub

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ServedHub:
    """The hub, and how its line is made to misbehave."""

    store: HubStore
    clock: Clock
    listener: Listener
    couriers: Couriers
    app: web.Application
    ca_file: Path | None = None
    """What tills believe, where it speaks TLS."""
    lost: list[str] = field(default_factory=list)
    """Methods whose next answer gets lost."""
    defects: list[tuple[str, BaseException]] = field(default_factory=list)
    clients: list[HubClient] = field(default_factory=list)

    async def till(self, name: str, *, series: tuple[str, ...] = (), nip: str = NIP) -> tuple[Till, str]:
        """Add a till; return it and its token."""

        async def work(tx: HubTransaction) -> Till:
            if nip not in {each.nip for each in await tx.parties.sellers()}:
                await tx.parties.add_seller(nip, "Sklep", {})
            return await tx.parties.add_till(nip, name, f"Sklep {name}", series, token_hash(f"token-{nip}-{name}"))

        return await self.store.write(work), f"token-{nip}-{name}"

    def client(self, token: str, database: str = "database-1") -> HubClient:
        made = HubClient(self.listener.url, self.clock, token=token, database=database, ca_file=self.ca_file)
        self.clients.append(made)
        return made

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
    tls: bool = False,
    keys: OfflineKeys | None = None,
    ksef_time: KsefTime | None = None,
) -> AsyncIterator[ServedHub]:
    """Serve a hub whose couriers use ``open_gateway``; ``keys``: what it hands out, over ``tls``.

    Without ``ksef_time`` KSeF shows the time of ``clock``.
    """
    async with sqlite_hub(folder, clock, threaded=threaded) as store:
        defects: list[tuple[str, BaseException]] = []
        tasks = BackgroundTasks(lambda name, error: defects.append((name, error)))
        ksef_time = ksef_time or KsefTime(_same, clock)
        app = hub_app(store, clock, tasks, version="1.2.3", keys=keys, ksef_time=ksef_time)
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
        ca_file, context = _tls(folder) if tls else (None, None)
        listener = Listener(app, context)
        await listener.start()
        couriers = Couriers(
            store,
            clock,
            open_gateway,
            settings,
            keep=None if keys is None else partial(_keeper, keys, store, clock),
        )
        running = asyncio.gather(
            asyncio.create_task(couriers.run(), name="couriers"), asyncio.create_task(ksef_time.run(), name="ksef-time")
        )
        try:
            served = ServedHub(store, clock, listener, couriers, app, ca_file, lost, defects)
            yield served
        finally:
            for client in served.clients:
                await client.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await listener.stop()
            await tasks.drain(0.1)
            assert not defects, defects


async def _same() -> float:
    return 0.0


def _keeper(
    keys: OfflineKeys, store: HubStore, clock: Clock, seller: Seller, lead: Leadership, gateway: CourierGateway
) -> CertificateKeeper | None:
    return certificate_keeper(KsefSettings(), seller, lead, gateway, keys=keys, store=store, clock=clock)


def _tls(folder: Path) -> tuple[Path, ssl.SSLContext]:
    made = issue(["127.0.0.1"], days=10)
    for name, data in (("ca.crt", made.ca_certificate), ("hub.crt", made.certificate), ("hub.key", made.key)):
        (folder / name).write_bytes(data)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "hub.crt", folder / "hub.key")
    return folder / "ca.crt", context
