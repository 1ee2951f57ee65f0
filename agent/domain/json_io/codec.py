"""Domain values to plain JSON and back, for what is stored as JSON: frozen dataclasses of the usual field types.

Decimal and date become text, enums their value, tuples lists. Reading back gives an equal value; a document of another
shape is a PlainError, since it can only come from a damaged or newer store.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from operator import attrgetter, call
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class PlainError(ValueError):
    """The document is not what to_plain() made of such a value."""


def to_plain(value: object) -> object:
    """Return ``value`` as what json.dumps() takes."""
    return _writer(type(value))(value)  # type: ignore[arg-type]  # a class is hashable


def from_plain(kind: type[T], document: object) -> T:
    """Return the value of type ``kind`` that to_plain() turned into ``document``; PlainError otherwise.

    A field that ``document`` does not have yet takes its default: what an older program stored stays readable.
    """
    return reader_of(kind)(document)


def reader_of(kind: type[T]) -> Callable[[object], T]:
    """Return from_plain() of one type, for those who read thousands of its values."""
    read = _reader(cast("Hashable", kind))

    def checked(document: object) -> T:
        try:
            return cast("T", read(document))
        except (ValueError, ArithmeticError, TypeError, KeyError) as error:
            raise PlainError(f"not a stored {kind.__name__}: {error}") from error

    return checked


@cache
def _writer(kind: type) -> Callable[[Any], object]:
    """Make what writes the values of one type; kept, so that which type it is, is asked once and not for each value."""
    if kind in {str, bool, int, type(None)}:
        return _itself
    if is_dataclass(kind):
        names = tuple(field.name for field in fields(kind))
        return lambda value: {name: to_plain(getattr(value, name)) for name in names}
    if issubclass(kind, Enum):
        return attrgetter("value")
    if issubclass(kind, Decimal):
        return str
    if issubclass(kind, date):
        return kind.isoformat
    if issubclass(kind, (tuple, list)):
        return lambda value: [to_plain(item) for item in value]
    raise TypeError(f"no plain form for {kind.__name__}")


def _itself(value: object) -> object:
    return value


@cache
def _reader(kind: Hashable) -> Callable[[object], object]:
    """Make what reads one type; kept, since a list of invoices reads each a thousand times."""
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        (member,) = (each for each in get_args(kind) if each is not types.NoneType)
        return _optional(_reader(member))
    if origin is tuple:
        return _list(_reader(get_args(kind)[0]))
    if not isinstance(kind, type):
        raise TypeError(f"unsupported field type {kind}")
    if is_dataclass(kind):
        return _record(kind)
    return _scalar(kind)


def _optional(read: Callable[[object], object]) -> Callable[[object], object]:
    return lambda document: None if document is None else read(document)


def _list(read: Callable[[object], object]) -> Callable[[object], object]:
    def reader(document: object) -> object:
        if not isinstance(document, list):
            raise TypeError("a list is missing")
        return tuple(map(read, document))

    return reader


def _record(kind: type) -> Callable[[object], object]:
    readers = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}
    names, in_order = tuple(readers), tuple(readers.values())

    def reader(document: object) -> object:
        if not isinstance(document, dict):
            raise TypeError(f"a {kind.__name__} is missing")
        if tuple(document) == names:  # as this program writes it: nothing is looked up by name
            return kind(*map(call, in_order, document.values()))
        return kind(**{name: readers[name](item) for name, item in document.items()})

    return reader


def _scalar(kind: type) -> Callable[[object], object]:
    """Make what reads one plain value; which kind it is, is asked here and not for each value."""
    if issubclass(kind, Enum):
        return kind
    if kind is Decimal:
        return _decimal
    if issubclass(kind, (date, datetime)):
        return _from_text(kind, kind.fromisoformat)
    if kind not in {str, int, bool}:
        raise TypeError(f"unsupported field type {kind}")

    def reader(document: object) -> object:
        if type(document) is not kind:
            raise TypeError(f"{document!r} is no {kind.__name__}")
        return document

    return reader


def _decimal(document: object) -> object:
    if not isinstance(document, str):
        raise TypeError(f"{document!r} is no Decimal")
    return Decimal(document)


def _from_text(kind: type, read: Callable[[str], object]) -> Callable[[object], object]:
    def reader(document: object) -> object:
        if not isinstance(document, str):
            raise TypeError(f"{document!r} is no {kind.__name__}")
        return read(document)

    return reader
