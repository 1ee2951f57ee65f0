"""Sales for tests: a plain one, and hypothesis strategies for any sale that parse_sale() accepts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache

from hypothesis import strategies as st

import schemas
from agent.domain.characters import collapse, first_forbidden, is_visible
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.fiscal_receipt import vat_number
from agent.domain.invoice import (
    Address,
    Buyer,
    BuyerKind,
    ExemptionBasis,
    Note,
    Payment,
    Prices,
    ReceiptLink,
    Sale,
    SaleLine,
    Seller,
    VatRate,
)
from agent.domain.sale.parse import RATES_IN_FORCE

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SELLER = Seller("5261040828", "Sklep Łąka sp. z o.o.", Address("ul. Żółta 1", "00-001 Warszawa"))
KSEF_NUMBER = "5261040828-20261124-0100001AF629-0A"

FIRM = Buyer(BuyerKind.NIP, "5265877635", "PL", "Firma „Źdźbło”", Address("ul. Polna 2", "00-002 Warszawa"))
EU_FIRM = Buyer(BuyerKind.EU_VAT, "123456789", "DE", "Kunde GmbH", Address("Weg 1", "10115 Berlin", "DE"))
FOREIGN = Buyer(BuyerKind.FOREIGN_ID, "12-3456789", "US", "Client Inc.", Address("Road 1", None, "US"))
CONSUMER = Buyer(BuyerKind.NONE, name="Jan Kowalski", address=Address("ul. Cicha 3", "00-003 Warszawa"))

CONSUMER_JSON = {"name": "Jan Kowalski", "address": {"line1": "ul. Cicha 3", "line2": "00-003 Warszawa"}}
BREAD = {"name": "Chleb", "quantity": "2", "unit": "szt.", "unit_price": "6.15", "vat": "5"}
MILK = {"name": "Mleko", "quantity": "1.5", "unit": "l", "unit_price": "4.00", "vat": "5", "discount": "0.50"}
FRIDGE = {"name": "Lodówka", "quantity": 1, "unit_price": "1999.99", "vat": "23", "gtu": "GTU_06"}


@cache
def fa3_schema() -> Fa3Schema:
    """The packaged schema, compiled once for all tests."""
    return Fa3Schema(schemas.load())


def document(**changes: object) -> dict[str, object]:
    """A valid sale as the till writes it; a field given as None is left out."""
    sale: dict[str, object] = {
        "buyer": {
            "nip": "5265877635",
            "name": "Firma",
            "address": {"line1": "ul. Polna 2", "line2": "00-002 Warszawa", "country": "PL"},
        },
        "prices": "gross",
        "lines": [BREAD, MILK, FRIDGE],
        "payments": [{"method": "card", "amount": "2017.79"}],
    }
    return {name: value for name, value in (sale | changes).items() if value is not None}


def line(price: str = "10.00", quantity: str = "1", rate: VatRate = VatRate.R23, discount: str = "0") -> SaleLine:
    """A line worth a test."""
    return SaleLine("Towar", Decimal(quantity), "szt.", Decimal(price), rate, Decimal(discount))


def sale(*lines: SaleLine, buyer: Buyer = FIRM, prices: Prices = Prices.GROSS) -> Sale:
    """A sale of these lines."""
    return Sale(buyer=buyer, prices=prices, lines=lines or (line(),))


_CHARACTERS = st.characters(exclude_categories=("Cc", "Cn", "Cs"))


def texts(maximum: int) -> st.SearchStrategy[str]:
    """Any text that KSeF takes, folded as the sale folds it."""
    return (
        st.text(_CHARACTERS, min_size=1, max_size=maximum)
        .map(collapse)
        .filter(lambda text: is_visible(text) and first_forbidden(text) is None and len(text) <= maximum)
    )


def amounts(maximum: str, places: int = 2, minimum: str = "0") -> st.SearchStrategy[Decimal]:
    """Amounts up to ``maximum``."""
    return st.decimals(Decimal(minimum), Decimal(maximum), places=places)


@st.composite
def sale_lines(draw: st.DrawFn, rates: st.SearchStrategy[VatRate]) -> SaleLine:
    """A line, sometimes with a discount up to its value."""
    quantity = draw(st.one_of(st.integers(1, 20).map(Decimal), amounts("50", 3, "0.001")))
    unit_price = draw(amounts("3000", draw(st.sampled_from((2, 2, 2, 4)))))
    whole = (quantity * unit_price).quantize(Decimal("0.01"), "ROUND_FLOOR")
    discount = draw(st.one_of(st.just(Decimal(0)), amounts(str(whole)))) if whole else Decimal(0)
    return SaleLine(
        name=draw(texts(40)),
        quantity=quantity,
        unit=draw(st.sampled_from(("szt.", "kg", "l", "opak."))),
        unit_price=unit_price,
        vat=draw(rates),
        discount=discount,
        gtu=draw(st.one_of(st.none(), st.sampled_from(("GTU_01", "GTU_13")))),
        annex_15=draw(st.booleans()),
    )


_DOMESTIC_RATES = RATES_IN_FORCE - {VatRate.ZERO_WDT, VatRate.NOT_SUBJECT_II}


@st.composite
def sales(draw: st.DrawFn, max_lines: int = 8) -> Sale:
    """Any sale that the contract allows."""
    buyer = draw(st.sampled_from((FIRM, EU_FIRM, FOREIGN, CONSUMER)))
    rates = st.sampled_from(sorted(RATES_IN_FORCE if buyer.kind is BuyerKind.EU_VAT else _DOMESTIC_RATES))
    lines = tuple(draw(st.lists(sale_lines(rates), min_size=1, max_size=max_lines)))
    currency, exchange_rate = draw(st.sampled_from((("PLN", None), ("PLN", None), ("EUR", Decimal("4.2517")))))
    exempt = any(entry.vat is VatRate.EXEMPT for entry in lines)
    return Sale(
        buyer=buyer,
        prices=draw(st.sampled_from(Prices)),
        lines=lines,
        payments=draw(st.sampled_from(((), (Payment("cash", Decimal("1.00")),)))),
        sold_on=draw(st.one_of(st.none(), st.dates(date(2025, 1, 1), TODAY))),
        currency=currency,
        exchange_rate=exchange_rate,
        receipt=draw(
            st.one_of(
                st.none(),
                st.builds(ReceiptLink, texts(20), st.one_of(st.none(), texts(20)), st.just(vat_number(buyer))),
            )
        ),
        notes=tuple(draw(st.lists(st.builds(Note, texts(20), texts(20)), max_size=2))),
        exemption=draw(texts(40).map(lambda text: f"art. 43 {text}")) if exempt else None,
        exemption_basis=draw(st.sampled_from(ExemptionBasis)) if exempt else ExemptionBasis.ACT,
    )


def any_json() -> st.SearchStrategy[object]:
    """Any decoded JSON, small."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
