"""A return and a sale in one basket: a correction and a new invoice, settled against each other (law.md, exchange)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from agent.domain import vat
from agent.domain.corrections.base import BaseInvoice
from agent.domain.corrections.correction import Correction, CorrectionKind, difference
from agent.domain.corrections.line_changes import deposits_given_back, read_changes
from agent.domain.invoice import Payment, Sale
from agent.domain.json_io.reader import Fields
from agent.domain.payment_methods import OFFSET, REST
from agent.domain.sale.parse import check_payments, parse_payments, read_sale, settled


def read_exchange(fields: Fields, plain: Correction, base: BaseInvoice, today: date) -> Correction:
    """Read the fields of an exchange; the result is good only where no mistake was noted."""
    changes = read_changes(fields, base, CorrectionKind.RETURN)
    totals = difference(base, changes)
    deposits = deposits_given_back(fields, base)
    given = parse_payments(fields, vat.ZERO)
    nested = fields.nested("sale")
    fields.finish()
    if nested is None:
        fields.note("sale", "podaj, co klient bierze w zamian.", "required")
        return plain
    sale = read_sale(nested, today=today, seller_nip=base.seller_nip, exchanged=(base.buyer, base.prices))
    if sale.recipient is None:
        sale = replace(sale, recipient=base.recipient)
    _need_buyer_in_full(fields, base, sale)
    if sale.currency != base.currency:
        nested.note("currency", f"faktura {base.reference.number} jest w {base.currency}.", "not-allowed")
    if fields.problems:
        return plain
    returned = -totals.gross - sum((deposit.amount for deposit in deposits), vat.ZERO)
    bought = vat.totals(sale).gross + vat.deposits(sale)
    due = bought - returned
    payments = tuple(each for each in (replace(one, amount=one.amount or abs(due)) for one in given) if each.amount)
    check_payments(fields, payments, abs(due))
    offset = max(vat.ZERO, min(returned, bought))
    set_off = (Payment(OFFSET, offset),) if offset else ()
    if offset and due and not payments:
        payments = (Payment(REST, abs(due)),)
    paid_out, others = _divided(payments, max(vat.ZERO, -bought))
    of_return, of_sale = (others, settled(paid_out, bought)) if due < 0 else ((), payments)
    return replace(
        plain,
        changes=changes,
        totals=totals,
        split_payment=base.split_payment,
        deposits=deposits,
        payments=settled((*set_off, *of_return), -returned),
        replacement=replace(sale, payments=(*set_off, *of_sale)),
    )


def _need_buyer_in_full(fields: Fields, base: BaseInvoice, sale: Sale) -> None:
    """What is taken in exchange is a new invoice: it has the buyer's name and address (art. 106e ust. 1 pkt 3)."""
    if sale.simplified or (base.buyer.name and base.buyer.address):
        return
    fields.note(
        "sale",
        f"faktura {base.reference.number} nie ma nazwy i adresu nabywcy, a nowa musi je mieć (art. 106e ust. 1 pkt 3 "
        "ustawy o VAT). Wystaw zwrot i osobną fakturę albo podaj „simplified” (do 450 zł).",
        "buyer-incomplete",
    )


def _divided(payments: Sequence[Payment], much: Decimal) -> tuple[tuple[Payment, ...], tuple[Payment, ...]]:
    """Return the payments that make up ``much``, in their order, and what is left of them."""
    first, rest = [], []
    for payment in payments:
        taken = min(payment.amount, much)
        much -= taken
        first.append(replace(payment, amount=taken))
        rest.append(replace(payment, amount=payment.amount - taken))
    return tuple(each for each in first if each.amount), tuple(each for each in rest if each.amount)
