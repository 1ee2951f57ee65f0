"""What the books keep, and what is erased."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from agent.domain.books.entry import BookEntry
from agent.domain.records.filed import FiledInvoice
from agent.ports.stored import BookedInvoice, ErasureCandidate


class Books(Protocol):
    """What the books keep of each invoice: derived from its bytes, here also after they left."""

    async def unread(self, limit: int, after: int = 0) -> list[tuple[int, str]]:
        """Place and id of invoices that this program's reader has not read, oldest first, behind a place."""
        ...

    async def put(self, invoice_id: str, entry: BookEntry) -> str | None:
        """Keep what was read; return its SHA-256 in hexadecimal, for the log (domain/books/entry.py).

        None, and nothing changes, where this reader read it before.
        """
        ...

    async def issue_days(self, days: tuple[date, date]) -> tuple[date, date] | None:
        """Between which days everything was issued that of_days() gives; None where there is nothing.

        Reads an index of all days since ``days``: once for a report, not for each of its pages.
        """
        ...

    async def of_days(
        self, days: tuple[date, date], issued: tuple[date, date], limit: int, after: FiledInvoice | None = None
    ) -> list[BookedInvoice]:
        """What may have a tax point in these days, or is a reduction sent in them, by day of issue and number.

        ``days``: both included; ``issued``: issue_days() of them. A page: what follows ``after``.
        """
        ...

    async def issued(
        self, days: tuple[date, date], limit: int, after: FiledInvoice | None = None
    ) -> list[BookedInvoice]:
        """What has its P_1 in these days, in the same order and pages."""
        ...


class Erasures(Protocol):
    """Consumers' data that is no longer here: buyer, bytes, prints and orders of an invoice. Row, hash and log stay."""

    async def due(self, before: date, after: int = 0, limit: int = 100) -> list[ErasureCandidate]:
        """Final invoices of consumers issued before a day and not erased, oldest first, behind a place."""
        ...

    async def related(self, invoice_id: str) -> list[tuple[date, bool]]:
        """Day of issue and whether it is final, of the invoice and of everything that corrects it."""
        ...

    async def archived(self, invoice_id: str) -> tuple[str, bytes] | None:
        """Path and SHA-256 of its archive file; None where it was never exported."""
        ...

    async def erase(self, invoice_id: str, orders: Mapping[str, bytes]) -> None:
        """Erase for good; ``orders``: what is put in place of its closed orders for corrections, by id."""
        ...

    async def count(self) -> int:
        """How many were erased."""
        ...
