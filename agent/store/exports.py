"""Exports of old invoices, and the one guarded path on which their bulky bytes may leave this database.

The row of an invoice, its hashes, its links and its events stay for ever. Triggers hold the order: only a final
invoice counts as exported, and only an exported one can be pruned.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from agent.domain.errors import Conflict
from agent.store import codec
from agent.store.connection import Value
from agent.store.unit import UnitConnection


class SqliteExports:
    """Which invoices were exported, and pruning."""

    def __init__(self, connection: UnitConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def due(self, before: date, after: int = 0, limit: int = 100) -> list[tuple[int, str]]:
        """Final invoices with P_1 before that day that were not exported, oldest first: place, to go on, and id."""
        parameters: dict[str, Value] = {"before": before.isoformat(), "after": after, "limit": limit}
        return [(row["seq"], row["id"]) for row in await self._connection.run("export_due", parameters)]

    async def add(self, invoice_id: str, place: str, sha256: bytes) -> None:
        """Record that an invoice was written to ``place`` and read back with that hash."""
        await self._connection.run(
            "export_add",
            {
                "invoice_id": invoice_id,
                "exported_at": codec.instant(self._now()),
                "place": place,
                "sha256": sha256,
            },
        )

    async def place(self, invoice_id: str) -> tuple[str, bytes] | None:
        """Return where an invoice was exported to and the hash of that file; None where it was not."""
        rows = await self._connection.run("export_get", {"invoice_id": invoice_id})
        return (rows[0]["place"], rows[0]["sha256"]) if rows else None

    async def prunable(self, before: date, after: int = 0, limit: int = 100) -> list[tuple[int, str, str, bytes]]:
        """Exported invoices with P_1 before that day whose bytes are still here, oldest first.

        Returns (place in this list, to go on ``after``; invoice id; path and SHA-256 of the export).
        """
        rows = await self._connection.run(
            "export_prunable", {"before": before.isoformat(), "after": after, "limit": limit}
        )
        return [(row["seq"], row["id"], row["place"], row["sha256"]) for row in rows]

    async def prune(self, invoice_id: str) -> None:
        """Drop XML, UPO and printed bytes of an exported invoice; Conflict where it was not exported."""
        if await self.place(invoice_id) is None:
            raise Conflict("Tej faktury nie wyeksportowano; jej danych nie wolno usunąć.", code="not-exported")
        for query in ("prune_versions", "prune_upo", "prune_prints"):
            await self._connection.run(query, {"invoice_id": invoice_id})
