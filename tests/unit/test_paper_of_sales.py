"""From a sale to its slip: what the builder writes, the gate takes, the view reads and the paper shows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from agent.domain import vat
from agent.domain.fa3 import build_invoice
from agent.domain.fa3_schema import Fa3Schema
from agent.domain.invoice import (
    Address,
    Buyer,
    BuyerKind,
    Mode,
    Note,
    Payment,
    Prices,
    ReceiptLink,
    Sale,
    SaleLine,
    Seller,
    VatRate,
)
from agent.domain.paper import PaperFacts, choose, compose
from agent.domain.ready import check_ready
from tests.unit.paper_text import text_of, unprinted

SCHEMA = Fa3Schema(schemas.load())
SELLER = Seller("9999999999", "Sklep „Pod Lipą” Anna Nowak", Address("ul. Długa 15", "31-147 Kraków"))
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

words = st.text("abcąćęłńóśźż ABC123-/„”", min_size=1, max_size=40).map(lambda text: " ".join(f"x{text}".split()))
prices = st.integers(1, 10_000_000).map(lambda value: Decimal(value) / 100)
quantities = st.integers(1, 100_000).map(lambda value: Decimal(value) / 1000)
lines = st.builds(
    SaleLine,
    name=words,
    quantity=quantities,
    unit=st.sampled_from(["szt.", "kg", "opak."]),
    unit_price=prices,
    vat=st.sampled_from(VatRate),
    gtu=st.none() | st.just("GTU_07"),
)
buyers = st.sampled_from(
    [
        Buyer(BuyerKind.NIP, "1111111111", "PL", "F.H.U. Jan Kowalski", Address("ul. Polna 1")),
        Buyer(BuyerKind.EU_VAT, "123456789", "DE", "Müller GmbH", Address("Hauptstr. 7", None, "DE")),
        Buyer(BuyerKind.FOREIGN_ID, "778", "UA", "ТОВ Київ", Address("Хрещатик 1", None, "UA")),
        Buyer(BuyerKind.NONE),
    ]
)


@st.composite
def sales(draw: st.DrawFn) -> Sale:
    sold = tuple(draw(st.lists(lines, min_size=1, max_size=6)))
    currency = draw(st.sampled_from(["PLN", "EUR"]))
    exempt = any(line.vat is VatRate.EXEMPT for line in sold)
    return Sale(
        buyer=draw(buyers),
        prices=draw(st.sampled_from(Prices)),
        lines=sold,
        payments=draw(
            st.sampled_from(
                [
                    (),
                    (Payment("card", Decimal("10.50")),),
                    (Payment("cash", Decimal("10.50")), Payment("żetony", Decimal(1))),
                    (Payment("transfer", Decimal(11)),),
                ]
            )
        ),
        currency=currency,
        exchange_rate=Decimal("4.3021") if currency == "EUR" else None,
        receipt=draw(st.none() | st.just(ReceiptLink("W000123", "EAZ2101234567"))),
        notes=(Note("Zamówienie", "ZK/2026/77"),),
        exemption="art. 43 ust. 1 pkt 2" if exempt else None,
    )


@settings(max_examples=60, deadline=None)
@given(sale=sales())
def test_what_we_issue_we_would_also_take_and_print_whole(sale: Sale) -> None:
    xml = build_invoice(sale, SELLER, number="FV-1/2026/11/000123", issued_at=NOW, system_info="testy")
    ready = check_ready(xml, schema=SCHEMA, seller_nip=SELLER.nip, today=NOW.date())
    assert ready.buyer.kind is sale.buyer.kind
    assert ready.totals.gross == vat.totals(sale).gross
    choice = choose(PaperFacts(Mode.FAILURE, ready.buyer.kind, ready.number))
    slip = compose(ready.view, choice, link_invoice="https://kod-1", link_certificate="https://kod-2")
    assert unprinted(xml, text_of(slip)) == []
