"""Invoices for tests of the store: bytes that are no FA(3), values that show rounding and lost letters."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from agent.domain.invoice import Address, Buyer, BuyerKind, Mode, NewInvoice, Payment, RateTotal, Totals
from agent.domain.lifecycle import InvoiceState
from agent.ports import InvoiceChange, Transaction

SERIES = "FV-1"
BUYER = Buyer(BuyerKind.NIP, "5261040828", name="Zażółć Gęślą sp. z o.o.", address=Address("ul. Łąkowa 1", "Łódź"))
TOTALS = Totals(
    net=Decimal("100.10"),
    tax=Decimal("23.02"),
    gross=Decimal("123.12"),
    currency="PLN",
    rates=(RateTotal("23", Decimal("100.10"), Decimal("23.02"), Decimal("123.12")),),
)

ROUTES: dict[InvoiceState, tuple[InvoiceState, ...]] = {
    InvoiceState.ISSUED: (),
    InvoiceState.SENDING: (InvoiceState.SENDING,),
    InvoiceState.IN_DOUBT: (InvoiceState.SENDING, InvoiceState.IN_DOUBT),
    InvoiceState.SENT: (InvoiceState.SENDING, InvoiceState.SENT),
    InvoiceState.ACCEPTED: (InvoiceState.SENDING, InvoiceState.SENT, InvoiceState.ACCEPTED),
    InvoiceState.REJECTED: (InvoiceState.SENDING, InvoiceState.SENT, InvoiceState.REJECTED),
    InvoiceState.EXEMPT: (InvoiceState.EXEMPT,),
}
"""How an invoice gets into each state."""


def new_invoice(name: str, serial: int | None = 1, **changes: Any) -> NewInvoice:
    """An invoice ``inv-<name>`` whose bytes and hash follow its name."""
    xml = f"<Faktura>{name}</Faktura>".encode()
    sha256 = hashlib.sha256(xml).digest()
    of_document = base64.urlsafe_b64encode(changes.get("sha256", sha256)).decode().rstrip("=")
    invoice = NewInvoice(
        id=f"inv-{name}",
        series=SERIES,
        serial=serial,
        number=f"{SERIES}/{serial}" if serial is not None else f"EXT/{name}",
        kind="VAT",
        issued_on=date(2026, 11, 24),
        issued_at=datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC),
        mode=Mode.ONLINE,
        reason="KSeF odpowiada.",
        seller_nip="5265877635",
        buyer=BUYER,
        totals=TOTALS,
        xml=xml,
        sha256=sha256,
        link_invoice=f"https://qr.example/{of_document}",
        link_certificate=f"https://qr.example/cert/{of_document}",
        deadline=date(2026, 11, 25),
        external_ref=f"zam-{name}",
        payments=(Payment("cash", Decimal("100.00")), Payment("card", Decimal("23.12"))),
        pressed_by="kasa 1",
    )
    return replace(invoice, **changes)


async def add_next(transaction: Transaction, name: str, **changes: Any) -> int:
    """Add the next invoice of the series; return its serial."""
    serial = await transaction.invoices.next_serial(SERIES)
    await transaction.invoices.add(new_invoice(name, serial, **changes))
    return serial


async def lead(transaction: Transaction, invoice_id: str, to: InvoiceState) -> None:
    """Lead an issued invoice into a state, by legal moves."""
    for state in ROUTES[to]:
        change = InvoiceChange(ksef_number=f"KSEF-{invoice_id}") if state is InvoiceState.ACCEPTED else None
        await transaction.invoices.move(invoice_id, state, change)
