"""Latarnia's two JSON answers, read strictly (docs/protocol.md, section 7).

    GET /status    {"status": "AVAILABLE"|"MAINTENANCE"|"FAILURE"|"TOTAL_FAILURE", "messages": [...]|null}
    GET /messages  [message, ...]|null

A word this program does not know is listed as Unknown, for an alarm, and changes nothing: it is never an outage.
An answer that is no such JSON at all raises BadAnswer; that is "Latarnia out of reach", never an awaria.
Instants: the offset is trusted, not the prose (LAT#12); without an offset they are Europe/Warsaw. 24:00 is the
midnight that ends the day, and an end without a time of day is that of its day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from agent.domain.calendar import WARSAW, YEARS
from agent.domain.characters import storable
from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_END_OF_DAY = re.compile(r"(\d{4}-\d{2}-\d{2}[T ])24(:00(?::00(?:[.,]0+)?)?(?:Z|[+-]\d{2}:?\d{2})?)", re.IGNORECASE)
"""ISO 8601's 24:00, which datetime.fromisoformat takes from Python 3.13 on only."""


MOST_MESSAGES = 1000
"""Of one answer: each is kept for ever. Latarnia has had some tens in its first year."""
LONGEST_TEXT = 10_000
"""Characters of a title or a text that are kept."""
LONGEST_IDENTIFIER = 200
LARGEST_VERSION = 10**9


class Status(StrEnum):
    """What /status says of KSeF."""

    AVAILABLE = "AVAILABLE"
    MAINTENANCE = "MAINTENANCE"
    FAILURE = "FAILURE"
    TOTAL_FAILURE = "TOTAL_FAILURE"


class Category(StrEnum):
    """What a communiqué is about."""

    FAILURE = "FAILURE"
    """Art. 106ne ust. 1: awaria."""
    TOTAL_FAILURE = "TOTAL_FAILURE"
    """Art. 106ne ust. 3: awaria całkowita."""
    MAINTENANCE = "MAINTENANCE"
    """Art. 106ne ust. 4: niedostępność."""


class MessageType(StrEnum):
    """What a communiqué announces."""

    FAILURE_START = "FAILURE_START"
    FAILURE_END = "FAILURE_END"
    MAINTENANCE_ANNOUNCEMENT = "MAINTENANCE_ANNOUNCEMENT"


class BadAnswer(ValueError):
    """The text is not what Latarnia answers."""


class NotUnderstood(ValueError):
    """One message, or a word in it, that this program does not know."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One communiqué. Instants are aware, UTC; ``event_id`` links start and end of one event."""

    id: str
    event_id: str
    category: Category
    type: MessageType
    version: int
    title: str = ""
    text: str = ""
    start: datetime | None = None
    end: datetime | None = None
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something in an answer that this program does not understand, for an alarm."""

    where: str
    """status, or the id of the message."""
    value: str
    raw: str
    """JSON of what was not understood; at most 4096 characters."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Both answers of one poll. ``status`` None: an unknown word, listed in ``unknown``."""

    status: Status | None
    announcements: tuple[Announcement, ...]
    unknown: tuple[Unknown, ...] = ()


def parse(status_text: str, messages_text: str) -> Parsed:
    """Read the answers of /status and /messages. BadAnswer where one is not of Latarnia's form."""
    status_answer = _load(status_text, "/status")
    if not isinstance(status_answer, Mapping):
        raise BadAnswer("/status: not an object")
    messages_answer = _load(messages_text, "/messages")
    if isinstance(messages_answer, Mapping):
        messages_answer = messages_answer.get("messages")
    listed = parse_messages(messages_answer)
    with_status = parse_messages(status_answer.get("messages"))
    status, strange = _status(status_answer.get("status"))
    return Parsed(
        status=status,
        announcements=_unique(listed.announcements + with_status.announcements),
        unknown=_unique(strange + listed.unknown + with_status.unknown),
    )


def parse_messages(answer: object) -> Parsed:
    """Read messages out of decoded JSON: a list, or null for none. BadAnswer for any other form."""
    if answer is None:
        return Parsed(None, ())
    if not isinstance(answer, list):
        raise BadAnswer("messages: not a list")
    if len(answer) > MOST_MESSAGES:
        raise BadAnswer(f"messages: {len(answer)} of them")
    announcements: list[Announcement] = []
    unknown: list[Unknown] = []
    for number, message in enumerate(answer):
        try:
            announcements.append(_bounded(announcement_from_json(message)))
        except NotUnderstood as error:
            name = message.get("id") if isinstance(message, Mapping) else None
            unknown.append(Unknown(str(name or f"messages[{number}]")[:LONGEST_IDENTIFIER], str(error), _raw(message)))
    return Parsed(None, tuple(announcements), tuple(unknown))


def _bounded(announcement: Announcement) -> Announcement:
    """Refuse what no message needs. Not of what is kept: a fact of an earlier version stays one."""
    for name, value in (("id", announcement.id), ("eventId", announcement.event_id)):
        if len(value) > LONGEST_IDENTIFIER:
            raise NotUnderstood(f"{name}: {value[:LONGEST_IDENTIFIER]}")
    if abs(announcement.version) > LARGEST_VERSION:
        raise NotUnderstood(f"version: {str(announcement.version)[:LONGEST_IDENTIFIER]}")
    return announcement


def announcement_from_json(message: object) -> Announcement:
    """Read one message. NotUnderstood names the field that is missing, malformed or holds an unknown word."""
    if not isinstance(message, Mapping):
        raise NotUnderstood("not an object")
    category = _word(Category, message, "category")
    kind = _word(MessageType, message, "type")
    if (category is Category.MAINTENANCE) != (kind is MessageType.MAINTENANCE_ANNOUNCEMENT):
        raise NotUnderstood(f"type {kind.value} does not go with category {category.value}")
    announcement = Announcement(
        id=_identifier(message, "id"),
        event_id=_identifier(message, "eventId"),
        category=category,
        type=kind,
        version=_version(message.get("version")),
        title=_text(message, "title"),
        text=_text(message, "text"),
        start=_instant(message, "start"),
        end=_instant(message, "end"),
        published=_instant(message, "published"),
    )
    if announcement.start and announcement.end and announcement.end < announcement.start:
        raise NotUnderstood("end before start")
    return announcement


def announcement_to_json(announcement: Announcement) -> dict[str, Json]:
    """Return the message in Latarnia's own form; announcement_from_json reads it back."""
    return {
        "id": announcement.id,
        "eventId": announcement.event_id,
        "category": announcement.category.value,
        "type": announcement.type.value,
        "title": announcement.title,
        "text": announcement.text,
        "start": _iso(announcement.start),
        "end": _iso(announcement.end),
        "version": announcement.version,
        "published": _iso(announcement.published),
    }


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant as UTC; without offset it is Europe/Warsaw. ValueError otherwise."""
    end_of_day = _END_OF_DAY.fullmatch(text)
    instant = datetime.fromisoformat(text if end_of_day is None else f"{end_of_day[1]}00{end_of_day[2]}")
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=WARSAW)
    try:
        if end_of_day is not None:
            instant += timedelta(days=1)  # on its own clock: the night of the change of time has its own length
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"out of range: {text}") from error


Word = TypeVar("Word", bound=StrEnum)
Item = TypeVar("Item")


def _load(text: str, where: str) -> object:
    try:
        return _storable(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"{where}: not JSON") from error


def _storable(value: object) -> object:
    """Return decoded JSON without lone surrogates: what is said here gets into reasons, alerts and /health."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(name): _storable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def _raw(message: object) -> str:
    """Return JSON text for the record; tolerant, since Python also reads Infinity and lone surrogates."""
    text = json.dumps(message, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "replace").decode("utf-8")[:4096]


def _status(word: object) -> tuple[Status | None, tuple[Unknown, ...]]:
    try:
        return Status(str(word)), ()
    except ValueError:
        shown = str(word)[:200]
        return None, (Unknown("status", shown, shown),)


def _word(words: type[Word], message: Mapping[str, object], key: str) -> Word:
    value = message.get(key)
    try:
        return words(str(value))
    except ValueError:
        raise NotUnderstood(f"{key}: {str(value)[:200]}") from None


def _identifier(message: Mapping[str, object], key: str) -> str:
    value = message.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise NotUnderstood(f"{key}: {str(value)[:200]}")
    return str(value).strip()


def _version(value: object) -> int:
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise NotUnderstood(f"version: {str(value)[:200]}")
    try:
        return int(value)
    except ValueError:
        raise NotUnderstood(f"version: {str(value)[:200]}") from None


def _text(message: Mapping[str, object], key: str) -> str:
    value = message.get(key)
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def _instant(message: Mapping[str, object], key: str) -> datetime | None:
    value = message.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise NotUnderstood(f"{key}: {str(value)[:200]}")
    try:
        instant = parse_instant(f"{value}T24:00" if key == "end" and _DATE.fullmatch(value) else value)
    except ValueError:
        raise NotUnderstood(f"{key}: {value[:200]}") from None
    if instant.year not in YEARS:
        raise NotUnderstood(f"{key}: {value[:200]}")
    return instant


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _unique(items: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(dict.fromkeys(items))
