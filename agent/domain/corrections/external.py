"""Bases that this till does not hold: issued before KSeF, in a total failure, or at another till.

    {"number", "issued_on", "ksef_number" | "outside_ksef": true, and the fields of the sale as it was}

The cashier types what stands on the customer's paper; what was returned there before is not known here.
"""

from __future__ import annotations

from datetime import date

from agent.domain import ksef_number, vat
from agent.domain.corrections.base import BaseInvoice, Row
from agent.domain.invoice import CorrectedBase
from agent.domain.json_io.reader import Fields, Problems
from agent.domain.sale.parse import read_sale
from agent.domain.split_payment import split_payment_due

_OLDEST = date(2006, 1, 1)
"""TDataT."""


def parse_outside_base(document: object, *, seller_nip: str, today: date, pointer: str = "") -> BaseInvoice:
    """Return the described base; BadInput with all mistakes otherwise (pointers begin with ``pointer``)."""
    problems = Problems()
    fields = Fields.of(document, pointer, problems, "faktura korygowana")
    base = None if fields is None else _read(fields, seller_nip, today)
    problems.raise_if_any("Korekta")
    assert base is not None
    return base


def _read(fields: Fields, seller_nip: str, today: date) -> BaseInvoice | None:
    number = fields.text("number", maximum=256, required=True)
    reference = read_reference(fields, number or "?", today)
    if reference is not None and reference.ksef_number is not None and reference.ksef_number[:10] != seller_nip:
        fields.note("ksef_number", "to numer faktury innego sprzedawcy.", "other-seller")
    sale = read_sale(fields, today=today, seller_nip=seller_nip, issued_elsewhere=True)
    if fields.problems or reference is None:
        return None
    totals = vat.with_tax_in_pln(vat.totals(sale), sale.exchange_rate)
    return BaseInvoice(
        reference=reference,
        awaiting=False,
        seller_nip=seller_nip,
        buyer=sale.buyer,
        prices=sale.prices,
        currency=sale.currency,
        exchange_rate=sale.exchange_rate,
        rows=tuple(Row(position, line, vat.line_value(line)) for position, line in enumerate(sale.lines, start=1)),
        totals=totals,
        sold_on=sale.sold_on,
        exemption=sale.exemption,
        exemption_basis=sale.exemption_basis,
        to_receipt=sale.receipt is not None,
        split_payment=split_payment_due(sale.buyer, sale.lines, totals.gross, sale.exchange_rate),
        receipt=sale.receipt,
        notes=sale.notes,
        recipient=sale.recipient,
        deposits=sale.deposits,
        simplified=sale.simplified,
    )


def read_reference(fields: Fields, number: str, today: date) -> CorrectedBase | None:
    """Read where an invoice unknown here stands: "issued_on", and "ksef_number" or "outside_ksef": true."""
    issued_on = fields.day("issued_on", required=True)
    given = fields.text("ksef_number", maximum=60)
    outside_ksef = fields.flag("outside_ksef")
    if issued_on is not None and not _OLDEST <= issued_on <= today:
        fields.note("issued_on", "data jest w przyszłości albo zbyt odległa.", "date-in-future")
    if given is not None:
        try:
            ksef_number.check_any(given)
        except ksef_number.NotKsefNumber as error:
            fields.note("ksef_number", str(error), "ksef-number")
    if (given is not None) == outside_ksef:
        fields.note("ksef_number", "podaj numer KSeF albo „outside_ksef”: true (wystawiona poza KSeF).", "required")
    return None if issued_on is None else CorrectedBase(number, issued_on, given)
