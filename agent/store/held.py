"""Corrections that wait for their base (port Held)."""

from __future__ import annotations

import sqlite3

from agent.domain.lifecycle import HeldState
from agent.ports import HeldCorrection
from agent.store import codec
from agent.store.queries import QUERIES
from agent.store.unit import UnitConnection

_OLDEST_FIRST = "ORDER BY held_corrections.rowid"


class SqliteHeld:
    """Held corrections; closed once, never changed, never deleted (triggers)."""

    def __init__(self, connection: UnitConnection) -> None:
        self._connection = connection

    async def add(self, held: HeldCorrection) -> None:
        """Add one that waits."""
        await self._connection.run(
            "held_add",
            {
                "id": held.id,
                "base_id": held.base_id,
                "body": held.body,
                "key": held.key,
                "pressed_by": held.pressed_by,
                "created_at": codec.instant(held.created_at),
            },
        )
        await self._connection.run("held_add_bases", {"id": held.id, "bases": codec.dump_bases(held.bases)})

    async def get(self, held_id: str) -> HeldCorrection | None:
        """Return one by id."""
        return _first(await self._select("id = :value", held_id))

    async def waiting(self) -> list[HeldCorrection]:
        """Oldest first."""
        return await self._select("state = :value", HeldState.WAITING.value)

    async def of_base(self, base_id: str) -> list[HeldCorrection]:
        """All that name this invoice, oldest first."""
        return await self._select("id IN (SELECT held_id FROM held_bases WHERE base_id = :value)", base_id)

    async def of_number(self, number: str) -> list[HeldCorrection]:
        """All that name an invoice of this number, oldest first."""
        return await self._select("id IN (SELECT held_id FROM held_bases WHERE number = :value)", number)

    async def close(
        self, held_id: str, state: HeldState, *, invoice_id: str | None = None, problem: str | None = None
    ) -> None:
        """waiting -> issued or refused."""
        await self._connection.run(
            "held_close", {"id": held_id, "state": state.value, "invoice_id": invoice_id, "problem": problem}
        )

    async def _select(self, condition: str, value: str) -> list[HeldCorrection]:
        sql = f"{QUERIES['held_select']}\nWHERE {condition} {_OLDEST_FIRST}"
        return [_read(row) for row in await self._connection.run_sql(sql, {"value": value})]


def _first(found: list[HeldCorrection]) -> HeldCorrection | None:
    return found[0] if found else None


@codec.of_row
def _read(row: sqlite3.Row) -> HeldCorrection:
    return HeldCorrection(
        id=str(row["id"]),
        base_id=str(row["base_id"]),
        body=bytes(row["body"]),
        key=str(row["key"]),
        pressed_by=str(row["pressed_by"]),
        created_at=codec.read_instant(row["created_at"]),
        state=HeldState(row["state"]),
        invoice_id=row["invoice_id"],
        problem=row["problem"],
        bases=codec.load_bases(row["bases"]),
    )
