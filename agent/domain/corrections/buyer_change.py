"""A wrong buyer: another identifier is a correction to zero and a new invoice, another name or address a correction."""

from __future__ import annotations

from dataclasses import replace

from agent.domain import vat
from agent.domain.corrections.base import ELSEWHERE, BaseInvoice
from agent.domain.corrections.correction import Correction, difference
from agent.domain.corrections.line_changes import emptied, nothing_left
from agent.domain.errors import Conflict
from agent.domain.fiscal_receipt import RULE, moves_receipt
from agent.domain.invoice import Buyer, BuyerKind, Deposit, Payment, Sale, VatRate
from agent.domain.json_io.reader import Fields
from agent.domain.payment_methods import NEW_INVOICE
from agent.domain.sale.buyers import parse_buyer
from agent.domain.sale.parse import check_payments, check_rates, parse_payments, settled


def read_buyer_change(fields: Fields, plain: Correction, base: BaseInvoice) -> Correction:
    """Read "buyer" and "payments"; the result is good only where no mistake was noted."""
    given = fields.take("buyer")
    buyer = parse_buyer(given, fields.at("buyer"), fields.problems, seller_nip=base.seller_nip)
    payments = parse_payments(fields)
    fields.finish()
    if _identity(buyer) == _identity(base.buyer):
        if (buyer.name, buyer.address) == (base.buyer.name, base.buyer.address) and not fields.problems:
            fields.note("buyer", "to są dotychczasowe dane nabywcy.", "no-change")
        if payments:
            fields.note("payments", "korekta nazwy lub adresu niczego nie rozlicza.", "not-allowed")
        return replace(plain, buyer=buyer, buyer_before=base.buyer)
    if not base.left:
        raise nothing_left(base)
    if base.to_receipt and not fields.problems.noted(fields.at("buyer")) and moves_receipt(base.buyer, buyer):
        fields.note(
            "buyer",
            f"faktura {base.reference.number} jest do paragonu, więc jej nabywca nie może dostać innego numeru. {RULE} "
            "Skoryguj ją do zera, a nową wystaw tylko na firmę, której numer jest na paragonie.",
            "receipt-nip-differs",
        )
        return plain
    if base.to_receipt and base.receipt is None:
        raise Conflict(
            f"Faktura {base.reference.number} jest do paragonu, ale go nie wskazuje. {ELSEWHERE}",
            code="not-correctable",
        )
    if not all(row.usual for row in base.left):
        raise Conflict(
            f"Faktura {base.reference.number} ma pozycję, której wartość nie jest ilością razy cena minus rabat. "
            f"{ELSEWHERE}",
            code="not-correctable",
        )
    changes = emptied(base)
    lines = tuple(row.line for row in base.left)
    check_rates(fields.at("lines"), lines, buyer, fields.problems)
    replacement = Sale(
        buyer=buyer,
        prices=base.prices,
        lines=lines,
        payments=payments,
        sold_on=base.sold_on or base.reference.issued_on,
        currency=base.currency,
        exchange_rate=base.exchange_rate,
        receipt=base.receipt,
        notes=base.notes,
        deposits=base.deposits_standing,
        recipient=base.recipient if buyer.kind is BuyerKind.NIP else None,
        exemption=base.exemption if any(line.vat is VatRate.EXEMPT for line in lines) else None,
        exemption_basis=base.exemption_basis,
    )
    due = vat.totals(replacement).gross + vat.deposits(replacement)
    if not fields.problems:
        check_payments(fields, payments, abs(due))
    replacement = replace(replacement, payments=settled(payments, due))
    turned = tuple(Deposit(each.name, -each.amount) for each in base.deposits_standing)
    correction = replace(
        plain, changes=changes, totals=difference(base, changes), deposits=turned, replacement=replacement
    )
    settled_by_it = (Payment(NEW_INVOICE, correction.due),) if correction.due else ()
    return replace(correction, payments=settled_by_it)


def _identity(buyer: Buyer) -> tuple[BuyerKind, str | None, str | None]:
    country = None if buyer.kind is BuyerKind.NIP else buyer.country
    return buyer.kind, buyer.identifier, country
