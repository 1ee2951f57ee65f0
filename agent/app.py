"""The composition root: the only place that knows every adapter; starts them and stops them in order.

Stages of a stop, each with its own limit: no new presses; presses under way; the sync; alerts and outbox; KSeF's
session; the final write and the store. A second start on the same data is refused by the store's lock.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import schemas
from agent.certificates.held import chain_files, load_certificates, log_remarks
from agent.certificates.upkeep import CertificateUpkeep, open_upkeep
from agent.domain.errors import AgentError, ConfigError, StoreUnfit
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.values import dataclass
from agent.ksef.client import proxy_credentials, proxy_headers, tls_context
from agent.ksef.credentials import read_secret
from agent.ksef.crypto import HeldSigner
from agent.ksef.gateway import Gateway, open_gateway
from agent.ksef.latarnia import open_latarnia
from agent.outbound import Outbound, Route, Webhooks, WhiteList
from agent.ports import Clock, InvoiceFilter, KsefGateway, StatusSource
from agent.services.assembly.ports import Ports
from agent.services.assembly.services import Services, assemble
from agent.services.background import BackgroundTasks
from agent.services.delivery.recent_calls import recent_calls
from agent.services.monitoring.counters import CountersInMemory
from agent.services.monitoring.outward_heartbeat import OutwardHeartbeat
from agent.services.monitoring.webhooks import ALERT_TYPES, INVOICE_TYPES, Subscriber
from agent.services.shutdown import Shutdown
from agent.services.tokens import Tokens
from agent.settings.model import Settings
from agent.settings.rules import is_loopback
from agent.store.bundle import dropped
from agent.store.disk import is_there
from agent.store.evidence_index import SqliteEvidenceIndex
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.witnesses import copy_of
from agent.system import service_unit
from agent.system.clock import SystemClock
from agent.system.os_errors import polish_reason
from printers.printer_set import PrinterSet, build

if TYPE_CHECKING:
    from agent.hub_route.chain import Chain

LOG = logging.getLogger("agent")
PRESS_SECONDS = 20.0
"""How long a stop waits for presses under way."""


@dataclass(kw_only=True)
class Agent(Services):
    """A running agent: its use cases over real adapters; the servers are not part of it."""

    clock: Clock
    store: SqliteStore
    tokens: Tokens
    fleet: PrinterSet
    upkeep: CertificateUpkeep
    chain: Chain | None = None
    """The hub of the chain, where ksef.route = "hub"."""
    heartbeat: OutwardHeartbeat | None = None
    """Signs of life to headquarters, where the settings want them."""

    async def check_database(self) -> None:
        """Verify the database: once a day, and once after a start that did not read all of it."""
        await self.daily.once_a_day("check-database", self._check_database, again=self.store_checks.owed)

    async def _check_database(self) -> bool:
        await self.store_checks.check()
        return True

    async def erase_consumers(self) -> None:
        """Erase consumers' data whose retention is over, once a day."""
        await self.daily.once_a_day("retention", self.retention.daily)


async def open_store(settings: Settings, clock: Clock | None = None) -> SqliteStore:
    """Open the till's database for writing, alone (AgentError where another agent holds it).

    StoreUnfit where there is none, while copies of this till's invoices lie where its copies go.
    """
    await asyncio.to_thread(_require_new_till, settings)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return await SqliteStore.open(settings.data_dir / DATABASE, clock or SystemClock())


def _require_new_till(settings: Settings) -> None:
    """Refuse to begin anew beside copies: the data may be on a disk that is not mounted."""
    database = settings.data_dir / DATABASE
    if is_there(database):
        return
    found = copy_of(settings.backup.dir, settings.seller.nip, settings.read_number)
    if found is not None:
        raise StoreUnfit(
            f"W {settings.data_dir} nie ma bazy danych, a w {settings.backup.dir} są kopie tej kasy ({found.name}). "
            "Agent nie zacznie numeracji od początku. Sprawdź, czy dysk z danymi jest podłączony; jeżeli baza zginęła: "
            f"ksef-agent restore {found}. Jeżeli to nowa kasa, nadaj jej własny numer (till) albo przenieś te kopie."
        )


async def open_store_readonly(settings: Settings) -> SqliteStore:
    """Open the till's database for reading, beside a running agent."""
    return await SqliteStore.open_readonly(settings.data_dir / DATABASE)


async def require_own_seller(settings: Settings, store: SqliteStore) -> None:
    """Refuse a database with invoices of another seller: ConfigError.

    What waits in it would go to KSeF as the new seller's, and one register and JPK would have the invoices of both.
    """
    newest = await store.read(lambda tx: tx.invoices.summaries(InvoiceFilter(limit=1)))
    if newest and newest[0].seller_nip != settings.seller.nip:
        raise ConfigError(
            (
                f"seller.nip: w bazie danych {settings.data_dir / DATABASE} są faktury sprzedawcy "
                f"{newest[0].seller_nip}, a ustawienia są dla {settings.seller.nip}. Jeżeli to pomyłka, popraw "
                "seller.nip. Innej firmie daj własny katalog danych (data_dir); co w tej bazie czeka na KSeF, "
                "wyśle tylko agent z poprzednimi ustawieniami.",
            )
        )


def load_schema(settings: Settings) -> Fa3Schema:
    """Compile the FA(3) schema: the one in the package, or that of ``schemas.dir``."""
    return Fa3Schema(schemas.load(settings.schemas_dir))


@asynccontextmanager
async def assembled(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Agent]:
    """Join all parts over an open store; recover what a crash left; leave everything closed."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        schema = load_schema(settings)
        signer, authentication = load_certificates(settings)
        held = HeldSigner(signer)
        log_remarks(settings, signer, authentication, clock.now())
        fleet = build(settings.printers, clock)
        counters = CountersInMemory()
        own = _own_way(settings, clock, counters)
        beacon = open_latarnia(settings.ksef, clock)
        stack.push_async_callback(beacon.close)
        chain = _chain(settings, clock, own, beacon, held)
        gateway = own if chain is None else chain.gateway
        assert gateway is not None
        stack.push_async_callback(gateway.close)
        latarnia: StatusSource = beacon if chain is None else chain.latarnia
        store = await open_store(settings, clock)
        stack.push_async_callback(store.close)
        await require_own_seller(settings, store)
        shutdown = Shutdown()
        tasks = BackgroundTasks(shutdown.fail)
        outbound, ministry = Outbound(clock), Outbound(clock, _way_out(settings, settings.page.lookup_url))
        stack.push_async_callback(outbound.close)
        stack.push_async_callback(ministry.close)
        ports = Ports(
            clock=clock,
            store=store,
            gateway=gateway,
            latarnia=latarnia,
            printer=fleet.printer,
            renderer=fleet,
            webhooks=Webhooks(outbound, clock),
            white_list=WhiteList(ministry, clock, settings.page.lookup_url) if settings.page.lookup_buyers else None,
            drop_archive=dropped,
            open_index=SqliteEvidenceIndex,
            signer=held,
            authentication=authentication,
        )
        services = assemble(
            settings,
            ports,
            schema=schema,
            tasks=tasks,
            shutdown=shutdown,
            counters=counters,
            subscribers=_subscribers(settings),
        )
        store.give_way(lambda: services.presses.any)
        services.presses.when_over(store.let_go_on)
        upkeep = open_upkeep(
            settings,
            clock,
            own,
            offline=signer,
            authentication=authentication,
            now=services.clock_check.best,
            daily=services.daily,
            attempts=services.certificates.attempts,
            changed=services.changed,
            hub_decides=lambda: chain is not None and chain.certificate.adopted,
        )
        agent = Agent(
            **vars(services),
            clock=clock,
            store=store,
            tokens=Tokens.in_directory(settings.data_dir),
            fleet=fleet,
            upkeep=upkeep,
            chain=chain,
            heartbeat=_heartbeat(settings, clock, services.clock_check.best, stack),
        )
        agent.certificates.file_problems = upkeep.file_problems
        agent.judge.tokens_problem = agent.tokens.problem
        if chain is not None:
            await chain.identify(store)
        await agent.recover()
        if own is not None:
            recent = await recent_calls(
                store, now=services.clock_check.best(), wall=clock.now(), timeout_seconds=settings.ksef.timeout_seconds
            )
            own.recall_sends(recent.sends)
            own.recall_sessions(online=recent.sessions, batches=recent.batches)
            own.recall_background(recent.documents, recent.last_at)
        await agent.problems.refresh()
        try:
            yield agent
        finally:
            late = await tasks.drain(PRESS_SECONDS)
            if late:
                LOG.warning("stopped while under way: %s", ", ".join(late))


def _own_way(settings: Settings, clock: Clock, counters: CountersInMemory) -> Gateway | None:
    """Return KSeF as this till reaches it by itself; None where it leaves that to a hub."""
    if not settings.sends_itself:
        return None
    gateway = open_gateway(settings.ksef, settings.seller.nip, clock, metrics=counters)
    counters.show_limits(gateway.limits)
    return gateway


def _chain(
    settings: Settings, clock: Clock, own: KsefGateway | None, latarnia: StatusSource, signer: HeldSigner
) -> Chain | None:
    """Join the second route where it is chosen; a till alone does not even load it."""
    if settings.ksef.route != "hub":
        return None
    from agent.hub_route.chain import open_chain  # noqa: PLC0415 - only where the route is used

    place = chain_files(settings)
    return open_chain(settings.hub, clock, own, latarnia, signer=signer, place=place, nips=settings.offline_nips)


def _heartbeat(
    settings: Settings, clock: Clock, now: Callable[[], datetime], stack: AsyncExitStack
) -> OutwardHeartbeat | None:
    """Return what tells headquarters that the till lives; a till without it opens no way there."""
    chosen = settings.heartbeat
    if not chosen.url or chosen.secret_file is None:
        return None
    secret = read_secret(chosen.secret_file).encode()
    headquarters = Outbound(clock, _way_out(settings, chosen.url))
    stack.push_async_callback(headquarters.close)
    return OutwardHeartbeat(
        Webhooks(headquarters, clock),
        url=chosen.url,
        secret=secret,
        seconds=chosen.seconds,
        shop=settings.health.shop,
        now=now,
    )


def _way_out(settings: Settings, url: str) -> Route:
    """Return how an address is reached: as KSeF is, by the shop's proxy where there is one."""
    ksef = settings.ksef
    tls = tls_context(ksef.ca_file)
    if not ksef.proxy_url or is_loopback(urlsplit(url).hostname or ""):
        return Route(tls=tls)
    return Route(ksef.proxy_url, proxy_headers(proxy_credentials(ksef)), tls)


def _subscribers(settings: Settings) -> list[Subscriber]:
    found = []
    if settings.outbox.url and settings.outbox.secret_file:
        secret = read_secret(settings.outbox.secret_file).encode()
        found.append(Subscriber("shop", settings.outbox.url, secret, INVOICE_TYPES))
    if settings.alerts.webhook_url and settings.alerts.webhook_secret_file:
        secret = read_secret(settings.alerts.webhook_secret_file).encode()
        found.append(Subscriber("alerts", settings.alerts.webhook_url, secret, ALERT_TYPES, replayable=False))
    return found


def require_data_dir(path: Path) -> None:
    """Refuse a data directory that cannot be written, with one clear sentence; the next start may find the disk."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):  # under no name anybody may have taken
            pass
    except OSError as error:
        remedy = ""
        if error.errno == errno.EROFS and service_unit.inside():
            remedy = f" Dla serwisu: systemctl edit ksef-agent, w sekcji [Service] wiersz „ReadWritePaths={path}”."
        raise AgentError(f"Nie można pisać w katalogu danych {path}: {polish_reason(error)}.{remedy}") from error
