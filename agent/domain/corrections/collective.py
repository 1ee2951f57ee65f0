"""Collective corrections: one discount over several invoices to one buyer (art. 106j ust. 3).

FA(3) then carries the period, all bases and the differences by rate, and no lines. The simplification is for
reductions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from agent.domain import amounts, vat
from agent.domain.corrections.base import BaseInvoice, add_up
from agent.domain.corrections.correction import Correction
from agent.domain.corrections.external import read_reference
from agent.domain.invoice import Address, Buyer, CorrectedBase, ExemptionBasis, Prices, RateTotal, VatRate
from agent.domain.json_io.reader import Fields
from agent.domain.sale.parse import check_payments, parse_payments
from agent.domain.values import dataclass

MAX_BASES = 50_000
"""DaneFaKorygowanej."""

_RATES = tuple(rate.value for rate in VatRate)


@dataclass(frozen=True, slots=True)
class _Named:
    """A base of the document: known here (with its invoice) or described there."""

    reference: CorrectedBase
    awaiting: bool
    invoice: BaseInvoice | None = None


def read_collective(
    fields: Fields, plain: Correction, base: BaseInvoice, today: date, others: Sequence[BaseInvoice]
) -> Correction:
    """Read the fields of a collective correction; mistakes are noted in ``fields.problems``."""
    known = {invoice.reference.number: invoice for invoice in (base, *others)}
    named = _bases(fields, base, known, today)
    rates = _rates(fields, base)
    period = fields.text("period", maximum=256, required=True)
    payments = parse_payments(fields)
    fields.finish()
    totals = vat.sum_up(rates, base.currency)
    exemption, basis = _exemption(fields, named, rates)
    _check_left(fields, named, rates)
    if not fields.problems:
        check_payments(fields, payments, abs(totals.gross))
    return replace(
        plain,
        bases=tuple(entry.reference for entry in named),
        awaiting=tuple(entry.reference.number for entry in named if entry.awaiting),
        totals=totals,
        period=period,
        split_payment=any(entry.invoice is not None and entry.invoice.split_payment for entry in named),
        payments=tuple(replace(payment, amount=-payment.amount) for payment in payments),
        sold_on=None,
        exemption=exemption,
        exemption_basis=basis,
    )


def _bases(fields: Fields, base: BaseInvoice, known: dict[str, BaseInvoice], today: date) -> list[_Named]:
    found = {base.reference.number: _Named(base.reference, base.awaiting, base)}
    items = fields.items("bases", maximum=MAX_BASES, required=True)
    for index, item in enumerate(items):
        nested = Fields.of(item, f"{fields.at('bases')}/{index}", fields.problems, f"faktura {index + 1}")
        if nested is None:
            continue
        number = nested.text("number", maximum=256, required=True)
        if number is not None and number in known:
            found[number] = _known(nested, base, known[number])
        elif number is not None:
            described = read_reference(nested, number, today)
            if described is not None:
                found[number] = _Named(described, awaiting=False)
        nested.finish()
    if len(found) < 2 and not fields.problems:
        fields.note("bases", "podaj co najmniej jedną fakturę oprócz tej; inaczej użyj zmiany ceny.", "empty")
    return list(found.values())


def _known(nested: Fields, base: BaseInvoice, invoice: BaseInvoice) -> _Named:
    for name in ("issued_on", "ksef_number", "outside_ksef"):
        nested.take(name)
    if _who(invoice.buyer) != _who(base.buyer):
        nested.note("number", f"faktura {invoice.reference.number} ma innego nabywcę.", "other-buyer")
    if invoice.currency != base.currency or invoice.prices is not base.prices:
        nested.note("number", f"faktura {invoice.reference.number} ma inną walutę albo rodzaj cen.", "not-allowed")
    elif invoice.to_receipt is not base.to_receipt:
        word = "jest" if invoice.to_receipt else "nie jest"
        text = f"faktura {invoice.reference.number} {word} do paragonu, inaczej niż ta (FP): skoryguj je osobno."
        nested.note("number", text, "not-allowed")
    elif invoice.exchange_rate != base.exchange_rate:
        nested.note("number", f"faktura {invoice.reference.number} ma inny kurs waluty.", "not-allowed")
    return _Named(invoice.reference, invoice.awaiting, invoice)


def _who(buyer: Buyer) -> tuple[object, ...]:
    """Return what tells buyers apart (art. 106j ust. 3: one of them): the identifier, of consumers name and address."""
    if buyer.identifier is not None:
        return buyer.kind, buyer.country, buyer.identifier
    address = buyer.address or Address("")
    texts = (buyer.name, address.line1, address.line2, address.country)
    return buyer.kind, *(" ".join((text or "").casefold().split()) for text in texts)


def _rates(fields: Fields, base: BaseInvoice) -> list[RateTotal]:
    sums: dict[VatRate, Decimal] = {}
    for index, item in enumerate(fields.items("rates", maximum=len(_RATES), required=True)):
        nested = Fields.of(item, f"{fields.at('rates')}/{index}", fields.problems, f"stawka {index + 1}")
        if nested is None:
            continue
        word = nested.word("vat", _RATES, required=True)
        reduction = nested.number("amount", decimals=2, positive=True, required=True)
        nested.finish()
        if word is not None and reduction is not None:
            rate = VatRate(word)
            if rate in sums:
                nested.note("vat", "ta stawka jest podana drugi raz.", "duplicate-line")
            sums[rate] = -reduction
    if not sums and not fields.problems:
        fields.note("rates", "podaj choć jedną stawkę z kwotą obniżki.", "empty")
    return [vat.rate_total(rate, value, base.prices) for rate, value in sums.items()]


def _exemption(
    fields: Fields, named: Sequence[_Named], rates: Sequence[RateTotal]
) -> tuple[str | None, ExemptionBasis]:
    """Return the basis of rate zw as one of the bases names it."""
    for invoice in (entry.invoice for entry in named):
        if invoice is not None and invoice.exemption is not None:
            return invoice.exemption, invoice.exemption_basis
    if any(total.rate == VatRate.EXEMPT for total in rates) and not fields.problems:
        text = "żadna z faktur znanych tej kasie nie podaje podstawy zwolnienia dla stawki „zw”."
        fields.note("rates", text, "exemption-missing")
    return None, ExemptionBasis.ACT


def _check_left(fields: Fields, named: Sequence[_Named], rates: Sequence[RateTotal]) -> None:
    """Note reductions larger than what is left in that rate; only where that is known of all bases."""
    invoices = [entry.invoice for entry in named if entry.invoice is not None]
    if len(invoices) != len(named) or any(invoice.corrected_collectively for invoice in invoices):
        return
    left = vat.by_field(add_up(invoices[0].currency, [invoice.totals for invoice in invoices]))
    for total in rates:
        available = left.get(vat.FIELD[VatRate(total.rate)])
        gross = invoices[0].prices is Prices.GROSS
        limit = vat.ZERO if available is None else available.gross if gross else available.net
        reduction = -(total.gross if gross else total.net)
        if reduction > limit:
            fields.note(
                "rates",
                f"stawka {total.rate}: obniżka {amounts.amount(reduction)}, a zostało {amounts.amount(limit)}.",
                "more-than-left",
            )
