from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import vat
from agent.domain.invoice import Prices, RateTotal, SaleLine, VatRate
from tests.unit.sale.sale_samples import line, sale

D = Decimal
CENTS = st.decimals("-99999999", "99999999", places=2)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.005", "0.01"), ("0.004999", "0.00"), ("-0.005", "-0.01"), ("1.115", "1.12"), ("2.5", "2.50")],
)
def test_half_rounds_away_from_zero(value: str, rounded: str) -> None:
    assert str(vat.round_cents(D(value))) == rounded


def test_there_is_no_negative_zero() -> None:
    assert str(vat.round_cents(D("-0.001"))) == "0.00"


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        (line("9.99", "1.5"), "14.99"),  # 14.985
        (line("0.33333333", "3"), "1.00"),
        (line("10", "3", discount="0.01"), "29.99"),
        (line("5", "2", discount="10"), "0.00"),
        (line("999999999999.99999999", "0.000001"), "1000000.00"),
    ],
)
def test_line_values(entry: SaleLine, value: str) -> None:
    assert vat.line_value(entry) == D(value)


@given(st.decimals("0", "999999999999", places=6), st.decimals("0", "999999999999", places=8))
def test_products_of_long_numbers_are_exact(quantity: Decimal, unit_price: Decimal) -> None:
    assert Fraction(vat.raw_value(quantity, unit_price)) == Fraction(quantity) * Fraction(unit_price)


def test_gross_prices_follow_the_fiscal_receipt() -> None:
    sums = vat.totals(sale(*[line("0.99")] * 3))
    assert (sums.net, sums.tax, sums.gross) == (D("2.41"), D("0.56"), D("2.97"))


def test_net_prices_sum_before_the_tax() -> None:
    sums = vat.totals(sale(*[line("0.99")] * 10, prices=Prices.NET))
    assert (sums.net, sums.tax, sums.gross) == (D("9.90"), D("2.28"), D("12.18"))


@pytest.mark.parametrize("rate", sorted(set(VatRate) - set(vat.PERCENT)))
@pytest.mark.parametrize("prices", list(Prices))
def test_rates_without_tax(rate: VatRate, prices: Prices) -> None:
    sums = vat.totals(sale(line("12.34", rate=rate), prices=prices))
    assert (sums.net, sums.tax, sums.gross) == (D("12.34"), vat.ZERO, D("12.34"))


def test_rates_stand_in_the_schemas_order_each_once() -> None:
    mixed = [line(rate=rate) for rate in (VatRate.EXEMPT, VatRate.R5, VatRate.R23, VatRate.R5)]
    assert [rate.rate for rate in vat.totals(sale(*mixed)).rates] == ["23", "5", "zw"]


@given(st.sampled_from(VatRate), CENTS, st.sampled_from(Prices))
def test_net_and_tax_make_gross_and_a_reduction_mirrors(rate: VatRate, value: Decimal, prices: Prices) -> None:
    total = vat.rate_total(rate, value, prices)
    assert total.net + total.tax == total.gross
    assert value in {total.gross if prices is Prices.GROSS else total.net}
    mirrored = vat.rate_total(rate, -value, prices)
    assert (mirrored.net, mirrored.tax, mirrored.gross) == (-total.net, -total.tax, -total.gross)


@given(st.sampled_from(sorted(vat.PERCENT)), st.decimals("0", "99999999", places=2))
def test_tax_is_the_nearest_grosz(rate: VatRate, gross: Decimal) -> None:
    percent = vat.PERCENT[rate]
    total = vat.rate_total(rate, gross, Prices.GROSS)
    assert abs(total.tax * (100 + percent) - gross * percent) <= D("0.005") * (100 + percent)


def test_fields_join_rates() -> None:
    sums = vat.sum_up(
        [
            RateTotal("22", D(100), D(22), D(122)),
            RateTotal("23", D(100), D(23), D(123)),
            RateTotal("zw", D(5), D(0), D(5)),
        ],
        "PLN",
    )
    fields = vat.by_field(sums)
    assert list(fields) == ["1", "7"]
    assert fields["1"] == RateTotal("23/22", D(200), D(45), D(245))


def test_tax_in_pln() -> None:
    assert vat.in_pln(D("23.00"), D("4.2517")) == D("97.79")
