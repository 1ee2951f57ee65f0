"""The till's side of the hub, put together: where ksef.route = "hub", loaded by app.py, run by serving/chain.py."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from agent.domain.errors import ConfigError
from agent.hub_route.client import HubClient
from agent.hub_route.gateway import HubGateway
from agent.hub_route.latarnia import ChainLatarnia
from agent.hub_route.routed import RoutedGateway
from agent.ksef.credentials import read_secret
from agent.ports import Clock, Json, KsefGateway, StatusSource, Store, Transaction
from agent.settings.model import HubRouteSettings

DATABASE = "hub:database"
"""In the notebook: what the hub knows this till's database by; a copy of the database carries it."""


@dataclass(slots=True)
class Chain:
    """Both ways to KSeF, and the contract with the hub."""

    client: HubClient
    gateway: RoutedGateway
    latarnia: ChainLatarnia
    clock: Clock

    async def identify(self, store: Store) -> None:
        """Let the hub tell this till's database from that of another till under its name."""

        async def work(tx: Transaction) -> Json:
            known = await tx.key_values.get(DATABASE)
            if not isinstance(known, str):
                known = uuid.uuid4().hex
                await tx.key_values.put(DATABASE, known)
            return known

        self.client.database = str(await store.write(work))


def open_hub(settings: HubRouteSettings, clock: Clock) -> HubClient:
    """Return the contract's calls. ConfigError where the token cannot be read."""
    if settings.token_file is None:
        raise ConfigError(("hub.token_file: brakuje kodu dostępu kasy do centrali.",))
    return HubClient(settings.url, clock, token=read_secret(settings.token_file), database="", ca_file=settings.ca_file)


def open_chain(settings: HubRouteSettings, clock: Clock, own: KsefGateway | None, latarnia: StatusSource) -> Chain:
    """Join them. Files are read now (ConfigError), nothing is called before the first use."""
    client = open_hub(settings, clock)
    return Chain(client, RoutedGateway(HubGateway(client, clock), own), ChainLatarnia(latarnia, clock), clock)
