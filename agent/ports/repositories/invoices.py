"""Invoices of a unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from agent.domain.invoice import Buyer, InvoiceRecord, InvoiceSummary, NewInvoice
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.filed import InvoiceGroup, RegisteredInvoice
from agent.ports.repositories.unsent import UnsentInvoices
from agent.ports.stored import InvoiceChange, InvoiceFilter


class Invoices(UnsentInvoices, Protocol):
    """Invoices inside a transaction. Illegal moves raise IllegalTransition before SQLite's triggers would."""

    async def next_serial(self, series: str) -> int:
        """Return last + 1 of the series; taken for good only by add() in the same transaction."""
        ...

    async def add(self, invoice: NewInvoice) -> InvoiceRecord:
        """Store it; return what get() would."""
        ...

    async def add_version(self, invoice_id: str, xml: bytes, sha256: bytes, links: tuple[str, str | None]) -> None:
        """New bytes of a rejected invoice (technical correction); the old version stays readable."""
        ...

    async def versions(self, invoice_id: str) -> tuple[bytes, ...]:
        """Return all XML versions, oldest first."""
        ...

    async def get(self, invoice_id: str) -> InvoiceRecord:
        """Return one; NotFound otherwise."""
        ...

    async def find(self, query: InvoiceFilter) -> list[InvoiceRecord]:
        """Newest first."""
        ...

    async def summaries(self, query: InvoiceFilter) -> list[InvoiceSummary]:
        """Newest first, without bytes: for lists."""
        ...

    async def issued(
        self, days: tuple[date, date], limit: int, after: RegisteredInvoice | None = None
    ) -> list[RegisteredInvoice]:
        """A page of what has its P_1 in these days, both included, by day and number: what follows ``after``."""
        ...

    async def issued_groups(self, day: date) -> list[InvoiceGroup]:
        """What has its P_1 on this day, as a count sees it: few groups however many invoices."""
        ...

    async def buyers_named(self, name: str, *, but: str) -> list[Buyer]:
        """Who bears this name on any invoice, each once; ``but``: not under this identifier. Reads all invoices."""
        ...

    async def corrections_of(self, invoice_ids: Sequence[str]) -> list[InvoiceSummary]:
        """What corrects any of these, newest first, without bytes."""
        ...

    async def resume_series(self, series: str, after: int, reason: str) -> None:
        """Go on after a number that was used elsewhere; only forwards (Conflict "series-ahead")."""
        ...

    async def move(self, invoice_id: str, to: InvoiceState, change: InvoiceChange | None = None) -> InvoiceRecord: ...

    async def note(self, invoice_id: str, change: InvoiceChange) -> InvoiceRecord:
        """Add facts without a move."""
        ...

    async def change_all(self, invoice_ids: Sequence[str], to: InvoiceState | None, change: InvoiceChange) -> None:
        """Move many, or add facts (None), as move() and note() do; reads none of them back."""
        ...

    async def set_deadline(self, invoice_id: str, deadline: date | None, state: str) -> None: ...

    async def add_upo(self, invoice_id: str, xml: bytes) -> None: ...

    async def upo(self, invoice_id: str) -> bytes | None:
        """The invoice's own UPO."""
        ...
