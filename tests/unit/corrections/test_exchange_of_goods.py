"""A return and a sale in one basket: a correction and an invoice, settled against each other."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import BadInput
from agent.domain.fa3.contradictions import contradictions
from agent.domain.fa3.view.payment import PaymentView
from agent.domain.fa3.view.read import read
from agent.domain.payment_methods import REST
from agent.services.queries.invoices import IssueAnswer
from tests.fakes import counter
from tests.fakes.world import CASHIER, World, sale, world

D = Decimal


async def within(place: World, working: Any) -> IssueAnswer:
    task: asyncio.Task[IssueAnswer] = asyncio.ensure_future(working)
    while not task.done():
        await place.clock.advance(0.1)
    return await task


def wanted(price: str, **changes: object) -> dict[str, Any]:
    """One kilogram of coffee (61.50) back, something else instead."""
    tea = {"name": "Herbata", "quantity": "1", "unit_price": price, "vat": "23"}
    return {"kind": "exchange", "lines": [{"line": 1, "quantity": "1"}], "sale": {"lines": [tea]}, **changes}


async def exchange(place: World, body: dict[str, Any]) -> tuple[PaymentView | None, PaymentView | None, list[Decimal]]:
    """Payments of the correction and of the new invoice, and the totals of both."""
    base = (await within(place, counter.sale(place, json.dumps(sale()).encode(), "sale", CASHIER))).invoices[0].record
    made = await within(place, counter.correct(place, base.id, json.dumps(body).encode(), "swap", CASHIER))
    kor, invoice = (each.record for each in made.invoices)
    assert (kor.kind, invoice.kind, invoice.buyer) == ("KOR", "VAT", base.buyer)
    assert {kor.state, invoice.state} == {base.state}
    return read(kor.xml).payment, read(invoice.xml).payment, [kor.totals.gross, invoice.totals.gross]


def parts(payment: PaymentView | None) -> list[tuple[Decimal, str]]:
    assert payment is not None
    return [(part.amount, part.form or part.other_form or "") for part in payment.partials]


async def test_the_customer_pays_the_rest(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        back, paid, totals = await exchange(place, wanted("80.00", payments=[{"method": "card", "amount": "18.50"}]))
        assert totals == [D("-61.50"), D("80.00")]
        assert back is not None
        assert (back.paid, back.other_form) == (True, "rozliczenie wymiany")
        assert parts(paid) == [(D("61.50"), "rozliczenie wymiany"), (D("18.50"), "2")]


async def test_the_shop_gives_the_rest_back(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        back, paid, totals = await exchange(place, wanted("40.00", payments=[{"method": "cash", "amount": "21.50"}]))
        assert totals == [D("-61.50"), D("40.00")]
        assert parts(back) == [(D("-40.00"), "rozliczenie wymiany"), (D("-21.50"), "1")]
        assert paid is not None
        assert (paid.paid, paid.other_form) == (True, "rozliczenie wymiany")


async def test_one_for_one_needs_no_money(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        back, paid, _ = await exchange(place, wanted("61.50"))
        assert back is not None
        assert paid is not None
        assert (back.paid, paid.paid) == (True, True)


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("80.00", ("Nie zwracaj pieniędzy: rozlicza je nowa faktura.", "Pobierz dopłatę 18,50 zł kartą.")),
        ("40.00", ("Zwróć 21,50 zł na kartę.", "")),
        ("61.50", ("Nie zwracaj pieniędzy: rozlicza je nowa faktura.", "")),
    ],
)
async def test_the_rest_is_counted_by_the_agent_and_told_once(
    tmp_path: Path, price: str, told: tuple[str, str]
) -> None:
    """The cashier says how, not how much; what return and sale settle between them is no money."""
    async with world(tmp_path) as place:
        base = (await within(place, counter.sale(place, json.dumps(sale()).encode(), "sale", CASHIER))).invoices[0]
        body = json.dumps(wanted(price, payments=[{"method": "card"}])).encode()
        made = await within(place, counter.correct(place, base.record.id, body, "swap", CASHIER))
        documents = ("korektę", "fakturę")
        assert [each.hand_over for each in made.invoices] == [
            f"Wydaj klientowi {document}. {money}".strip() for document, money in zip(documents, told, strict=True)
        ]
        back, paid = (read(each.record.xml).payment for each in made.invoices)
        rest = [part.amount for each in (back, paid) if each is not None for part in each.partials if part.form == "2"]
        assert rest == [D(price) - D("61.50")] * (price != "61.50")


@pytest.mark.parametrize(
    ("price", "told", "back", "more"),
    [
        (
            "80.00",
            ("Nie zwracaj pieniędzy: rozlicza je nowa faktura.", "Pobierz dopłatę 18,50 zł."),
            [],
            [(D("18.50"), "do rozliczenia")],
        ),
        ("40.00", ("Zwróć 21,50 zł na kartę.", ""), [(D("-21.50"), "do rozliczenia")], []),
        ("61.50", ("Nie zwracaj pieniędzy: rozlicza je nowa faktura.", ""), [], []),
    ],
)
async def test_where_nobody_says_how_only_the_rest_is_told(
    tmp_path: Path,
    price: str,
    told: tuple[str, str],
    back: list[tuple[Decimal, str]],
    more: list[tuple[Decimal, str]],
) -> None:
    """ "Zwróć 61,50 zł" and a new invoice beside it would give the goods away."""
    async with world(tmp_path) as place:
        sold = json.dumps(sale(payments=[{"method": "card", "amount": "135.60"}])).encode()
        base = (await within(place, counter.sale(place, sold, "sale", CASHIER))).invoices[0]
        body = json.dumps(wanted(price)).encode()
        made = await within(place, counter.correct(place, base.record.id, body, "swap", CASHIER))
        documents = ("korektę", "fakturę")
        assert [each.hand_over for each in made.invoices] == [
            f"Wydaj klientowi {document}. {money}".strip() for document, money in zip(documents, told, strict=True)
        ]
        for each, unsaid in zip(made.invoices, (back, more), strict=True):
            assert list(contradictions(read(each.record.xml))) == []
            assert [(one.amount, one.method) for one in each.record.payments if one.method == REST] == unsaid


async def test_the_buyer_is_remembered_as_the_right_one(tmp_path: Path) -> None:
    """Two documents to one buyer are no correction of a wrong number."""
    async with world(tmp_path) as place:
        await exchange(place, wanted("61.50"))
        found = await place.buyers.buyer("1111111111")
        assert found is not None
        assert (found.known.name, found.replaced) == ("Nabywca S.A.", None)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (wanted("80.00", payments=[{"method": "card", "amount": "80.00"}]), "/payments", "payments-do-not-add-up"),
        (wanted("80.00", sale=None), "/sale", "required"),
        (wanted("80.00", sale={"lines": []}), "/sale/lines", "empty-basket"),
        (wanted("80.00", lines=[{"line": 1, "quantity": "3"}]), "/lines/0/quantity", "more-than-left"),
        (wanted("80.00") | {"sale": {**wanted("80.00")["sale"], "prices": "net"}}, "/sale/prices", "unknown-field"),
        (wanted("80.00") | {"sale": {**wanted("80.00")["sale"], "payments": []}}, "/sale/payments", "unknown-field"),
    ],
)
async def test_what_is_no_exchange(tmp_path: Path, body: dict[str, Any], pointer: str, code: str) -> None:
    async with world(tmp_path) as place:
        with pytest.raises(BadInput) as caught:
            await exchange(place, body)
        assert (pointer, code) in [(error.pointer, error.code) for error in caught.value.errors]


async def test_the_new_invoice_is_for_the_same_unit(tmp_path: Path) -> None:
    """JST and GV: without Podmiot3 KSeF gives the new invoice to nobody of the gmina's school."""
    school = {"role": "local_government", "name": "Szkoła nr 1", "nip": "5260250274"}
    other = {"role": "recipient", "name": "Magazyn"}
    async with world(tmp_path) as place:
        sold = json.dumps(sale(recipient=school)).encode()
        base = (await within(place, counter.sale(place, sold, "sale", CASHIER))).invoices[0].record
        for key, body, name in (
            ("same", wanted("80.00"), "Szkoła nr 1"),
            ("typed", {**wanted("80.00"), "sale": {**wanted("80.00")["sale"], "recipient": other}}, "Magazyn"),
        ):
            made = await within(place, counter.correct(place, base.id, json.dumps(body).encode(), key, CASHIER))
            third = read(made.invoices[1].record.xml).third_parties
            assert [each.name for each in third] == [name]
