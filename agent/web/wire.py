"""What the API's values look like as JSON, said at their types: the types in answers/ are the description of answers.

An answer is a frozen dataclass; plain() writes it. ``Says`` adds to a field's type what the type cannot say; the
docstrings of the class and of its fields are their description. tools/openapi reads all three into schemas/api/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, get_type_hints
from zoneinfo import ZoneInfo

from agent.domain.values import dataclass
from agent.ports import Json

WARSAW: Final = ZoneInfo("Europe/Warsaw")


@dataclass(frozen=True, slots=True)
class Says:
    """What a value is besides its type (JSON Schema 2020-12)."""

    words: tuple[str, ...] = ()
    """The only values."""
    pattern: str | None = None
    low: int | None = None
    """Smallest number, fewest characters, fewest items."""
    high: int | None = None
    """Largest number, most characters, most items."""
    example: str | int | None = None


@dataclass(frozen=True, slots=True)
class Omitted:
    """The field is left out of an answer where it is None; all others are null then."""


OMITTED: Final = Omitted()

Count = Annotated[int, Says(low=0)]


def plain(value: object) -> Json:
    """Return a value of the types in answers/ as JSON: amounts as strings, dates ISO, instants with Poland's offset."""
    return _writer(type(value))(value)  # type: ignore[arg-type]  # a class is hashable


@cache
def _writer(kind: type) -> Callable[[Any], Json]:
    """Return what writes the values of one type; kept, so that its form is looked for once and not for each value."""
    if issubclass(kind, str):
        return str  # a word of an enum is its value
    if issubclass(kind, bool | int | float | None):
        return _itself
    if is_dataclass(kind):
        return plain_object
    if issubclass(kind, Mapping):
        return lambda value: {str(name): plain(part) for name, part in value.items()}
    if issubclass(kind, Sequence):
        return lambda value: [plain(part) for part in value]
    return _text


def _itself(value: Json) -> Json:
    return value


def plain_object(value: object) -> dict[str, Json]:
    """Return an answer that is an object."""
    assert is_dataclass(value)
    assert not isinstance(value, type)
    left_out = omitted(type(value))
    found = {}
    for name in _names(type(value)):
        part = getattr(value, name)
        if part is not None:
            found[name] = plain(part)
        elif name not in left_out:
            found[name] = None
    return found


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


@cache
def omitted(kind: type) -> frozenset[str]:
    """Return the names of the fields that are left out where they are None."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(name for name, hint in hints.items() if OMITTED in getattr(hint, "__metadata__", ()))


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(WARSAW).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in the API")
