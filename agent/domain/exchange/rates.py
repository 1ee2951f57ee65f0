"""The VAT rate of a line: per cent on the line, with negative numbers for rates without one.

The symbol stands in the product's row of TOWARY. It tells the rates apart that a program writes as 0 on the line, and
is looked at only there: a product of 23 % sold to the Union has 0 on its line. What 0 means, the kind of transaction
(header, field 55) says. Words are those of P_12 (domain/invoice.py, VatRate).
"""

from __future__ import annotations

from decimal import Decimal

from agent.domain.exchange.values import plain

DOMESTIC, EXPORT, TO_UNION, SERVICES_ABROAD, REVERSE_CHARGE, ABROAD, REVERSE_CHARGE_SERVICES = 0, 1, 2, 4, 6, 12, 21
TRANSACTIONS = {DOMESTIC, EXPORT, TO_UNION, SERVICES_ABROAD, REVERSE_CHARGE, ABROAD, REVERSE_CHARGE_SERVICES}
"""Kinds of transaction that an ordinary invoice can be of; the others are purchases, three-party trade, OSS."""
_CODES = {"-1": "zw", "-2": "0 EX", "-3": "0 WDT", "-5": "oo"}
_ZERO = {EXPORT: "0 EX", TO_UNION: "0 WDT", REVERSE_CHARGE: "oo", REVERSE_CHARGE_SERVICES: "oo"}


def rate_word(percent: Decimal | None, symbol: str, transaction: int, *, in_union: bool) -> str | None:
    """Return P_12; None where nothing says which rate it is.

    percent      field 16 of the line
    symbol       field 11 of the product, lower case; empty where it is not known
    transaction  field 55 of the header
    in_union     the buyer has a VAT number of another country of the Union (np II instead of np I)
    """
    if percent is not None and percent > 0:
        return plain(percent)
    abroad = "np II" if in_union and transaction == SERVICES_ABROAD else "np I"
    if percent is not None and percent < 0:
        return _CODES.get(plain(percent)) or (abroad if symbol == "np" else None)
    if transaction in {SERVICES_ABROAD, ABROAD}:
        return abroad
    return {"zw": "zw", "oo": "oo", "np": abroad, "ex": "0 EX", "ue": "0 WDT"}.get(symbol) or (
        None if percent is None else _ZERO.get(transaction, "0 KR")
    )
