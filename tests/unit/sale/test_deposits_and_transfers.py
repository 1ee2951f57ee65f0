"""What a customer pays beside and after the total: deposits for packaging, transfers with a day and an account."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from agent.domain.corrections.base import read_base
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.correction import apply_pending
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import BadInput
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.contradictions import contradictions
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.payment import Charge
from agent.domain.fa3.view.read import read
from agent.domain.identifiers import valid_account
from agent.domain.invoice import BuyerKind, Deposit, Mode, Payment, Sale
from agent.domain.paper.compose import PaperFacts, choose, compose
from agent.domain.paper.receipt import Pair
from agent.domain.paper.sections import totals
from agent.domain.sale.parse import parse_sale
from tests.reference import FOLDER
from tests.unit.paper.paper_text import text_of, unprinted
from tests.unit.sale.sale_samples import (
    CONSUMER_JSON,
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
ACCOUNT = "61109010140000071219812874"
DEPOSIT = Deposit("Kaucja 10 × 0,50 zł", D("5.00"))
SAMPLE = FOLDER / "fa3-samples" / "mf-example-26.xml"


def xml_of(this: Sale, bank_account: str = "") -> bytes:
    seller = replace(SELLER, bank_account=bank_account)
    xml = build_invoice(this, seller, number="FV/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    return xml


def paper_of(xml: bytes) -> str:
    choice = choose(PaperFacts(Mode.ONLINE, BuyerKind.NIP, "FV/1", ksef_number=KSEF_NUMBER))
    return text_of(compose(read(xml), choice, link_invoice="https://one"))


def large_amounts(xml: bytes) -> list[tuple[str, str]]:
    """What stands in large letters: what changes hands, and nothing else."""
    return [(each.left, each.right) for each in totals(read(xml)) if isinstance(each, Pair) and each.large]


def codes(**changes: object) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        parse_sale(document(**changes), today=TODAY)
    return [(error.pointer, error.code) for error in caught.value.errors]


# --- deposits ---------------------------------------------------------------------------------------


def test_a_deposit_is_paid_on_top_of_the_total() -> None:
    xml = xml_of(replace(sale(line("30.00")), deposits=(DEPOSIT, Deposit("Skrzynka", D("2.50")))))
    view = read(xml)
    assert view.gross == D("30.00")
    assert view.settlement is not None
    assert view.settlement.charges == (Charge(D("5.00"), DEPOSIT.name), Charge(D("2.50"), "Skrzynka"))
    assert (view.settlement.charges_sum, view.settlement.to_pay) == (D("7.50"), D("37.50"))
    assert unprinted(xml, paper_of(xml)) == []
    assert "Razem do zapłaty PLN 37,50" in paper_of(xml)
    assert large_amounts(xml) == [("Razem do zapłaty PLN", "37,50")]


def test_it_is_written_as_the_ministry_writes_it() -> None:
    theirs = read(SAMPLE.read_bytes()).settlement
    ours = read(
        xml_of(replace(sale(line("31.50")), deposits=(Deposit("Kaucja (system kaucyjny) 10 x 0,50 PLN", D(5)),)))
    )
    assert ours.settlement == theirs


def test_payments_add_up_to_both() -> None:
    deposits = [{"name": "Kaucja", "amount": "5.00"}]
    taken = parse_sale(document(deposits=deposits, payments=[{"method": "card", "amount": "2022.79"}]), today=TODAY)
    assert taken.deposits == (Deposit("Kaucja", D("5.00")),)
    assert codes(deposits=deposits) == [("/payments", "payments-do-not-add-up")]


@pytest.mark.parametrize(
    ("deposit", "pointer", "code"),
    [
        ({"name": "Kaucja", "amount": "0"}, "/deposits/0/amount", "not-positive"),
        ({"name": "", "amount": "1"}, "/deposits/0/name", "required"),
        ({"amount": "1"}, "/deposits/0/name", "required"),
        ({"name": "Kaucja"}, "/deposits/0/amount", "required"),
        ({"amount": "1", "name": "x", "vat": "23"}, "/deposits/0/vat", "unknown-field"),
    ],
)
def test_deposits_that_are_none(deposit: dict[str, object], pointer: str, code: str) -> None:
    assert (pointer, code) in codes(deposits=[deposit], payments=None)


def base_of(this: Sale, **changes: object) -> FaView:
    return replace(read(xml_of(this)), **changes)  # type: ignore[arg-type]


def test_a_return_of_goods_leaves_the_deposit_alone() -> None:
    base = read_base(base_of(replace(sale(line("30.00")), deposits=(DEPOSIT,))), ksef_number=KSEF_NUMBER)
    wanted = {"kind": "full_return", "payments": [{"method": "cash", "amount": "30.00"}]}
    assert parse_correction(wanted, base=base, today=TODAY).totals.gross == D("-30.00")


def test_the_invoice_of_the_right_buyer_has_it_again() -> None:
    base = read_base(base_of(replace(sale(line("30.00")), deposits=(DEPOSIT,))), ksef_number=KSEF_NUMBER)
    wanted = {"kind": "buyer", "buyer": CONSUMER_JSON, "payments": [{"method": "cash", "amount": "35.00"}]}
    replacement = parse_correction(wanted, base=base, today=TODAY).replacement
    assert replacement is not None
    assert replacement.deposits == (DEPOSIT,)


GIVEN_BACK = Deposit("Zwrot butelek", D("-2.00"))


def test_empty_packaging_pays_a_part() -> None:
    """Odliczenia, outside VAT: what was bought costs the same whatever bottles came back."""
    deposits = [{"name": "Kaucja", "amount": "5.00"}, {"name": "Zwrot butelek", "amount": "-2.00"}]
    taken = parse_sale(document(deposits=deposits, payments=[{"method": "card", "amount": "2020.79"}]), today=TODAY)
    xml = xml_of(taken)
    view = read(xml)
    assert view.settlement is not None
    assert (view.settlement.charges_sum, view.settlement.deductions_sum) == (D("5.00"), D("2.00"))
    assert (view.gross, view.settlement.to_pay) == (D("2017.79"), D("2020.79"))
    assert unprinted(xml, paper_of(xml)) == []
    assert list(contradictions(view)) == []


def test_more_packaging_than_goods_is_paid_out() -> None:
    xml = xml_of(replace(sale(line("1.00")), deposits=(GIVEN_BACK,)))
    settlement = read(xml).settlement
    assert settlement is not None
    assert (settlement.to_pay, settlement.to_settle) == (None, D("1.00"))
    assert list(contradictions(read(xml))) == []
    assert unprinted(xml, paper_of(xml)) == []
    assert large_amounts(xml) == [("Do zwrotu lub rozliczenia PLN", "1,00")]


@pytest.mark.parametrize("parts", [["2.21"], ["2.00", "0.21"]])
def test_what_is_paid_out_for_packaging_can_be_said(parts: list[str]) -> None:
    deposits = [{"name": "Zwrot skrzynek", "amount": "-2020.00"}]
    payments = [{"method": "cash", "amount": part} for part in parts]
    assert codes(deposits=deposits, payments=[{"method": "cash", "amount": "2.20"}]) == [
        ("/payments", "payments-do-not-add-up")
    ]
    taken = parse_sale(document(deposits=deposits, payments=payments), today=TODAY)
    assert taken.payments == tuple(Payment("cash", -D(part)) for part in parts)
    xml = xml_of(taken)
    assert list(contradictions(read(xml))) == []
    assert unprinted(xml, paper_of(xml)) == []
    assert "Rozliczono" in paper_of(xml)
    assert "Zapłacono" not in paper_of(xml)


def test_packaging_comes_back_with_the_goods() -> None:
    base = read_base(base_of(replace(sale(line("30.00")), deposits=(DEPOSIT,))), ksef_number=KSEF_NUMBER)
    returned = {"deposits": [{"name": "Zwrot kaucji", "amount": "5.00"}]}
    wanted = {"kind": "full_return", "payments": [{"method": "cash", "amount": "35.00"}]} | returned
    correction = parse_correction(wanted, base=base, today=TODAY)
    assert correction.totals.gross == D("-30.00")
    xml = build_correction(correction, SELLER, number="FK/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    view = read(xml)
    assert view.settlement is not None
    assert (view.settlement.deductions_sum, view.settlement.to_settle) == (D("5.00"), D("35.00"))
    assert unprinted(xml, paper_of(xml)) == []
    assert large_amounts(xml) == [("Do zwrotu PLN", "35,00")]
    assert "Zwrócono" in paper_of(xml)
    assert list(contradictions(view)) == []
    after = read_base(
        base_of(replace(sale(line("30.00")), deposits=(DEPOSIT,))), ksef_number=KSEF_NUMBER, earlier=[view]
    )
    assert after.deposits_left == 0


def test_an_exchange_pays_out_for_packaging_with_the_document_that_owes_it() -> None:
    base = read_base(base_of(sale(line("30.00"))), ksef_number=KSEF_NUMBER)
    taken = {"lines": [{"name": "Woda", "quantity": "1", "unit_price": "4.00", "vat": "23"}]}
    wanted = {
        "kind": "exchange",
        "lines": [{"line": 1, "quantity": "1"}],
        "payments": [{"method": "cash", "amount": "5.00"}, {"method": "card", "amount": "31.00"}],
        "sale": taken | {"deposits": [{"name": "Zwrot skrzynek", "amount": "-10.00"}]},
    }
    correction = parse_correction(wanted, base=base, today=TODAY)
    assert correction.replacement is not None
    assert correction.replacement.payments == (Payment("cash", D("-5.00")), Payment("card", D("-1.00")))
    assert correction.payments == (Payment("card", D("-30.00")),)


@pytest.mark.parametrize("already", [False, True])
def test_no_more_packaging_than_was_paid(already: bool) -> None:
    base = read_base(base_of(replace(sale(line("30.00")), deposits=(DEPOSIT,))), ksef_number=KSEF_NUMBER)
    given_back = {"kind": "return", "lines": [{"line": 1, "quantity": "0.5"}]}
    if already:
        half = given_back | {"deposits": [{"name": "Kaucja", "amount": "5.00"}]}
        base = apply_pending(base, [parse_correction(half, base=base, today=TODAY)])
    wanted = {"kind": "full_return", "deposits": [{"name": "Kaucja", "amount": "5.01" if not already else "0.01"}]}
    with pytest.raises(BadInput) as caught:
        parse_correction(wanted, base=base, today=TODAY)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/deposits", "more-than-left")]


def test_deductions_are_repeated_for_the_right_buyer() -> None:
    view = base_of(replace(sale(line("30.00")), deposits=(DEPOSIT, GIVEN_BACK)))
    base = read_base(view, ksef_number=KSEF_NUMBER)
    wanted = {"kind": "buyer", "buyer": CONSUMER_JSON, "payments": [{"method": "cash", "amount": "33.00"}]}
    replacement = parse_correction(wanted, base=base, today=TODAY).replacement
    assert replacement is not None
    assert replacement.deposits == (DEPOSIT, GIVEN_BACK)


def test_the_correction_to_zero_takes_off_what_the_new_invoice_asks_for() -> None:
    view = base_of(replace(sale(line("30.00")), deposits=(DEPOSIT, GIVEN_BACK)))
    base = read_base(view, ksef_number=KSEF_NUMBER)
    correction = parse_correction({"kind": "buyer", "buyer": CONSUMER_JSON}, base=base, today=TODAY)
    assert correction.replacement is not None
    new = read(xml_of(correction.replacement))
    xml = build_correction(correction, SELLER, number="FK/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    assert (read(xml).changes_hands, new.changes_hands) == (D("-33.00"), D("33.00"))
    assert list(contradictions(read(xml))) == []
    after = read_base(view, ksef_number=KSEF_NUMBER, earlier=[read(xml)])
    assert after.left == ()
    assert after.deposits_left == 0


def test_old_packaging_given_back_at_the_sale_leaves_its_own_deposit() -> None:
    """5.00 was paid for the bottles of this sale, whatever other bottles came back with it."""
    crates = Deposit("Zwrot skrzynek", D("-10.00"))
    base = read_base(base_of(replace(sale(line("30.00")), deposits=(DEPOSIT, crates))), ksef_number=KSEF_NUMBER)
    assert base.deposits_left == D("5.00")
    wanted = {"kind": "full_return", "deposits": [{"name": "Kaucja", "amount": "5.00"}]}
    assert parse_correction(wanted, base=base, today=TODAY).due == D("-35.00")


# --- transfers --------------------------------------------------------------------------------------

LATER = Payment("transfer", D("6.00"), date(2026, 12, 8))


def test_a_transfer_says_when_and_where_to() -> None:
    xml = xml_of(replace(sale(line("10.00")), payments=(Payment("cash", D("4.00")), LATER)), ACCOUNT)
    view = read(xml)
    assert view.payment is not None
    assert [due.on for due in view.payment.due] == [LATER.due]
    assert [account.number for account in view.payment.accounts] == [ACCOUNT]
    assert unprinted(xml, paper_of(xml)) == []


@pytest.mark.parametrize("method", ["cash", "card", "credit"])
def test_without_a_transfer_there_is_no_account(method: str) -> None:
    view = read(xml_of(replace(sale(line("10.00")), payments=(Payment(method, D("10.00")),)), ACCOUNT))
    assert view.payment is not None
    assert view.payment.accounts == ()


def test_money_sent_back_goes_to_no_account_of_ours() -> None:
    base = read_base(base_of(sale(line("10.00"))), ksef_number=KSEF_NUMBER)
    wanted = {"kind": "full_return", "payments": [{"method": "transfer", "amount": "10.00"}]}
    correction = parse_correction(wanted, base=base, today=TODAY)
    seller = replace(SELLER, bank_account=ACCOUNT)
    xml = build_correction(correction, seller, number="FK/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    assert ACCOUNT.encode() not in xml


def test_only_what_is_paid_later_has_a_day() -> None:
    cash = [{"method": "cash", "amount": "2017.79", "due": "2026-12-08"}]
    assert codes(payments=cash) == [("/payments/0/due", "not-allowed")]
    far = [{"method": "transfer", "amount": "2017.79", "due": "2206-12-08"}]
    assert codes(payments=far) == [("/payments/0/due", "date-too-old")]


@pytest.mark.parametrize(
    ("account", "good"),
    [
        (ACCOUNT, True),
        (f"PL{ACCOUNT}", True),
        ("DE89370400440532013000", True),
        ("61109010140000071219812875", False),
        ("6110901014000007121981287", False),
        ("61 1090 1014 0000 0712 1981 2874", False),
        ("", False),
    ],
)
def test_accounts(account: str, *, good: bool) -> None:
    assert valid_account(account) is good
