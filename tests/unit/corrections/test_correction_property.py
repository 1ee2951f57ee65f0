"""Corrections of random sales: whatever is returned or repriced, the files add up to what is left."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain import vat
from agent.domain.corrections.base import BaseInvoice, read_base
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.correction import Correction, apply_pending, with_ksef_numbers
from agent.domain.corrections.parse import parse_correction
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.contradictions import contradictions
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Payment, Sale, Totals
from agent.domain.json_io.codec import from_plain, to_plain
from tests.unit.sale.sale_samples import KSEF_NUMBER, NOW, SELLER, TODAY, fa3_schema, sales

LAX = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def issue(this: Sale) -> FaView:
    xml = build_invoice(this, SELLER, number="FV/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    return read(xml)


def build(correction: Correction, position: int) -> FaView:
    xml = build_correction(correction, SELLER, number=f"FK/{position}", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    view = read(xml)
    assert list(contradictions(view)) == []  # a technical correction of it comes back as a ready document
    return view


@st.composite
def steps(draw: st.DrawFn, base: BaseInvoice) -> dict[str, object]:
    """A correction that the base still allows."""
    kind = draw(st.sampled_from(("return", "return", "price", "full_return")))
    if kind == "full_return":
        return {"kind": kind}
    chosen = draw(st.lists(st.sampled_from(base.left), min_size=1, unique_by=lambda row: row.number))
    lines: list[dict[str, object]] = []
    for row in chosen:
        if kind == "return":
            most = int(row.line.quantity * 1000)
            part = Decimal(draw(st.one_of(st.just(most), st.integers(1, max(1, most))))) / 1000
            lines.append({"line": row.number, "quantity": str(min(part, row.line.quantity))})
        else:
            price = row.line.unit_price + draw(st.decimals("0.01", "5", places=2))
            lines.append({"line": row.number, "unit_price": str(price)})
    return {"kind": kind, "lines": lines}


def left(base: BaseInvoice) -> Totals:
    return vat.totals_of(((row.line.vat, row.value) for row in base.rows), base.prices, base.currency)


def assert_adds_up(base: BaseInvoice, files: list[FaView]) -> None:
    """The stated sums of the invoice and all its corrections are those of the lines that are left."""
    expected = vat.by_field(left(base))
    assert sum(view.gross for view in files) == left(base).gross
    for field, total in expected.items():
        stated = [rate for view in files for rate in view.rates if rate.field == field]
        assert sum(rate.net for rate in stated) == total.net, field
        assert sum(rate.tax or 0 for rate in stated) == total.tax, field


@given(st.data(), sales(max_lines=5))
@LAX
def test_corrections_bring_the_sum_to_what_is_left(data: st.DataObject, this: Sale) -> None:
    view = issue(this)
    files = [view]
    base = read_base(view, ksef_number=KSEF_NUMBER)
    while base.left and len(files) < 5:
        correction = parse_correction(data.draw(steps(base)), base=base, today=TODAY)
        files.append(build(correction, len(files)))
        base = read_base(view, ksef_number=KSEF_NUMBER, earlier=files[1:])
        assert_adds_up(base, files)
    if base.left:
        files.append(build(parse_correction({"kind": "full_return"}, base=base, today=TODAY), len(files)))
    assert sum(entry.gross for entry in files) == 0
    assert sum(rate.net for entry in files for rate in entry.rates) == 0
    assert sum(rate.tax or 0 for entry in files for rate in entry.rates) == 0
    assert sum(rate.tax_pln or 0 for entry in files for rate in entry.rates) == 0
    assert not read_base(view, ksef_number=KSEF_NUMBER, earlier=files[1:]).left


@given(st.data(), sales(max_lines=4))
@LAX
def test_orders_held_back_give_the_same_files_as_corrections_made_at_once(data: st.DataObject, this: Sale) -> None:
    view = issue(this)
    orders: list[Correction] = []
    base = read_base(view)
    while base.left and len(orders) < 3:
        order = parse_correction(data.draw(steps(base)), base=base, today=TODAY)
        assert order.awaiting == ("FV/1",)
        assert from_plain(Correction, to_plain(order)) == order
        orders.append(order)
        base = apply_pending(read_base(view), orders)
    files = [view] + [
        build(with_ksef_numbers(order, {"FV/1": KSEF_NUMBER}), n) for n, order in enumerate(orders, start=1)
    ]
    later = read_base(view, ksef_number=KSEF_NUMBER, earlier=files[1:])
    assert (later.rows, later.totals) == (base.rows, base.totals)
    assert_adds_up(later, files)


@given(sales(max_lines=4))
@LAX
def test_refund_is_the_difference(this: Sale) -> None:
    base = read_base(issue(this), ksef_number=KSEF_NUMBER)
    total = base.totals.gross
    document: dict[str, object] = {"kind": "full_return"}
    if total:
        document["payments"] = [{"method": "cash", "amount": str(total)}]
    correction = parse_correction(document, base=base, today=TODAY)
    assert correction.totals.gross == -total
    assert correction.payments == ((Payment("cash", -total),) if total else ())
    build(correction, 1)
