"""How amounts, prices and quantities look to people: a decimal comma, no thousands separator."""

from __future__ import annotations

from decimal import Decimal

from agent.domain.vat import round_cents


def amount(value: Decimal) -> str:
    """Write an amount: "1234,50"; two decimals, no thousands separator, as on a fiscal receipt."""
    return f"{round_cents(value):f}".replace(".", ",")


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
