"""The sale's JSON: what is taken, and every mistake with its pointer, sentence and code."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain import vat
from agent.domain.errors import BadInput
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Address, BuyerKind, ExemptionBasis, Payment, Prices, ReceiptLink, Sale, VatRate
from agent.domain.json_io.reader import MAX_REPORTED
from agent.domain.sale.parse import MAX_LINES, parse_sale
from tests.unit.sale.sale_samples import (
    BREAD,
    CONSUMER_JSON,
    FRIDGE,
    NOW,
    SELLER,
    TODAY,
    any_json,
    document,
    fa3_schema,
    sales,
)

D = Decimal
ADDRESS = {"line1": "ul. Polna 2", "line2": "00-002 Warszawa"}
BUYER = {"nip": "5265877635", "name": "Firma", "address": ADDRESS}


def parse(**changes: object) -> Sale:
    return parse_sale(document(**changes), today=TODAY)


def mistakes(**changes: object) -> dict[str, str]:
    """Pointer -> code of a refused sale."""
    with pytest.raises(BadInput) as caught:
        parse(**changes)
    return {error.pointer: error.code for error in caught.value.errors}


def one_line(**changes: object) -> dict[str, object]:
    """A sale of one loaf, changed, without payments."""
    entry = {name: value for name, value in (BREAD | changes).items() if value is not None}
    return {"lines": [entry], "payments": None}


def with_buyer(**buyer: object) -> dict[str, str]:
    return mistakes(buyer=buyer)


def test_a_whole_sale() -> None:
    sale = parse(
        sold_on="2026-11-23",
        receipt={"number": "123", "register": "EAZ", "nip": "PL 526-587-76-35"},
        notes=[{"key": "Kasjer", "value": "Ela"}],
        external_ref="ERP-1",
    )
    assert sale.buyer.kind is BuyerKind.NIP
    assert sale.buyer.address == Address("ul. Polna 2", "00-002 Warszawa")
    assert sale.lines[1].quantity == D("1.5")
    assert sale.lines[1].discount == D("0.50")
    assert sale.lines[2].unit == "szt."
    assert sale.payments == (Payment("card", D("2017.79")),)
    assert sale.sold_on == date(2026, 11, 23)
    assert sale.receipt is not None
    assert (sale.external_ref, sale.notes[0].value) == ("ERP-1", "Ela")
    assert (sale.receipt.register, sale.receipt.nip) == ("EAZ", "PL 526-587-76-35")


def test_the_least_sale_is_a_consumers() -> None:
    sale = parse_sale({"buyer": CONSUMER_JSON, "prices": "net", "lines": [BREAD]}, today=TODAY)
    assert (sale.buyer.kind, sale.prices, sale.currency) == (BuyerKind.NONE, Prices.NET, "PLN")


def written_receipt(receipt: ReceiptLink | None) -> dict[str, str | None] | None:
    return None if receipt is None else {"number": receipt.number, "register": receipt.register, "nip": receipt.nip}


@given(sales(max_lines=4))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_sale_survives_the_way_through_json(sale: Sale) -> None:
    total = vat.totals(sale).gross
    kind = {"nip": "nip", "eu_vat": "eu_vat", "foreign_id": "foreign_id"}.get(sale.buyer.kind)
    buyer: dict[str, object] = {"name": sale.buyer.name}
    if sale.buyer.address is not None:
        address = sale.buyer.address
        buyer["address"] = {"line1": address.line1, "line2": address.line2, "country": address.country}
    if kind is not None:
        prefix = sale.buyer.country if kind == "eu_vat" else ""
        buyer[kind] = f"{prefix}{sale.buyer.identifier}"
    words = {ExemptionBasis.ACT: "act", ExemptionBasis.DIRECTIVE: "directive", ExemptionBasis.OTHER: "other"}
    written = {
        "buyer": buyer,
        "prices": sale.prices,
        "lines": [
            {
                "name": entry.name,
                "quantity": str(entry.quantity),
                "unit": entry.unit,
                "unit_price": f"{entry.unit_price:f}",
                "vat": entry.vat,
                "discount": f"{entry.discount:f}",
                "gtu": entry.gtu,
                "annex_15": entry.annex_15,
            }
            for entry in sale.lines
        ],
        "payments": [{"method": "cash", "amount": f"{total}"}] if total else [],
        "sold_on": sale.sold_on.isoformat() if sale.sold_on else None,
        "currency": sale.currency,
        "exchange_rate": str(sale.exchange_rate) if sale.exchange_rate else None,
        "receipt": written_receipt(sale.receipt),
        "notes": [{"key": note.key, "value": note.value} for note in sale.notes],
        "exemption": {words[sale.exemption_basis]: sale.exemption} if sale.exemption else None,
    }
    parsed = parse_sale(json.loads(json.dumps(written)), today=TODAY)
    assert parsed.lines == sale.lines
    assert parsed.buyer == sale.buyer
    assert parsed.receipt == sale.receipt
    assert (parsed.exemption, parsed.exemption_basis) == (sale.exemption, sale.exemption_basis)
    fa3_schema().check(build_invoice(parsed, SELLER, number="1", issued_at=NOW, system_info="ksef-agent"))


@pytest.mark.parametrize("value", [None, [], "x", 1, True, 1.5])
def test_a_document_of_another_shape(value: object) -> None:
    with pytest.raises(BadInput) as caught:
        parse_sale(value, today=TODAY)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("", "wrong-type")]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"lines": []}, "/lines", "empty-basket"),
        ({"lines": None}, "/lines", "required"),
        ({"lines": {}}, "/lines", "wrong-type"),
        ({"lines": ["x"]}, "/lines/0", "wrong-type"),
        ({"lines": [BREAD] * (MAX_LINES + 1)}, "/lines", "too-many-lines"),
        ({"prices": None}, "/prices", "required"),
        ({"prices": "brutto"}, "/prices", "not-allowed"),
        ({"prices": ["gross"]}, "/prices", "not-allowed"),
        ({"sold_on": "2026-11-25"}, "/sold_on", "date-in-future"),
        ({"sold_on": "1926-11-25"}, "/sold_on", "date-too-old"),
        ({"sold_on": "24.11.2026"}, "/sold_on", "not-a-date"),
        ({"sold_on": "2026-02-30"}, "/sold_on", "not-a-date"),
        ({"sold_on": 20261124}, "/sold_on", "not-a-date"),
        ({"currency": "PLZ"}, "/currency", "not-allowed"),
        ({"currency": "EUR"}, "/exchange_rate", "exchange-rate"),
        ({"exchange_rate": "4.25"}, "/exchange_rate", "exchange-rate"),
        ({"currency": "EUR", "exchange_rate": "0"}, "/exchange_rate", "not-positive"),
        ({"payments": [{"method": "cash", "amount": "2017.78"}]}, "/payments", "payments-do-not-add-up"),
        ({"payments": [{"method": "cash", "amount": "-1"}]}, "/payments/0/amount", "negative"),
        ({"payments": [{"method": "", "amount": "1"}]}, "/payments/0/method", "required"),
        ({"payments": [{"amount": "1"}]}, "/payments/0/method", "required"),
        ({"payments": [{"method": "cash", "amount": "1", "paid": True}]}, "/payments/0/paid", "unknown-field"),
        ({"payments": {"cash": "1"}}, "/payments", "wrong-type"),
        ({"receipt": {"register": "x"}}, "/receipt/number", "required"),
        ({"receipt": "123"}, "/receipt", "wrong-type"),
        ({"notes": [{"key": "a"}]}, "/notes/0/value", "required"),
        ({"notes": [{"value": "a"}]}, "/notes/0/key", "required"),
        ({"notes": [{"key": "a", "value": "b", "unit": "kg"}]}, "/notes/0/unit", "unknown-field"),
        ({"notes": [{"key": "a" * 257, "value": "b"}]}, "/notes/0/key", "too-long"),
        ({"external_ref": "x" * 257}, "/external_ref", "too-long"),
        ({"exemption": "art. 43"}, "/exemption", "exemption-needless"),
        ({"colour": "red"}, "/colour", "unknown-field"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown-field"),
        (one_line(vat="zw"), "/exemption", "exemption-missing"),
        (one_line(vat="zw") | {"exemption": " "}, "/exemption", "exemption-missing"),
        (one_line(vat="zw") | {"exemption": "\u200b"}, "/exemption", "exemption-missing"),
        (one_line(vat="zw") | {"exemption": "–"}, "/exemption", "exemption-missing"),
        (one_line(vat="zw") | {"exemption": {"other": ""}}, "/exemption/other", "required"),
        (one_line(vat="zw") | {"exemption": {"act": "–"}}, "/exemption", "exemption-missing"),
        (one_line(vat="zw") | {"exemption": {"act": "a", "other": "b"}}, "/exemption", "not-allowed"),
    ],
)
def test_mistakes_of_a_sale(changes: dict[str, object], pointer: str, code: str) -> None:
    assert mistakes(**changes)[pointer] == code


@pytest.mark.parametrize("basis", ["43.1.19", "art. 113"])
def test_a_basis_is_what_can_be_read(basis: str) -> None:
    """Of ready documents the same is asked (test_rates.py)."""
    assert parse(**one_line(vat="zw"), exemption=basis).exemption == basis


@pytest.mark.parametrize("rates", [["np I"], ["np II"], ["np I", "np II"]])
def test_a_supply_abroad_needs_no_exchange_rate(rates: list[str]) -> None:
    """Art. 31a converts what is taxed here; of such lines no tax is stated in PLN."""
    buyer = {"eu_vat": "DE123456789", "name": "Kunde GmbH", "address": {"line1": "Weg 1"}}
    lines = [dict(FRIDGE, vat=rate) for rate in rates]
    parsed = parse_sale(document(buyer=buyer, currency="EUR", lines=lines, payments=None), today=TODAY)
    assert parsed.exchange_rate is None
    view = read(build_invoice(parsed, SELLER, number="FV/1", issued_at=NOW, system_info="ksef-agent"))
    assert [line.exchange_rate for line in view.lines] == [None] * len(rates)


@pytest.mark.parametrize("rate", ["23", "zw", "0 WDT", "0 EX", "0 KR"])
def test_what_is_supplied_here_needs_one(rate: str) -> None:
    lines = [dict(FRIDGE, vat="np I"), dict(FRIDGE, vat=rate)]
    assert mistakes(currency="EUR", lines=lines, payments=None)["/exchange_rate"] == "exchange-rate"


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"name": None}, "name", "required"),
        ({"name": "   "}, "name", "required"),
        ({"name": "\u200b"}, "name", "required"),
        ({"name": "x" * 600}, "name", "too-long"),
        ({"name": 7}, "name", "wrong-type"),
        ({"name": "a\x84"}, "name", "forbidden-character"),
        ({"name": "a\x00"}, "name", "forbidden-character"),
        ({"name": "a\ufdd0"}, "name", "forbidden-character"),
        ({"name": "a\ud800"}, "name", "forbidden-character"),
        ({"quantity": "0"}, "quantity", "not-positive"),
        ({"quantity": 0}, "quantity", "not-positive"),
        ({"quantity": "-1"}, "quantity", "negative"),
        ({"quantity": "1.0000001"}, "quantity", "too-many-decimals"),
        ({"quantity": None}, "quantity", "required"),
        ({"quantity": 1.5}, "quantity", "wrong-type"),
        ({"quantity": True}, "quantity", "wrong-type"),
        ({"quantity": "1,5"}, "quantity", "not-a-number"),
        ({"quantity": "1e3"}, "quantity", "not-a-number"),
        ({"quantity": "NaN"}, "quantity", "not-a-number"),
        ({"quantity": "Infinity"}, "quantity", "not-a-number"),
        ({"quantity": "١"}, "quantity", "not-a-number"),
        ({"quantity": ""}, "quantity", "not-a-number"),
        ({"quantity": "9" * 5000}, "quantity", "not-a-number"),
        ({"unit_price": None}, "unit_price", "required"),
        ({"unit_price": "-0.01"}, "unit_price", "negative"),
        ({"unit_price": -1}, "unit_price", "negative"),
        ({"unit_price": "1000000000000"}, "unit_price", "amount-too-large"),
        ({"unit_price": 10**5000}, "unit_price", "amount-too-large"),
        ({"unit_price": "0.123456789"}, "unit_price", "too-many-decimals"),
        ({"vat": "24"}, "vat", "unknown-vat-rate"),
        ({"vat": 24}, "vat", "unknown-vat-rate"),
        ({"vat": "\x84"}, "vat", "unknown-vat-rate"),
        ({"vat": None}, "vat", "required"),
        ({"vat": "ZW"}, "vat", "unknown-vat-rate"),
        ({"discount": "12.31"}, "discount", "discount-too-large"),
        ({"discount": "-1"}, "discount", "negative"),
        ({"discount": "0.001"}, "discount", "too-many-decimals"),
        ({"gtu": "GTU_14"}, "gtu", "not-allowed"),
        ({"unit": "x" * 257}, "unit", "too-long"),
        ({"colour": "red"}, "colour", "unknown-field"),
    ],
)
def test_mistakes_of_a_line(changes: dict[str, object], field: str, code: str) -> None:
    assert mistakes(**one_line(**changes)) == {f"/lines/0/{field}": code}


def test_values_and_sums_have_twelve_digits() -> None:
    big = {"quantity": "999999", "unit_price": "999999999999"}
    assert mistakes(**one_line(**big)) == {"/lines/0": "amount-too-large"}
    many = {"lines": [BREAD | {"quantity": "1", "unit_price": "999999999999"}] * 2, "payments": None}
    assert mistakes(**many) == {"/lines": "amount-too-large"}


@pytest.mark.parametrize(
    ("buyer", "pointer", "code"),
    [
        (BUYER | {"nip": "5265877636"}, "/buyer/nip", "nip-checksum"),
        (BUYER | {"nip": "526587763"}, "/buyer/nip", "nip-form"),
        (BUYER | {"nip": 5265877635}, "/buyer/nip", "wrong-type"),
        (BUYER | {"name": None}, "/buyer/name", "required"),
        (BUYER | {"name": "x" * 513}, "/buyer/name", "too-long"),
        (BUYER | {"address": None}, "/buyer/address", "required"),
        (BUYER | {"address": {}}, "/buyer/address/line1", "required"),
        (BUYER | {"address": ADDRESS | {"country": "PX"}}, "/buyer/address/country", "not-allowed"),
        (BUYER | {"address": ADDRESS | {"city": "x"}}, "/buyer/address/city", "unknown-field"),
        (BUYER | {"eu_vat": "DE123456789"}, "/buyer", "buyer-ids"),
        (BUYER | {"none": True}, "/buyer", "buyer-ids"),
        (BUYER | {"none": "no"}, "/buyer/none", "wrong-type"),
        (BUYER | {"phone": "1"}, "/buyer/phone", "unknown-field"),
        (BUYER | {"email": "a@b"}, "/buyer/email", "email"),
        (BUYER | {"email": "a@b.pl, c@d.pl"}, "/buyer/email", "email"),
        ({"eu_vat": "DE12", "name": "K", "address": ADDRESS}, "/buyer/eu_vat", "eu-vat"),
        ({"eu_vat": "PL5265877635", "name": "K", "address": ADDRESS}, "/buyer/eu_vat", "polish-nip"),
        (None, "/buyer", "buyer-incomplete"),
        ({}, "/buyer/name", "buyer-incomplete"),
        ({"none": True}, "/buyer/address", "buyer-incomplete"),
        ({"name": "Jan", "address": {}}, "/buyer/address", "buyer-incomplete"),
        ({"name": " \u200b", "address": {"line1": "x"}}, "/buyer/name", "buyer-incomplete"),
        ({"name": "–", "address": {"line1": "x"}}, "/buyer/name", "buyer-incomplete"),
        ({"name": "Jan", "address": {"line1": "..."}}, "/buyer/address/line1", "buyer-incomplete"),
        (BUYER | {"name": "???"}, "/buyer/name", "buyer-incomplete"),
        ({"name": "Jan", "address": {"line2": "x"}}, "/buyer/address/line1", "required"),
        ({"foreign_id": "1", "name": "K", "address": ADDRESS}, "/buyer/address/country", "required"),
        ({"foreign_id": "1" * 51, "name": "K", "address": ADDRESS}, "/buyer/foreign_id", "too-long"),
        ({"foreign_id": {"country": "US"}, "name": "K", "address": ADDRESS}, "/buyer/foreign_id/number", "required"),
        (["5265877635"], "/buyer", "wrong-type"),
    ],
)
def test_mistakes_of_a_buyer(buyer: object, pointer: str, code: str) -> None:
    assert mistakes(buyer=buyer)[pointer] == code


def test_typed_identifiers_are_bared() -> None:
    assert parse(buyer=BUYER | {"nip": "PL 526-587-76-35"}).buyer.identifier == "5265877635"
    eu = parse(buyer={"eu_vat": "gr 123456789", "name": "K", "address": ADDRESS}).buyer
    assert eu.address is not None
    assert (eu.country, eu.identifier, eu.address.country) == ("EL", "123456789", "GR")
    foreign = parse(buyer={"foreign_id": "77", "name": "K", "address": ADDRESS | {"country": "US"}}).buyer
    assert (foreign.country, foreign.identifier) == ("US", "77")
    nested = parse(buyer={"foreign_id": {"country": "CH", "number": "77"}, "name": "K", "address": ADDRESS}).buyer
    assert (nested.country, nested.identifier) == ("CH", "77")
    assert parse(buyer={"none": True} | CONSUMER_JSON).buyer.kind is BuyerKind.NONE


@pytest.mark.parametrize(
    ("rate", "buyer", "code"),
    [
        (VatRate.REVERSE_CHARGE, BUYER, "rate-not-in-force"),
        (VatRate.R22, BUYER, "rate-not-in-force"),
        (VatRate.R7, CONSUMER_JSON, "rate-not-in-force"),
        (VatRate.R3, BUYER, "rate-not-in-force"),
        (VatRate.ZERO_WDT, BUYER, "rate-needs-eu-vat"),
        (VatRate.NOT_SUBJECT_II, CONSUMER_JSON, "rate-needs-eu-vat"),
    ],
)
def test_rates_that_need_a_certain_buyer(rate: VatRate, buyer: object, code: str) -> None:
    assert mistakes(buyer=buyer, **one_line(vat=rate.value)) == {"/lines/0/vat": code}


def test_services_to_northern_ireland() -> None:
    """It is in the Union for goods only; its services are np I."""
    buyer = {"eu_vat": "XI123456789", "name": "Pub Ltd", "address": ADDRESS}
    assert mistakes(buyer=buyer, **one_line(vat="np II")) == {"/lines/0/vat": "rate-needs-eu-vat"}
    assert parse(buyer=buyer, **one_line(vat="0 WDT")).lines[0].vat is VatRate.ZERO_WDT
    assert parse(buyer=buyer, **one_line(vat="np I")).lines[0].vat is VatRate.NOT_SUBJECT_I


def test_rates_may_be_json_integers() -> None:
    assert parse(**one_line(vat=5)).lines[0].vat is VatRate.R5


def test_amounts_may_be_json_integers() -> None:
    assert parse(**one_line(quantity=3, unit_price=2)).lines[0].unit_price == 2


def test_names_are_folded() -> None:
    assert parse(**one_line(name=" Chleb\n\tz\u0307ytni ")).lines[0].name == "Chleb żytni"


def test_today_is_not_the_future() -> None:
    assert parse(sold_on=TODAY.isoformat()).sold_on == TODAY
    assert parse(sold_on=(TODAY - timedelta(days=365)).isoformat()).sold_on is not None


def test_all_mistakes_come_at_once() -> None:
    found = mistakes(
        buyer=BUYER | {"nip": "1"}, lines=[BREAD | {"vat": "9"}, BREAD | {"quantity": "0"}], sold_on="x", extra=1
    )
    assert found == {
        "/buyer/nip": "nip-form",
        "/lines/0/vat": "unknown-vat-rate",
        "/lines/1/quantity": "not-positive",
        "/sold_on": "not-a-date",
        "/extra": "unknown-field",
    }


@pytest.mark.parametrize(
    ("count", "said"), [(2, "1 błąd"), (3, "2 błędy"), (6, "5 błędów"), (13, "12 błędów"), (24, "23 błędy")]
)
def test_the_sentence_counts_in_polish(count: int, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        parse(lines=[BREAD | {"quantity": "0"}] * count)
    assert caught.value.code == "bad-input"
    assert caught.value.detail.startswith("Sprzedaż: pozycja 1: ilość: wartość musi być większa od zera.")


def test_one_mistake_lends_its_code() -> None:
    with pytest.raises(BadInput) as caught:
        parse(**one_line(quantity="0"))
    assert caught.value.code == "not-positive"


def test_a_flood_of_mistakes_is_cut() -> None:
    with pytest.raises(BadInput) as caught:
        parse(lines=[{}] * MAX_LINES)
    assert len(caught.value.errors) == MAX_REPORTED


_SALE = (
    "buyer",
    "prices",
    "lines",
    "payments",
    "sold_on",
    "currency",
    "exchange_rate",
    "receipt",
    "notes",
    "exemption",
)
_BUYER = ("nip", "eu_vat", "foreign_id", "none", "name", "address")


@given(st.dictionaries(st.sampled_from(_SALE), any_json()), st.dictionaries(st.sampled_from(_BUYER), any_json()))
@settings(max_examples=100, deadline=None)
def test_any_sale_is_taken_or_refused_in_words(changes: dict[str, object], buyer: dict[str, object]) -> None:
    assert_in_words(document(**({"buyer": BUYER | buyer} | changes)))


@given(st.dictionaries(st.sampled_from((*BREAD, "discount", "gtu")), any_json()), any_json())
@settings(max_examples=100, deadline=None)
def test_any_line_is_taken_or_refused_in_words(changes: dict[str, object], other: object) -> None:
    assert_in_words(document(lines=[BREAD | changes, other]))


def assert_in_words(written: object) -> None:
    found = refusal_of(written)
    assert found is None or found.errors
    for error in found.errors if found is not None else ():
        assert error.message.isprintable()
        error.pointer.encode()


def refusal_of(written: object) -> BadInput | None:
    try:
        parse_sale(written, today=TODAY)
    except BadInput as refusal:
        return refusal
    return None


@pytest.mark.parametrize("character", ["\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068"])
def test_a_name_may_not_turn_the_direction_of_writing(character: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_sale(document(buyer=CONSUMER_JSON | {"name": f"Anna {character}kawoN"}), today=TODAY)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/buyer/name", "misleading-character")]


@pytest.mark.parametrize("rate", ["0 WDT", "np II"])
def test_a_supply_that_the_unions_buyer_is_taxed_for_is_no_simplified_invoice(rate: str) -> None:
    """Art. 106e ust. 6: WDT, and art. 106a pkt 2 lit. a."""
    eu = {"eu_vat": "DE136695976", "name": "Müller GmbH", "address": {"line1": "Hauptstr. 5", "country": "DE"}}
    with pytest.raises(BadInput) as refused:
        parse_sale(
            {
                "buyer": eu,
                "prices": "net",
                "simplified": True,
                "lines": [{"name": "Montaż", "quantity": "1", "unit_price": "10.00", "vat": rate}],
            },
            today=date(2026, 11, 24),
        )
    assert [error.code for error in refused.value.errors] == ["simplified-rate"]
