"""The webhooks, as agent/services/monitoring/webhooks.py writes them (a test holds the two against each other)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from agent.domain.invoice import Mode, Payment
from agent.domain.json_io.canonical import Json
from agent.domain.lifecycle import InvoiceState
from agent.web.wire import Says


@dataclass
class WebhookBase:
    """An invoice that the one told about corrects."""

    id: str | None
    """None of this till's where it is null."""
    number: str
    ksef_number: str | None


@dataclass
class WebhookInvoice:
    """The invoice as it stands at delivery, not at the event."""

    id: str
    number: Annotated[str, Says(example="FV-1/2026/11/000042")]
    """P_2."""
    kind: str
    """RodzajFaktury."""
    external_ref: Annotated[str | None, Says(example="order-4711")]
    issued_on: date
    mode: Mode
    state: InvoiceState
    ksef_number: str | None
    accepted_at: datetime | None
    deadline: date | None
    rejection: str | None
    corrects: str | None
    """id of the invoice it corrects."""
    bases: tuple[WebhookBase, ...]
    buyer: str | None
    """His identifier."""
    buyer_email: str | None
    gross: Decimal
    """P_15."""
    currency: str
    payments: tuple[Payment, ...]
    sha256: str
    """Of the XML, hexadecimal."""


@dataclass
class WebhookMessage:
    """What happened to an invoice. It comes again until it is answered with 2xx within 10 seconds, in order; `id`
    tells a repetition."""

    id: int
    """Of the event. Rises, with gaps."""
    type: Literal[
        "invoice.issued",
        "invoice.accepted",
        "invoice.rejected",
        "invoice.corrected",
        "correction.held",
        "correction.refused",
    ]
    at: datetime
    till: str
    data: Mapping[str, Json]
    """What the event says besides."""
    invoice: WebhookInvoice
