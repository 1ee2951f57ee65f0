"""Domain values to plain JSON and back, for what is stored as JSON: frozen dataclasses of the usual field types.

Decimal and date become text, enums their value, tuples lists. Reading back gives an equal value; a document of another
shape is a PlainError, since it can only come from a damaged or newer store.
"""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class PlainError(ValueError):
    """The document is not what to_plain() made of such a value."""


def to_plain(value: object) -> object:
    """Return ``value`` as what json.dumps() takes."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    raise TypeError(f"no plain form for {type(value).__name__}")


def from_plain(kind: type[T], document: object) -> T:
    """Return the value of type ``kind`` that to_plain() turned into ``document``; PlainError otherwise."""
    try:
        return cast("T", _read(kind, document))
    except (ValueError, ArithmeticError, TypeError, KeyError) as error:
        raise PlainError(f"not a stored {kind.__name__}: {error}") from error


def _read(kind: object, document: object) -> object:
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        if document is None:
            return None
        (kind,) = (member for member in get_args(kind) if member is not types.NoneType)
        return _read(kind, document)
    if origin is tuple:
        if not isinstance(document, list):
            raise TypeError("a list is missing")
        return tuple(_read(get_args(kind)[0], item) for item in document)
    if not isinstance(kind, type):
        raise TypeError(f"unsupported field type {kind}")
    if is_dataclass(kind):
        if not isinstance(document, dict):
            raise TypeError(f"a {kind.__name__} is missing")
        hints = get_type_hints(kind)
        return kind(**{name: _read(hints[name], item) for name, item in document.items()})
    return _read_scalar(kind, document)


def _read_scalar(kind: type, document: object) -> object:
    if issubclass(kind, Enum):
        return kind(document)
    if issubclass(kind, (date, datetime)) and isinstance(document, str):
        return kind.fromisoformat(document)
    if kind is Decimal and isinstance(document, str):
        return Decimal(document)
    if kind in {str, int, bool} and type(document) is kind:
        return document
    raise TypeError(f"{document!r} is no {kind.__name__}")
