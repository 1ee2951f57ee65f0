"""Settings: one TOML file, every setting here with its default and its rule. config.example.toml explains each one.

Secrets come only as file paths or as names of systemd credentials ($CREDENTIALS_DIRECTORY).
"""

from __future__ import annotations

from dataclasses import field, fields
from datetime import date, time
from pathlib import Path
from typing import Annotated

from agent.domain.invoice import Address, Seller
from agent.domain.numbering import serial_of
from agent.domain.sale.parse import RATES_IN_FORCE
from agent.domain.values import dataclass
from agent.settings import rules

PRODUCTION_QR = "https://qr.ksef.mf.gov.pl"
RATE = rules.OneOf(("", *sorted(RATES_IN_FORCE)))


@dataclass(frozen=True, slots=True)
class IssueSettings:
    """[issue]"""

    prefer: Annotated[str, rules.OneOf(("online", "offline24"))] = "online"
    """online: wait for the number within the budget; offline24: answer at once, send in the background."""
    budget_seconds: Annotated[float, rules.Between(0.5, 60)] = 3.0
    number: Annotated[str, rules.number_template] = "{series}/{year}/{month:02}/{serial:06}"
    """Template of P_2: series, year, month, day, serial, till. The serial never restarts within a series."""
    series: Annotated[str, rules.series] = "FV-{till}"
    correction_series: Annotated[str, rules.series] = "FK-{till}"
    offline_series: Annotated[str, rules.optional_series] = ""
    """Sales issued offline from the start (offline24, unavailability, failure); empty: of ``series`` too."""
    offline_correction_series: Annotated[str, rules.optional_series] = ""
    """Corrections issued offline from the start; empty: of ``correction_series`` too."""
    clock_skew_alarm_seconds: Annotated[float, rules.Between(1, 86400)] = 60.0
    clock_skew_refuse_seconds: Annotated[float, rules.Between(1, 86400)] = 900.0
    system_info: Annotated[str, rules.filled] = "ksef-agent"
    consumers_in_ksef: bool = True
    """False: invoices to buyers without any number are issued outside KSeF (art. 106ga ust. 2 pkt 4)."""
    cash_register: str = ""
    """Unique number of this till's fiscal cash register, for receipts that come without one (art. 106h)."""

    @property
    def series_templates(self) -> tuple[str, ...]:
        """Templates of all series this till numbers in, each once."""
        named = (self.series, self.correction_series, self.offline_series, self.offline_correction_series)
        return tuple(dict.fromkeys(filter(None, named)))


@dataclass(frozen=True, slots=True)
class KsefSettings:
    """[ksef]"""

    route: Annotated[str, rules.OneOf(("direct", "hub"))] = "direct"
    """direct, or hub: through the hub of the chain ([hub])."""
    url: Annotated[str, rules.base_url] = "https://api.ksef.mf.gov.pl/v2"
    latarnia_url: Annotated[str, rules.base_url] = "https://api-latarnia.ksef.mf.gov.pl"
    qr_url: Annotated[str, rules.code_url] = PRODUCTION_QR
    context_nip: Annotated[str, rules.optional_nip] = ""
    """Empty: the seller's NIP."""
    context_internal_id: Annotated[str, rules.optional_internal_id] = ""
    """Set for authentication in an InternalId context."""
    auth: Annotated[str, rules.OneOf(("certificate", "token"))] = "certificate"
    """certificate (XAdES) or token."""
    certificate_file: Path | None = None
    """PEM certificate, or PKCS#12 (then key_file stays empty)."""
    key_file: Path | None = None
    passphrase_file: Path | None = None
    certificate_nip: Annotated[str, rules.optional_nip] = ""
    """Whose the certificate is, where neither the seller nor context_nip is; empty: one of them."""
    token_file: Path | None = None
    ca_file: Path | None = None
    """Extra trust anchor, for the sandbox or an inspecting proxy."""
    proxy_url: Annotated[str, rules.optional_proxy] = ""
    proxy_credentials_file: Path | None = None
    """Login and password of the proxy, ``login:password``."""
    timeout_seconds: Annotated[float, rules.Between(1, 120)] = 15.0
    tills_sharing_address: Annotated[int, rules.Between(1, 1000)] = 1
    batch_from: Annotated[int, rules.Between(2, 10000)] = 50
    """A backlog of at least so many invoices goes as a batch."""
    batch_compression: Annotated[str, rules.OneOf(("zip", "tar.gz"))] = "zip"
    """How a batch is packed: zip or tar.gz."""
    subject_identifier_validation: bool = False
    renew_before_days: Annotated[int, rules.Between(0, 365)] = 0
    """Of the authentication certificate; 0: never renew by itself."""


@dataclass(frozen=True, slots=True)
class HubRouteSettings:
    """[hub]: the hub of the chain, for ksef.route = "hub"."""

    url: Annotated[str, rules.optional_base_url] = ""
    token_file: Path | None = None
    ca_file: Path | None = None
    """Trust anchor of the chain's own CA."""
    own_way_hours: Annotated[float, rules.Between(0, 240)] = 4.0
    """Opening hours left before a deadline when the till sends by itself, where it has credentials."""
    heartbeat_seconds: Annotated[float, rules.Between(5, 30)] = 20.0


@dataclass(frozen=True, slots=True)
class OfflineSettings:
    """[offline]: the KSeF certificate of type Offline, for KOD II."""

    certificate_file: Path | None = None
    key_file: Path | None = None
    passphrase_file: Path | None = None
    certificate_nip: Annotated[str, rules.optional_nip] = ""
    """Whose the certificate is, where it is not the seller's; empty: the seller's."""
    renew_before_days: Annotated[int, rules.Between(0, 365)] = 0
    """0: never renew by itself."""


@dataclass(frozen=True, slots=True)
class PrinterSettings:
    """[[printer]]: one printer; several in fallback order."""

    name: Annotated[str, rules.filled] = "paragon"
    profile: str = "generic-80"
    connection: Annotated[str, rules.OneOf(("tcp", "usb", "serial", "file", "cups"))] = "tcp"
    """tcp, usb, serial, file, cups."""
    host: Annotated[str, rules.host] = "127.0.0.1"
    port: Annotated[int, rules.PORT] = 9100
    device: str = ""
    """Serial device, device file, CUPS queue, or usb "VVVV:PPPP", with its socket "VVVV:PPPP@1-1.4"."""
    baud: Annotated[int, rules.Between(1200, 921600)] = 115200
    flow: Annotated[str, rules.OneOf(("rtscts", "xonxoff", "none"))] = "rtscts"
    """Handshake of a serial line: rtscts, xonxoff, none."""
    dots: Annotated[int | None, rules.Between(200, 1200)] = None
    """Overrides of the profile; None: as the profile says."""
    columns: Annotated[int | None, rules.Between(20, 100)] = None
    columns_small: Annotated[int | None, rules.Between(20, 130)] = None
    """Columns of font B."""
    dpi: Annotated[int | None, rules.Between(100, 600)] = None
    cutter: bool | None = None
    code_page: Annotated[int | None, rules.Between(0, 255)] = None
    encoding: str | None = None
    qr: Annotated[str | None, rules.OneOf(("native", "raster"))] = None
    """native or raster."""
    answers: bool | None = None
    """False: the printer cannot say what it did."""
    logo_file: Path | None = None
    timeout_seconds: Annotated[float, rules.Between(1, 120)] = 20.0


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """[paper]"""

    offline_domestic: Annotated[str, rules.OneOf(("transaction_confirmation", "invoice"))] = "transaction_confirmation"
    """Or "invoice" (POD2 1.8 calls handing that over incorrect)."""
    copies: Annotated[int, rules.Between(1, 5)] = 1
    open_drawer: bool = False
    footer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """[api]: for the till."""

    host: Annotated[str, rules.filled_host] = "127.0.0.1"
    port: Annotated[int, rules.PORT] = 8780
    origins: Annotated[tuple[str, ...], rules.web_origins] = ()
    """Further origins allowed beside the agent's own."""
    max_body_bytes: Annotated[int, rules.Between(64 * 1024, 16 * 1024 * 1024)] = 2 * 1024 * 1024

    @property
    def address(self) -> str:
        """Where this very machine reaches it: "http://127.0.0.1:8780", "http://[::1]:8780"."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not opened
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """[health]: for HQ, read-only."""

    host: Annotated[str, rules.filled_host] = "0.0.0.0"  # noqa: S104 - HQ polls it from outside; read-only
    port: Annotated[int, rules.PORT] = 8781
    shop: str = ""
    """Label of the till's metrics, for rules and dashboards of a chain."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """[alerts]"""

    deadline_hours: Annotated[float, rules.Between(0, 240)] = 4.0
    """Opening hours left before a deadline when the alert starts."""
    opens: time = time(8, 0)
    closes: time = time(21, 0)
    in_doubt_minutes: Annotated[float, rules.Between(1, 1440)] = 30.0
    latarnia_minutes: Annotated[float, rules.Between(1, 1440)] = 30.0
    certificate_days: Annotated[int, rules.Between(1, 365)] = 30
    disk_free_mb: Annotated[int, rules.Between(10, 1_000_000)] = 200
    backup_hours: Annotated[float, rules.Between(0, 8760)] = 48.0
    """Age of the newest copy of the database from which it is an alert; 0: never."""
    webhook_url: Annotated[str, rules.optional_url] = ""
    webhook_secret_file: Path | None = None


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """[backup]: the nightly copies of the database."""

    dir: Path = Path("/var/backups/ksef-agent")


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """[outbox]: signed webhooks to the shop's system."""

    url: Annotated[str, rules.optional_url] = ""
    secret_file: Path | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """[heartbeat]: signs of life to headquarters, for tills that it cannot ask."""

    url: Annotated[str, rules.optional_url] = ""
    """Empty: none."""
    secret_file: Path | None = None
    seconds: Annotated[float, rules.Between(10, 3600)] = 60.0


@dataclass(frozen=True, slots=True)
class DropFolderSettings:
    """[drop_folder]: files of programs that cannot speak HTTP."""

    path: Path | None = None
    """None: no folder is watched."""
    mounted: bool = False
    """The path lies on a network share; while it is not mounted, that is a problem and no empty folder."""
    poll_seconds: Annotated[float, rules.Between(0.5, 60)] = 2.0
    formats: Annotated[tuple[str, ...], rules.ListOf(("json", "xml", "epp"), least=1)] = ("json", "xml", "epp")
    results: Annotated[tuple[str, ...], rules.ListOf(("xml", "pdf", "epp"))] = ()
    """Beside the JSON answer: xml, pdf, epp."""
    print: bool = True
    caller: Annotated[str, rules.filled] = "folder"
    """Who pressed, in the records."""
    number: Annotated[str, rules.OneOf(("series", "file"))] = "series"
    """P_2 of documents in EDI++: of our series, or that of the file."""
    exemption: str = ""
    """Legal basis of rate zw in EDI++, which has no field for it."""
    register: str = ""
    """Unique number of the register whose receipts (PA) become invoices."""
    receipt_number: Annotated[str, rules.OneOf(("remarks", "document"))] = "remarks"
    """Where the number of a fiscal receipt stands: remarks, or document (the number of the PA is it)."""


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """[sync]: sending what nobody waits for."""

    backlog_hours: Annotated[str, rules.backlog_hours] = ""
    """Windows of the day, "22:00-06:00", several with commas between them; empty: at any time."""


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """[calendar]"""

    extra_days_off: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """[watch]"""

    latarnia_seconds: Annotated[float, rules.Between(10, 3600)] = 60.0
    probe_seconds: Annotated[float, rules.Between(1, 3600)] = 30.0
    breaker_failures: Annotated[int, rules.Between(1, 100)] = 2


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """[retention]"""

    keep_days: Annotated[int, rules.Between(100, 36500)] = 400
    export_dir: Path | None = None
    limitation_years: Annotated[int, rules.Between(5, 50)] = 5
    """From the end of the year in which the tax was due (art. 70 § 1 of the Tax Ordinance)."""
    erase_consumers: bool = True
    """Erase consumers' data when the limitation period of their invoice is over (GDPR art. 5 (1) e, 17 (1) a)."""
    hold_until: date | None = None
    """Nothing is erased before this day: limitation suspended or interrupted, a dispute, an audit."""


@dataclass(frozen=True, slots=True)
class PageSettings:
    """[page]: the till page."""

    lookup_buyers: bool = False
    """Ask the Ministry's white list by NIP."""
    lookup_url: Annotated[str, rules.base_url] = "https://wl-api.mf.gov.pl"
    screen_keyboard: bool = False
    """Number pad and Polish keyboard on the screen; each browser may switch."""
    return_to: Annotated[tuple[str, ...], rules.origins] = ()
    """Origins of programs that open the page with a sale and are gone back to."""
    sample_basket: bool = False
    """demo: a basket to press on."""


@dataclass(frozen=True, slots=True)
class PtuSettings:
    """[ptu]: the rate (P_12) that each letter of the fiscal cash register means; empty: a sale may not say it."""

    a: Annotated[str, RATE] = ""
    b: Annotated[str, RATE] = ""
    c: Annotated[str, RATE] = ""
    d: Annotated[str, RATE] = ""
    e: Annotated[str, RATE] = ""
    f: Annotated[str, RATE] = ""
    g: Annotated[str, RATE] = ""

    @property
    def rates(self) -> dict[str, str]:
        """The rate of every letter that has one."""
        found = {each.name.upper(): str(getattr(self, each.name)) for each in fields(self)}
        return {letter: rate for letter, rate in found.items() if rate}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one till."""

    seller: Seller
    till: Annotated[str, rules.till] = "1"
    data_dir: Path = Path("/var/lib/ksef-agent")
    schemas_dir: Path | None = None
    issue: IssueSettings = field(default_factory=IssueSettings)
    ksef: KsefSettings = field(default_factory=KsefSettings)
    hub: HubRouteSettings = field(default_factory=HubRouteSettings)
    offline: OfflineSettings = field(default_factory=OfflineSettings)
    printers: tuple[PrinterSettings, ...] = ()
    paper: PaperSettings = field(default_factory=PaperSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    backup: BackupSettings = field(default_factory=BackupSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    heartbeat: HeartbeatSettings = field(default_factory=HeartbeatSettings)
    drop_folder: DropFolderSettings = field(default_factory=DropFolderSettings)
    sync: SyncSettings = field(default_factory=SyncSettings)
    calendar: CalendarSettings = field(default_factory=CalendarSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    page: PageSettings = field(default_factory=PageSettings)
    ptu: PtuSettings = field(default_factory=PtuSettings)

    def read_number(self, number: str) -> tuple[str, int] | None:
        """Read a P_2 of this till back: the name of its series and its serial; None for any other number."""
        series = self.issue.series_templates
        return serial_of(number, self.issue.number, series_templates=series, till=self.till)

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """The files only the agent may read, PKCS#12 files among them."""
        ksef, offline = self.ksef, self.offline
        bundles = [part.certificate_file for part in (ksef, offline) if part.key_file is None]
        named = (
            *(ksef.key_file, ksef.passphrase_file, ksef.token_file, ksef.proxy_credentials_file),
            *(offline.key_file, offline.passphrase_file),
            *self.webhook_secret_files,
            self.hub.token_file,
            *bundles,
        )
        return tuple(path for path in named if path is not None)

    @property
    def webhook_secret_files(self) -> tuple[Path, ...]:
        """The files with secrets that sign what is sent to others: at least 32 characters each."""
        named = (self.alerts.webhook_secret_file, self.outbox.secret_file, self.heartbeat.secret_file)
        return tuple(path for path in named if path is not None)

    @property
    def sends_itself(self) -> bool:
        """Whether this till may talk to KSeF: always, unless a hub does and it holds no credentials of its own."""
        ksef = self.ksef
        return ksef.route == "direct" or ksef.certificate_file is not None or ksef.token_file is not None

    @property
    def authentication_nips(self) -> tuple[str, ...]:
        """Whose the certificate may be that signs in to KSeF, the seller first."""
        return self._nips(self.ksef.certificate_nip)

    @property
    def offline_nips(self) -> tuple[str, ...]:
        """Whose the certificate may be that signs KOD II, the seller first."""
        return self._nips(self.offline.certificate_nip)

    def _nips(self, confirmed: str) -> tuple[str, ...]:
        return tuple(filter(None, (self.seller.nip, self.ksef.context_nip, confirmed)))


__all__ = ["Address", "Seller", "Settings"]
