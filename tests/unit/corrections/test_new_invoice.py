"""Whether a new invoice that stands is the one that a press would make again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given

from agent.domain import vat
from agent.domain.corrections.base import BaseInvoice, read_base
from agent.domain.corrections.new_invoice import stands_conflict, would_be_again
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Address, Buyer, BuyerKind, Deposit, InvoiceSummary, Payment, Prices, Sale, VatRate
from agent.domain.payment_methods import OFFSET
from tests.unit.books.test_month_to_the_byte import PLAIN
from tests.unit.sale.sale_samples import CONSUMER, EU_FIRM, FIRM, NOW, SELLER, line, sale, sales

KAUCJA = (Deposit("Kaucja", Decimal("5.00")),)


def issued(made: Sale) -> tuple[InvoiceSummary, BaseInvoice]:
    """The invoice of a sale, and what its file says."""
    xml = build_invoice(made, SELLER, number="FV/2", issued_at=NOW, system_info="test")
    record = replace(PLAIN, number="FV/2", buyer=made.buyer, totals=vat.totals(made), payments=made.payments)
    return record, read_base(read(xml), outside_ksef=True)


@given(sales())
def test_every_sale_is_known_again_by_its_file(made: Sale) -> None:
    record, content = issued(made)
    assert would_be_again(made, record, [content])
    assert would_be_again(replace(made, payments=(Payment("card", Decimal(1)),)), record, [content])


CHANGES: dict[str, Callable[[Sale], Sale]] = {
    "buyer": lambda one: replace(one, buyer=EU_FIRM),
    "his kind": lambda one: replace(one, buyer=CONSUMER),
    "currency": lambda one: replace(one, currency="EUR", exchange_rate=Decimal("4.25")),
    "prices": lambda one: replace(one, prices=Prices.NET),
    "deposits": lambda one: replace(one, deposits=KAUCJA),
    "set off": lambda one: replace(one, payments=(Payment(OFFSET, Decimal("1.00")),)),
    "one line more": lambda one: replace(one, lines=(*one.lines, line())),
    "quantity": lambda one: replace(one, lines=(line("20.00", "0.5"),)),
    "price": lambda one: replace(one, lines=(line("11.00", discount="1.00"),)),
    "discount": lambda one: replace(one, lines=(line(discount="0.01"),)),
    "rate": lambda one: replace(one, lines=(line(rate=VatRate.R8),)),
    "goods": lambda one: replace(one, lines=(replace(line(), name="Inny towar"),)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_is_another(change: str) -> None:
    record, content = issued(sale())
    assert would_be_again(sale(), record, [content])
    assert not would_be_again(CHANGES[change](sale()), record, [content])


def test_what_stands_of_it_counts_as_well_as_what_was_issued() -> None:
    record, content = issued(sale())
    reduced = replace(content, rows=(*content.rows, replace(content.rows[0], number=2)))
    assert would_be_again(sale(), record, [content, reduced])
    assert would_be_again(sale(line(), line()), record, [content, reduced])
    assert not would_be_again(sale(line(), line(), line()), record, [content, reduced])


@pytest.mark.parametrize("change", CHANGES)
def test_of_bytes_that_are_no_longer_here_buyer_and_total_are_left(change: str) -> None:
    record, _ = issued(sale())
    assert would_be_again(sale(), record, [])
    only_the_bytes_told = change in {"deposits", "quantity", "price", "rate", "goods"}
    assert would_be_again(CHANGES[change](sale()), record, []) is only_the_bytes_told


def test_how_a_consumer_is_typed_does_not_matter() -> None:
    record, content = issued(sale(buyer=CONSUMER))
    address = Address("UL.  CICHA 3", "00-003  Warszawa")
    assert would_be_again(sale(buyer=replace(CONSUMER, name="jan kowalski", address=address)), record, [content])
    assert not would_be_again(sale(buyer=replace(CONSUMER, address=None)), record, [content])


@pytest.mark.parametrize(
    ("buyer", "shown"),
    [
        (FIRM, "NIP 5265877635, 10,00 zł"),
        (EU_FIRM, "DE123456789, 10,00 zł"),
        (CONSUMER, "Jan Kowalski, 10,00 zł"),
        (Buyer(BuyerKind.NONE), "osoba prywatna, 10,00 zł"),
    ],
)
def test_the_one_that_stands_is_named(buyer: Buyer, shown: str) -> None:
    record, _ = issued(sale(buyer=buyer))
    told = stands_conflict("FV/1", record)
    assert f"nową fakturę FV/2 ({shown}), brakuje tylko korekty." in str(told)
    euro = replace(record, totals=replace(record.totals, currency="EUR"))
    assert "10,00 EUR)" in str(stands_conflict("FV/1", euro))
