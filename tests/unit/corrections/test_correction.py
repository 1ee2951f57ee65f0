"""Corrections, case by case: what is taken, what the file says, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain import vat
from agent.domain.corrections.base import BaseInvoice, LineChange, after_earlier, base_of_record, read_base, remaining
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.correction import Correction, apply_pending, with_ksef_numbers, without_awaiting
from agent.domain.corrections.external import parse_outside_base
from agent.domain.corrections.parse import named_numbers, parse_correction
from agent.domain.errors import BadInput, Conflict, FieldError
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.contradictions import contradictions
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.read import read
from agent.domain.invoice import (
    Address,
    Buyer,
    BuyerKind,
    InvoiceRecord,
    Mode,
    Payment,
    Prices,
    ReceiptLink,
    Sale,
    VatRate,
)
from agent.domain.json_io.codec import from_plain, to_plain
from agent.domain.ksef_number import NotKsefNumber
from agent.domain.lifecycle import InvoiceState
from tests.reference import FA3_SAMPLES
from tests.unit.sale.sale_samples import (
    BREAD,
    CONSUMER,
    CONSUMER_JSON,
    EU_FIRM,
    FIRM,
    KSEF_NUMBER,
    NOW,
    SELLER,
    TODAY,
    any_json,
    fa3_schema,
    line,
    sale,
)

D = Decimal
OTHER_FIRM = {"nip": "1111111111", "name": "Inna", "address": {"line1": "ul. Inna 3"}}


def issue(this: Sale, number: str = "FV/1") -> FaView:
    return read(build_invoice(this, SELLER, number=number, issued_at=NOW, system_info="ksef-agent"))


def base(*lines: object, **changes: object) -> BaseInvoice:
    """A base that KSeF has numbered; by default 3 x 10.00 at 23 % and 2 x 5.00 at 5 %."""
    this = sale(line("10.00", "3"), line("5.00", "2", VatRate.R5))
    return read_base(issue(replace(this, **changes)), ksef_number=KSEF_NUMBER)  # type: ignore[arg-type]


def correct(start: BaseInvoice, document: object, others: tuple[BaseInvoice, ...] = ()) -> Correction:
    return parse_correction(document, base=start, today=TODAY, others=others)


def build(correction: Correction, number: str = "FK/1") -> FaView:
    xml = build_correction(correction, SELLER, number=number, issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    assert xml == build_correction(correction, SELLER, number=number, issued_at=NOW, system_info="ksef-agent")
    assert list(contradictions(read(xml))) == []
    return read(xml)


def mistakes(start: BaseInvoice, document: object, others: tuple[BaseInvoice, ...] = ()) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        correct(start, document, others)
    return {error.pointer: error.code for error in caught.value.errors}


# --- what happens ---------------------------------------------------------------------------------


def test_full_return() -> None:
    view = build(correct(base(), {"kind": "full_return", "payments": [{"method": "cash", "amount": "40"}]}))
    assert view.kind == "KOR"
    assert view.gross == D("-40.00")
    assert [(rate.field, rate.net, rate.tax) for rate in view.rates] == [
        ("1", D("-24.39"), D("-5.61")),
        ("3", D("-9.52"), D("-0.48")),
    ]
    assert [(entry.number, entry.before, entry.quantity, entry.gross) for entry in view.lines] == [
        (1, True, D(3), D("30.00")),
        (1, False, D(0), D("0.00")),
        (2, True, D(2), D("10.00")),
        (2, False, D(0), D("0.00")),
    ]
    assert view.correction is not None
    assert (view.correction.reason, view.correction.effect) == ("zwrot towaru", None)
    assert [(each.number, each.issued_on, each.ksef_number) for each in view.correction.bases] == [
        ("FV/1", TODAY, KSEF_NUMBER)
    ]
    assert view.buyer.nip == FIRM.identifier


def test_partial_return_names_only_the_changed_line() -> None:
    view = build(correct(base(), {"kind": "return", "reason": "pęknięte", "lines": [{"line": 1, "quantity": "1"}]}))
    assert view.gross == D("-10.00")
    assert [rate.field for rate in view.rates] == ["1"]
    assert [(entry.quantity, entry.gross) for entry in view.lines] == [(D(3), D("30.00")), (D(2), D("20.00"))]
    assert view.correction is not None
    assert view.correction.reason == "pęknięte"


def test_the_tax_of_parts_adds_up_to_the_tax_of_the_whole() -> None:
    start = base(lines=tuple([line("0.99")] * 3))
    steps = [{"kind": "return", "lines": [{"line": number, "quantity": "1"}]} for number in (1, 2, 3)]
    taxes, files = [], []
    for step in steps:
        files.append(build(correct(start, step)))
        taxes.append(files[-1].rates[0].tax)
        start = read_base(issue(sale(*[line("0.99")] * 3)), ksef_number=KSEF_NUMBER, earlier=files)
    assert taxes == [D("-0.19"), D("-0.18"), D("-0.19")]  # 0.56 in all, as the invoice has it


def test_a_discount_shrinks_with_the_quantity() -> None:
    start = base(lines=(line("10", "3", discount="1.00"),))
    change = correct(start, {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]}).changes[0]
    assert (change.after.line.discount, change.after.value) == (D("0.67"), D("19.33"))


@pytest.mark.parametrize(("price", "gross"), [("9.99", "-0.03"), ("10.01", "0.03")])
def test_price_change(price: str, gross: str) -> None:
    """TypKorekty is not known: a correction that becomes an offline one counts in the period of its sending."""
    view = build(correct(base(), {"kind": "price", "lines": [{"line": 1, "unit_price": price}]}))
    assert view.gross == D(gross)
    assert view.correction is not None
    assert view.correction.effect is None
    assert [entry.price_gross for entry in view.lines] == [D("10.00"), D(price)]


def test_price_change_after_a_return_concerns_what_is_left() -> None:
    start = base()
    first = build(correct(start, {"kind": "return", "lines": [{"line": 1, "quantity": "2"}]}))
    again = read_base(issue(sale(line("10.00", "3"), line("5.00", "2", VatRate.R5))), ksef_number="x", earlier=[first])
    assert correct(again, {"kind": "price", "lines": [{"line": 1, "unit_price": "8"}]}).totals.gross == D("-2.00")


@pytest.mark.parametrize(
    ("document", "to_receipt"),
    [
        ({"kind": "full_return"}, True),
        ({"kind": "price", "lines": [{"line": 1, "unit_price": "9"}]}, True),
        ({"kind": "price", "lines": [{"line": 1, "unit_price": "11"}]}, False),
        ({"kind": "buyer", "buyer": {**CONSUMER_JSON, "name": "Jan Nowak"}}, True),
    ],
)
def test_more_tax_is_not_in_the_registers_report(document: object, to_receipt: bool) -> None:
    """A row with FP adds no tax (art. 109 ust. 3d): of what was not rung up, none would be paid."""
    start = base(buyer=CONSUMER, receipt=ReceiptLink("W000123", "EAZ1"))
    view = build(correct(start, document))
    assert view.to_receipt is to_receipt
    assert len(view.notes) == 2, "it names the receipt all the same"


def test_wrong_nip_is_a_correction_to_zero_and_a_new_invoice() -> None:
    start = base()
    correction = correct(
        start, {"kind": "buyer", "buyer": OTHER_FIRM, "payments": [{"method": "card", "amount": "40"}]}
    )
    view = build(correction)
    assert (view.gross, view.buyer.nip) == (D("-40.00"), FIRM.identifier)
    assert view.correction is not None
    assert view.correction.buyers_before == ()
    new = correction.replacement
    assert new is not None
    assert (new.buyer.identifier, new.sold_on) == ("1111111111", TODAY)
    assert new.payments == (Payment("card", D(40)),)
    assert issue(new, "FV/2").gross == D("40.00")


def test_the_new_invoice_holds_only_what_is_left() -> None:
    this = sale(line("10.00", "3"), line("5.00", "2", VatRate.R5))
    first = build(correct(base(), {"kind": "return", "lines": [{"line": 2, "quantity": "2"}]}))
    start = read_base(issue(this), ksef_number=KSEF_NUMBER, earlier=[first])
    correction = correct(start, {"kind": "buyer", "buyer": OTHER_FIRM})
    assert correction.replacement is not None
    assert [(entry.quantity, entry.unit_price) for entry in correction.replacement.lines] == [(D(3), D("10.00"))]


def test_a_consumer_becomes_a_firm_by_a_new_invoice() -> None:
    assert correct(base(buyer=CONSUMER), {"kind": "buyer", "buyer": OTHER_FIRM}).replacement is not None


def test_wrong_address_is_a_correction_of_data_only() -> None:
    buyer = {"nip": FIRM.identifier, "name": FIRM.name, "address": {"line1": "ul. Nowa 9"}}
    correction = correct(base(), {"kind": "buyer", "buyer": buyer})
    view = build(correction)
    assert correction.replacement is None
    assert (view.gross, view.lines, view.rates) == (D(0), (), ())
    assert view.buyer.address == Address("ul. Nowa 9")
    assert view.correction is not None
    assert view.correction.buyers_before[0].address == FIRM.address
    later = read_base(issue(sale()), ksef_number=KSEF_NUMBER, earlier=[view])
    assert later.buyer.address == Address("ul. Nowa 9")
    assert not later.corrected_collectively


def test_a_correction_of_data_settles_nothing() -> None:
    buyer = {"nip": FIRM.identifier, "name": "Nowa nazwa", "address": {"line1": "ul. Nowa 9"}}
    document = {"kind": "buyer", "buyer": buyer, "payments": [{"method": "cash", "amount": "1"}]}
    assert mistakes(base(), document) == {"/payments": "not-allowed"}


def test_a_correction_names_the_receipt_of_its_base() -> None:
    start = base(buyer=CONSUMER, receipt=ReceiptLink("77", "EAZ"))
    notes = build(correct(start, {"kind": "full_return"})).notes
    assert [(note.key, note.value) for note in notes] == [
        ("Numer paragonu fiskalnego", "77"),
        ("Numer unikatowy kasy", "EAZ"),
    ]


FOREIGN_FIRM = {"foreign_id": "12-3456789", "name": "ACME", "address": {"line1": "1 Main St", "country": "US"}}


def test_a_receipt_without_vat_number_goes_on_to_the_new_invoice() -> None:
    """Those with one never get here: test_fiscal_receipt.py."""
    start = base(buyer=CONSUMER, receipt=ReceiptLink("77", "EAZ"))
    correction = correct(start, {"kind": "buyer", "buyer": FOREIGN_FIRM})
    assert build(correction).to_receipt
    assert correction.replacement is not None
    issued = issue(correction.replacement, "FV/2")
    assert (issued.gross, issued.to_receipt, len(issued.notes)) == (D("40.00"), True, 2)


def test_a_receipt_that_is_not_named_can_not_move_to_a_new_invoice() -> None:
    with pytest.raises(Conflict, match="do paragonu"):
        correct(replace(base(buyer=CONSUMER), to_receipt=True), {"kind": "buyer", "buyer": FOREIGN_FIRM})


def test_exempt_lines_keep_their_basis_and_others_lack_it() -> None:
    mixed = base(lines=(line(rate=VatRate.EXEMPT), line()), exemption="art. 43 ust. 1 pkt 19")
    exempt = build(correct(mixed, {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]}))
    taxed = build(correct(mixed, {"kind": "return", "lines": [{"line": 2, "quantity": "1"}]}))
    assert exempt.annotations.exemption_act == "art. 43 ust. 1 pkt 19"
    assert not taxed.annotations.exempt


def test_foreign_currency_keeps_its_rate() -> None:
    start = base(currency="EUR", exchange_rate=D("4.2517"))
    view = build(correct(start, {"kind": "full_return"}))
    assert (view.currency, view.rates[0].tax_pln) == ("EUR", D("-23.85"))
    assert view.lines[0].exchange_rate == D("4.2517")


def test_the_day_of_sale_is_carried_over() -> None:
    assert build(correct(base(sold_on=date(2026, 11, 20)), {"kind": "full_return"})).sold_on == date(2026, 11, 20)


# --- waiting --------------------------------------------------------------------------------------


def test_a_base_without_number_makes_an_order_that_waits() -> None:
    order = correct(
        replace(base(), awaiting=True, reference=replace(base().reference, ksef_number=None)), {"kind": "full_return"}
    )
    assert order.awaiting == ("FV/1",)
    assert "FV/1 nie ma jeszcze numeru KSeF" in order.waiting_sentence
    with pytest.raises(ValueError, match="FV/1"):
        build(order)
    ready = with_ksef_numbers(from_plain(Correction, to_plain(order)), {"FV/1": KSEF_NUMBER, "FV/9": "?"})
    assert "nie ma jeszcze numeru" not in ready.waiting_sentence
    assert build(ready).correction.bases[0].ksef_number == KSEF_NUMBER  # type: ignore[union-attr]


def test_a_wrong_number_is_not_filled_in() -> None:
    order = correct(read_base(issue(sale())), {"kind": "full_return"})
    with pytest.raises(NotKsefNumber):
        with_ksef_numbers(order, {"FV/1": KSEF_NUMBER[:-1] + "F"})
    assert with_ksef_numbers(order, {}) == order


def test_a_base_lost_in_a_total_failure_stands_outside_ksef() -> None:
    order = without_awaiting(correct(read_base(issue(sale())), {"kind": "full_return"}), ("FV/1",))
    xml = build_correction(order, SELLER, number="FK/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    assert b"<NrKSeFN>1</NrKSeFN>" in xml


def test_waiting_orders_count_as_returned() -> None:
    start = read_base(issue(sale(line("10", "3"))))
    order = correct(start, {"kind": "return", "lines": [{"line": 1, "quantity": "2"}]})
    now = apply_pending(start, [order])
    assert mistakes(now, {"kind": "return", "lines": [{"line": 1, "quantity": "2"}]}) == {
        "/lines/0/quantity": "more-than-left"
    }
    assert now.totals.gross == D("10.00")


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        ([], "", "wrong-type"),
        ({}, "/kind", "required"),
        ({"kind": "storno"}, "/kind", "not-allowed"),
        ({"kind": "full_return", "lines": []}, "/lines", "unknown-field"),
        ({"kind": "full_return", "reason": "x" * 257}, "/reason", "too-long"),
        ({"kind": "return"}, "/lines", "required"),
        ({"kind": "return", "lines": []}, "/lines", "empty"),
        ({"kind": "return", "lines": [{"line": 3, "quantity": "1"}]}, "/lines/0/line", "unknown-line"),
        ({"kind": "return", "lines": [{"line": True, "quantity": "1"}]}, "/lines/0/line", "unknown-line"),
        ({"kind": "return", "lines": [{"line": "1", "quantity": "1"}]}, "/lines/0/line", "unknown-line"),
        ({"kind": "return", "lines": [{"quantity": "1"}]}, "/lines/0/line", "required"),
        ({"kind": "return", "lines": [{"line": 1}]}, "/lines/0/quantity", "required"),
        ({"kind": "return", "lines": [{"line": 1, "quantity": "3.001"}]}, "/lines/0/quantity", "more-than-left"),
        ({"kind": "return", "lines": [{"line": 1, "quantity": "0"}]}, "/lines/0/quantity", "not-positive"),
        ({"kind": "return", "lines": [{"line": 1, "unit_price": "1"}]}, "/lines/0/unit_price", "unknown-field"),
        ({"kind": "return", "lines": [{"line": 1, "quantity": "1"}] * 2}, "/lines/1/line", "duplicate-line"),
        ({"kind": "price", "lines": [{"line": 1, "unit_price": "10"}]}, "/lines/0/unit_price", "no-change"),
        ({"kind": "price", "lines": [{"line": 1, "unit_price": "-1"}]}, "/lines/0/unit_price", "negative"),
        (
            {"kind": "price", "lines": [{"line": 1, "unit_price": "1", "discount": "4"}]},
            "/lines/0/discount",
            "discount-too-large",
        ),
        (
            {"kind": "full_return", "payments": [{"method": "cash", "amount": "39.99"}]},
            "/payments",
            "payments-do-not-add-up",
        ),
        ({"kind": "buyer"}, "/buyer", "buyer-incomplete"),
        ({"kind": "buyer", "buyer": OTHER_FIRM | {"nip": "1111111112"}}, "/buyer/nip", "nip-checksum"),
        (
            {
                "kind": "buyer",
                "buyer": {
                    "nip": "5265877635",
                    "name": FIRM.name,
                    "address": {"line1": "ul. Polna 2", "line2": "00-002 Warszawa"},
                },
            },
            "/buyer",
            "no-change",
        ),
    ],
)
def test_mistakes(document: object, pointer: str, code: str) -> None:
    assert mistakes(base(), document)[pointer] == code


def test_a_second_full_return_is_refused() -> None:
    this = issue(sale())
    first = build(correct(read_base(this, ksef_number=KSEF_NUMBER), {"kind": "full_return"}))
    again = read_base(this, ksef_number=KSEF_NUMBER, earlier=[first])
    for document in ({"kind": "full_return"}, {"kind": "buyer", "buyer": OTHER_FIRM}):
        with pytest.raises(Conflict, match="już skorygowana do zera") as caught:
            correct(again, document)
        assert caught.value.code == "nothing-left"


def test_a_line_already_returned_is_named() -> None:
    this = sale(line(), line())
    first = build(
        correct(
            read_base(issue(this), ksef_number=KSEF_NUMBER), {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]}
        )
    )
    again = read_base(issue(this), ksef_number=KSEF_NUMBER, earlier=[first])
    with pytest.raises(BadInput, match="pozycja 1 została już zwrócona w całości"):
        correct(again, {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]})
    assert mistakes(again, {"kind": "price", "lines": [{"line": 1, "unit_price": "1"}]}) == {
        "/lines/0/line": "more-than-left"
    }


def test_the_new_buyer_must_fit_the_rates() -> None:
    start = base(lines=(line(rate=VatRate.REVERSE_CHARGE),))
    assert mistakes(start, {"kind": "buyer", "buyer": CONSUMER_JSON}) == {"/lines/0/vat": "rate-needs-nip"}


def record(state: InvoiceState, view: FaView, ksef_number: str | None = None) -> InvoiceRecord:
    return InvoiceRecord(
        id="i1",
        series="FV",
        serial=1,
        number=view.number,
        kind="VAT",
        issued_on=view.issued_on,
        issued_at=NOW,
        mode=Mode.ONLINE,
        reason="",
        seller_nip=SELLER.nip,
        buyer=FIRM,
        totals=view.totals,
        state=state,
        version=1,
        stored_xml=b"",
        sha256=b"",
        link_invoice="",
        link_certificate=None,
        deadline=None,
        deadline_state="due",
        ksef_number=ksef_number,
    )


@pytest.mark.parametrize(
    ("state", "number", "awaiting"),
    [
        (InvoiceState.ACCEPTED, KSEF_NUMBER, False),
        (InvoiceState.ISSUED, None, True),
        (InvoiceState.IN_DOUBT, None, True),
        (InvoiceState.EXEMPT, None, False),
    ],
)
def test_a_stored_invoice_as_base(state: InvoiceState, number: str | None, *, awaiting: bool) -> None:
    view = issue(sale())
    start = base_of_record(record(state, view, number), view, seller_nip=SELLER.nip)
    assert (start.awaiting, start.reference.ksef_number, start.reference.invoice_id) == (awaiting, number, "i1")


def test_bases_that_are_refused() -> None:
    view = issue(sale())
    with pytest.raises(Conflict, match="technicz") as rejected:
        base_of_record(record(InvoiceState.REJECTED, view), view, seller_nip=SELLER.nip)
    assert rejected.value.code == "base-rejected"
    with pytest.raises(Conflict, match="inny sprzedawca") as other:
        base_of_record(record(InvoiceState.ACCEPTED, view), view, seller_nip="1111111111")
    assert other.value.code == "other-seller"


def test_files_that_the_till_can_not_correct() -> None:
    view = issue(sale())
    odd = [
        replace(view, kind=build(correct(base(), {"kind": "full_return"})).kind),
        replace(view, gross=D(1)),
        replace(view, rates=(replace(view.rates[0], rates=("marża",)),)),
        replace(view, third_parties=(view.buyer,)),
        replace(view, annotations=replace(view.annotations, cash_accounting=True)),
        replace(view, lines=(replace(view.lines[0], quantity=None),)),
        replace(view, lines=(view.lines[0], view.lines[0])),
        replace(view, lines=(replace(view.lines[0], rate=None, oss_rate=D(20)),)),
    ]
    for each in odd:
        with pytest.raises(Conflict) as caught:
            read_base(each, ksef_number=KSEF_NUMBER)
        assert caught.value.code == "not-correctable"


@pytest.mark.parametrize("path", FA3_SAMPLES, ids=lambda path: path.stem)
def test_the_ministrys_examples_are_corrected_to_zero_or_refused(path: Path) -> None:
    view = read(path.read_bytes())
    try:
        start = read_base(view, ksef_number=KSEF_NUMBER)
    except Conflict as refusal:
        assert refusal.code == "not-correctable"  # noqa: PT017 - both ends are right, for different files
        return
    file = build(correct(start, {"kind": "full_return"}))
    assert file.gross == -view.gross
    assert not read_base(view, ksef_number=KSEF_NUMBER, earlier=[file]).left


def test_an_earlier_correction_by_differences_can_not_be_continued() -> None:
    view = issue(sale())
    by_difference = replace(
        build(correct(base(), {"kind": "full_return"})), lines=(replace(view.lines[0], gross=D("-10.00")),)
    )
    with pytest.raises(Conflict, match="przed i po"):
        read_base(view, ksef_number=KSEF_NUMBER, earlier=[by_difference])


def test_a_correction_of_another_invoices_line_does_not_fit() -> None:
    rows = base().rows
    stray = replace(rows[0], number=9)
    with pytest.raises(Conflict, match="pozycji 9"):
        remaining(rows, [[LineChange(stray, stray.emptied)]])


def test_too_many_lines_for_one_file() -> None:
    one = base(lines=(line("1"),))
    start = replace(one, rows=tuple(replace(one.rows[0], number=number) for number in range(1, 5002)))
    assert mistakes(start, {"kind": "full_return"}) == {"/lines": "too-many-lines"}


# --- collective -----------------------------------------------------------------------------------

PERIOD = {"kind": "collective", "period": "październik 2026", "rates": [{"vat": "23", "amount": "5"}]}


def second() -> BaseInvoice:
    view = issue(sale(line("10.00", "3")), "FV/2")
    return read_base(view, ksef_number=KSEF_NUMBER)


def test_collective_discount() -> None:
    document = PERIOD | {
        "bases": [
            {"number": "FV/2"},
            {"number": "FV/OLD", "issued_on": "2025-12-01", "outside_ksef": True},
            {"number": "FV/B7", "issued_on": "2026-10-02", "ksef_number": KSEF_NUMBER},
        ],
        "payments": [{"method": "transfer", "amount": "5.00"}],
    }
    assert named_numbers(document) == ("FV/2", "FV/OLD", "FV/B7")
    view = build(correct(base(), document, (second(),)))
    assert (view.gross, view.lines) == (D("-5.00"), ())
    assert [(rate.net, rate.tax) for rate in view.rates] == [(D("-4.07"), D("-0.93"))]
    assert view.correction is not None
    assert view.correction.period == "październik 2026"
    assert [(each.number, each.ksef_number) for each in view.correction.bases] == [
        ("FV/1", KSEF_NUMBER),
        ("FV/2", KSEF_NUMBER),
        ("FV/OLD", None),
        ("FV/B7", KSEF_NUMBER),
    ]


def test_lines_can_not_be_corrected_after_a_collective_discount() -> None:
    file = build(correct(base(), PERIOD | {"bases": [{"number": "FV/2"}]}, (second(),)))
    this = sale(line("10.00", "3"), line("5.00", "2", VatRate.R5))
    start = read_base(issue(this), ksef_number=KSEF_NUMBER, earlier=[file])
    with pytest.raises(Conflict) as caught:
        correct(start, {"kind": "full_return"})
    assert caught.value.code == "corrected-collectively"
    order = correct(base(), PERIOD | {"bases": [{"number": "FV/2"}]}, (second(),))
    pending = apply_pending(base(), [order])
    assert (pending.corrected_collectively, pending.totals) == (True, start.totals)
    second_discount = PERIOD | {"rates": [{"vat": "23", "amount": "9999"}], "bases": [{"number": "FV/2"}]}
    assert correct(start, second_discount, (second(),)).totals.gross == D("-9999.00")  # what is left is not known


def test_a_collective_discount_waits_for_every_base() -> None:
    waiting = read_base(issue(sale(line("10.00", "3")), "FV/2"))
    order = correct(base(), PERIOD | {"bases": [{"number": "FV/2"}]}, (waiting,))
    assert order.awaiting == ("FV/2",)


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"bases": None}, "/bases", "required"),
        ({"bases": []}, "/bases", "empty"),
        ({"bases": [{"number": "X"}]}, "/bases/0/issued_on", "required"),
        ({"bases": [{"number": "X", "issued_on": "2026-10-01"}]}, "/bases/0/ksef_number", "required"),
        (
            {"bases": [{"number": "X", "issued_on": "2026-12-01", "outside_ksef": True}]},
            "/bases/0/issued_on",
            "date-in-future",
        ),
        (
            {"bases": [{"number": "X", "issued_on": "2026-10-01", "ksef_number": "123"}]},
            "/bases/0/ksef_number",
            "ksef-number",
        ),
        ({"period": None}, "/period", "required"),
        ({"rates": []}, "/rates", "empty"),
        ({"rates": [{"vat": "23", "amount": "60.01"}]}, "/rates", "more-than-left"),
        ({"rates": [{"vat": "8", "amount": "1"}]}, "/rates", "more-than-left"),
        ({"rates": [{"vat": "23", "amount": "1"}] * 2}, "/rates/1/vat", "duplicate-line"),
        ({"payments": [{"method": "cash", "amount": "4"}]}, "/payments", "payments-do-not-add-up"),
    ],
)
def test_mistakes_of_a_collective_discount(changes: dict[str, object], pointer: str, code: str) -> None:
    document = PERIOD | {"bases": [{"number": "FV/2"}]} | changes
    assert mistakes(base(), document, (second(),))[pointer] == code


@pytest.mark.parametrize("first", [True, False])
def test_invoices_to_receipts_have_a_collective_discount_of_their_own(first: bool) -> None:
    """One row cannot be with FP and without it (art. 109 ust. 3d)."""
    document = PERIOD | {"bases": [{"number": "FV/2"}]}
    start, other = replace(base(), to_receipt=first), replace(second(), to_receipt=not first)
    assert mistakes(start, document, (other,)) == {"/bases/0/number": "not-allowed"}
    both = correct(replace(base(), to_receipt=True), document, (replace(second(), to_receipt=True),))
    assert build(both).to_receipt


def test_a_collective_discount_may_take_all_that_is_left() -> None:
    everything = PERIOD | {"bases": [{"number": "FV/2"}], "rates": [{"vat": "23", "amount": "60.00"}]}
    assert correct(base(), everything, (second(),)).totals.gross == D("-60.00")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Buyer(BuyerKind.NONE, name="Jan Kos"), Buyer(BuyerKind.NONE, name="Anna Kos"), False),
        (Buyer(BuyerKind.NONE, name="Jan Kos"), Buyer(BuyerKind.NONE, name="JAN  KOS"), True),
        (
            Buyer(BuyerKind.NONE, name="Jan Kos", address=Address("Polna 1")),
            Buyer(BuyerKind.NONE, name="Jan Kos", address=Address("Polna 2")),
            False,
        ),
        (Buyer(BuyerKind.EU_VAT, "123456789", "DE"), Buyer(BuyerKind.EU_VAT, "123456789", "EE"), False),
        (Buyer(BuyerKind.EU_VAT, "123456789", "DE", name="A"), Buyer(BuyerKind.EU_VAT, "123456789", "DE"), True),
    ],
)
def test_buyers_of_one_kind_are_told_apart(one: Buyer, other: Buyer, same: bool) -> None:
    first, document = replace(base(), buyer=one), PERIOD | {"bases": [{"number": "FV/2"}]}
    others = (replace(second(), buyer=other),)
    if same:
        assert correct(first, document, others).buyer == one
    else:
        assert mistakes(first, document, others) == {"/bases/0/number": "other-buyer"}


def test_all_bases_have_one_buyer() -> None:
    other = replace(second(), buyer=Buyer(BuyerKind.NIP, "1111111111"))
    assert mistakes(base(), PERIOD | {"bases": [{"number": "FV/2"}]}, (other,)) == {"/bases/0/number": "other-buyer"}
    in_euro = replace(second(), currency="EUR")
    assert mistakes(base(), PERIOD | {"bases": [{"number": "FV/2"}]}, (in_euro,)) == {"/bases/0/number": "not-allowed"}


def test_named_numbers_never_raises() -> None:
    documents: tuple[object, ...] = (None, [], {}, {"bases": 1}, {"bases": [1, {}, {"number": 2}]})
    for document in documents:
        assert named_numbers(document) == ()


# --- bases from elsewhere -------------------------------------------------------------------------


def described(**changes: object) -> dict[str, object]:
    document: dict[str, object] = {
        "number": "FV/2025/7",
        "issued_on": "2025-12-01",
        "outside_ksef": True,
        "prices": "gross",
        "lines": [BREAD],
        "buyer": OTHER_FIRM,
    }
    return {name: value for name, value in (document | changes).items() if value is not None}


def test_a_base_from_outside_ksef() -> None:
    start = parse_outside_base(described(), seller_nip=SELLER.nip, today=TODAY)
    view = build(correct(start, {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]}))
    assert view.gross == D("-6.15")
    assert view.correction is not None
    assert view.correction.bases[0].ksef_number is None


def test_what_was_returned_of_it_here_before_counts() -> None:
    start = parse_outside_base(described(), seller_nip=SELLER.nip, today=TODAY)
    file = build(correct(start, {"kind": "full_return"}))
    again = after_earlier(parse_outside_base(described(), seller_nip=SELLER.nip, today=TODAY), [file])
    with pytest.raises(Conflict, match="już skorygowana do zera"):
        correct(again, {"kind": "full_return"})


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"number": None}, "/base/number", "required"),
        ({"issued_on": None}, "/base/issued_on", "required"),
        ({"issued_on": "2026-12-01"}, "/base/issued_on", "date-in-future"),
        ({"outside_ksef": None}, "/base/ksef_number", "required"),
        ({"ksef_number": KSEF_NUMBER}, "/base/ksef_number", "required"),
        ({"outside_ksef": "tak"}, "/base/outside_ksef", "wrong-type"),
        (
            {"outside_ksef": None, "ksef_number": "5265877635-20250826-0100001AF629-AF"},
            "/base/ksef_number",
            "other-seller",
        ),
        ({"lines": [BREAD | {"quantity": "0"}]}, "/base/lines/0/quantity", "not-positive"),
        ({"lines": [BREAD | {"vat": "oo"}], "buyer": None}, "/base/lines/0/vat", "rate-needs-nip"),
    ],
)
def test_mistakes_of_a_base_from_elsewhere(changes: dict[str, object], pointer: str, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_outside_base(described(**changes), seller_nip=SELLER.nip, today=TODAY, pointer="/base")
    assert {error.pointer: error.code for error in caught.value.errors}[pointer] == code


@pytest.mark.parametrize(
    ("issued_on", "taken"),
    [(date(2005, 12, 31), False), (date(2006, 1, 1), True), (TODAY, True), (TODAY + timedelta(days=1), False)],
)
def test_a_base_from_elsewhere_is_of_the_schemas_days_up_to_today(issued_on: date, *, taken: bool) -> None:
    document = described(issued_on=issued_on.isoformat())
    if taken:
        assert parse_outside_base(document, seller_nip=SELLER.nip, today=TODAY).reference.issued_on == issued_on
        return
    with pytest.raises(BadInput) as caught:
        parse_outside_base(document, seller_nip=SELLER.nip, today=TODAY)
    assert [(each.pointer, each.code) for each in caught.value.errors] == [("/issued_on", "date-in-future")]


def test_net_prices() -> None:
    start = base(prices=Prices.NET)
    view = build(correct(start, {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]}))
    assert (view.gross, view.lines[0].price_net, view.lines[0].net) == (D("-12.30"), D("10.00"), D("30.00"))
    assert vat.totals(sale()).gross == D("10.00")


@given(
    st.sampled_from(("return", "price", "buyer", "collective", "full_return")),
    st.dictionaries(st.sampled_from(("lines", "buyer", "payments", "period", "bases", "rates", "reason")), any_json()),
    st.dictionaries(
        st.sampled_from(
            ("line", "quantity", "unit_price", "number", "issued_on", "outside_ksef", "ksef_number", "vat")
        ),
        any_json(),
    ),
)
@settings(max_examples=80, deadline=None)
def test_any_document_is_taken_or_refused_in_words(
    kind: str, fields: dict[str, object], item: dict[str, object]
) -> None:
    documents: list[object] = [{"kind": kind} | fields]
    documents.append({"kind": kind, "lines": [item], "bases": [item], "rates": [item]})
    for document in documents:
        for error in refusal_of(document):
            assert error.message.isprintable()
            error.pointer.encode()


BASE = base()


def refusal_of(document: object) -> tuple[FieldError, ...]:
    try:
        correct(BASE, document)
    except BadInput as refusal:
        return refusal.errors
    return ()


# --- found by reading the law against the code ------------------------------------------------------


def test_the_tax_in_pln_of_parts_adds_up_to_that_of_the_whole() -> None:
    abroad = replace(sale(*[line("1.00")] * 3), currency="EUR", exchange_rate=D("4.2517"))
    start, files = read_base(issue(abroad), ksef_number=KSEF_NUMBER), []
    for number in (1, 2, 3):
        files.append(build(correct(start, {"kind": "return", "lines": [{"line": number, "quantity": "1"}]})))
        start = read_base(issue(abroad), ksef_number=KSEF_NUMBER, earlier=files)
    taxes = [file.rates[0].tax_pln or D(0) for file in files]
    assert sum(taxes) == -(issue(abroad).rates[0].tax_pln or D(0))


@pytest.mark.parametrize("rate", [VatRate.ZERO_WDT, VatRate.NOT_SUBJECT_II])
def test_supplies_to_the_union_carry_the_sellers_prefix(rate: VatRate) -> None:
    """Art. 106e ust. 1 pkt 24, art. 97 ust. 10 pkt 2 i 3."""
    union = sale(line(rate=rate), buyer=EU_FIRM)
    assert issue(union).seller.prefix == "PL"
    start = read_base(issue(union), ksef_number=KSEF_NUMBER)
    assert build(correct(start, {"kind": "full_return"})).seller.prefix == "PL"
    assert issue(sale()).seller.prefix is None


def odd_discount() -> BaseInvoice:
    """A ready document whose P_10 is meant per piece: 10 x (10.00 - 1.00)."""
    view = issue(sale(line("10.00", "10", discount="10.00")))
    return read_base(replace(view, lines=(replace(view.lines[0], discount=D("1.00")),)), ksef_number=KSEF_NUMBER)


def test_a_line_that_is_not_quantity_times_price_gets_no_new_price_here() -> None:
    wanted = {"kind": "price", "lines": [{"line": 1, "unit_price": "9.00"}]}
    assert mistakes(odd_discount(), wanted) == {"/lines/0/line": "not-correctable"}
    assert build(correct(odd_discount(), {"kind": "full_return"})).gross == D("-90.00")


def test_nor_a_new_invoice_to_another_buyer() -> None:
    with pytest.raises(Conflict) as caught:
        correct(odd_discount(), {"kind": "buyer", "buyer": OTHER_FIRM})
    assert caught.value.code == "not-correctable"


def collective(rate: str, *bases: str) -> dict[str, object]:
    return {
        "kind": "collective",
        "period": "listopad 2026",
        "rates": [{"vat": rate, "amount": "1.00"}],
        "bases": [{"number": number} for number in bases],
    }


def other_base(**changes: object) -> BaseInvoice:
    start = base(**changes)
    return replace(start, reference=replace(start.reference, number="FV/2"))


def test_a_collective_correction_takes_the_basis_of_any_of_its_bases() -> None:
    exempt = other_base(lines=(line(rate=VatRate.EXEMPT),), exemption="art. 43 ust. 1 pkt 19")
    view = build(correct(base(), collective("zw", "FV/2"), (exempt,)))
    assert view.annotations.exemption_act == "art. 43 ust. 1 pkt 19"


def test_a_collective_correction_without_any_basis_is_refused() -> None:
    described = collective("zw") | {
        "bases": [{"number": "STARA/1", "issued_on": "2026-11-02", "outside_ksef": True}],
    }
    assert mistakes(base(), described) == {"/rates": "exemption-missing"}


def test_a_collective_correction_has_one_exchange_rate() -> None:
    one, other = (
        other_base(currency="EUR", exchange_rate=D(rate))
        if rate == "4.30"
        else base(currency="EUR", exchange_rate=D(rate))
        for rate in ("4.25", "4.30")
    )
    assert mistakes(one, collective("23", "FV/2"), (other,)) == {"/bases/0/number": "not-allowed"}


@pytest.mark.parametrize("rates", [("4.25", "4.30"), (None, None)], ids=["two rates", "no rate"])
def test_a_foreign_base_needs_one_exchange_rate(rates: tuple[str | None, str | None]) -> None:
    view = issue(replace(sale(line(), line()), currency="EUR", exchange_rate=D("4.25")))
    lines = tuple(
        replace(each, exchange_rate=None if rate is None else D(rate))
        for each, rate in zip(view.lines, rates, strict=True)
    )
    with pytest.raises(Conflict) as caught:
        read_base(replace(view, lines=lines), ksef_number=KSEF_NUMBER)
    assert caught.value.code == "not-correctable"


def test_money_given_back_at_once_keeps_its_day_while_the_correction_waits() -> None:
    wanted = {"kind": "full_return", "payments": [{"method": "cash", "amount": "40.00"}]}
    order = correct(replace(base(), awaiting=True), wanted)
    later = build_correction(
        with_ksef_numbers(from_plain(Correction, to_plain(order)), {"FV/1": KSEF_NUMBER}),
        SELLER,
        number="FK/1",
        issued_at=NOW + timedelta(days=3),
        system_info="ksef-agent",
    )
    view = read(later)
    assert view.payment is not None
    assert (view.issued_on, view.payment.paid_on) == (TODAY + timedelta(days=3), TODAY)


# --- what follows from the place of supply ----------------------------------------------------------------

EU_JSON = {"eu_vat": "DE123456789", "name": "Kunde GmbH & Co", "address": {"line1": "Weg 1", "country": "DE"}}
FIRM_JSON = {"nip": FIRM.identifier, "name": "Nowa nazwa", "address": {"line1": "ul. Nowa 9"}}
NAME_ONLY, PRICE_OF_ANOTHER = "buyer", "price"


@pytest.mark.parametrize("kind", [NAME_ONLY, PRICE_OF_ANOTHER])
@pytest.mark.parametrize(
    ("rate", "abroad", "prefix"),
    [(VatRate.NOT_SUBJECT_I, True, None), (VatRate.NOT_SUBJECT_II, True, "PL"), (VatRate.ZERO_WDT, False, "PL")],
)
def test_a_correction_beside_a_supply_abroad_stays_one_of_it(
    kind: str, rate: VatRate, abroad: bool, prefix: str | None
) -> None:
    """Art. 106gb ust. 4 pkt 1 and art. 106e ust. 1 pkt 24 hold for the invoice, and so for what corrects it."""
    domestic = rate is VatRate.NOT_SUBJECT_I
    start = base(lines=(line("10.00", rate=rate), line("5.00")), buyer=FIRM if domestic else EU_FIRM)
    document = {
        NAME_ONLY: {"kind": "buyer", "buyer": FIRM_JSON if domestic else EU_JSON},
        PRICE_OF_ANOTHER: {"kind": "price", "lines": [{"line": 2, "unit_price": "4.00"}]},
    }[kind]
    order = correct(start, document)
    view = build(order)
    assert order.totals.supplied_abroad is abroad
    assert view.seller.prefix == prefix
    assert [each.label for each in view.rates] == ([] if kind == NAME_ONLY else ["23"])
    assert order.totals.gross == (0 if kind == NAME_ONLY else D("-1.00"))
