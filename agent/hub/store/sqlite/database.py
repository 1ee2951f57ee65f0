"""SQL on the connection of one unit of work, as the repositories speak it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from agent.hub.store import queries
from agent.hub.store.database import Parameters, Row, Value
from agent.store import connection as sqlite
from agent.store.unit import UnitConnection


class SqliteDatabase:
    """One unit of work's connection."""

    def __init__(self, unit: UnitConnection) -> None:
        self._unit = unit
        self.told: list[str] = []

    async def run(self, name: str, /, **parameters: Value) -> list[Row]:
        """Run a named statement."""
        return await self._run(name, parameters)

    async def run_many(self, name: str, parameters: Sequence[Parameters]) -> list[Row]:
        """Run it once for each."""
        rows: list[Row] = []
        for each in parameters:
            rows += await self._run(name, each)
        return rows

    async def _run(self, name: str, parameters: Parameters) -> list[Row]:
        columns = {key: _column(value) for key, value in parameters.items()}
        return [Row(dict(row)) for row in await self._unit.run_sql(queries.SQLITE[name], columns)]

    async def tell(self, channel: str) -> None:
        """Wake who waits, after the commit."""
        self.told.append(channel)


def _column(value: Value) -> sqlite.Value:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else value
