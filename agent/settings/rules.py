"""What a setting may be, beyond its type. Beside each field stands its rule (model.py). Messages are Polish."""

from __future__ import annotations

import re
import socket
import string
from collections.abc import Callable
from datetime import date
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from agent.domain.identifiers import is_internal_id, valid_account, valid_nip
from agent.domain.links import is_base
from agent.domain.monitoring.backlog_hours import BacklogHoursError, read_backlog_hours
from agent.domain.numbering import TemplateError, check_template, series_name
from agent.domain.values import dataclass

Check = Callable[[object], str | None]
"""Returns what is wrong, None where nothing is."""


_PLAIN: Final = re.compile(r"[!-~]+")
"""An address is visible ASCII; a line end in it would end up in a request."""
_NUMERIC: Final = re.compile(r"[0-9.]+")
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


def nip(value: object) -> str | None:
    if valid_nip(str(value)):
        return None
    return f"NIP „{value}” jest błędny: potrzeba dziesięciu cyfr z poprawną cyfrą kontrolną"


def seller_name(value: object) -> str | None:
    if str(value).strip() == SAMPLE_NAME:
        return SAMPLE_SELLER
    return filled(value)


def seller_nip(value: object) -> str | None:
    return SAMPLE_SELLER if value == SAMPLE_NIP else nip(value)


def optional_nip(value: object) -> str | None:
    return nip(value) if value else None


def optional_internal_id(value: object) -> str | None:
    """KOD II names the context (domain/links.py): of another form no invoice could be issued."""
    if not value or is_internal_id(str(value)):
        return None
    return "to nie jest identyfikator wewnętrzny KSeF (NIP-XXXXX, np. 5261040828-00001)"


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
    return no_host(parts.hostname) or _no_complete_address(parts.hostname) or parts


def host(value: object) -> str | None:
    """A computer by address or name. Whether it exists shows only when it is asked for (`ksef-agent check`)."""
    text = str(value)
    if "/" in text:
        return f"podaj sam adres, bez http:// i bez ścieżki; jest „{text}”"
    if text.count(":") == 1:
        return f"podaj sam adres, bez portu (ten jest w ustawieniu port); jest „{text}”"
    return no_host(text)


def filled_host(value: object) -> str | None:
    return filled(value) or host(value)


def no_host(text: str) -> str | None:
    """Return what is wrong with a host that surely cannot be asked for, as 192.168.1..50; None for any other."""
    try:
        text.encode("idna")
        if _NUMERIC.fullmatch(text):
            socket.inet_aton(text)
    except (OSError, UnicodeError):
        return _no_host(text)
    return None if text.isprintable() and " " not in text else _no_host(text)


def _no_complete_address(text: str) -> str | None:
    """In an address of the web, numbers are all four or none; the system itself takes 192.168.1 as well."""
    try:
        if _NUMERIC.fullmatch(text):
            ip_address(text)
    except ValueError:
        return _no_host(text)
    return None


def _no_host(text: str) -> str:
    return f"„{text}” nie jest adresem ani nazwą komputera"


def url(value: object) -> str | None:
    """Encrypted, or on this very machine (the sandbox): what goes there are invoices, tokens and the buyers' data."""
    parts = _parts(value)
    if isinstance(parts, str):
        return parts
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return None
    return f"potrzebny adres https://; bez szyfrowania wolno tylko do tego samego komputera; jest „{value}”"


def base_url(value: object) -> str | None:
    """As url(); calls are made below it."""
    if wrong := url(value):
        return wrong
    parts = urlsplit(str(value))
    return "adres nie może mieć części po ? ani #" if parts.query or parts.fragment else None


def code_url(value: object) -> str | None:
    """As base_url(), and KOD I and II can begin so: with any other, no invoice could be issued (domain/links.py)."""
    if wrong := base_url(value):
        return wrong
    if is_base(str(value)):
        return None
    return f"kody zaczynają się od https:// i nazwy serwera małymi literami, bez ukośnika na końcu; jest „{value}”"


_OTHER_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.-]+(?::[0-9]+)?")
"""As tauri://localhost."""


def origins(value: object) -> str | None:
    """Return what is wrong with a list of origins, as a browser writes them: scheme, host, port, nothing after it."""
    for each in value if isinstance(value, tuple) else ():
        parts = _parts(each)
        if isinstance(parts, str):
            return parts
        default = {"http": 80, "https": 443}[parts.scheme]
        if each != f"{parts.scheme}://{parts.netloc.lower()}" or parts.port == default:
            return f"potrzebny sam początek adresu, np. https://sklep.example; jest „{each}”"
    return None


def web_origins(value: object) -> str | None:
    """As origins(); a slash at the end says nothing, and a program that is no browser may have a scheme of its own."""
    for each in value if isinstance(value, tuple) else ():
        text = str(each).rstrip("/")
        known = text.startswith(("http:", "https:")) or _OTHER_ORIGIN.fullmatch(text) is None
        if known and (wrong := origins((text,))):
            return wrong
    return None


def optional_base_url(value: object) -> str | None:
    return base_url(value) if value else None


def optional_url(value: object) -> str | None:
    return url(value) if value else None


def optional_proxy(value: object) -> str | None:
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


def filled(value: object) -> str | None:
    return None if str(value).strip() else "nie może być puste"


def till(value: object) -> str | None:
    allowed = string.ascii_letters + string.digits + "-_"
    text = str(value)
    if 0 < len(text) <= 20 and all(letter in allowed for letter in text):
        return None
    return "od 1 do 20 liter bez polskich znaków, cyfr, kresek lub podkreśleń, np. „1” albo „SKLEP-2”"


def country(value: object) -> str | None:
    text = str(value)
    if len(text) == 2 and text.isascii() and text.isalpha() and text.isupper():
        return None
    return f"potrzebny dwuliterowy kod kraju, np. PL; jest „{value}”"


def number_template(value: object) -> str | None:
    try:
        check_template(str(value))
    except TemplateError as error:
        return str(error).rstrip(".")
    return None


def account(value: object) -> str | None:
    if value and not valid_account(str(value)):
        return "potrzebny numer rachunku (26 cyfr albo IBAN, bez spacji)"
    return None


def series(value: object) -> str | None:
    try:
        series_name(str(value), till="1", issued_on=date(2026, 12, 31))
    except TemplateError as error:
        return str(error).rstrip(".")
    return None


def backlog_hours(value: object) -> str | None:
    try:
        read_backlog_hours(str(value))
    except BacklogHoursError as error:
        return str(error)
    return None


def optional_series(value: object) -> str | None:
    return series(value) if value else None


PORT = Between(1, 65535)

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
