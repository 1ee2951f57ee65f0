"""The till's side of the hub, put together: where ksef.route = "hub", loaded by app.py, run by serving/chain.py."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import field

from agent.domain.errors import ConfigError
from agent.domain.values import dataclass
from agent.hub_route.client import HubClient
from agent.hub_route.gateway import HubGateway
from agent.hub_route.latarnia import ChainLatarnia
from agent.hub_route.offline_key import ChainCertificate
from agent.hub_route.refusals import Refusals
from agent.hub_route.routed import RoutedGateway
from agent.ksef.certificate_files import CertificateFiles
from agent.ksef.credentials import read_secret
from agent.ksef.crypto import HeldSigner
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
    certificate: ChainCertificate
    clock: Clock
    refusals: Refusals = field(default_factory=Refusals)

    async def identify(self, store: Store) -> None:
        """Let the hub tell this till from another one under its name: by its database, and by this run of it."""

        async def work(tx: Transaction) -> Json:
            known = await tx.key_values.get(DATABASE)
            if not isinstance(known, str):
                known = uuid.uuid4().hex
                await tx.key_values.put(DATABASE, known)
            return known

        self.client.database = str(await store.write(work))
        self.client.process = uuid.uuid4().hex


def open_hub(settings: HubRouteSettings, clock: Clock) -> HubClient:
    """Return the contract's calls. ConfigError where the token cannot be read."""
    if settings.token_file is None:
        raise ConfigError(("hub.token_file: brakuje kodu dostępu kasy do centrali.",))
    return HubClient(settings.url, clock, token=read_secret(settings.token_file), database="", ca_file=settings.ca_file)


def open_chain(
    settings: HubRouteSettings,
    clock: Clock,
    own: KsefGateway | None,
    latarnia: StatusSource,
    *,
    signer: HeldSigner,
    place: CertificateFiles,
    nips: Collection[str],
) -> Chain:
    """Join them. Files are read now (ConfigError), nothing is called before the first use.

    ``signer`` adopts the Offline certificate the hub hands out, kept in ``place``; ``nips``: whose it may be.
    """
    client = open_hub(settings, clock)
    gateway = RoutedGateway(HubGateway(client, clock), own)
    certificate = ChainCertificate(client, place, signer, nips=nips, now=clock.now)
    return Chain(client, gateway, ChainLatarnia(latarnia, clock), certificate, clock)
