"""What each setting may be, beyond its type. Messages are Polish: a technician reads them."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from agent.domain.identifiers import valid_account, valid_nip
from agent.domain.numbering import TemplateError, check_template, series_name
from agent.domain.sale.parse import RATES_IN_FORCE
from agent.domain.sale.ptu import PTU_LETTERS

Check = Callable[[object], str | None]
"""Returns what is wrong, None where nothing is."""


_PLAIN: Final = re.compile(r"[!-~]+")
"""An address is visible ASCII; a line end in it would end up in a request."""
SAMPLE_NIP, SAMPLE_NAME = "9990000008", "Przykładowy Sklep sp. z o.o."
"""The seller of config.example.toml; the checksum is right, and no tax office gives out such a NIP."""
SAMPLE_SELLER = "to sprzedawca z przykładu; wpisz nazwę, NIP i adres swojej firmy"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def __call__(self, value: object) -> str | None:
        if value in self.words:
            return None
        return f"dozwolone wartości: {', '.join(self.words)}; jest „{value}”"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of different words, at least ``least`` of them."""

    words: tuple[str, ...]
    least: int = 0

    def __call__(self, value: object) -> str | None:
        items = value if isinstance(value, tuple) else ()
        if len(items) >= self.least and len(set(items)) == len(items) and set(items) <= set(self.words):
            return None
        return f"dozwolone, każde raz: {', '.join(self.words)}" + ("; lista nie może być pusta" if self.least else "")


@dataclass(frozen=True, slots=True)
class Between:
    """A number from ``low`` to ``high``, both allowed."""

    low: float
    high: float

    def __call__(self, value: object) -> str | None:
        if isinstance(value, int | float) and self.low <= value <= self.high:
            return None
        return f"dozwolone od {_plain(self.low)} do {_plain(self.high)}; jest {value}"


def _plain(value: float) -> str:
    return f"{value:g}".replace(".", ",")


def _nip(value: object) -> str | None:
    if valid_nip(str(value)):
        return None
    return f"NIP „{value}” jest błędny: potrzeba dziesięciu cyfr z poprawną cyfrą kontrolną"


def _seller_name(value: object) -> str | None:
    if str(value).strip() == SAMPLE_NAME:
        return SAMPLE_SELLER
    return _filled(value)


def _seller_nip(value: object) -> str | None:
    return SAMPLE_SELLER if value == SAMPLE_NIP else _nip(value)


def _optional_nip(value: object) -> str | None:
    return _nip(value) if value else None


def _parts(value: object) -> SplitResult | str:
    """Return an address taken apart, or what is wrong with it; a login has no place in any."""
    text = str(value)
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        return "to nie jest adres"
    if parts.username is not None or parts.password is not None:
        return "adres nie może zawierać loginu ani hasła; sekrety podaje się w plikach"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_right or not _PLAIN.fullmatch(text):
        return f"potrzebny adres zaczynający się od https://; jest „{text}”"
    return parts


def _url(value: object) -> str | None:
    """Encrypted, or on this very machine (the sandbox): what goes there are invoices, tokens and the buyers' data."""
    parts = _parts(value)
    if isinstance(parts, str):
        return parts
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return None
    return f"potrzebny adres https://; bez szyfrowania wolno tylko do tego samego komputera; jest „{value}”"


def _base_url(value: object) -> str | None:
    """As _url; calls are made below it."""
    if wrong := _url(value):
        return wrong
    parts = urlsplit(str(value))
    return "adres nie może mieć części po ? ani #" if parts.query or parts.fragment else None


def _optional_base_url(value: object) -> str | None:
    return _base_url(value) if value else None


def _optional_url(value: object) -> str | None:
    return _url(value) if value else None


def _optional_proxy(value: object) -> str | None:
    """A proxy sees TLS only, so its own line need not be encrypted."""
    if not value:
        return None
    parts = _parts(value)
    return parts if isinstance(parts, str) else None


def is_loopback(host: str) -> bool:
    """Tell whether a host of an address is this very machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _filled(value: object) -> str | None:
    return None if str(value).strip() else "nie może być puste"


def _till(value: object) -> str | None:
    allowed = string.ascii_letters + string.digits + "-_"
    text = str(value)
    if 0 < len(text) <= 20 and all(letter in allowed for letter in text):
        return None
    return "od 1 do 20 liter bez polskich znaków, cyfr, kresek lub podkreśleń, np. „1” albo „SKLEP-2”"


def _country(value: object) -> str | None:
    text = str(value)
    if len(text) == 2 and text.isascii() and text.isalpha() and text.isupper():
        return None
    return f"potrzebny dwuliterowy kod kraju, np. PL; jest „{value}”"


def _number_template(value: object) -> str | None:
    try:
        check_template(str(value))
    except TemplateError as error:
        return str(error).rstrip(".")
    return None


def _account(value: object) -> str | None:
    if value and not valid_account(str(value)):
        return "potrzebny numer rachunku (26 cyfr albo IBAN, bez spacji)"
    return None


def _series(value: object) -> str | None:
    try:
        series_name(str(value), till="1", issued_on=date(2026, 12, 31))
    except TemplateError as error:
        return str(error).rstrip(".")
    return None


_PORT = Between(1, 65535)

RULES: Mapping[str, Check] = {
    "till": _till,
    "seller.nip": _seller_nip,
    "seller.name": _seller_name,
    "seller.bank_account": _account,
    "seller.address.line1": _filled,
    "seller.address.country": _country,
    **{f"ptu.{letter.lower()}": OneOf(("", *sorted(RATES_IN_FORCE))) for letter in PTU_LETTERS},
    "issue.prefer": OneOf(("online", "offline24")),
    "issue.budget_seconds": Between(0.5, 60),
    "issue.number": _number_template,
    "issue.series": _series,
    "issue.correction_series": _series,
    "issue.clock_skew_alarm_seconds": Between(1, 86400),
    "issue.clock_skew_refuse_seconds": Between(1, 86400),
    "issue.system_info": _filled,
    "ksef.route": OneOf(("direct", "hub")),
    "ksef.url": _base_url,
    "ksef.latarnia_url": _base_url,
    "ksef.qr_url": _base_url,
    "ksef.proxy_url": _optional_proxy,
    "ksef.context_nip": _optional_nip,
    "ksef.certificate_nip": _optional_nip,
    "offline.certificate_nip": _optional_nip,
    "ksef.auth": OneOf(("certificate", "token")),
    "ksef.timeout_seconds": Between(1, 120),
    "ksef.tills_sharing_address": Between(1, 1000),
    "ksef.batch_from": Between(2, 10000),
    "ksef.batch_compression": OneOf(("zip", "tar.gz")),
    "ksef.renew_before_days": Between(0, 365),
    "offline.renew_before_days": Between(0, 365),
    "hub.url": _optional_base_url,
    "hub.own_way_hours": Between(0, 240),
    "hub.heartbeat_seconds": Between(5, 30),
    "printer.name": _filled,
    "printer.connection": OneOf(("tcp", "usb", "serial", "file", "cups")),
    "printer.port": _PORT,
    "printer.baud": Between(1200, 921600),
    "printer.flow": OneOf(("rtscts", "xonxoff", "none")),
    "printer.dots": Between(128, 2048),
    "printer.columns": Between(16, 128),
    "printer.columns_small": Between(16, 160),
    "printer.dpi": Between(100, 600),
    "printer.code_page": Between(0, 255),
    "printer.qr": OneOf(("native", "raster")),
    "printer.timeout_seconds": Between(1, 120),
    "paper.offline_domestic": OneOf(("transaction_confirmation", "invoice")),
    "paper.copies": Between(1, 5),
    "api.host": _filled,
    "api.port": _PORT,
    "api.max_body_bytes": Between(64 * 1024, 16 * 1024 * 1024),
    "health.host": _filled,
    "health.port": _PORT,
    "alerts.deadline_hours": Between(0, 240),
    "alerts.in_doubt_minutes": Between(1, 1440),
    "alerts.latarnia_minutes": Between(1, 1440),
    "alerts.certificate_days": Between(1, 365),
    "alerts.disk_free_mb": Between(10, 1_000_000),
    "alerts.backup_hours": Between(0, 8760),
    "alerts.webhook_url": _optional_url,
    "outbox.url": _optional_url,
    "drop_folder.poll_seconds": Between(0.5, 60),
    "drop_folder.formats": ListOf(("json", "xml", "epp"), least=1),
    "drop_folder.results": ListOf(("xml", "pdf", "epp")),
    "drop_folder.caller": _filled,
    "drop_folder.number": OneOf(("series", "file")),
    "drop_folder.receipt_number": OneOf(("remarks", "document")),
    "watch.latarnia_seconds": Between(10, 3600),
    "watch.probe_seconds": Between(1, 3600),
    "watch.breaker_failures": Between(1, 100),
    "retention.keep_days": Between(100, 36500),
    "page.lookup_url": _base_url,
}
"""By the setting's name as in the file; for [[printer]] without its index."""

NIPS = frozenset({"seller.nip", "ksef.context_nip", "ksef.certificate_nip", "offline.certificate_nip"})
"""Settings that are a NIP, in whatever spelling."""

SECRET_FILES = frozenset(
    {
        "key_file",
        "passphrase_file",
        "token_file",
        "proxy_credentials_file",
        "webhook_secret_file",
        "secret_file",
    }
)
"""Settings whose files only the agent may read."""

SECRET_WORDS = ("token", "password", "passphrase", "secret", "private_key", "key", "haslo", "hasło")
"""Names under which somebody may try to write a secret into the settings."""
