"""What the repositories need of a database: named statements, values in, rows out; the same over both.

Values are None, bool, int, str, bytes, date and aware datetime; each database stores them as it likes and gives them
back the same. JSON goes in and out as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Protocol

from agent.domain.json_io.canonical import Json, canonical

Value = None | bool | int | str | bytes | date | datetime
Parameters = Mapping[str, Value]


class Row:
    """One row, read by the type a column has."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """Return text that is there."""
        return str(self._values[name])

    def text_or_none(self, name: str) -> str | None:
        value = self._values[name]
        return None if value is None else str(value)

    def whole(self, name: str) -> int:
        """Return a whole number."""
        return int(str(self._values[name]))

    def flag(self, name: str) -> bool:
        """Return true or false."""
        return bool(self._values[name])

    def blob(self, name: str) -> bytes:
        """Return bytes that are there."""
        value = self._values[name]
        if not isinstance(value, bytes):
            raise TypeError(f"{name} holds no bytes")
        return value

    def blob_or_none(self, name: str) -> bytes | None:
        return None if self._values[name] is None else self.blob(name)

    def instant(self, name: str) -> datetime:
        """Return an instant, UTC."""
        value = self._values[name]
        return (value if isinstance(value, datetime) else datetime.fromisoformat(str(value))).astimezone(UTC)

    def instant_or_none(self, name: str) -> datetime | None:
        return None if self._values[name] is None else self.instant(name)

    def day(self, name: str) -> date:
        """Return a civil date."""
        value = self._values[name]
        return value if isinstance(value, date) else date.fromisoformat(str(value))

    def day_or_none(self, name: str) -> date | None:
        return None if self._values[name] is None else self.day(name)

    def json(self, name: str) -> Json:
        """Return the value of JSON text."""
        value: Json = json.loads(self.text(name))
        return value

    def document(self, name: str) -> Mapping[str, Json]:
        """Return the object of JSON text."""
        value = self.json(name)
        if not isinstance(value, Mapping):
            raise TypeError(f"{name} holds no object")
        return value


class Database(Protocol):
    """One unit of work's connection."""

    async def run(self, name: str, /, **parameters: Value) -> list[Row]:
        """Run a named statement and return its rows."""
        ...

    async def run_many(self, name: str, parameters: Sequence[Parameters]) -> list[Row]:
        """Run a named statement once for each set of parameters; return the rows of all."""
        ...

    async def tell(self, channel: str) -> None:
        """Wake whoever waits for a channel, once the unit is committed."""
        ...


def dump(value: Json) -> str:
    """Return JSON text; the same value gives the same text."""
    return canonical(value)
