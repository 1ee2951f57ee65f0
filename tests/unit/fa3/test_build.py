"""FA(3) of ordinary invoices: valid by the official schema, sums right, bytes always the same."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from agent.domain import vat
from agent.domain.fa3.build import build_invoice, issue_date
from agent.domain.fa3.elements import RECEIPT_NUMBER_KEY, REGISTER_NUMBER_KEY
from agent.domain.fa3.schema import NAMESPACE
from agent.domain.fa3.view.read import read
from agent.domain.invoice import (
    Buyer,
    ExemptionBasis,
    Note,
    Payment,
    Prices,
    ReceiptLink,
    Sale,
    SaleLine,
    VatRate,
)
from tests.unit.sale.sale_samples import CONSUMER, EU_FIRM, FOREIGN, NOW, SELLER, TODAY, fa3_schema, line, sale, sales

D = Decimal


def build(this: Sale, *, number: str = "FV-1/2026/11/000001", issued_at: datetime = NOW) -> bytes:
    xml = build_invoice(this, SELLER, number=number, issued_at=issued_at, system_info="ksef-agent")
    fa3_schema().check(xml)
    return xml


def between(xml: bytes, name: str) -> list[str]:
    """Texts of all elements of that local name."""
    found = fa3_schema().check(xml).iter(f"{{{NAMESPACE}}}{name}")
    return [element.text or "" for element in found]


@given(sales())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_sale_is_valid_consistent_and_deterministic(this: Sale) -> None:
    xml = build(this)
    assert xml == build(this)
    view = read(xml)
    sums = vat.totals(this)
    assert view.gross == sums.gross
    assert sum(rate.net + (rate.tax or 0) for rate in view.rates) == view.gross
    assert sum(rate.tax or 0 for rate in view.rates) == sums.tax
    assert [entry.gross or entry.net for entry in view.lines if entry.gross or entry.net] == [
        vat.line_value(entry) for entry in this.lines if vat.line_value(entry)
    ]
    assert [entry.name for entry in view.lines] == [entry.name for entry in this.lines]
    assert [entry.quantity for entry in view.lines] == [entry.quantity for entry in this.lines]
    assert [entry.rate for entry in view.lines] == [entry.vat for entry in this.lines]
    assert view.issued_on == TODAY
    assert view.to_receipt is (this.receipt is not None)


def test_issue_date_is_polish_civil_time() -> None:
    assert issue_date(datetime(2026, 11, 24, 22, 59, 59, tzinfo=UTC)) == date(2026, 11, 24)
    assert issue_date(datetime(2026, 11, 24, 23, 0, tzinfo=UTC)) == date(2026, 11, 25)
    assert issue_date(datetime(2026, 7, 24, 22, 0, tzinfo=UTC)) == date(2026, 7, 25)
    with pytest.raises(ValueError, match="aware"):
        issue_date(datetime(2026, 11, 24, 9, 0))  # noqa: DTZ001


def test_instant_is_written_in_utc() -> None:
    xml = build(sale(), issued_at=datetime(2026, 11, 24, 23, 30, 15, 999, tzinfo=UTC))
    assert between(xml, "DataWytworzeniaFa") == ["2026-11-24T23:30:15Z"]
    assert between(xml, "P_1") == ["2026-11-25"]


def test_gross_lines_carry_gross_price_and_value_only() -> None:
    xml = build(sale(line("9.99", "1.5")))
    assert (between(xml, "P_9B"), between(xml, "P_11A")) == (["9.99"], ["14.99"])
    assert not between(xml, "P_9A")
    assert not between(xml, "P_11")


def test_net_lines_carry_net_price_and_value_only() -> None:
    xml = build(sale(line("9.99", "1.5"), prices=Prices.NET))
    assert (between(xml, "P_9A"), between(xml, "P_11")) == (["9.99"], ["14.99"])
    assert not between(xml, "P_9B")
    assert not between(xml, "P_11A")


def test_vat_is_that_of_the_fiscal_receipt() -> None:
    # The sum of per-line roundings would be 2.40 and 0.57.
    xml = build(sale(*[line("0.99")] * 3))
    assert (between(xml, "P_13_1"), between(xml, "P_14_1"), between(xml, "P_15")) == (["2.41"], ["0.56"], ["2.97"])


def test_numbers_are_written_plainly() -> None:
    xml = build(sale(line("10", "1.500"), line("0.12345678", "1000"), line("0", "3")))
    assert between(xml, "P_9B") == ["10.00", "0.12345678", "0.00"]
    assert between(xml, "P_8B") == ["1.5", "1000", "3"]


def test_discount_is_p_10_only_where_there_is_one() -> None:
    xml = build(sale(line("10", discount="2.50"), line("10")))
    assert between(xml, "P_10") == ["2.50"]
    assert between(xml, "P_11A") == ["7.50", "10.00"]


def test_22_and_23_share_their_field() -> None:
    xml = build(sale(line("123"), line("122", rate=VatRate.R22)))
    assert (between(xml, "P_13_1"), between(xml, "P_14_1")) == (["200.00"], ["45.00"])


def test_foreign_currency_shows_tax_in_pln_and_the_rate() -> None:
    this = Sale(FOREIGN, Prices.GROSS, (line("123"),), currency="EUR", exchange_rate=D("4.2517"))
    xml = build(this)
    assert between(xml, "P_14_1") == ["23.00"]
    assert between(xml, "P_14_1W") == ["97.79"]
    assert between(xml, "KursWaluty") == ["4.2517"]


def test_pln_has_no_exchange_rate() -> None:
    xml = build(sale())
    assert not between(xml, "P_14_1W")
    assert not between(xml, "KursWaluty")


@pytest.mark.parametrize(
    ("buyer", "element", "value"),
    [(CONSUMER, "BrakID", "1"), (EU_FIRM, "NrVatUE", "123456789"), (FOREIGN, "NrID", "12-3456789")],
)
def test_buyers_are_identified_by_what_they_have(buyer: Buyer, element: str, value: str) -> None:
    assert between(build(sale(buyer=buyer)), element) == [value]


def test_sale_day_stands_only_where_it_differs() -> None:
    other = date(2026, 11, 20)
    assert between(build(Sale(CONSUMER, Prices.GROSS, (line(),), sold_on=other)), "P_6") == ["2026-11-20"]
    assert not between(build(Sale(CONSUMER, Prices.GROSS, (line(),), sold_on=TODAY)), "P_6")


def test_receipt_sets_fp_and_is_named_in_the_notes() -> None:
    this = Sale(
        CONSUMER, Prices.GROSS, (line(),), receipt=ReceiptLink("123456", "EAZ 2201"), notes=(Note("Kasjer", "Ela"),)
    )
    xml = build(this)
    assert between(xml, "FP") == ["1"]
    assert between(xml, "Klucz") == [RECEIPT_NUMBER_KEY, REGISTER_NUMBER_KEY, "Kasjer"]
    assert between(xml, "Wartosc") == ["123456", "EAZ 2201", "Ela"]
    assert not between(build(sale()), "FP")


@pytest.mark.parametrize("basis", list(ExemptionBasis))
def test_exemption_names_its_basis(basis: ExemptionBasis) -> None:
    this = Sale(
        CONSUMER, Prices.GROSS, (line(rate=VatRate.EXEMPT),), exemption="art. 43 ust. 1 pkt 19", exemption_basis=basis
    )
    xml = build(this)
    assert between(xml, basis.value) == ["art. 43 ust. 1 pkt 19"]
    assert between(xml, "P_19") == ["1"]
    assert not between(xml, "P_19N")


@pytest.mark.parametrize(("rate", "mark"), [(VatRate.REVERSE_CHARGE, "1"), (VatRate.NOT_SUBJECT_I, "2")])
def test_reverse_charge_is_marked(rate: VatRate, mark: str) -> None:
    assert between(build(sale(line(rate=rate))), "P_18") == [mark]


def test_one_payment_is_paid_on_the_day() -> None:
    xml = build(Sale(CONSUMER, Prices.GROSS, (line(),), payments=(Payment("card", D(10)),)))
    assert between(xml, "Zaplacono") == ["1"]
    assert between(xml, "DataZaplaty") == ["2026-11-24"]
    assert between(xml, "FormaPlatnosci") == ["2"]


def test_mixed_payments_are_listed_and_an_unknown_word_is_kept() -> None:
    this = Sale(CONSUMER, Prices.GROSS, (line(),), payments=(Payment("cash", D(4)), Payment("żetony", D(6))))
    xml = build(this)
    assert between(xml, "ZnacznikZaplatyCzesciowej") == ["1"]
    assert between(xml, "KwotaZaplatyCzesciowej") == ["4.00"]
    assert between(xml, "OpisPlatnosci") == ["żetony"]


def test_a_transfer_is_not_called_paid() -> None:
    xml = build(Sale(CONSUMER, Prices.GROSS, (line(),), payments=(Payment("transfer", D(10)),)))
    assert between(xml, "FormaPlatnosci") == ["6"]
    assert not between(xml, "Zaplacono")
    partly = build(Sale(CONSUMER, Prices.GROSS, (line(),), payments=(Payment("cash", D(4)), Payment("transfer", D(6)))))
    assert between(partly, "ZnacznikZaplatyCzesciowej") == ["1"]
    assert between(partly, "KwotaZaplatyCzesciowej") == ["4.00"]


def test_all_annotations_are_there() -> None:
    xml = build(sale())
    for name in ("P_16", "P_17", "P_18", "P_18A", "P_23"):
        assert between(xml, name) == ["2"], name
    for name in ("P_19N", "P_22N", "P_PMarzyN"):
        assert between(xml, name) == ["1"], name
    assert (between(xml, "JST"), between(xml, "GV")) == (["2"], ["2"])


def test_markup_in_names_is_text() -> None:
    this = sale(SaleLine("<b>&\"'</b>", D(1), "szt.", D(1), VatRate.R23))
    assert between(build(this), "P_7") == ["<b>&\"'</b>"]
