"""KFS: what the shop's program took back or repriced is what our correction says, to the grosz, or it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import vat
from agent.domain.corrections.base import BaseInvoice, read_base
from agent.domain.corrections.correction import Correction, CorrectionKind
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import BadInput
from agent.domain.exchange.correction import ExchangeCorrection, correction_of
from agent.domain.exchange.file import read_file
from agent.domain.exchange.sale import Conventions, sale_of
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.view.read import read
from agent.domain.sale.parse import parse_sale
from tests.fakes.exchange import SELLER_NIP, Bare, Item, Paperwork, cents, epp, money
from tests.unit.sale.sale_samples import KSEF_NUMBER, NOW, SELLER, TODAY

D = Decimal
CONVENTIONS = Conventions(SELLER_NIP, exemption="art. 43 ust. 1 pkt 19")
COFFEE = Item("KAWA", "Kawa ziarnista 1 kg", D("64.90"), D(3))
BREAD = Item("CHLEB", "Chleb żytni", D("9.80"), D("1.5"), rate="5", unit="kg")


def base_of(items: Sequence[Item], *, net_prices: bool = False) -> BaseInvoice:
    """The invoice that this till made of the shop's FS."""
    found = read_file(epp(Paperwork(items, net_prices=net_prices)))
    sale = parse_sale(sale_of(found, found.documents[0], CONVENTIONS).document, today=TODAY)
    xml = build_invoice(sale, SELLER, number="FV-1/1", issued_at=NOW, system_info="ksef-agent")
    return read_base(read(xml), ksef_number=KSEF_NUMBER)


def kfs(*items: Item, net_prices: bool = False, after_state: bool = False, **paper: Any) -> ExchangeCorrection:
    """A correction as the program writes it; its header has the differences, or with ``after_state`` what is left."""
    befores = [item.before for item in items if item.before is not None]
    after, before = (Paperwork(each, net_prices=net_prices).sums() for each in (items, befores))
    sums = after if after_state else tuple(one - other for one, other in zip(after, before, strict=True))
    written = dict(zip((28, 29, 30), (money(value) for value in sums), strict=True))
    fields = {8: "FS 12/2026", 9: Bare("20261124000000")} | written | paper.pop("fields", {})
    catalogues = paper.pop("catalogues", None)
    document = Paperwork(items, kind="KFS", number="KFS 3/2026", net_prices=net_prices, fields=fields, **paper)
    found = read_file(epp(document, catalogues=catalogues))
    return correction_of(found, found.documents[0], CONVENTIONS)


def correct(request: ExchangeCorrection, base: BaseInvoice) -> Correction:
    correction = parse_correction(request.document(base), base=base, today=TODAY)
    request.check(correction, base)
    return correction


def after(item: Item, **changes: Any) -> Item:
    return replace(item, before=item, **changes)


def refused(request: ExchangeCorrection, base: BaseInvoice) -> BadInput:
    with pytest.raises(BadInput) as caught:
        correct(request, base)
    return caught.value


@st.composite
def corrected(draw: st.DrawFn) -> tuple[list[Item], list[Item], bool]:
    """Lines of an invoice, and those lines after a return or a change of prices."""
    net_prices, reprice = draw(st.booleans()), draw(st.booleans())
    count = draw(st.integers(1, 5))
    before, changed = [], []
    for number in range(count):
        item = Item(
            f"T{number}",
            f"Towar {number}",
            draw(st.decimals(D("0.50"), D("900"), places=2)),
            draw(st.integers(1, 9).map(D)),
            draw(st.sampled_from(("23", "8", "5", "zw"))),
        )
        before.append(item)
        if not draw(st.booleans()):
            changed.append(after(item))
        elif reprice:
            changed.append(after(item, price=item.price + draw(st.decimals(D("-0.40"), D("3"), places=2))))
        else:
            changed.append(after(item, quantity=item.quantity - draw(st.integers(1, int(item.quantity)))))
    return before, changed, net_prices


@given(corrected(), st.booleans())
def test_the_correction_is_the_difference_that_the_program_shows(
    case: tuple[list[Item], list[Item], bool], after_state: bool
) -> None:
    before, changed, net_prices = case
    base = base_of(before, net_prices=net_prices)
    request = kfs(*changed, net_prices=net_prices, after_state=after_state)
    if all(
        item.value == item.before.value and item.quantity == item.before.quantity for item in changed if item.before
    ):
        assert request.document(base)["kind"] == "buyer"
        return
    correction = correct(request, base)
    was, now = (Paperwork(each, net_prices=net_prices).sums() for each in (before, changed))
    sums = correction.totals
    assert (sums.net, sums.tax, sums.gross) == tuple(one - other for one, other in zip(now, was, strict=True))


def test_a_return_names_the_line_even_where_only_changed_lines_are_written() -> None:
    base = base_of([COFFEE, BREAD])
    correction = correct(kfs(after(BREAD, quantity=D("0.5"))), base)
    assert correction.kind is CorrectionKind.RETURN
    assert [change.before.number for change in correction.changes] == [2]
    assert correction.totals.gross == D("-9.80")


def test_two_lines_alike_are_told_by_their_place() -> None:
    base = base_of([COFFEE, BREAD, COFFEE])
    request = kfs(after(COFFEE), after(BREAD), after(COFFEE, quantity=D(1)))
    assert [change.before.number for change in correct(request, base).changes] == [3]
    assert refused(kfs(after(BREAD), after(COFFEE, quantity=D(1))), base).code == "epp-base"


def test_reasons() -> None:
    request = kfs(after(COFFEE, quantity=D(2)), catalogues={"PRZYCZYNYKOREKT": ['"KFS 3/2026",1,"uszkodzone"']})
    assert correct(request, base_of([COFFEE])).reason == "uszkodzone"
    assert correct(kfs(after(COFFEE, quantity=D(2))), base_of([COFFEE])).reason == "zwrot towaru"


def test_buyer_data_alone() -> None:
    request = kfs(after(COFFEE), fields={14: "Firma Nowa sp. z o.o."})
    correction = correct(request, base_of([COFFEE]))
    assert correction.kind is CorrectionKind.BUYER
    assert correction.buyer.name == "Firma Nowa sp. z o.o."


def test_another_number_of_the_buyer_makes_two_documents() -> None:
    request = kfs(after(COFFEE), fields={18: "5260250274"})
    correction = correct(request, base_of([COFFEE]))
    assert correction.replacement is not None
    assert correction.replacement.buyer.identifier == "5260250274"


def test_a_line_that_is_in_another_state_here() -> None:
    error = refused(kfs(after(COFFEE, quantity=D(2))), base_of([replace(COFFEE, quantity=D(2))]))
    assert error.code == "epp-base"
    assert "3 × za 194,70" in error.detail
    assert "2 × za 129,80" in error.detail
    assert refused(kfs(after(COFFEE, quantity=D(2))), base_of([BREAD])).code == "epp-base"


@pytest.mark.parametrize("change", [{"quantity": D(4)}, {"quantity": D(2), "price": D("60.00")}])
def test_changes_that_are_no_correction_of_a_till(change: dict[str, Any]) -> None:
    assert refused(kfs(after(COFFEE, **change)), base_of([COFFEE])).code == "epp-unsupported"


def test_another_rate() -> None:
    with pytest.raises(BadInput) as caught:
        kfs(after(COFFEE, rate="8"))
    assert [error.code for error in caught.value.errors] == ["epp-unsupported"]


def test_a_correction_in_other_prices_than_its_invoice() -> None:
    assert refused(kfs(after(COFFEE, quantity=D(2)), net_prices=True), base_of([COFFEE])).code == "epp-base"


def test_a_grosz_of_difference_is_refused() -> None:
    sums = Paperwork([COFFEE]).sums()
    wrong = {28: money(sums[0] - D("0.01"))}
    error = refused(kfs(after(COFFEE, quantity=D(2)), fields=wrong), base_of([COFFEE]))
    assert error.code == "epp-sums-differ"


def test_without_the_state_before_or_the_invoice_there_is_nothing_to_correct() -> None:
    with pytest.raises(BadInput) as caught:
        kfs(COFFEE, fields={8: ""})
    assert {error.code for error in caught.value.errors} == {"epp-base", "epp-malformed"}


def test_a_return_of_a_discounted_line() -> None:
    discounted = replace(COFFEE, discount=D("19.47"))
    left = after(discounted, quantity=D(1), discount=cents(Fraction(discounted.discount) / 3))
    correction = correct(kfs(left), base_of([discounted]))
    assert correction.totals.gross == left.value - discounted.value
    assert vat.line_value(correction.changes[0].after.line) == left.value
