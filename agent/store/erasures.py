"""Erased invoices of consumers (port Erasures). Triggers hold the order: what is final alone, after its entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime

from agent.domain.records.retention import ERASED
from agent.ports import ErasureCandidate
from agent.store import codec
from agent.store.unit import UnitConnection


class SqliteErasures:
    """What may be erased, and erasing it."""

    def __init__(self, connection: UnitConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def due(self, before: date, after: int = 0, limit: int = 100) -> list[ErasureCandidate]:
        """Final invoices of consumers issued before a day and not erased, oldest first."""
        rows = await self._connection.run("erasure_due", {"before": before.isoformat(), "after": after, "limit": limit})
        return [
            ErasureCandidate(row["seq"], row["id"], row["number"], date.fromisoformat(row["issued_on"])) for row in rows
        ]

    async def related(self, invoice_id: str) -> list[tuple[date, bool]]:
        """Day of issue and whether it is final, of the invoice and of everything that corrects it."""
        rows = await self._connection.run("erasure_related", {"invoice_id": invoice_id})
        return [(date.fromisoformat(row["issued_on"]), bool(row["final"])) for row in rows]

    async def archived(self, invoice_id: str) -> tuple[str, bytes] | None:
        """Return path and SHA-256 of its archive file; None where it was never exported."""
        rows = await self._connection.run("export_get", {"invoice_id": invoice_id})
        return (rows[0]["place"], rows[0]["sha256"]) if rows else None

    async def erase(self, invoice_id: str, orders: Mapping[str, bytes]) -> None:
        """Erase buyer, bytes and prints of an invoice, and put these bodies in place of its closed orders."""
        await self._connection.run("erasure_add", {"invoice_id": invoice_id, "erased_at": codec.instant(self._now())})
        (row,) = await self._connection.run("erasure_names", {"invoice_id": invoice_id})
        search = codec.search_text(row["number"], None, None, row["external_ref"])
        buyer = codec.dump_value(ERASED)
        await self._connection.run("erase_buyer", {"invoice_id": invoice_id, "buyer": buyer, "search": search})
        await self._connection.run("erase_versions", {"invoice_id": invoice_id})
        await self._connection.run("erase_prints", {"invoice_id": invoice_id})
        for held_id, body in orders.items():
            await self._connection.run("erase_order", {"id": held_id, "body": body})

    async def count(self) -> int:
        """Return how many invoices were erased."""
        (row,) = await self._connection.run("erasure_count")
        return int(row["erased"])
