"""How a customer pays, in the words tills use: none of them claims money that was not received."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.view.payment import PaymentView
from agent.domain.fa3.view.read import read
from agent.domain.payment_methods import METHODS, method_of
from agent.domain.sale.parse import parse_sale
from tests.unit.sale.sale_samples import NOW, SELLER, TODAY, document, fa3_schema

ACCOUNT = "61109010140000071219812874"


def platnosc(*methods: str, due: str | None = None) -> PaymentView:
    """Platnosc of an invoice that is paid with these words."""
    rest = Decimal("2017.79") - (len(methods) - 1)
    payments = [
        {"method": method, "amount": str(rest if index == 0 else Decimal(1))} | ({"due": due} if due else {})
        for index, method in enumerate(methods)
    ]
    sale = parse_sale(document(payments=payments), today=TODAY)
    xml = build_invoice(
        sale, replace(SELLER, bank_account=ACCOUNT), number="FV/1", issued_at=NOW, system_info="ksef-agent"
    )
    fa3_schema().check(xml)
    payment = read(xml).payment
    assert payment is not None
    return payment


@pytest.mark.parametrize(
    ("words", "method"),
    [
        ("CASH|Cash|gotówka|Gotówka|GOTÓWKĄ|gotowka", "cash"),
        ("Card|karta|Kartą|KARTA|karta płatnicza|Karta kredytowa|terminal|Karta Visa|płatność kartą", "card"),
        ("Przelew|TRANSFER|przelewem|przelew bankowy|przelew na konto", "transfer"),
        ("Kredyt|credit|kredyt kupiecki", "credit"),
        ("BLIK|Mobile|płatność mobilna", "mobile"),
        ("bon|talon|Voucher|bon podarunkowy|karta podarunkowa", "voucher"),
        ("czek|Cheque", "cheque"),
    ],
)
def test_case_and_language_do_not_matter(words: str, method: str) -> None:
    for word in words.split("|"):
        assert method_of(word) == method, word


@pytest.mark.parametrize(
    "method", ["Przelew", "TRANSFER", "przelew", "Kredyt", "kredyt kupiecki", "transfer", "credit"]
)
def test_what_is_paid_later_is_not_paid(method: str) -> None:
    payment = platnosc(method)
    assert not payment.paid
    assert payment.form == str(METHODS[method_of(method)])


@pytest.mark.parametrize(
    "words",
    [
        "przelew 14 dni",
        "pobranie",
        "za pobraniem",
        "płatność odroczona",
        "raty",
        "kompensata",
        "żetony",
        "karta stałego klienta",
        "gotówka przy odbiorze",
        "kasa firmowa",
        "CARDANO",
    ],
)
def test_an_unknown_word_is_never_said_to_be_paid(words: str) -> None:
    payment = platnosc(words)
    assert (payment.paid, payment.partials) == (False, ())
    assert payment.other_form == words
    parts = platnosc("cash", words)
    assert (parts.paid, parts.partly, [part.amount for part in parts.partials]) == (False, "1", [Decimal("2016.79")])


def test_a_transfer_in_other_words_has_account_and_day() -> None:
    assert [account.number for account in platnosc("przelew 14 dni").accounts] == [ACCOUNT]
    payment = platnosc("przelew 14 dni", due="2026-12-08")
    assert payment.form == "6"
    assert [account.number for account in payment.accounts] == [ACCOUNT]
    assert [str(each.on) for each in payment.due] == ["2026-12-08"]
    assert platnosc("pobranie").accounts == ()


@pytest.mark.parametrize("method", ["gotówka", "Karta", "BLIK", "bon", "czek"])
def test_money_at_the_till_is_paid(method: str) -> None:
    assert platnosc(method).paid
