"""From a sale to its slip: what we build, the gate would take, the view reads, and the paper shows it whole."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from agent.domain.corrections.base import read_base
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import Conflict
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.supplied import ReadyInvoice, check_ready
from agent.domain.invoice import Mode, Sale
from agent.domain.paper.compose import PaperFacts, choose, compose
from tests.unit.paper.paper_text import text_of, unprinted
from tests.unit.sale.sale_samples import KSEF_NUMBER, NOW, SELLER, TODAY, fa3_schema, sales


def taken(xml: bytes) -> ReadyInvoice:
    return check_ready(xml, schema=fa3_schema(), seller_nip=SELLER.nip, today=TODAY)


def paper(ready: ReadyInvoice) -> str:
    choice = choose(PaperFacts(Mode.FAILURE, ready.buyer.kind, ready.number, ready.kind))
    return text_of(compose(ready.view, choice, link_invoice="https://kod-1", link_certificate="https://kod-2"))


def issue(sale: Sale) -> bytes:
    return build_invoice(sale, SELLER, number="FV-1/2026/11/000123", issued_at=NOW, system_info="testy")


@settings(max_examples=40, deadline=None)
@given(sale=sales())
def test_an_invoice(sale: Sale) -> None:
    xml = issue(sale)
    ready = taken(xml)
    assert ready.buyer.kind is sale.buyer.kind
    assert unprinted(xml, paper(ready)) == []


@settings(max_examples=40, deadline=None)
@given(sale=sales())
def test_its_bytes_are_those_that_lxml_would_write(sale: Sale) -> None:
    xml = issue(sale)
    assert xml == etree.tostring(etree.fromstring(xml), xml_declaration=True, encoding="UTF-8")


@settings(max_examples=20, deadline=None)
@given(sale=sales(max_lines=4), cash=st.booleans())
def test_its_full_return(sale: Sale, cash: bool) -> None:
    base = read_base(taken(issue(sale)).view, ksef_number=KSEF_NUMBER)
    given_back = cash and base.totals.gross > 0
    document: dict[str, object] = {"kind": "full_return"}
    if given_back:
        document["payments"] = [{"method": "cash", "amount": f"{base.totals.gross:f}"}]
    try:
        correction = parse_correction(document, base=base, today=TODAY)
    except Conflict:
        assume(False)  # nothing to give back: a sale of nothing
        raise
    xml = build_correction(correction, SELLER, number="FK-1/2026/11/000001", issued_at=NOW, system_info="testy")
    ready = taken(xml)
    said = paper(ready)
    assert unprinted(xml, said) == []
    assert "Przed korektą" in said
    assert ("Zwrócono 2026-11-24, gotówka" in said) is given_back
