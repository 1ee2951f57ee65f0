"""The composition root: the only place that knows every adapter; starts them and stops them in order.

Stages of a stop, each with its own limit: no new presses; presses under way; the sync; alerts and outbox; KSeF's
session; the final write and the store. A second start on the same data is refused by the store's lock.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import schemas
from agent.domain.errors import AgentError, ConfigError, StoreUnfit
from agent.domain.fa3.schema import Fa3Schema
from agent.ksef.certificate_checks import Remark, Use, remarks
from agent.ksef.certificate_files import CertificateFiles, finish_switch
from agent.ksef.certificate_watch import CertificateWatch
from agent.ksef.certificates import ISSUING, Certificates, CertificateType
from agent.ksef.client import proxy_credentials, proxy_headers, tls_context
from agent.ksef.credentials import (
    Credentials,
    authentication_credentials,
    load_credentials,
    offline_credentials,
    read_secret,
)
from agent.ksef.crypto import HeldSigner, OfflineSigner, open_signer
from agent.ksef.enrolment import Renewal, RenewalResult
from agent.ksef.gateway import Gateway, open_gateway, try_out
from agent.ksef.latarnia import open_latarnia
from agent.ksef.limits import TOO_MANY
from agent.outbound import Outbound, Route, Webhooks, WhiteList
from agent.ports import CallOutcome, Clock, KsefError, KsefGateway, StatusSource
from agent.services.assembly import Ports, Services, assemble
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
from agent.store.sqlite import DATABASE, SqliteStore
from agent.store.witnesses import copy_of
from agent.system import service_unit
from agent.system.clock import SystemClock
from agent.system.os_errors import polish_reason
from printers.printer_set import PrinterSet, build

if TYPE_CHECKING:
    from agent.hub_route.chain import Chain

LOG = logging.getLogger("agent")
UNDECIDED = frozenset({ISSUING, TOO_MANY})
"""KSeF's words for a request for a certificate that it has taken, or would take later."""
PRESS_SECONDS = 20.0
"""How long a stop waits for presses under way."""


@dataclass(slots=True, kw_only=True)
class Agent(Services):
    """A running agent: its use cases over real adapters; the servers are not part of it."""

    clock: Clock
    store: SqliteStore
    tokens: Tokens
    fleet: PrinterSet
    renewals: tuple[Renewal, ...] = ()
    watches: tuple[CertificateWatch, ...] = ()
    chain: Chain | None = None
    """The hub of the chain, where ksef.route = "hub"."""
    heartbeat: OutwardHeartbeat | None = None
    """Signs of life to headquarters, where the settings want them."""

    async def check_database(self) -> None:
        """Verify the database, once a day."""
        await self.daily.once_a_day("check-database", self._check_database)

    async def _check_database(self) -> bool:
        await self.store_checks.check()
        return True

    async def read_for_the_books(self) -> None:
        """Take from yesterday's invoices what the books need, once a day."""
        await self.daily.once_a_day("books", self._read_for_the_books)

    async def _read_for_the_books(self) -> bool:
        await self.books.read_all()
        return True

    async def erase_consumers(self) -> None:
        """Erase consumers' data whose retention is over, once a day."""
        await self.daily.once_a_day("retention", self.retention.daily)

    async def renew_certificates(self) -> None:
        """Renew the certificates that are due, once a day; what goes wrong waits for the next time."""
        for renewal in self.renewals:
            if renewal.kind is CertificateType.OFFLINE and self._hub_decides:
                continue
            await self.daily.once_a_day(f"renew-{renewal.kind.lower()}", partial(self._renew, renewal))

    async def _renew(self, renewal: Renewal) -> bool:
        try:
            result = await renewal.run()
        except (AgentError, KsefError) as error:
            LOG.warning("the %s certificate could not be renewed: %s", renewal.kind, error)
            await self.certificates.attempts.record(renewal.kind.lower(), str(error))
            # out of reach, or KSeF is still at it: again within the hour; refused: tomorrow
            return not (
                isinstance(error, KsefError) and (error.outcome is not CallOutcome.REFUSED or error.code in UNDECIDED)
            )
        if result is RenewalResult.RENEWED:
            LOG.info("the %s certificate was renewed", renewal.kind)
            await self.certificates.attempts.record(renewal.kind.lower(), None)
        if result is RenewalResult.ADOPTED:
            LOG.info("the %s certificate that another till renewed is used from now on", renewal.kind)
        self.changed.set()
        return result is not RenewalResult.ELSEWHERE

    @property
    def _hub_decides(self) -> bool:
        """Whether the hub says which Offline certificate signs; one that the settings name stands back."""
        return self.chain is not None and self.chain.certificate.adopted

    async def look_at_certificates(self) -> None:
        """Take up certificates that somebody else put in place."""
        for watch in self.watches:
            if watch.use is Use.OFFLINE and self._hub_decides:
                continue
            found = await asyncio.to_thread(watch.look)
            if found is not None:
                watch.adopt(found)
                LOG.info("another %s certificate lies there and is used from now on: %s", watch.use, found.serial)
                self.changed.set()

    def certificate_file_problems(self) -> Mapping[str, str]:
        """Return by use what is wrong with the files of a certificate."""
        return {watch.use.lower(): watch.problem for watch in self.watches if watch.problem is not None}


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


def load_signer(settings: Settings) -> OfflineSigner | None:
    """Load the Offline certificate; None where there is none.

    What the hub of a chain handed out comes before what the settings name, unless it cannot be read or has expired.
    """
    handed_out = chain_certificate(settings)
    if handed_out is not None and handed_out.expires > datetime.now(UTC):
        return handed_out
    return open_signer(settings.offline)


def chain_certificate(settings: Settings) -> OfflineSigner | None:
    """Return the Offline certificate the hub handed out to this till; None where there is none that can be read."""
    place = chain_files(settings)
    if settings.ksef.route != "hub":
        return None
    try:
        finish_switch(place)
        if not place.certificate_file.exists():
            return None
        return OfflineSigner(load_credentials(place.certificate_file, place.key_file))
    except (ConfigError, OSError) as error:
        LOG.warning("the Offline certificate of the chain cannot be used: %s", error)
        return None


def chain_files(settings: Settings) -> CertificateFiles:
    """Return where the certificate lies that the hub hands out."""
    folder = settings.data_dir
    return CertificateFiles(folder / "hub-offline.crt", folder / "hub-offline.key")


def load_authentication(settings: Settings) -> OfflineSigner | None:
    """Load the certificate KSeF is signed in with, to watch its validity; None where a token is used.

    Nor is there one where the till leaves KSeF to a hub.
    """
    if not settings.sends_itself:
        return None
    credentials = authentication_credentials(settings.ksef)
    return None if credentials is None else OfflineSigner(credentials)


def load_certificates(settings: Settings) -> tuple[OfflineSigner | None, OfflineSigner | None]:
    """Load both certificates, that of KOD II first; ConfigError names what is wrong with either."""
    found: list[OfflineSigner | None] = []
    problems: list[str] = []
    for load in (load_signer, load_authentication):
        try:
            found.append(load(settings))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(tuple(problems))
    return found[0], found[1]


def offline_remarks(settings: Settings, signer: OfflineSigner, now: datetime) -> tuple[Remark, ...]:
    """Return what is to be said of the certificate of KOD II."""
    return remarks(signer.certificate, Use.OFFLINE, settings.offline_nips, now)


def authentication_remarks(settings: Settings, authentication: OfflineSigner, now: datetime) -> tuple[Remark, ...]:
    """Return what is to be said of the certificate that signs in."""
    return remarks(authentication.certificate, Use.AUTHENTICATION, settings.authentication_nips, now)


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
        _tell(settings, signer, authentication, clock.now())
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
        renewals: Iterator[Renewal] = iter(())
        adopt_authentication = partial(_authenticate_with, own, authentication)
        if own is not None:
            renewals = _renewals(
                settings,
                clock,
                own,
                now=services.clock_check.best,
                authentication=authentication,
                adopt_authentication=adopt_authentication,
                signer=signer,
            )
        agent = Agent(
            **services.by_name(),
            clock=clock,
            store=store,
            tokens=Tokens.in_directory(settings.data_dir),
            fleet=fleet,
            renewals=tuple(renewals),
            watches=tuple(_watches(settings, authentication, adopt_authentication, signer)),
            chain=chain,
            heartbeat=_heartbeat(settings, clock, services.clock_check.best, stack),
        )
        agent.certificates.file_problems = agent.certificate_file_problems
        if chain is not None:
            await chain.identify(store)
        await agent.recover()
        if own is not None:
            recent = await recent_calls(
                store, now=services.clock_check.best(), wall=clock.now(), timeout_seconds=settings.ksef.timeout_seconds
            )
            own.recall_sends(recent.sends)
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


def _tell(
    settings: Settings, signer: OfflineSigner | None, authentication: OfflineSigner | None, now: datetime
) -> None:
    """Write into the log what a technician should see at the start; none of it keeps a shop from selling."""
    found = () if signer is None else offline_remarks(settings, signer, now)
    if authentication is not None:
        found += authentication_remarks(settings, authentication, now)
    for remark in found:
        LOG.warning("%s", remark.text)


def _renewals(
    settings: Settings,
    clock: Clock,
    gateway: Gateway,
    *,
    now: Callable[[], datetime],
    authentication: OfflineSigner | None,
    adopt_authentication: Callable[[Credentials], None],
    signer: OfflineSigner | None,
) -> Iterator[Renewal]:
    """Yield the renewals the settings order. The authentication certificate goes first: it asks for the other."""
    certificates = Certificates(gateway.api, clock, patience=math.inf)
    ksef, offline = settings.ksef, settings.offline
    if authentication is not None and ksef.renew_before_days > 0 and ksef.certificate_file and ksef.key_file:
        yield Renewal(
            certificates,
            CertificateType.AUTHENTICATION,
            f"kasa {settings.till} authentication",
            CertificateFiles(ksef.certificate_file, ksef.key_file, ksef.passphrase_file),
            days=ksef.renew_before_days,
            now=now,
            current=lambda: authentication.certificate,
            adopt=adopt_authentication,
            prove=partial(try_out, ksef, settings.seller.nip, clock),
        )
    if signer is not None and offline.renew_before_days > 0 and offline.certificate_file and offline.key_file:
        yield Renewal(
            certificates,
            CertificateType.OFFLINE,
            f"kasa {settings.till} offline",
            CertificateFiles(offline.certificate_file, offline.key_file, offline.passphrase_file),
            days=offline.renew_before_days,
            now=now,
            current=lambda: signer.certificate,
            adopt=signer.adopt,
        )


def _authenticate_with(own: Gateway | None, authentication: OfflineSigner | None, new: Credentials) -> None:
    if own is not None:
        own.adopt(new)
    if authentication is not None:
        authentication.adopt(new)


def _watches(
    settings: Settings,
    authentication: OfflineSigner | None,
    adopt_authentication: Callable[[Credentials], None],
    signer: OfflineSigner | None,
) -> Iterator[CertificateWatch]:
    """Yield who looks whether another certificate lies where the settings say."""
    ksef, offline = settings.ksef, settings.offline
    if authentication is not None:
        yield CertificateWatch(
            Use.AUTHENTICATION,
            (ksef.certificate_file, ksef.key_file, ksef.passphrase_file),
            load=partial(authentication_credentials, ksef),
            current=lambda: authentication.certificate,
            adopt=adopt_authentication,
        )
    if signer is not None:
        yield CertificateWatch(
            Use.OFFLINE,
            (offline.certificate_file, offline.key_file, offline.passphrase_file),
            load=partial(offline_credentials, offline),
            current=lambda: signer.certificate,
            adopt=signer.adopt,
        )


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
