"""FA(3) from a sale: lxml, deterministic. The same input, number and instant give the same bytes."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from agent.domain import vat
from agent.domain.fa3.elements import (
    add_annotations,
    add_buyer,
    add_deposits,
    add_header,
    add_line,
    add_notes,
    add_payments,
    add_seller,
    add_totals,
    receipt_notes,
)
from agent.domain.fa3.writing import add, section, to_bytes
from agent.domain.invoice import Sale, Seller, Totals
from agent.domain.split_payment import split_payment_due

WARSAW = ZoneInfo("Europe/Warsaw")


def issue_date(issued_at: datetime) -> date:
    """Return P_1 for an aware instant: the civil date in Poland."""
    if issued_at.tzinfo is None:
        raise ValueError("issued_at must be aware")
    return issued_at.astimezone(WARSAW).date()


def build_invoice(
    sale: Sale, seller: Seller, *, number: str, issued_at: datetime, system_info: str, sums: Totals | None = None
) -> bytes:
    """Return the FA(3) file of an invoice (RodzajFaktury VAT, or UPR for a simplified one).

    number       P_2, from numbering.py
    issued_at    aware instant; P_1 is its date in Poland, DataWytworzeniaFa the instant itself
    system_info  SystemInfo: name of this program, up to 256 characters
    sums         vat.totals() of the sale, where they were counted before
    """
    sums = vat.totals(sale) if sums is None else sums
    root = add_header(issued_at, system_info)
    add_seller(root, seller, (line.vat for line in sale.lines))
    add_buyer(root, sale.buyer, sale.recipient)
    body = section(root, "Fa")
    add(body, "KodWaluty", sale.currency)
    add(body, "P_1", issue_date(issued_at).isoformat())
    add(body, "P_2", number)
    if sale.sold_on is not None and sale.sold_on != issue_date(issued_at):
        add(body, "P_6", sale.sold_on.isoformat())
    add_totals(body, sums, sale.exchange_rate)
    add_annotations(
        body,
        (line.vat for line in sale.lines),
        sale.exemption,
        sale.exemption_basis,
        split_payment=split_payment_due(sale.buyer, sale.lines, sums.gross, sale.exchange_rate),
    )
    add(body, "RodzajFaktury", "UPR" if sale.simplified else "VAT")
    if sale.receipt is not None:
        add(body, "FP", "1")
    add_notes(body, (*receipt_notes(sale.receipt), *sale.notes))
    for position, line in enumerate(sale.lines, start=1):
        add_line(body, position, line, sale.prices, vat.line_value(line), exchange_rate=sale.exchange_rate)
    add_deposits(body, sale.deposits, sums.gross)
    add_payments(body, sale.payments, sale.sold_on or issue_date(issued_at), seller.bank_account)
    return to_bytes(root)
