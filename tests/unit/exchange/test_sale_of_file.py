"""FS and PA as sales: the amounts of the file to the grosz, buyers, rates, receipts, packaging, discounts, payments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import vat
from agent.domain.amounts import amount
from agent.domain.errors import BadInput
from agent.domain.exchange.file import read_file
from agent.domain.exchange.requests import content_of, key_of, skipped
from agent.domain.exchange.sale import Conventions, sale_of
from agent.domain.invoice import BuyerKind, Prices, Sale, VatRate
from agent.domain.sale.parse import parse_sale
from tests.fakes.exchange import SELLER_NIP, Bare, Item, Paperwork, epp, money
from tests.unit.sale.sale_samples import TODAY

D = Decimal
CONVENTIONS = Conventions(SELLER_NIP)
COFFEE = Item("KAWA", "Kawa ziarnista 1 kg", D("64.90"), D(2))
BREAD = Item("CHLEB", "Chleb żytni", D("9.80"), D("1.5"), rate="5", unit="kg")


def read(*items: Item, conventions: Conventions = CONVENTIONS, **paper: Any) -> Sale:
    """The checked sale of one document, as the agent would issue it."""
    given_file = paper.pop("catalogues", None)
    info = paper.pop("info", None)
    found = read_file(epp(Paperwork(items or (COFFEE, BREAD), **paper), catalogues=given_file, info=info))
    request = sale_of(found, found.documents[0], conventions)
    sale = parse_sale(request.document, today=TODAY)
    request.check(sale)
    return sale


def refused(*items: Item, **paper: Any) -> dict[str, str]:
    """Pointer -> code of the mistakes."""
    with pytest.raises(BadInput) as caught:
        read(*items, **paper)
    return {error.pointer: error.code for error in caught.value.errors}


def test_a_whole_invoice() -> None:
    sale = read(fields={49: "Dziękujemy\r\nza zakupy", 10: "ZK 4/2026", 23: Bare("20261123000000")})
    assert sale.buyer.kind is BuyerKind.NIP
    assert (sale.buyer.identifier, sale.buyer.name) == ("7777777777", "Firma „Źdźbło” sp. z o.o.")
    assert sale.buyer.address is not None
    assert (sale.buyer.address.line1, sale.buyer.address.line2) == ("ul. Polna 2", "00-002 Warszawa")
    assert [line.name for line in sale.lines] == ["Kawa ziarnista 1 kg", "Chleb żytni"]
    assert [(line.quantity, line.unit) for line in sale.lines] == [(D(2), "szt."), (D("1.5"), "kg")]
    assert sale.external_ref == "12/2026"
    assert sale.sold_on is not None
    assert sale.sold_on.isoformat() == "2026-11-23"
    assert [(note.key, note.value) for note in sale.notes] == [
        ("Zamówienie", "ZK 4/2026"),
        ("Uwagi", "Dziękujemy za zakupy"),
    ]
    assert vat.totals(sale).gross == D("144.50")


# --- sums ------------------------------------------------------------------------------------------------


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    count = draw(st.integers(1, 6))
    found = []
    for number in range(count):
        price = draw(st.decimals(D("0.01"), D("2000"), places=draw(st.sampled_from((2, 2, 4)))))
        quantity = draw(st.one_of(st.integers(1, 12).map(D), st.decimals(D("0.001"), D("30"), places=3)))
        item = Item(f"T{number}", f"Towar {number}", price, quantity, draw(st.sampled_from(("23", "8", "5", "zw"))))
        if draw(st.booleans()) and item.value > 0:
            item = replace(
                item, discount=draw(st.decimals(D(0), item.value, places=2)), price_after_discount=draw(st.booleans())
            )
        found.append(item)
    return found


@given(items(), st.booleans())
def test_what_adds_up_in_the_file_adds_up_here(lines: list[Item], net_prices: bool) -> None:
    conventions = replace(CONVENTIONS, exemption="art. 43 ust. 1 pkt 19")
    sale = read(*lines, net_prices=net_prices, conventions=conventions)
    assert sale.prices is (Prices.NET if net_prices else Prices.GROSS)
    assert [vat.line_value(line) for line in sale.lines] == [item.value for item in lines]
    assert [line.vat.value for line in sale.lines] == [item.rate for item in lines]
    totals = vat.totals(sale)
    assert (totals.net, totals.tax, totals.gross) == Paperwork(lines, net_prices=net_prices).sums()


@pytest.mark.parametrize("field", [28, 29, 30])
@pytest.mark.parametrize("off", ["0.01", "-0.01"])
def test_a_grosz_of_difference_is_refused_and_both_are_shown(field: int, off: str) -> None:
    sums = dict(zip((28, 29, 30), Paperwork([COFFEE, BREAD]).sums(), strict=True))
    wrong = sums[field] + D(off)
    with pytest.raises(BadInput) as caught:
        read(fields={field: money(wrong)})
    assert caught.value.code == "epp-sums-differ"
    assert amount(wrong) in caught.value.detail
    assert amount(sums[field]) in caught.value.detail


def test_a_value_that_nothing_explains_is_refused() -> None:
    strange = replace(COFFEE, fields={19: money("120.00")})
    assert refused(strange) == {"8:19": "epp-sums-differ"}
    assert refused(replace(COFFEE, fields={19: money("140.00")})) == {"8:19": "epp-sums-differ"}


def test_discounts_by_line_and_by_document() -> None:
    by_line = replace(COFFEE, discount=D("12.98"), fields={9: money(10)})
    assert read(by_line).lines[0].discount == D("12.98")
    whole = replace(COFFEE, discount=D("12.98"), fields={8: money(0)})
    sale = read(whole, fields={32: "Stały klient", 33: money(10)})
    assert sale.lines[0].discount == D("12.98")


def test_a_price_after_its_discount_may_be_rounded() -> None:
    three = Item("T", "Towar", D("10.00"), D(3), discount=D("10.00"), fields={15: money("6.66"), 14: money("5.41")})
    sale = read(three)
    assert vat.line_value(sale.lines[0]) == D("20.00")
    assert sale.lines[0].discount == 0
    assert sale.lines[0].unit_price == D("6.66666667")


# --- lines -----------------------------------------------------------------------------------------------


def test_names_of_services_sold_once() -> None:
    sale = read(Item("", "Dostawa do domu", D("15.00"), kind=2, one_off=True, unit="usł."))
    assert sale.lines[0].name == "Dostawa do domu"


def test_a_name_that_the_file_does_not_hold() -> None:
    unknown = replace(COFFEE, fields={3: "INNY"})
    assert refused(unknown) == {"8:3": "epp-product"}


def test_marks_of_gtu() -> None:
    one = {"TOWARYGRUPYJPKVAT": ['"KAWA",0,0,0,0,0,1,0,0,0,0,0,0,0']}
    assert read(COFFEE, catalogues=one).lines[0].gtu == "GTU_06"
    two = {"TOWARYGRUPYJPKVAT": ['"KAWA",1,0,0,0,0,1,0,0,0,0,0,0,0']}
    assert read(COFFEE, catalogues=two).lines[0].gtu is None


def test_the_mark_of_split_payment() -> None:
    marked = {"WYMAGALNOSCMPP": ['"FS 12/2026",1', '"FS 13/2026",0']}
    assert read(COFFEE, catalogues=marked).lines[0].annex_15
    other = {"WYMAGALNOSCMPP": ['"FS 13/2026",1', '"PA 12/2026",1']}
    assert not read(COFFEE, catalogues=other).lines[0].annex_15


@pytest.mark.parametrize(
    ("rate", "symbol", "transaction", "expected"),
    [
        ("23", "23", 0, VatRate.R23),
        ("0", "0", 0, VatRate.ZERO_DOMESTIC),
        ("0", "0", 1, VatRate.ZERO_EXPORT),
        ("0 EX", "ex", 1, VatRate.ZERO_EXPORT),
        ("0", "23", 1, VatRate.ZERO_EXPORT),
        ("zw", "zw", 0, VatRate.EXEMPT),
        ("0", "zw", 0, VatRate.EXEMPT),
        ("0", "np", 0, VatRate.NOT_SUBJECT_I),
        ("0", "23", 12, VatRate.NOT_SUBJECT_I),
        ("0", "np", 4, VatRate.NOT_SUBJECT_I),
    ],
)
def test_rates(rate: str, symbol: str, transaction: int, expected: VatRate) -> None:
    conventions = replace(CONVENTIONS, exemption="art. 43 ust. 1 pkt 19")
    item = Item("T", "Towar", D("10.00"), rate=rate, symbol=symbol)
    assert read(item, transaction=transaction, conventions=conventions).lines[0].vat is expected


@pytest.mark.parametrize(("rate", "transaction"), [("0 WDT", 2), ("0", 2)])
def test_goods_to_the_union(rate: str, transaction: int) -> None:
    buyer = {18: "DE 123456789", 60: "Niemcy", 61: "DE", 62: Bare("1")}
    sale = read(Item("T", "Towar", D("10.00"), rate=rate, symbol="23"), transaction=transaction, fields=buyer)
    assert sale.lines[0].vat is VatRate.ZERO_WDT
    assert (sale.buyer.kind, sale.buyer.country, sale.buyer.identifier) == (BuyerKind.EU_VAT, "DE", "123456789")


def test_services_to_the_union() -> None:
    buyer = {18: "123456789", 60: "Niemcy", 61: "DE", 62: Bare("1")}
    sale = read(Item("U", "Usługa", D("10.00"), rate="0", symbol="np", kind=2), transaction=4, fields=buyer)
    assert sale.lines[0].vat is VatRate.NOT_SUBJECT_II


def test_a_rate_that_nothing_explains() -> None:
    assert refused(replace(COFFEE, fields={16: Bare("-4.0000")})) == {"8:16": "epp-field"}
    assert refused(replace(COFFEE, symbol="", fields={16: Bare("")})) == {"8:16": "epp-field"}


def test_exempt_goods_take_their_legal_basis_from_the_settings() -> None:
    item = Item("T", "Lek", D("10.00"), rate="zw")
    assert list(refused(item).values()) == ["exemption-missing"]
    sale = read(item, conventions=replace(CONVENTIONS, exemption="art. 43 ust. 1 pkt 19"))
    assert sale.exemption == "art. 43 ust. 1 pkt 19"


# --- packaging -------------------------------------------------------------------------------------------

BOTTLES = Item("BUT", "Butelka zwrotna", D("0.50"), D(10), kind=4, rate="23")


def test_returnable_packaging_is_a_deposit_where_the_sums_leave_it_out() -> None:
    sale = read(COFFEE, BOTTLES, fields={45: money(5)})
    assert [(deposit.name, deposit.amount) for deposit in sale.deposits] == [("Butelka zwrotna", D("5.00"))]
    assert len(sale.lines) == 1


def test_packaging_that_is_sold_is_a_line() -> None:
    sold = Paperwork([COFFEE, replace(BOTTLES, kind=1)]).sums()
    sums = dict(zip((28, 29, 30), map(money, sold), strict=True))
    sale = read(COFFEE, BOTTLES, fields=sums)
    assert [line.name for line in sale.lines] == ["Kawa ziarnista 1 kg", "Butelka zwrotna"]
    assert sale.deposits == ()


def test_packaging_that_only_the_header_knows() -> None:
    sale = read(COFFEE, fields={45: money("7.50")})
    assert [(deposit.name, deposit.amount) for deposit in sale.deposits] == [("Opakowania zwrotne", D("7.5"))]


def test_packaging_that_comes_back_has_no_place_on_an_invoice() -> None:
    assert refused(COFFEE, fields={46: money(5)}) == {"5:46": "epp-unsupported"}


# --- buyers ----------------------------------------------------------------------------------------------


def test_a_buyer_without_number() -> None:
    sale = read(fields={18: "", 14: "Jan Kowalski"})
    assert (sale.buyer.kind, sale.buyer.name) == (BuyerKind.NONE, "Jan Kowalski")


def test_a_number_that_only_the_catalogue_holds() -> None:
    numbers = {"NUMERYIDENTYFIKACYJNENABYWCOW": ['"FS 12/2026",3,"90010112345"', '"FS 12/2026",1,"7777777777"']}
    assert read(fields={18: ""}, catalogues=numbers).buyer.identifier == "7777777777"


def test_a_buyer_outside_the_union() -> None:
    foreign = {18: "12-3456789", 60: "Stany Zjednoczone", 61: "", 12: "CLIENT"}
    country = {"KONTRAHENCI": [",".join(['2,"CLIENT"', *[""] * 28, '"US"'])]}
    sale = read(fields=foreign, catalogues=country)
    assert (sale.buyer.kind, sale.buyer.country, sale.buyer.identifier) == (BuyerKind.FOREIGN_ID, "US", "12-3456789")
    assert refused(fields=foreign)["5:60"] == "epp-field"


@pytest.mark.parametrize(
    ("fields", "country", "number"),
    [
        ({18: "GB123456789", 60: "GB", 61: ""}, "GB", "GB123456789"),
        ({18: "CHE-123.456.788", 60: "CH", 61: ""}, "CH", "CHE-123.456.788"),
        ({18: "123456789", 60: "Wielka Brytania", 61: "GB"}, "GB", "123456789"),
    ],
)
def test_two_letters_are_not_always_a_prefix_of_the_union(fields: dict[int, str], country: str, number: str) -> None:
    buyer = read(fields=fields).buyer
    assert (buyer.kind, buyer.country, buyer.identifier) == (BuyerKind.FOREIGN_ID, country, number)


def test_no_country_is_guessed_from_a_number() -> None:
    assert refused(fields={18: "AEX123456", 60: "", 61: ""}) == {"/buyer/nip": "nip-form"}


def test_the_rules_of_a_sale_judge_the_number() -> None:
    assert refused(fields={18: "5265877634"}) == {"/buyer/nip": "nip-checksum"}


def test_a_file_of_another_firm() -> None:
    assert refused(info={11: "526-104-08-27"}) == {"2:11": "epp-seller"}


# --- receipts --------------------------------------------------------------------------------------------


def test_a_receipt_with_a_number_becomes_an_invoice_to_it() -> None:
    sale = read(kind="PA", number="PA 583/11", fields={49: "Paragon nr W001234, kasa EAZ 2301234567"})
    assert sale.receipt is not None
    assert (sale.receipt.number, sale.receipt.register) == ("W001234", "EAZ 2301234567")
    conventions = replace(CONVENTIONS, register="EAZ 2301234567", receipt_is_document=True)
    sale = read(kind="PA", number="583/11", conventions=conventions)
    assert sale.receipt is not None
    assert (sale.receipt.number, sale.receipt.register) == ("583/11", "EAZ 2301234567")
    assert sale.receipt.nip == "777-777-77-77"


@pytest.mark.parametrize("field", [49, 50, 51])
def test_remarks_comment_and_subtitle_name_a_receipt(field: int) -> None:
    sale = read(kind="PA", number="PA 583/11", fields={field: "Paragon nr W001234, kasa EAZ 2301234567"})
    assert sale.receipt is not None
    assert sale.receipt.number == "W001234"


def test_an_invoice_to_a_receipt_says_the_number_on_it() -> None:
    """A PA is the receipt itself; an FS that was registered has to say it (art. 106b ust. 5)."""
    remarks = "NIP na paragonie: PL 777-777-77-77, paragon W001234, kasa EAZ 2301234567"
    sale = read(fields={3: Bare("1"), 49: remarks})
    assert sale.receipt is not None
    assert (sale.receipt.number, sale.receipt.nip) == ("W001234", "PL 777-777-77-77")
    assert refused(fields={3: Bare("1"), 49: "paragon W001234, kasa EAZ 2301234567"}) == {"5:49": "epp-receipt"}
    other = remarks.replace("777-777-77-77", "526-025-02-74")
    assert refused(fields={3: Bare("1"), 49: other}) == {"/receipt/nip": "receipt-nip-differs"}


def test_without_its_number_or_register_it_does_not() -> None:
    assert refused(kind="PA", number="PA 583/11") == {"5:49": "epp-receipt"}
    assert refused(kind="PA", fields={49: "paragon W001234"}) == {"5:49": "epp-receipt"}


@pytest.mark.parametrize("state", ["1", "2", "129"])
def test_an_invoice_that_was_registered_needs_its_receipt(state: str) -> None:
    assert refused(fields={3: Bare(state)}) == {"5:49": "epp-receipt"}


def test_a_failed_registration_is_none() -> None:
    assert read(fields={3: Bare("128")}).receipt is None


# --- kinds and states ------------------------------------------------------------------------------------


def test_documents_that_are_none_of_ours_are_passed_over() -> None:
    found = read_file(
        epp(
            Paperwork([COFFEE], kind="WZ"),
            Paperwork([COFFEE], kind="PA", fields={18: ""}),
            Paperwork([COFFEE], kind="KFS"),
            Paperwork([COFFEE], kind="FS"),
            Paperwork([COFFEE], kind="PA"),
        )
    )
    assert [skipped(document) is None for document in found.documents] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("field", "value"), [(2, "0"), (2, "2"), (41, "1"), (41, "39"), (41, "100"), (55, "3"), (55, "23")]
)
def test_what_the_till_cannot_issue(field: int, value: str) -> None:
    assert refused(COFFEE, fields={field: Bare(value)}) == {f"5:{field}": "epp-unsupported"}


def test_a_file_that_lost_lines() -> None:
    assert refused(COFFEE, fields={25: Bare("2")}) == {"5:25": "epp-malformed"}


def test_every_mistake_is_told_at_once() -> None:
    found = refused(replace(COFFEE, fields={11: Bare("dwa"), 16: Bare("?")}), fields={2: Bare("0"), 22: Bare("2026")})
    assert set(found) >= {"5:2", "5:22", "8:11", "8:16"}


# --- payments --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({36: money("144.50"), 37: money("144.50")}, [("cash", "144.5", None)]),
        ({36: money("44.50"), 57: money(100), 37: money("144.50")}, [("cash", "44.5", None), ("card", "100", None)]),
        (
            {36: money("144.50"), 57: money(100), 37: money("144.50")},
            [("cash", "44.5", None), ("card", "100", None)],
        ),
        (
            {34: "przelew 14 dni", 35: Bare("20261208000000"), 37: money("144.50")},
            [("transfer", "144.5", "2026-12-08")],
        ),
        (
            {
                36: money("44.50"),
                58: "kredyt kupiecki",
                59: money(100),
                35: Bare("20261208000000"),
                37: money("144.50"),
            },
            [("cash", "44.5", None), ("credit", "100", "2026-12-08")],
        ),
        ({34: "Karta Visa"}, [("card", "144.5", None)]),
        ({34: "za pobraniem"}, [("za pobraniem", "144.5", None)]),
        ({}, []),
        ({36: money("144.00"), 37: money("144.00"), 38: Bare("2")}, [("cash", "144.5", None)]),
    ],
)
def test_payments(fields: Mapping[int, str], expected: Sequence[tuple[str, str, str | None]]) -> None:
    paid = [
        (payment.method, f"{payment.amount.normalize():f}", payment.due and payment.due.isoformat())
        for payment in read(fields=fields).payments
    ]
    assert paid == list(expected)


def test_payments_that_do_not_add_up() -> None:
    assert refused(fields={36: money("200.00"), 37: money("144.50")}) == {"5:36": "epp-field"}
    assert refused(fields={37: money("144.00")}) == {"5:37": "epp-field"}


def test_foreign_currency() -> None:
    sale = read(COFFEE, fields={47: "EUR", 48: money("4.2512")})
    assert (sale.currency, sale.exchange_rate) == ("EUR", D("4.2512"))


# --- one document, many exports --------------------------------------------------------------------------


def exported(**changes: Any) -> tuple[str | None, bytes]:
    found = read_file(epp(Paperwork([COFFEE], **changes)))
    return key_of(found, found.documents[0]), content_of(found, found.documents[0])


def test_a_document_is_told_by_its_number_and_day_not_by_its_file() -> None:
    first = exported()
    assert exported(fields={49: "KSeF 123", 36: money(5), 3: Bare("1"), 53: Bare("1")}) == first
    assert exported(number="12/2026") == (first[0], exported(number="12/2026")[1])
    assert exported(number="FS 13/2026")[0] != first[0]
    assert exported(fields={22: Bare("20251124000000")})[0] != first[0]
    assert exported(kind="PA")[0] != first[0]
    changed = exported(fields={18: "5260250274"})
    assert changed[0] == first[0]
    assert changed[1] != first[1]
    assert exported(number="")[0] is None


def test_another_buyer_or_other_goods_are_another_content_of_the_same_document() -> None:
    """All of it stands on the invoice: its name and address, a number of the catalogue, what the goods are called."""
    key, content = exported()
    for number, text in (
        (14, "Inna Firma sp. z o.o."),
        (15, "Kraków"),
        (16, "00-003"),
        (17, "ul. Leśna 1"),
        (61, "DE"),
    ):
        assert exported(fields={number: text})[0] == key
        assert exported(fields={number: text})[1] != content, number
    assert exported(fields={13: "Skrót", 17: "ul.  Polna 2 "}) == (key, content), "nothing of it stands there"

    def read_back(*, nip: str = "5260250274", name: str = COFFEE.name) -> bytes:
        data = epp(Paperwork([replace(COFFEE, name=name)], fields={18: ""})).decode("cp1250")
        catalogue = (
            f'[NAGLOWEK]\r\n"NUMERYIDENTYFIKACYJNENABYWCOW"\r\n\r\n[ZAWARTOSC]\r\n"FS 12/2026",1,"{nip}"\r\n\r\n'
        )
        found = read_file((data + catalogue).encode("cp1250"))
        return content_of(found, found.documents[0])

    assert read_back() == read_back()
    assert read_back() != read_back(nip="7777777777")
    assert read_back() != read_back(name="Herbata")


@pytest.mark.parametrize("number", [7, 8, 18, 26, 28, 29, 30, 47])
def test_what_the_header_says_of_an_invoice_is_its_content(number: int) -> None:
    assert exported(fields={number: Bare("77")})[1] != exported()[1]


@pytest.mark.parametrize("number", [1, 3, 10, 11, 16, 17, 19, 22])
def test_what_a_line_says_of_its_goods_is_content(number: int) -> None:
    """Position, code, unit, quantity, price, discount, value and rate."""

    def told(text: str) -> bytes:
        data = epp(Paperwork([replace(COFFEE, fields={number: Bare(text)})]))
        found = read_file(data)
        return content_of(found, found.documents[0])

    assert told("77") != told("78")
