"""``dataclass`` of this project: the standard library's, its methods written once for all classes.

The standard library writes ``__repr__``, ``__eq__``, ``__hash__``, ``__setattr__`` and ``__delattr__`` anew for each
class, and those of a frozen one with slots keep the class alive that had no slots yet: 4 MiB for the 370 of a till.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - type checkers know what it means

    from _typeshed import DataclassInstance
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> type | Callable[[type], type]:
        """Make a dataclass. ``options``: frozen, slots, kw_only."""
        return _made(cls, **options) if cls is not None else lambda each: _made(each, **options)


def _made(cls: type, *, frozen: bool = False, slots: bool = False, kw_only: bool = False) -> type:
    own = vars(cls)
    made: type = dataclasses.dataclass(frozen=frozen, slots=slots, kw_only=kw_only, repr=False, eq=False)(cls)
    shared: dict[str, object] = {"__repr__": _shown, "__eq__": _equal, "__hash__": _hash if frozen else None}
    for name, method in shared.items():
        if own.get(name) is None:  # Python sets __hash__ to None where only __eq__ is the class's own
            setattr(made, name, method)
    if frozen:
        for name, method in (("__setattr__", _refuse_to_set), ("__delattr__", _refuse_to_delete)):
            setattr(made, name, method)
    return made


@recursive_repr()
def _shown(self: DataclassInstance) -> str:
    named = ((each.name, getattr(self, each.name)) for each in dataclasses.fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(f'{name}={value!r}' for name, value in named)})"


@cache
def _compared(cls: type[DataclassInstance]) -> Callable[[object], object]:
    """Return what reads the fields that make two values equal."""
    names = [each.name for each in dataclasses.fields(cls) if each.compare]
    return attrgetter(*names) if names else lambda _: ()


def _equal(self: DataclassInstance, other: object) -> bool:
    if other.__class__ is not self.__class__:
        return NotImplemented  # type: ignore[no-any-return]
    read = _compared(type(self))
    return bool(read(self) == read(other))


def _hash(self: DataclassInstance) -> int:
    kind = type(self)
    return hash((kind, _compared(kind)(self)))


def _refuse_to_set(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
