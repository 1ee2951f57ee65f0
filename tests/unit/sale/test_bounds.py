"""The last value that a sale may have and the first that it may not; and which line a mistake names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from agent.domain.errors import BadInput
from agent.domain.invoice import Buyer, Note, SaleLine, VatRate
from agent.domain.json_io.reader import Fields, Problems
from agent.domain.sale.parse import check_rates, parse_sale, read_sale
from tests.unit.sale.sale_samples import (
    BREAD,
    CONSUMER,
    CONSUMER_JSON,
    MILK,
    TODAY,
    document,
)

ADDRESS = {"line1": "ul. Polna 2", "line2": "00-002 Warszawa"}
BUYER = {"nip": "5265877635", "name": "Firma", "address": ADDRESS}


def mistakes(**changes: object) -> set[tuple[str, str]]:
    """Pointer and code of each mistake of a sale without payments; none where it is taken."""
    try:
        parse_sale(document(**{"payments": None} | changes), today=TODAY)
    except BadInput as error:
        return {(each.pointer, each.code) for each in error.errors}
    return set()


def in_line(name: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {"lines": [BREAD | {name: text}]}


def in_address(name: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {"buyer": BUYER | {"address": ADDRESS | {name: text}}}


LONGEST: list[tuple[str, int, Callable[[str], dict[str, Any]]]] = [
    ("/lines/0/name", 512, in_line("name")),
    ("/lines/0/unit", 256, in_line("unit")),
    ("/lines/0/sku", 50, in_line("sku")),
    ("/buyer/name", 512, lambda text: {"buyer": BUYER | {"name": text}}),
    ("/buyer/address/line1", 512, in_address("line1")),
    ("/buyer/address/line2", 512, in_address("line2")),
    (
        "/buyer/foreign_id",
        50,
        lambda text: {"buyer": {"foreign_id": text, "name": "K", "address": ADDRESS | {"country": "US"}}},
    ),
    (
        "/buyer/foreign_id/number",
        50,
        lambda text: {"buyer": {"foreign_id": {"country": "US", "number": text}, "name": "K", "address": ADDRESS}},
    ),
    ("/recipient/name", 512, lambda text: {"recipient": {"name": text}}),
    (
        "/recipient/address/line2",
        512,
        lambda text: {"recipient": {"name": "O", "address": ADDRESS | {"line2": text}}},
    ),
    ("/exemption", 256, lambda text: {"lines": [BREAD | {"vat": "zw"}], "exemption": text}),
    ("/exemption/act", 256, lambda text: {"lines": [BREAD | {"vat": "zw"}], "exemption": {"act": text}}),
    (
        "/receipt/number",
        256,
        lambda text: {"buyer": CONSUMER_JSON, "receipt": {"number": text}},
    ),
    (
        "/receipt/register",
        256,
        lambda text: {"buyer": CONSUMER_JSON, "receipt": {"number": "1", "register": text}},
    ),
    ("/notes/0/key", 256, lambda text: {"notes": [{"key": text, "value": "b"}]}),
    ("/notes/0/value", 256, lambda text: {"notes": [{"key": "a", "value": text}]}),
    ("/deposits/0/name", 256, lambda text: {"deposits": [{"name": text, "amount": "1"}]}),
    (
        "/payments/0/method",
        256,
        lambda text: {"lines": [BREAD], "payments": [{"method": text, "amount": "12.30"}]},
    ),
    ("/external_ref", 256, lambda text: {"external_ref": text}),
]


@pytest.mark.parametrize(("pointer", "longest", "changes"), LONGEST, ids=[pointer for pointer, *_ in LONGEST])
def test_a_text_has_so_many_characters_and_not_one_more(
    pointer: str, longest: int, changes: Callable[[str], dict[str, Any]]
) -> None:
    assert mistakes(**changes("x" * longest)) == set()
    assert (pointer, "too-long") in mistakes(**changes("x" * (longest + 1)))


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        (lambda text: {"lines": [BREAD | {"quantity": text}]}, "/lines/0/quantity"),
        (lambda text: {"lines": [BREAD | {"unit_price": text}]}, "/lines/0/unit_price"),
        (lambda text: {"lines": [BREAD | {"discount": text}]}, "/lines/0/discount"),
        (lambda text: {"deposits": [{"name": "butelka", "amount": text}]}, "/deposits/0/amount"),
    ],
    ids=["quantity", "unit_price", "discount", "deposit"],
)
def test_a_number_has_so_many_decimals_and_not_one_more(changes: Callable[[str], dict[str, Any]], pointer: str) -> None:
    decimals = {"quantity": 6, "unit_price": 8, "discount": 2, "amount": 2}[pointer.rsplit("/", 1)[-1]]
    assert mistakes(**changes(f"1.{'1' * decimals}")) == set()
    assert mistakes(**changes(f"1.{'1' * (decimals + 1)}")) == {(pointer, "too-many-decimals")}


@pytest.mark.parametrize(
    ("due", "taken"),
    [("2016-06-30", False), ("2016-07-01", True), ("2050-12-31", True), ("2051-01-01", False)],
)
def test_a_payment_is_due_within_the_years_of_the_schema(due: str, *, taken: bool) -> None:
    payment = {"method": "transfer", "amount": "12.30", "due": due}
    found = mistakes(lines=[BREAD], payments=[payment])
    assert found == (set() if taken else {("/payments/0/due", "date-too-old")})


@pytest.mark.parametrize(("field", "name"), [("lines", "name"), ("notes", "value"), ("deposits", "name")])
def test_what_a_list_lacks_is_told_of_its_own_place(field: str, name: str) -> None:
    lists: dict[str, list[dict[str, str]]] = {
        "lines": [BREAD, MILK],
        "notes": [{"key": "a", "value": "b"}, {"key": "c", "value": "d"}],
        "deposits": [{"name": "butelka", "amount": "1"}, {"name": "puszka", "amount": "1"}],
    }
    first, second = lists[field]
    short = {key: value for key, value in second.items() if key != name}
    assert mistakes(**{field: [first, short]}) == {(f"/{field}/1/{name}", "required")}


@pytest.mark.parametrize("half", [{"key": "a"}, {"value": "b"}], ids=["no value", "no key"])
def test_half_a_note_is_none(half: dict[str, str]) -> None:
    """What is checked after the reading may rely on it, though the sale is refused."""
    fields = Fields.of(document(notes=[half, {"key": "c", "value": "d"}]), "", Problems())
    assert fields is not None
    assert read_sale(fields, today=TODAY).notes == (Note("c", "d"),)


def line(rate: VatRate) -> SaleLine:
    sale = parse_sale(document(lines=[BREAD], payments=None), today=TODAY)
    (bread,) = sale.lines
    return SaleLine(bread.name, bread.quantity, bread.unit, bread.unit_price, rate)


@pytest.mark.parametrize(
    ("rate", "buyer", "said"),
    [
        (VatRate.REVERSE_CHARGE, CONSUMER, "pozycja 2: stawka „oo” jest tylko dla nabywcy z polskim NIP"),
        (VatRate.ZERO_WDT, CONSUMER, "pozycja 2: stawka „0 WDT” jest tylko dla nabywcy z numerem VAT UE"),
    ],
)
def test_a_rate_that_the_buyer_may_not_have_is_told_of_its_line(rate: VatRate, buyer: Buyer, said: str) -> None:
    problems = Problems()
    check_rates("/lines", [line(VatRate.R5), line(rate)], buyer, problems)
    with pytest.raises(BadInput, match=said) as caught:
        problems.raise_if_any("Sprzedaż")
    assert [each.pointer for each in caught.value.errors] == ["/lines/1/vat"]


def test_a_line_that_is_exempt_is_told_by_its_position() -> None:
    with pytest.raises(BadInput, match="pozycja 2 ma stawkę „zw”"):
        parse_sale(document(lines=[BREAD, BREAD | {"vat": "zw"}], payments=None), today=TODAY)


def test_a_sale_of_six_years_ago_is_taken_and_an_older_one_not() -> None:
    assert mistakes(sold_on=date(TODAY.year - 6, 1, 1).isoformat()) == set()
    assert mistakes(sold_on=date(TODAY.year - 7, 12, 31).isoformat()) == {("/sold_on", "date-too-old")}
