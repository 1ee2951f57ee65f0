"""VAT arithmetic: the sums of an invoice, as the fiscal receipt has them.

Gross prices: tax of a rate = gross sum x rate / (100 + rate), net = gross - tax (art. 106e ust. 7 and 9).
Net prices: tax of a rate = net sum x rate / 100. Everything is rounded to 0.01, half up (art. 106e ust. 11),
once per line value and once per rate, never per line and rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal

from agent.domain.invoice import Prices, RateTotal, Sale, SaleLine, Totals, VatRate

CENT = Decimal("0.01")
ZERO = Decimal("0.00")

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
"""Products of a quantity (18 digits) and a price (20 digits) stay exact; the default context has 28 digits."""

PERCENT: dict[VatRate, int] = {
    VatRate.R23: 23,
    VatRate.R22: 22,
    VatRate.R8: 8,
    VatRate.R7: 7,
    VatRate.R5: 5,
    VatRate.R4: 4,
    VatRate.R3: 3,
}
"""Rates with tax; all others have none."""

FIELD: dict[VatRate, str] = {
    VatRate.R23: "1",
    VatRate.R22: "1",
    VatRate.R8: "2",
    VatRate.R7: "2",
    VatRate.R5: "3",
    VatRate.R4: "4",
    VatRate.R3: "4",
    VatRate.ZERO_DOMESTIC: "6_1",
    VatRate.ZERO_WDT: "6_2",
    VatRate.ZERO_EXPORT: "6_3",
    VatRate.EXEMPT: "7",
    VatRate.NOT_SUBJECT_I: "8",
    VatRate.NOT_SUBJECT_II: "9",
    VatRate.REVERSE_CHARGE: "10",
}
"""Rate -> the x of its P_13_x (and P_14_x), in the schema's order."""

TAXED_FIELDS = frozenset(FIELD[rate] for rate in PERCENT)
"""Fields that have a P_14_x."""


def round_cents(value: Decimal) -> Decimal:
    """Round to 0.01, half up (away from zero, so that a correction mirrors what it corrects); never -0.00."""
    return _EXACT.quantize(value, CENT) + ZERO


def amount_text(value: Decimal) -> str:
    """Return round_cents() of an amount with two places and a point."""
    if value and value.same_quantum(CENT):  # nearly every stored amount: there is nothing to round
        return str(value)
    return f"{round_cents(value):f}"


def raw_value(quantity: Decimal, unit_price: Decimal) -> Decimal:
    """Return quantity x price exactly, without rounding."""
    return _EXACT.multiply(quantity, unit_price)


def line_value(line: SaleLine) -> Decimal:
    """Return the line's value after its discount (P_11A for gross prices, P_11 for net ones), 2 decimals."""
    return round_cents(_EXACT.subtract(raw_value(line.quantity, line.unit_price), line.discount))


def rate_total(rate: VatRate, value: Decimal, prices: Prices) -> RateTotal:
    """Return net, tax and gross of one rate from the sum of its line values. ``value`` may be negative."""
    percent = PERCENT.get(rate, 0)
    if prices is Prices.GROSS:
        tax = round_cents(_EXACT.divide(value * percent, Decimal(100 + percent)))
        return RateTotal(rate=rate.value, net=value - tax, tax=tax, gross=value)
    tax = round_cents(_EXACT.divide(value * percent, Decimal(100)))
    return RateTotal(rate=rate.value, net=value, tax=tax, gross=value + tax)


def sum_up(rates: Iterable[RateTotal], currency: str) -> Totals:
    """Return the totals over rates, ordered as VatRate lists them. A rate may be "23/22"."""
    order = {rate.value: position for position, rate in enumerate(VatRate)}
    ordered = tuple(sorted(rates, key=lambda total: order[total.rate.split("/")[0]]))
    return Totals(
        net=sum((rate.net for rate in ordered), ZERO),
        tax=sum((rate.tax for rate in ordered), ZERO),
        gross=sum((rate.gross for rate in ordered), ZERO),
        currency=currency,
        rates=ordered,
    )


def totals_of(values: Iterable[tuple[VatRate, Decimal]], prices: Prices, currency: str) -> Totals:
    """Return the totals for line values (2 decimals) with their rates."""
    sums: dict[VatRate, Decimal] = {}
    for rate, value in values:
        sums[rate] = sums.get(rate, ZERO) + value
    return sum_up((rate_total(rate, value, prices) for rate, value in sums.items()), currency)


def by_field(sums: Totals) -> dict[str, RateTotal]:
    """Return one total for each P_13_x, in the schema's order; its rate is "23/22" where both occur."""
    merged: dict[str, RateTotal] = {}
    for total in sums.rates:
        field = FIELD[VatRate(total.rate.split("/")[0])]
        known = merged.get(field)
        merged[field] = total if known is None else _joined(known, total)
    return {field: merged[field] for field in dict.fromkeys(FIELD.values()) if field in merged}


def _joined(one: RateTotal, other: RateTotal) -> RateTotal:
    return replace(added(one, other), rate=f"{one.rate}/{other.rate}")


def added(one: RateTotal, other: RateTotal) -> RateTotal:
    """Return the sum of two totals of one rate."""
    in_pln = None if one.tax_pln is None and other.tax_pln is None else (one.tax_pln or ZERO) + (other.tax_pln or ZERO)
    return RateTotal(one.rate, one.net + other.net, one.tax + other.tax, one.gross + other.gross, in_pln)


def totals(sale: Sale) -> Totals:
    """Return the totals of a sale; ``gross`` is P_15, amounts in the sale's currency."""
    return totals_of(((line.vat, line_value(line)) for line in sale.lines), sale.prices, sale.currency)


def deposits(sale: Sale) -> Decimal:
    """Return what the customer pays on top of P_15 for returnable packaging."""
    return sum((deposit.amount for deposit in sale.deposits), ZERO)


def with_tax_in_pln(sums: Totals, exchange_rate: Decimal | None) -> Totals:
    """Return the totals, one for each P_13_x, with the tax in PLN that their file states (P_14_xW)."""
    if exchange_rate is None:
        return sums
    rates = (replace(total, tax_pln=in_pln(total.tax, exchange_rate)) for total in by_field(sums).values())
    return replace(sums, rates=tuple(rates))


def in_pln(amount: Decimal, exchange_rate: Decimal) -> Decimal:
    """Convert a tax amount to PLN (P_14_xW; art. 106e ust. 11), rounded to 0.01."""
    return round_cents(_EXACT.multiply(amount, exchange_rate))
