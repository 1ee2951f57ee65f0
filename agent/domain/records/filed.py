"""What of an invoice's row the books look at: a third of an InvoiceSummary, since a month has 100,000 of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from agent.domain.invoice import Buyer, InvoiceSummary, Mode, Payment
from agent.domain.lifecycle import InvoiceState
from agent.domain.values import dataclass


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
class RegisteredInvoice:
    """An invoice as the register sees it; fields as in InvoiceSummary."""

    id: str
    number: str
    kind: str
    issued_on: date
    mode: Mode
    reason: str
    state: InvoiceState
    deadline: date | None
    deadline_state: str
    sent_at: datetime | None
    accepted_at: datetime | None
    closed_at: datetime | None
    ksef_number: str | None
    has_upo: bool
    sha256: bytes
    buyer: Buyer
    """Without address and e-mail."""
    net: Decimal
    tax: Decimal
    gross: Decimal
    currency: str
    bases: tuple[str, ...]
    """Numbers of what it corrects."""
    external_ref: str | None
    payments: tuple[Payment, ...]


def registered(record: InvoiceSummary) -> RegisteredInvoice:
    """Return what the register sees of an invoice."""
    return RegisteredInvoice(
        id=record.id,
        number=record.number,
        kind=record.kind,
        issued_on=record.issued_on,
        mode=record.mode,
        reason=record.reason,
        state=record.state,
        deadline=record.deadline,
        deadline_state=record.deadline_state,
        sent_at=record.sent_at,
        accepted_at=record.accepted_at,
        closed_at=record.closed_at,
        ksef_number=record.ksef_number,
        has_upo=record.has_upo,
        sha256=record.sha256,
        buyer=replace(record.buyer, address=None, email=None),
        net=record.totals.net,
        tax=record.totals.tax,
        gross=record.totals.gross,
        currency=record.totals.currency,
        bases=tuple(base.number for base in record.bases),
        external_ref=record.external_ref,
        payments=record.payments,
    )


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
