"""How amounts, prices and quantities look to people: a decimal comma, thousands apart."""

from __future__ import annotations

from decimal import Decimal

from agent.domain.vat import round_cents

_NO_BREAK_SPACE = "\u00a0"


def amount(value: Decimal) -> str:
    """Write an amount: "1\u00a0234,50"; two decimals, thousands apart by a space that no line breaks at."""
    return f"{round_cents(value):,.2f}".replace(",", _NO_BREAK_SPACE).replace(".", ",")


def price(value: Decimal) -> str:
    """Write a unit price: at least two decimals, up to the eight of the schema."""
    if value == round_cents(value):
        return amount(value)
    return plain(value)


def plain(value: Decimal) -> str:
    """Write a quantity, an exchange rate, a percentage: no needless zeros."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(".", ",")
