"""Payments by KSeF number, for the shop's settlement and for transfers that have to name the number (art. 108g)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from agent.domain.books.entry import BookEntry
from agent.domain.records.filed import FiledInvoice
from agent.domain.spreadsheets import Cell, Dialect

COLUMNS = (
    "ksef_number",
    "number",
    "issued_on",
    "buyer",
    "buyer_name",
    "currency",
    "gross",
    "to_pay",
    "method",
    "amount",
    "received_on",
    "due",
    "ipksef",
    "accounts",
)
"""Of the table. ``to_pay`` is DoZaplaty where the document has it; ``amount`` is that of one payment."""


class PaymentTable:
    """Writes one line for each payment of an invoice, the lines of an invoice together, a line at a time."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def begin(self) -> str:
        """Return the line of column names."""
        return self._dialect.begin(COLUMNS)

    def lines(self, record: FiledInvoice, entry: BookEntry) -> str:
        """Return the lines of one invoice; one without a payment has a line of its own."""
        terms = entry.terms
        common: dict[str, Cell] = {
            "ksef_number": record.ksef_number,
            "number": record.number,
            "issued_on": record.issued_on.isoformat(),
            "buyer": record.buyer.identifier,
            "buyer_name": record.buyer.name,
            "currency": record.currency,
            "gross": record.gross,
            "to_pay": terms.to_pay,
            "due": " ".join(day.isoformat() for day in terms.due),
            "ipksef": terms.ipksef,
            "accounts": " ".join(terms.accounts),
        }
        return "".join(self._line(common | part) for part in _parts(record, entry))

    def _line(self, cells: dict[str, Cell]) -> str:
        return self._dialect.line([cells.get(column) for column in COLUMNS])


def _parts(record: FiledInvoice, entry: BookEntry) -> Iterator[dict[str, Cell]]:
    """Yield what was received, then how the rest is to be paid; of a sale that is paid, each payment the till knows."""
    terms = entry.terms
    days = {each.on for each in terms.received}
    if record.payments and terms.received and not terms.method:
        on = days.pop() if len(days) == 1 else None
        for payment in record.payments:
            yield _part(payment.method, payment.amount, on)
        return
    for each in terms.received:
        yield _part(each.method, each.amount, each.on)
    if terms.method or not terms.received:
        yield _part(terms.method, None, None)


def _part(method: str, amount: Decimal | None, on: date | None) -> dict[str, Cell]:
    return {"method": method, "amount": amount, "received_on": None if on is None else on.isoformat()}
