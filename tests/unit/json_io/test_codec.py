from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from agent.domain.invoice import Payment, Sale
from agent.domain.json_io.codec import PlainError, from_plain, to_plain
from tests.unit.sale.sale_samples import sales


@given(sales(max_lines=3))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_sale_comes_back_equal(sale: Sale) -> None:
    assert from_plain(Sale, json.loads(json.dumps(to_plain(sale)))) == sale


def test_fields_that_are_left_out_take_their_defaults() -> None:
    stored = {"buyer": {"kind": "none"}, "prices": "gross", "lines": []}
    assert from_plain(Sale, stored).currency == "PLN"


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"method": "cash"},
        {"method": "cash", "amount": 1},
        {"method": "cash", "amount": "x"},
        {"method": 1, "amount": "1"},
        {"method": "cash", "amount": "1", "colour": "red"},
    ],
)
def test_another_shape_is_refused(document: object) -> None:
    with pytest.raises(PlainError, match="Payment"):
        from_plain(Payment, document)


def test_a_value_without_plain_form_is_a_defect() -> None:
    @dataclass(frozen=True, slots=True)
    class Odd:
        price: float
        day: date
        amount: Decimal

    with pytest.raises(TypeError, match="float"):
        to_plain(Odd(0.1, date(2026, 11, 24), Decimal(1)))
