"""The hub's composition root: the only place that knows every adapter of it."""

from __future__ import annotations

import logging
import math
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509

from agent import __version__
from agent.domain.calendar import local_time
from agent.domain.errors import ConfigError, Conflict
from agent.domain.values import dataclass
from agent.hub.courier.certificates import CertificateKeeper, Renew
from agent.hub.courier.couriers import CourierGateway, Couriers
from agent.hub.courier.rate_limited import RateLimitedCalls
from agent.hub.domain.records import Seller
from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import HubStore, Leadership
from agent.hub.services.announcements import POLL_SECONDS, Announcements
from agent.hub.services.intake_probe import PROBE_SECONDS, IntakeProbe
from agent.hub.services.ksef_time import ASK_SECONDS, KsefTime
from agent.hub.settings.model import HubSettings
from agent.hub.store.sqlite.file import DATABASE
from agent.hub.store.sqlite.store import SqliteHubStore
from agent.ksef.asked_time import open_asked_time
from agent.ksef.certificate_checks import Use
from agent.ksef.certificate_files import CertificateFiles
from agent.ksef.certificates import Certificates, CertificateType
from agent.ksef.credentials import Credentials, authentication_credentials, load_pair, read_secret
from agent.ksef.enrolment import Renewal, RenewalResult
from agent.ksef.gateway import Gateway, open_gateway, try_out
from agent.ksef.latarnia import open_latarnia
from agent.ports import CallMetrics, Clock
from agent.services.background import BackgroundTasks
from agent.services.heartbeats import Heartbeats
from agent.services.shutdown import Shutdown
from agent.settings.model import KsefSettings
from agent.system.clock import SystemClock
from agent.system.os_errors import polish_reason

LOG = logging.getLogger("agent.hub")
STOP_SECONDS = 20.0
"""How long a stop waits for what tills handed over just now."""
FILES = frozenset({"certificate_file", "key_file", "passphrase_file", "token_file"})


@dataclass(slots=True)
class Hub:
    """A running process of the hub, all parts joined; the server is not part of it."""

    settings: HubSettings
    clock: Clock
    store: HubStore
    couriers: Couriers
    announcements: Announcements
    intake_probe: IntakeProbe
    ksef_time: KsefTime
    heartbeats: Heartbeats
    """Whether its loops go on; systemd's watchdog asks."""
    tasks: BackgroundTasks
    shutdown: Shutdown
    keys: OfflineKeys = field(default_factory=OfflineKeys)
    rate_limited: Counter[str] = field(default_factory=Counter)
    """By NIP, calls that KSeF turned away (429)."""
    version: str = __version__


def database_url(settings: HubSettings) -> str:
    """Return the DSN of PostgreSQL, empty for SQLite. ConfigError where its file cannot be read."""
    return settings.hub.dsn or ("" if settings.hub.dsn_file is None else read_secret(settings.hub.dsn_file))


async def open_store(settings: HubSettings, clock: Clock | None = None) -> HubStore:
    """Open the hub's database for writing. AgentError where it cannot be used."""
    clock = clock or SystemClock()
    if url := database_url(settings):
        try:
            from agent.hub.store.postgresql.store import PostgresqlHubStore  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ConfigError(("PostgreSQL wymaga pakietu asyncpg: pip install ksef-agent[hub-postgres].",)) from error
        return await PostgresqlHubStore.open(url, clock)
    folder = settings.hub.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError((f"Nie można użyć katalogu danych {folder}: {polish_reason(error)}.",)) from error
    return await SqliteHubStore.open(folder / DATABASE, clock)


async def open_store_beside(settings: HubSettings) -> HubStore:
    """Open the hub's database for a command, also beside a running hub."""
    try:
        return await open_store(settings)
    except Conflict:  # a hub has the file: beside it
        return await SqliteHubStore.open(settings.hub.data_dir / DATABASE, SystemClock(), exclusive=False)


def seller_settings(common: KsefSettings, seller: Seller) -> KsefSettings:
    """Return [ksef] with the credentials of a seller."""
    given = {
        name: Path(str(value)) if name in FILES else value
        for name, value in seller.access.items()
        if value not in {None, ""}
    }
    return replace(common, **given)  # type: ignore[arg-type]  # checked when the seller was added


def seller_gateway(settings: HubSettings, seller: Seller, clock: Clock, metrics: CallMetrics | None = None) -> Gateway:
    """Return KSeF for one NIP. ConfigError where its credentials cannot be read, or ended.

    A process that cannot sign in must not keep the lead: another host's files may hold still.
    """
    own = seller_settings(settings.ksef, seller)
    pair = authentication_credentials(own)
    if pair is not None and pair.expires <= clock.now():
        at = f"{local_time(pair.expires):%d.%m.%Y %H:%M}"
        raise ConfigError((f"Certyfikat {own.certificate_file} stracił ważność {at}; zdobądź nowy.",))
    return open_gateway(own, seller.nip, clock, metrics=metrics)


def offline_keys(settings: HubSettings) -> OfflineKeys:
    """Return what the chain chose for its tills' Offline certificates. ConfigError where the file cannot be read."""
    chosen = settings.offline
    if not chosen.certificates or chosen.passphrase_file is None:
        return OfflineKeys()
    passphrase = read_secret(chosen.passphrase_file).encode()
    return OfflineKeys(chosen.certificates, timedelta(days=chosen.renew_before_days), passphrase)


def certificate_keeper(
    common: KsefSettings,
    seller: Seller,
    lead: Leadership,
    gateway: CourierGateway,
    *,
    keys: OfflineKeys,
    store: HubStore,
    clock: Clock,
) -> CertificateKeeper | None:
    """Return the keeper of a seller's certificates: those its tills share, and the one that signs in."""
    if not isinstance(gateway, Gateway):
        return None
    certificates = Certificates(gateway.api, clock, patience=math.inf)
    renew = _renewal(seller_settings(common, seller), seller.nip, gateway, certificates, clock)
    return CertificateKeeper(seller.nip, lead, store, certificates, keys=keys, clock=clock, renew=renew)


def _renewal(own: KsefSettings, nip: str, gateway: Gateway, certificates: Certificates, clock: Clock) -> Renew | None:
    """Return what renews the certificate that signs in for a NIP; None where nobody ordered it, or it is a token."""
    if not own.renew_before_days or own.certificate_file is None or own.key_file is None:
        return None
    place = CertificateFiles(own.certificate_file, own.key_file, own.passphrase_file)
    in_use: list[Credentials] = []

    def adopt(new: Credentials) -> None:
        gateway.adopt(new)
        in_use[:] = [new]

    renewal = Renewal(
        certificates,
        CertificateType.AUTHENTICATION,
        f"centrala {nip} authentication",
        place,
        days=own.renew_before_days,
        now=clock.now,
        current=lambda: in_use[0].certificate,
        adopt=adopt,
        prove=partial(try_out, own, nip, clock),
    )

    async def renew() -> bool:
        if not in_use:  # what the gateway was opened with
            in_use.append(load_pair(place, Use.AUTHENTICATION))
        return await renewal.run() is RenewalResult.RENEWED

    return renew


def server_tls(settings: HubSettings) -> ssl.SSLContext | None:
    """Return what the listener proves itself with; None for plain HTTP. ConfigError where the files do not fit."""
    certificate, key = settings.hub.tls_certificate_file, settings.hub.tls_key_file
    if certificate is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        raise ConfigError(
            (f"[hub] tls_certificate_file {certificate} i tls_key_file {key} nie pasują: {error}.",)
        ) from error
    except OSError as error:
        raise ConfigError((f"Nie można odczytać certyfikatu TLS centrali: {polish_reason(error)}.",)) from error
    return context


def tls_until(settings: HubSettings) -> datetime | None:
    """Return when the certificate ends by which tills know the hub; None for plain HTTP, or in an unknown format."""
    file = settings.hub.tls_certificate_file
    if file is None:
        return None
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except ValueError as error:  # OpenSSL took it, and tills go by that
        LOG.warning("when %s ends cannot be read: %s", file, error)
        return None


def _no_passphrase() -> str:
    raise ConfigError(("Klucz TLS centrali jest zaszyfrowany; zapisz go bez hasła, z prawami 0600.",))


@asynccontextmanager
async def assembled(settings: HubSettings, clock: Clock | None = None) -> AsyncIterator[Hub]:
    """Join all parts over an open store; leave everything closed."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        keys = offline_keys(settings)
        store = await open_store(settings, clock)
        stack.push_async_callback(store.close)
        latarnia = open_latarnia(settings.ksef, clock)
        stack.push_async_callback(latarnia.close)
        asked_time = open_asked_time(settings.ksef, clock)
        stack.push_async_callback(asked_time.close)
        shutdown = Shutdown()
        tasks = BackgroundTasks(shutdown.fail)
        rate_limited: Counter[str] = Counter()
        heartbeats = Heartbeats(clock)
        heartbeats.expect("latarnia", POLL_SECONDS)
        heartbeats.expect("intake", PROBE_SECONDS)
        heartbeats.expect("clock", ASK_SECONDS)
        work = store.for_couriers()
        couriers = Couriers(
            work,
            clock,
            lambda seller: seller_gateway(settings, seller, clock, RateLimitedCalls(seller.nip, rate_limited)),
            settings.courier,
            keep=lambda seller, lead, gateway: certificate_keeper(
                settings.ksef, seller, lead, gateway, keys=keys, store=work, clock=clock
            ),
            heartbeats=heartbeats,
        )
        announcements = Announcements(work, latarnia, clock, partial(heartbeats.beat, "latarnia"))
        probe = IntakeProbe(store, clock, partial(heartbeats.beat, "intake"))
        hub = Hub(
            settings=settings,
            clock=clock,
            store=store,
            couriers=couriers,
            announcements=announcements,
            intake_probe=probe,
            ksef_time=KsefTime(asked_time.ask, clock, partial(heartbeats.beat, "clock")),
            heartbeats=heartbeats,
            tasks=tasks,
            shutdown=shutdown,
            keys=keys,
            rate_limited=rate_limited,
        )
        try:
            yield hub
        finally:
            late = await tasks.drain(STOP_SECONDS)
            if late:
                LOG.warning("stopped while under way: %s", ", ".join(late))
