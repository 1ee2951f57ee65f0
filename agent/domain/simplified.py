"""The simplified invoice (RodzajFaktury UPR): up to 450 PLN or 100 EUR, with the buyer's number (art. 106e ust. 5, 6).

Receipts with a NIP count as such invoices until 31.12.2026 only (art. 145n); a shop that wants one afterwards issues
it in KSeF.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.invoice import Buyer, BuyerKind

LIMIT_PLN = Decimal(450)
LIMIT_EUR = Decimal(100)
"""Of the total with tax."""
NOT_SIMPLIFIED = frozenset({"6_2", "5", "9"})
"""P_13_x that no simplified invoice has (art. 106e ust. 6): supplies within the Union (0 WDT), OSS, and services that
a buyer elsewhere in the Union is taxed for (np II; art. 106a pkt 2 lit. a)."""


def total_mistake(gross: Decimal, currency: str, exchange_rates: Sequence[Decimal]) -> str | None:
    """Say why the total is too large for a simplified invoice; None where it is not.

    exchange_rates  PLN for one unit of ``currency``, as the invoice states them; the highest decides
    """
    if currency == "EUR":
        return None if gross <= LIMIT_EUR else f"{amount(gross)} EUR to więcej niż 100 EUR. {_RULE}"
    if currency == "PLN":
        return None if gross <= LIMIT_PLN else f"{amount(gross)} zł to więcej niż 450 zł. {_RULE}"
    if not exchange_rates:
        return f"w walucie {currency} potrzebny jest kurs, bo granicą jest 450 zł. {_RULE}"
    in_pln = gross * max(exchange_rates)
    return None if in_pln <= LIMIT_PLN else f"{amount(gross)} {currency} to więcej niż 450 zł. {_RULE}"


def buyer_mistake(buyer: Buyer) -> str | None:
    """Say what a buyer lacks for a simplified invoice: the number he is known by for VAT."""
    if buyer.kind in {BuyerKind.NIP, BuyerKind.EU_VAT}:
        return None
    return "faktura uproszczona musi mieć NIP albo numer VAT UE nabywcy (art. 106e ust. 6 ustawy o VAT)."


def rate_mistakes(fields: Sequence[str]) -> Iterator[str]:
    """Yield the x of each P_13_x that no simplified invoice has."""
    yield from (field for field in fields if field in NOT_SIMPLIFIED)


_RULE = "Wystaw zwykłą fakturę (art. 106e ust. 5 pkt 3 ustawy o VAT)."
