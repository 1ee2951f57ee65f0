"""Invoices to a fiscal receipt: for a taxpayer only where the receipt carries his number (art. 106b ust. 5).

Ust. 6 fines the seller with the whole tax of an invoice issued otherwise. The number is the one by which the buyer is
identified for VAT in Poland or elsewhere in the Union; a consumer and a firm from outside have none. Nothing heals a
receipt without it: neither another invoice nor a correction may bring the number afterwards
(0111-KDIB3-2.4012.590.2019.3.SR).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from agent.domain import simplified
from agent.domain.identifiers import bare_identifier, bare_nip, eu_vat_in, split_eu_vat
from agent.domain.invoice import Buyer, BuyerKind, Totals
from agent.domain.values import dataclass

RULE = (
    "Fakturę do paragonu wolno wystawić na firmę tylko wtedy, gdy jej numer jest na tym paragonie "
    "(art. 106b ust. 5 ustawy o VAT)."
)
IS_AN_INVOICE = (
    "Paragon z NIP do 450 zł (100 euro) jest już fakturą uproszczoną i drugiej faktury się do niego nie wystawia "
    "(art. 106e ust. 5 pkt 3 i art. 145n ustawy o VAT). Powiedz kierownikowi."
)
IS_AN_INVOICE_UNTIL = date(2026, 12, 31)
"""Art. 145n ust. 1 pkt 2."""
MAX_NUMBER = 60
"""Characters of a number as typed, separators included."""


@dataclass(frozen=True, slots=True)
class ReceiptMistake:
    """Why no invoice to the receipt may be issued: a code of the API and a Polish sentence."""

    code: str
    sentence: str


def vat_number(buyer: Buyer) -> str | None:
    """Return the number that has to stand on the receipt: NIP, or VAT UE with its prefix; None for other buyers."""
    if buyer.kind is BuyerKind.NIP:
        return buyer.identifier
    if buyer.kind is BuyerKind.EU_VAT:
        return f"{buyer.country}{buyer.identifier}"
    if buyer.kind is BuyerKind.FOREIGN_ID and buyer.identifier is not None:
        number = eu_vat_in(buyer.identifier, buyer.country)  # on an old base; today no sale and no document has it
        return None if number is None else "".join(number)
    return None


def receipt_mistake(buyer: Buyer, on_receipt: str | None) -> ReceiptMistake | None:
    """Return what forbids the invoice of ``buyer``; ``on_receipt`` is the buyer's number on the receipt, as typed."""
    number = vat_number(buyer)
    if on_receipt is None:
        if number is None:
            return None
        return ReceiptMistake("receipt-nip-missing", f"podaj numer nabywcy ({number}), jeśli jest na paragonie. {RULE}")
    if _carries(on_receipt, buyer):
        return None
    on_invoice = f"ma numer {number or buyer.identifier}" if buyer.identifier else "nie ma numeru"
    return ReceiptMistake(
        "receipt-nip-differs", f"na paragonie jest numer {on_receipt}, a nabywca na fakturze {on_invoice}. {RULE}"
    )


def invoiced_by_receipt(
    buyer: Buyer, totals: Totals, fields: Sequence[str], exchange_rates: Sequence[Decimal], sold_on: date
) -> str | None:
    """Return a hint where the receipt of such an invoice is one itself, else None.

    It carries the number of a taxpayer (receipt_mistake). Its own total is not known: that of the invoice stands in.
    fields          x of each P_13_x of the invoice
    exchange_rates  as of simplified.total_mistake()
    sold_on         day of the sale, and so of the receipt; art. 145n ends with 2026
    """
    if vat_number(buyer) is None or sold_on > IS_AN_INVOICE_UNTIL or any(simplified.rate_mistakes(fields)):
        return None
    too_large = simplified.total_mistake(totals.gross, totals.currency, exchange_rates)
    return IS_AN_INVOICE if too_large is None else None


def moves_receipt(before: Buyer, after: Buyer) -> bool:
    """Tell whether a change of the buyer would bring another VAT number to his receipt, or take it away."""
    return vat_number(before) != vat_number(after)


def _carries(on_receipt: str, buyer: Buyer) -> bool:
    """Compare however the number is written."""
    if buyer.kind is BuyerKind.NIP:
        return bare_nip(on_receipt) == buyer.identifier
    if buyer.kind is BuyerKind.EU_VAT:
        return split_eu_vat(on_receipt) == (buyer.country, buyer.identifier)
    return buyer.identifier is not None and bare_identifier(on_receipt) == bare_identifier(buyer.identifier)
