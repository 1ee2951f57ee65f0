"""Split payment, "mechanizm podzielonej płatności" (art. 106e ust. 1 pkt 18a, art. 108a ust. 1a of the VAT Act).

The words are due where all three hold: the total is over 15 000 PLN, goods or services of annex 15 are on the invoice,
and the buyer is a taxpayer. A missing annotation costs 30 % of the tax (art. 106e ust. 12), a needless one nothing, so
nothing is rounded on the way to the comparison.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from agent.domain.invoice import Buyer, BuyerKind, SaleLine

LIMIT_PLN = Decimal(15_000)
"""Over it, not at it."""


def split_payment_due(buyer: Buyer, lines: Iterable[SaleLine], gross: Decimal, exchange_rate: Decimal | None) -> bool:
    """Tell whether an invoice has to say it (P_18A).

    gross          P_15, in the invoice's currency
    exchange_rate  PLN for one unit of it, None for PLN
    """
    if buyer.kind is BuyerKind.NONE or not any(line.annex_15 for line in lines):
        return False
    in_pln = gross if exchange_rate is None else gross * exchange_rate
    return in_pln > LIMIT_PLN
