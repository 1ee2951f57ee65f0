"""What KSeF answers, read tolerantly: unknown fields are ignored, missing ones are an error with the body kept.

Errors come in two shapes, problem details (asked for by ``X-Error-Format``) and the older
``ExceptionResponse``; both are read, because an environment may lag behind the contract.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import TypeGuard, TypeVar

from agent.domain.calendar import YEARS
from agent.domain.characters import storable, told
from agent.domain.values import dataclass
from agent.ports import CallOutcome, Json, KsefError

T = TypeVar("T")

log = logging.getLogger(__name__)

EVIDENCE_BYTES = 4096
"""How much of an unusable answer is kept (agent.ports.KsefError.body)."""

END_OF_TIME = datetime(YEARS[-1], 12, 31, tzinfo=UTC)
"""For what has no end: 9999-12-31. What .NET writes for an instant that nobody set, 0001-01-01, is none."""

SHA256_BYTES = 32
LONGEST_WORDS = 1000
"""Characters of one sentence of KSeF's that are kept: it gets into the log, alerts, screens and answers of /health."""
MOST_DETAILS = 20
"""Sentences of one error, and errors of one answer, that are kept."""

LONGEST_RETRY_AFTER = 30 * 86400.0
"""Seconds."""

LONGEST_REFERENCE = 100
REFERENCE = re.compile(f"[A-Za-z0-9._~-]{{1,{LONGEST_REFERENCE}}}")
"""Of a session, an invoice, a challenge, ...: 36 letters, digits and hyphens by the contract. What else is in it would
be another address, or no XML."""
LARGEST_NUMBER = 2**31 - 1
"""Codes, counts and limits of the contract are far smaller; what is larger fits into no column of a database."""
LARGEST_MILLISECONDS = 2**53 - 1
"""Of a Unix time: what every reader of JSON takes for a whole number."""


@dataclass(frozen=True, slots=True)
class ApiProblem:
    """One error of KSeF: its exception code, description and details, as KSeF words them."""

    code: int
    description: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.code} {self.description}".strip()
        return f"{text} ({'; '.join(self.details)})" if self.details else text


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. Header names are lower case. ``secret``: it carries tokens, so it is no evidence."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    secret: bool = False

    @property
    def media_type(self) -> str:
        """Return the content type without parameters, lower case."""
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Return whether the answer calls itself JSON (application/json, application/problem+json)."""
        return self.media_type == "application/json" or self.media_type.endswith("+json")

    @property
    def is_xml(self) -> bool:
        """Return whether the answer calls itself XML; XHTML is a web page, not a document of KSeF."""
        return self.media_type in {"application/xml", "text/xml"}

    @property
    def is_page(self) -> bool:
        """Return whether it is a web page: of a captive portal, a firewall or a proxy, never of KSeF."""
        return self.media_type in {"text/html", "application/xhtml+xml"}

    @property
    def evidence(self) -> str:
        """Return the beginning of the body as text, nothing where the body carries tokens."""
        if self.secret:
            return ""
        return self.body[:EVIDENCE_BYTES].decode("utf-8", "replace")

    def unusable(self, why: str, *, link_down: bool = False) -> KsefError:
        """Return the error for a 2xx answer that cannot be read: KSeF may well have acted."""
        return KsefError(why, outcome=CallOutcome.UNKNOWN, code=self.status, body=self.evidence, link_down=link_down)

    def fields(self) -> Fields:
        """Read the body as a JSON object."""
        return Fields(self, self._json())

    def readable(self, read: Callable[[Fields], T]) -> list[T]:
        """Read the body as a JSON array of objects, as Fields.readable()."""
        value = self._json()
        if not isinstance(value, list):
            raise self.unusable("Odpowiedź KSeF nie jest listą JSON.")
        return [item for item in _each(self, value, read) if item is not None]

    def _json(self) -> Json:
        if not self.is_json:
            raise self.unusable("Odpowiedź nie pochodzi z KSeF: to nie jest JSON.", link_down=True)
        try:
            value: Json = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise self.unusable(f"Odpowiedź KSeF jest uszkodzona: {error}.") from error
        return value


class Fields:
    """A JSON object of an answer; each getter raises KsefError where the field is missing or of another kind."""

    def __init__(self, answer: Answer, value: Json) -> None:
        self._answer = answer
        if not isinstance(value, Mapping):
            raise answer.unusable("Odpowiedź KSeF ma nieoczekiwany kształt: brak obiektu JSON.")
        self._value = value

    def text(self, name: str) -> str:
        """Return a non-empty string."""
        value = self._value.get(name)
        if not isinstance(value, str) or not value:
            raise self._missing(name)
        return storable(value)

    def words(self, name: str) -> str:
        """Return a sentence for people, as much of it as is kept."""
        return told(self.text(name), LONGEST_WORDS)

    def details(self) -> tuple[str, ...]:
        """Return the further sentences of a status, as many as are kept."""
        return _details(self._value.get("details"))

    def said(self) -> str:
        """Return all sentences of a status, for people."""
        return "; ".join((self.words("description"), *self.details()))

    def optional_text(self, name: str) -> str | None:
        """Return a string, None where it is absent, null or empty."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        return self.text(name)

    def reference(self, name: str) -> str:
        """Return a word of KSeF's own that goes back to it, in a path or a signed document."""
        value = self.text(name)
        if not REFERENCE.fullmatch(value):
            raise self._missing(name)
        return value

    def optional_reference(self, name: str) -> str | None:
        """Return the same, None where there is none, or none that KSeF would know."""
        value = self._value.get(name)
        return value if isinstance(value, str) and REFERENCE.fullmatch(value) else None

    def number(self, name: str, largest: int = LARGEST_NUMBER) -> int:
        """Return an integer, its absolute value at most ``largest``."""
        value = self._value.get(name)
        if not _is_number(value, largest):
            raise self._missing(name)
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise self._missing(name)
        return value

    def instant(self, name: str) -> datetime:
        """Return an instant in UTC. KSeF's seven fractional digits are cut to six; no offset is refused."""
        value = self.optional_instant(name)
        if value is None:
            raise self._missing(name)
        return value

    def optional_instant(self, name: str) -> datetime | None:
        """Return an instant in UTC, None where it is absent."""
        text = self.optional_text(name)
        return None if text is None else self._parsed(name, parse_instant, text)

    def end(self, name: str) -> datetime:
        """Return the instant, in UTC, until which something holds; what has no end (year 9999) holds END_OF_TIME."""
        return self._parsed(name, _parse_end, self.text(name))

    def _parsed(self, name: str, parse: Callable[[str], datetime], text: str) -> datetime:
        try:
            return parse(text)
        except ValueError as error:
            raise self._missing(name) from error

    def day(self, name: str) -> date:
        """Return a civil date."""
        try:
            return date.fromisoformat(self.text(name))
        except ValueError as error:
            raise self._missing(name) from error

    def amount(self, name: str) -> Decimal:
        """Return a number that stands for money, rounded to grosze."""
        value = self._value.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._missing(name)
        try:
            amount = Decimal(str(value)).quantize(Decimal("0.01"))
        except InvalidOperation as error:
            raise self._missing(name) from error
        if amount.is_nan():  # Python's JSON reads it
            raise self._missing(name)
        return amount

    def decoded(self, name: str) -> bytes:
        """Return the bytes of a Base64 field."""
        try:
            return base64.b64decode(self.text(name), validate=True)
        except ValueError as error:
            raise self._missing(name) from error

    def sha256(self, name: str) -> bytes:
        """Return the hash of a Base64 field."""
        try:
            return as_sha256(self.text(name))
        except ValueError as error:
            raise self._missing(name) from error

    def object(self, name: str) -> Fields:
        """Return an inner object."""
        value = self._value.get(name)
        if not isinstance(value, Mapping):
            raise self._missing(name)
        return Fields(self._answer, value)

    def optional_object(self, name: str) -> Fields | None:
        """Return an inner object, None where it is absent."""
        return None if self._value.get(name) is None else self.object(name)

    def objects(self, name: str) -> tuple[Fields, ...]:
        """Return an array of objects."""
        value = self._value.get(name)
        if not isinstance(value, list):
            raise self._missing(name)
        return tuple(Fields(self._answer, item) for item in value)

    def readable(self, name: str, read: Callable[[Fields], T]) -> list[T]:
        """Read an array of objects one by one: what is outside the contract costs that item, not the others."""
        return [item for item in self.each(name, read) if item is not None]

    def each(self, name: str, read: Callable[[Fields], T]) -> list[T | None]:
        """Read an array of objects as readable() does, with None in the place of what is outside the contract."""
        value = self._value.get(name)
        if not isinstance(value, list):
            raise self._missing(name)
        return _each(self._answer, value, read)

    def length(self, name: str) -> int:
        """Return how many items an array has."""
        value = self._value.get(name)
        if not isinstance(value, list):
            raise self._missing(name)
        return len(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return an array of strings; absent or null is empty."""
        value = self._value.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._missing(name)
        return tuple(storable(str(item)) for item in value)

    def strings(self, name: str) -> dict[str, str]:
        """Return an object of strings without its null values."""
        inner = self.object(name)
        return {key: inner.text(key) for key, value in inner._value.items() if value is not None}

    def unusable(self, why: str) -> KsefError:
        """Return the error for an answer that cannot be right."""
        return self._answer.unusable(why)

    def _missing(self, name: str) -> KsefError:
        return self._answer.unusable(f"W odpowiedzi KSeF brakuje pola „{name}” albo ma ono zły typ.")


def _each(answer: Answer, items: Sequence[Json], read: Callable[[Fields], T]) -> list[T | None]:
    """Read each; one line in the log for all that cannot be read, of which there may be thousands."""
    found: list[T | None] = []
    left_out: list[KsefError] = []
    for item in items:
        try:
            found.append(read(Fields(answer, item)))
        except KsefError as error:
            found.append(None)
            left_out.append(error)
    if left_out:
        log.warning("%d of %d items of KSeF's list left out: %s", len(left_out), len(items), left_out[0].message)
    return found


def as_sha256(text: str) -> bytes:
    """Return the SHA-256 that Base64 text holds; ValueError for what is no Base64, or not 32 bytes."""
    found = base64.b64decode(text, validate=True)
    if len(found) != SHA256_BYTES:
        raise ValueError(f"{len(found)} bytes are no SHA-256")
    return found


def parse_instant(text: str) -> datetime:
    """Parse an ISO 8601 instant with offset to UTC; ValueError otherwise, and for one outside of YEARS."""
    value = _with_offset(text)
    if value.year not in YEARS:
        raise ValueError(f"outside of time: {text}")
    return value.astimezone(UTC)


def _parse_end(text: str) -> datetime:
    return END_OF_TIME if _with_offset(text).year >= YEARS.stop else parse_instant(text)


def _with_offset(text: str) -> datetime:
    head, point, tail = text.strip().partition(".")
    if point:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        head += f".{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"
    value = datetime.fromisoformat(head)
    if value.tzinfo is None:
        raise ValueError(f"no offset: {text}")
    return value


def retry_after(answer: Answer, now: datetime) -> float | None:
    """Return the seconds of Retry-After exactly as given (or until its date), None where there is none.

    A date is measured from the answer's own Date, ``now`` serves without one: the till's clock may be wrong. What is no
    number of seconds within LONGEST_RETRY_AFTER is none: a till cannot wait for ever.
    """
    raw = answer.headers.get("retry-after", "").strip()
    if not raw:
        return None
    try:
        seconds = float(raw)
    except ValueError:
        until = _http_date(raw)
        if until is None:
            return None
        seconds = (until - (_http_date(answer.headers.get("date", "")) or now)).total_seconds()
    return max(0.0, seconds) if seconds <= LONGEST_RETRY_AFTER else None


def _http_date(text: str) -> datetime | None:
    """Read a date of HTTP (RFC 9110, 5.6.7); None where it is none."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def _is_number(value: object, largest: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= largest


def _details(value: object) -> tuple[str, ...]:
    return tuple(told(str(each), LONGEST_WORDS) for each in value[:MOST_DETAILS]) if isinstance(value, list) else ()


def problems(answer: Answer) -> tuple[ApiProblem, ...]:
    """Return the errors an answer names, in both shapes; empty where it names none or is not JSON."""
    try:
        value = json.loads(answer.body) if answer.is_json else None
    except (ValueError, RecursionError):
        return ()
    if not isinstance(value, dict):
        return ()
    exception = value.get("exception")
    if isinstance(exception, dict):
        return _read(exception.get("exceptionDetailList"), "exceptionCode", "exceptionDescription")
    return (
        _read(value.get("errors"), "code", "description")
        or _read([value.get("status")], "code", "description")
        or _general(value, answer.status)
    )


def _general(value: Mapping[str, object], status: int) -> tuple[ApiProblem, ...]:
    """Read problem details that name no error of their own (401, 403, 410, 429)."""
    text = value.get("detail") or value.get("title")
    if not isinstance(text, str):
        return ()
    reason = value.get("reasonCode")
    return (ApiProblem(status, told(text, LONGEST_WORDS), _details([reason] if isinstance(reason, str) else None)),)


def _read(items: object, code: str, description: str) -> tuple[ApiProblem, ...]:
    found: list[ApiProblem] = []
    for item in items[:MOST_DETAILS] if isinstance(items, list) else []:
        if isinstance(item, dict) and _is_number(item.get(code), LARGEST_NUMBER):
            words = told(str(item.get(description) or ""), LONGEST_WORDS)
            found.append(ApiProblem(item[code], words, _details(item.get("details"))))
    return tuple(found)
