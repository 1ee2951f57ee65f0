"""What of an invoice's row the books look at: a third of an InvoiceSummary, since a month has 100,000 of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from agent.domain.invoice import Buyer, Mode, Payment
from agent.domain.lifecycle import InvoiceState


class Filed(Protocol):
    """What decides whether a document is an invoice, and by which marker the books show it."""

    @property
    def mode(self) -> Mode: ...

    @property
    def state(self) -> InvoiceState: ...

    @property
    def ksef_number(self) -> str | None: ...

    @property
    def accepted_at(self) -> datetime | None: ...

    @property
    def closed_at(self) -> datetime | None: ...


class Deadlined(Filed, Protocol):
    """What decides how late it reached KSeF, too."""

    @property
    def sent_at(self) -> datetime | None: ...

    @property
    def deadline(self) -> date | None: ...

    @property
    def deadline_state(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FiledInvoice:
    """An invoice as JPK, payments and the comparison with KSeF see it; fields as in InvoiceSummary."""

    id: str
    number: str
    kind: str
    issued_on: date
    issued_at: datetime
    mode: Mode
    state: InvoiceState
    buyer: Buyer
    """Without address and e-mail."""
    gross: Decimal
    currency: str
    payments: tuple[Payment, ...]
    sha256: bytes
    ksef_number: str | None = None
    accepted_at: datetime | None = None
    sent_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InvoiceGroup:
    """Invoices that a count does not tell apart: how many of them, and one for all; instants at their full hour."""

    invoices: int
    mode: Mode
    state: InvoiceState
    deadline: date | None
    deadline_state: str
    ksef_number: str | None = None
    accepted_at: datetime | None = None
    sent_at: datetime | None = None
    closed_at: datetime | None = None
