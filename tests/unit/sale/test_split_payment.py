"""Split payment (art. 106e ust. 1 pkt 18a): the limit, the file, the papers, corrections, ready documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.corrections.base import BaseInvoice, read_base
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.correction import Correction, apply_pending
from agent.domain.corrections.external import parse_outside_base
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import BadInput
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.supplied import check_ready
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Buyer, BuyerKind, Mode, Prices, Sale, SaleLine, VatRate
from agent.domain.json_io.codec import from_plain, to_plain
from agent.domain.paper.compose import PaperFacts, choose, compose
from agent.domain.sale.parse import parse_sale
from agent.domain.split_payment import split_payment_due
from tests.unit.paper.paper_text import text_of
from tests.unit.sale.sale_samples import (
    CONSUMER,
    CONSUMER_JSON,
    EU_FIRM,
    FIRM,
    FOREIGN,
    FRIDGE,
    KSEF_NUMBER,
    NOW,
    SELLER,
    TODAY,
    document,
    fa3_schema,
    line,
    sale,
)

D = Decimal
WORDS = "mechanizm podzielonej płatności"
PHONE = replace(line("15000.01"), name="Telefon", annex_15=True)
CHEAP_PHONE = replace(PHONE, unit_price=D("15000.00"))


def xml_of(this: Sale) -> bytes:
    xml = build_invoice(this, SELLER, number="FV/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    return xml


def base_of(this: Sale, *earlier: FaView) -> BaseInvoice:
    return read_base(read(xml_of(this)), ksef_number=KSEF_NUMBER, earlier=earlier)


def built(correction: Correction) -> FaView:
    xml = build_correction(correction, SELLER, number="FK/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    return read(xml)


def corrected(base: BaseInvoice, wanted: Mapping[str, object]) -> FaView:
    return built(parse_correction(wanted, base=base, today=TODAY))


# --- the limit ------------------------------------------------------------------------------------


@given(
    cents=st.one_of(st.integers(1_499_990, 1_500_010), st.integers(1, 10**9)),
    rate=st.one_of(st.none(), st.decimals("0.01", "6", places=4)),
    annex_15=st.booleans(),
    buyer=st.sampled_from((FIRM, EU_FIRM, FOREIGN, CONSUMER, Buyer(BuyerKind.NONE))),
    near=st.booleans(),
)
def test_over_15_000_pln_with_annex_15_to_a_taxpayer(
    cents: int, rate: Decimal | None, *, annex_15: bool, buyer: Buyer, near: bool
) -> None:
    if near and rate is not None:
        cents = int(1_500_000 / rate) + cents % 3 - 1  # about the limit, in another currency
    gross = D(cents) / 100
    scaled = cents * (10_000 if rate is None else int(rate * 10_000))
    expected = annex_15 and buyer.kind is not BuyerKind.NONE and scaled > 15_000 * 100 * 10_000
    lines = (line(), replace(line(), annex_15=annex_15))
    assert split_payment_due(buyer, lines, gross, rate) is expected


@pytest.mark.parametrize(
    ("phone", "buyer", "mark"),
    [
        pytest.param(PHONE, FIRM, "1", id="a grosz over"),
        pytest.param(CHEAP_PHONE, FIRM, "2", id="at the limit"),
        pytest.param(replace(PHONE, annex_15=False), FIRM, "2", id="other goods"),
        pytest.param(PHONE, CONSUMER, "2", id="consumer"),
        pytest.param(PHONE, EU_FIRM, "1", id="taxpayer of another country"),
    ],
)
def test_the_file_says_it_and_marks_the_lines(phone: SaleLine, buyer: Buyer, mark: str) -> None:
    view = read(xml_of(sale(phone, buyer=buyer)))
    assert view.annotations.split_payment is (mark == "1")
    assert [each.annex_15 for each in view.lines] == [phone.annex_15]


def test_other_lines_count_towards_the_limit() -> None:
    view = read(xml_of(sale(replace(line("1.00"), annex_15=True), line("15000.00"))))
    assert view.annotations.split_payment
    assert [each.annex_15 for each in view.lines] == [True, False]


@pytest.mark.parametrize(("price", "due"), [("3528.00", False), ("3528.01", True)])
def test_a_foreign_total_counts_in_pln(price: str, *, due: bool) -> None:
    # 3528.00 x 4.2517 = 14 999.9976: a cent more decides.
    abroad = Sale(FIRM, Prices.GROSS, (replace(PHONE, unit_price=D(price)),), currency="EUR", exchange_rate=D("4.2517"))
    assert read(xml_of(abroad)).annotations.split_payment is due


# --- the sale and the papers ------------------------------------------------------------------------


def test_the_till_marks_a_line() -> None:
    marked = parse_sale(document(lines=[FRIDGE | {"annex_15": True}], payments=None), today=TODAY)
    assert [each.annex_15 for each in marked.lines] == [True]
    plain = parse_sale(document(lines=[FRIDGE | {"annex_15": False}, FRIDGE], payments=None), today=TODAY)
    assert [each.annex_15 for each in plain.lines] == [False, False]


@pytest.mark.parametrize("value", ["tak", 1, "true", []])
def test_a_mark_that_is_none(value: object) -> None:
    with pytest.raises(BadInput) as caught:
        parse_sale(document(lines=[FRIDGE | {"annex_15": value}], payments=None), today=TODAY)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/lines/0/annex_15", "wrong-type")]
    assert "załącznika nr 15" in caught.value.detail


@pytest.mark.parametrize("mode", [Mode.ONLINE, Mode.FAILURE, Mode.TOTAL_FAILURE])
def test_the_words_stand_on_the_paper(mode: Mode) -> None:
    known = KSEF_NUMBER if mode is Mode.ONLINE else None
    choice = choose(PaperFacts(mode, BuyerKind.NIP, "FV/1", ksef_number=known))
    view = read(xml_of(sale(PHONE)))
    text = text_of(compose(view, choice, link_invoice="https://one", link_certificate="https://two"))
    assert WORDS in text
    assert "załącznik nr 15" in text
    without = compose(
        read(xml_of(sale(CHEAP_PHONE))), choice, link_invoice="https://one", link_certificate="https://two"
    )
    assert WORDS not in text_of(without)


# --- corrections ------------------------------------------------------------------------------------

MIXED = sale(replace(PHONE, quantity=D(2), unit_price=D("9000.00")), line("10.00"))


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "full_return"},
        {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]},
        {"kind": "return", "lines": [{"line": 2, "quantity": "1"}]},
        {"kind": "price", "lines": [{"line": 1, "unit_price": "1.00"}]},
        {"kind": "buyer", "buyer": {"nip": FIRM.identifier, "name": "Inna nazwa", "address": {"line1": "ul. Nowa 1"}}},
    ],
    ids=lambda wanted: f"{wanted['kind']} {wanted.get('lines', '')}",
)
def test_a_correction_keeps_the_annotation_of_its_base(wanted: Mapping[str, object]) -> None:
    view = corrected(base_of(MIXED), wanted)
    assert view.annotations.split_payment
    assert {each.annex_15 for each in view.lines if each.name == "Telefon"} <= {True}


def test_a_correction_of_a_correction_keeps_it() -> None:
    first = corrected(base_of(MIXED), {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]})
    second = corrected(base_of(MIXED, first), {"kind": "full_return"})
    assert second.annotations.split_payment


def test_a_higher_price_brings_it_and_it_stays() -> None:
    start = base_of(sale(CHEAP_PHONE))
    dearer = parse_correction(
        {"kind": "price", "lines": [{"line": 1, "unit_price": "15000.01"}]}, base=start, today=TODAY
    )
    assert built(dearer).annotations.split_payment
    assert from_plain(Correction, to_plain(dearer)) == dearer
    assert corrected(apply_pending(start, [dearer]), {"kind": "full_return"}).annotations.split_payment
    assert corrected(base_of(sale(CHEAP_PHONE), built(dearer)), {"kind": "full_return"}).annotations.split_payment


def test_without_it_a_correction_has_none() -> None:
    start = base_of(sale(CHEAP_PHONE))
    assert not corrected(start, {"kind": "full_return"}).annotations.split_payment
    dearer = {"kind": "price", "lines": [{"line": 1, "unit_price": "20000"}]}
    assert not corrected(base_of(sale(CHEAP_PHONE, buyer=CONSUMER)), dearer).annotations.split_payment


def test_a_new_buyer_is_judged_anew() -> None:
    wanted = {"kind": "buyer", "buyer": CONSUMER_JSON}
    correction = parse_correction(wanted, base=base_of(MIXED), today=TODAY)
    assert built(correction).annotations.split_payment
    assert correction.replacement is not None
    assert [each.annex_15 for each in correction.replacement.lines] == [True, False]
    assert not read(xml_of(correction.replacement)).annotations.split_payment


def test_a_collective_correction_keeps_that_of_any_base() -> None:
    marked, plain = (
        base_of(MIXED),
        replace(base_of(sale()), reference=replace(base_of(sale()).reference, number="FV/2")),
    )
    wanted = {
        "kind": "collective",
        "period": "listopad 2026",
        "rates": [{"vat": "23", "amount": "1.00"}],
        "bases": [{"number": "FV/1"}],
    }
    assert built(parse_correction(wanted, base=plain, today=TODAY, others=(marked,))).annotations.split_payment


def test_a_base_typed_in_has_it_too() -> None:
    described = document(lines=[FRIDGE | {"annex_15": True, "quantity": 8}], payments=None)
    described |= {"number": "STARA/1", "issued_on": "2025-12-01", "outside_ksef": True}
    base = parse_outside_base(described, seller_nip=SELLER.nip, today=TODAY)
    assert corrected(base, {"kind": "full_return"}).annotations.split_payment


# --- ready documents ----------------------------------------------------------------------------------


def ready(xml: bytes) -> FaView:
    return check_ready(xml, schema=fa3_schema(), seller_nip=SELLER.nip, today=TODAY).view


def test_a_ready_document_with_the_words_is_taken() -> None:
    assert ready(xml_of(sale(PHONE))).annotations.split_payment


def test_a_ready_document_without_the_words_is_refused() -> None:
    silent = xml_of(sale(PHONE)).replace(b"<P_18A>1<", b"<P_18A>2<")
    with pytest.raises(BadInput) as caught:
        ready(silent)
    assert caught.value.code == "split-payment-missing"


@pytest.mark.parametrize(
    "this",
    [
        sale(CHEAP_PHONE),
        sale(PHONE, buyer=CONSUMER),
        sale(replace(PHONE, vat=VatRate.ZERO_WDT), buyer=EU_FIRM),
        replace(sale(replace(PHONE, unit_price=D("3000"))), currency="EUR", exchange_rate=D("4.25")),
    ],
    ids=["at the limit", "consumer", "no tax on it", "less in PLN"],
)
def test_a_ready_document_that_needs_no_words(this: Sale) -> None:
    ready(xml_of(this).replace(b"<P_18A>1<", b"<P_18A>2<"))
