"""Corrections of a simplified invoice, which may lack the buyer's name and address (art. 106e ust. 1 pkt 3, ust. 5)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.domain.corrections.base import read_base
from agent.domain.corrections.correction import Correction
from agent.domain.corrections.external import parse_outside_base
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import BadInput
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.view.read import read
from agent.domain.sale.parse import parse_sale
from tests.unit.sale.sale_samples import KSEF_NUMBER, NOW, SELLER, TODAY

NUMBER_ALONE = {"nip": "5252344078"}
IN_FULL = {**NUMBER_ALONE, "name": "Firma", "address": {"line1": "ul. Cicha 3"}}
GOODS = {
    "prices": "gross",
    "lines": [{"name": "Herbata", "quantity": "2", "unit_price": "100.00", "vat": "23"}],
    "simplified": True,
}
TAKEN = {"name": "Kawa", "quantity": "1", "unit_price": "120.00", "vat": "23"}


def corrected(document: dict[str, Any], buyer: dict[str, Any]) -> Correction:
    sale = parse_sale({**GOODS, "buyer": buyer}, today=TODAY, seller_nip=SELLER.nip)
    xml = build_invoice(sale, SELLER, number="UPR/1", issued_at=NOW, system_info="testy")
    return parse_correction(document, base=read_base(read(xml), ksef_number=KSEF_NUMBER), today=TODAY)


def refusal(document: dict[str, Any], buyer: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as refused:
        corrected(document, buyer)
    return [(error.pointer, error.code) for error in refused.value.errors]


def exchange(**sale: object) -> dict[str, Any]:
    return {"kind": "exchange", "lines": [{"line": 1, "quantity": "1"}], "sale": {"lines": [TAKEN], **sale}}


def price(unit_price: str) -> dict[str, Any]:
    return {"kind": "price", "lines": [{"line": 1, "unit_price": unit_price}]}


def test_what_is_taken_in_exchange_has_a_buyer_in_full() -> None:
    assert refusal(exchange(), NUMBER_ALONE) == [("/sale", "buyer-incomplete")]
    assert corrected(exchange(), IN_FULL).replacement is not None


def test_or_is_simplified_itself() -> None:
    replacement = corrected(exchange(simplified=True), NUMBER_ALONE).replacement
    assert replacement is not None
    assert replacement.simplified
    dear = exchange(lines=[TAKEN | {"unit_price": "450.01"}], simplified=True)
    assert refusal(dear, NUMBER_ALONE) == [("/sale/simplified", "simplified-limit")]


@pytest.mark.parametrize("buyer", [NUMBER_ALONE, IN_FULL])
def test_no_price_brings_it_over_its_limit(buyer: dict[str, Any]) -> None:
    assert corrected(price("225.00"), buyer).totals.gross == 250
    assert refusal(price("225.01"), buyer) == [("/lines", "simplified-limit")]


def test_an_invoice_described_from_paper() -> None:
    described = {**GOODS, "buyer": NUMBER_ALONE, "number": "U/7", "issued_on": "2026-11-20", "outside_ksef": True}
    base = parse_outside_base(described, seller_nip=SELLER.nip, today=TODAY)
    for document, code in ((exchange(), "buyer-incomplete"), (price("300.00"), "simplified-limit")):
        with pytest.raises(BadInput) as refused:
            parse_correction(document, base=base, today=TODAY)
        assert refused.value.code == code


def test_goods_come_back_all_the_same() -> None:
    assert corrected({"kind": "full_return"}, NUMBER_ALONE).totals.gross == -200
