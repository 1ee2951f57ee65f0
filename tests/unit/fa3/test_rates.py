"""The rate and value of each line of a ready FA(3), and words about a sale that is not there (art. 106e ust. 1)."""

from __future__ import annotations

import pytest

from tests.unit.fa3 import fa3_documents as documents
from tests.unit.fa3.test_supplied import check, mistakes

EXEMPT = documents.marked(Zwolnienie="<P_19>1</P_19><P_19A>art. 43 ust. 1 pkt 40</P_19A>")
REVERSED = documents.marked(P_18="1")
MARGIN = documents.marked(PMarzy="<P_PMarzy>1</P_PMarzy><P_PMarzy_3_1>1</P_PMarzy_3_1>")
ROW = "/Faktura/Fa/FaWiersz"


def row(elements: str, rate: str | None = "23", number: int = 1) -> str:
    stated = "" if rate is None else f"<P_12>{rate}</P_12>"
    return f"<FaWiersz><NrWierszaFa>{number}</NrWierszaFa><P_7>Towar</P_7>{elements}{stated}</FaWiersz>"


def priced(net: str, rate: str | None = "23", number: int = 1) -> str:
    return row(f"<P_8B>1</P_8B><P_9A>{net}</P_9A><P_11>{net}</P_11>", rate, number)


def taxed(field: str, tax: str, total: str) -> str:
    return f"<P_13_{field}>100</P_13_{field}><P_14_{field}>{tax}</P_14_{field}><P_15>{total}</P_15>"


# --- rates of another time ----------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "field", "tax"), [("22", "1", "22"), ("7", "2", "7"), ("3", "4", "3")])
def test_a_rate_that_ended_with_2010(rate: str, field: str, tax: str) -> None:
    sums = taxed(field, tax, f"1{int(tax):02}")
    today = documents.document(sums=sums, body=priced("100", rate))
    assert mistakes(today) == {("rate-not-in-force", f"{ROW}[1]/P_12")}
    for dates in ("<P_6>2010-12-31</P_6>", "<OkresFa><P_6_Od>2010-12-01</P_6_Od><P_6_Do>2010-12-31</P_6_Do></OkresFa>"):
        assert check(documents.document(dates=dates, sums=sums, body=priced("100", rate))).number
    line = priced("100", rate).replace("<P_7>", "<P_6A>2010-12-31</P_6A><P_7>")
    assert check(documents.document(sums=sums, body=line)).number
    assert mistakes(documents.document(dates="<P_6>2011-01-01</P_6>", sums=sums, body=priced("100", rate)))


def test_a_simplified_invoice_tells_the_rate_by_its_tax_alone() -> None:
    old = documents.document(kind="UPR", sums=taxed("1", "22", "122"), body="")
    assert mistakes(old) == {("rate-not-in-force", "/Faktura/Fa/P_14_1")}
    tiny = "<P_13_1>0.02</P_13_1><P_14_1>0.00</P_14_1><P_15>0.02</P_15>"
    for sums in (taxed("1", "23", "123"), tiny):
        assert check(documents.document(kind="UPR", sums=sums, body="")).number


def test_an_order_has_rates_too() -> None:
    advance = documents.ADVANCE.replace(b"<P_12Z>23", b"<P_12Z>22").replace(b"<P_11VatZ>460", b"<P_11VatZ>440")
    assert ("rate-not-in-force", "/Faktura/Fa/Zamowienie/ZamowienieWiersz[1]/P_12") in mistakes(advance)


def test_a_correction_may_have_them() -> None:
    assert check(documents.CORRECTION.replace(b"<P_12>23", b"<P_12>22")).number


# --- no rate, no value --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        (priced("100", None), "rate-missing", "[1]/P_12"),
        (priced("777", None), "rate-missing", "[1]/P_12"),
        (priced("100") + priced("50", None, 2), "rate-missing", "[2]/P_12"),
        (priced("100") + row("<P_8B>1</P_8B><P_9A>50</P_9A>", None, 2), "rate-missing", "[2]/P_12"),
        (row("<P_8B>1</P_8B><P_9A>500</P_9A>"), "line-incomplete", "[1]/P_11"),
        (row("<P_8B>1</P_8B>"), "line-incomplete", "[1]/P_11"),
    ],
)
def test_a_line_without_rate_or_value(body: str, code: str, place: str) -> None:
    assert (code, f"{ROW}{place}") in mistakes(documents.document(body=body))


def test_a_settlement_has_rates_and_values_too() -> None:
    unrated = documents.SETTLEMENT.replace(b"<P_12>23</P_12>", b"")
    assert ("rate-missing", f"{ROW}[1]/P_12") in mistakes(unrated)
    assert mistakes(documents.SETTLEMENT.replace(b"<P_11>2000</P_11>", b"")) == {("line-incomplete", f"{ROW}[1]/P_11")}


def test_texts_between_the_lines_hide_no_wrong_sum() -> None:
    text = row("", None, 2)
    assert check(documents.document(body=priced("100") + text)).number
    assert mistakes(documents.document(body=priced("90") + text)) == {("lines-contradict", "/Faktura/Fa/P_13_1")}


def test_what_is_exempt_or_of_the_margin_states_no_rate() -> None:
    exempt = documents.document(
        sums="<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_13_7>50</P_13_7><P_15>173</P_15>",
        annotations=EXEMPT,
        body=priced("100") + priced("50", None, 2),
    )
    margin = documents.document(
        sums="<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_13_11>50</P_13_11><P_15>173</P_15>",
        annotations=MARGIN,
        body=priced("100") + row("<P_11A>50</P_11A>", None, 2),
    )
    for xml in (exempt, margin):
        assert check(xml).number
        wrong = xml.replace(b"<P_9A>100</P_9A><P_11>100", b"<P_9A>90</P_9A><P_11>90")
        assert mistakes(wrong) == {("lines-contradict", "/Faktura/Fa/P_13_1")}
    assert mistakes(exempt.replace(b"50</P_9A><P_11>50", b"5</P_9A><P_11>5")) == {
        ("lines-contradict", "/Faktura/Fa/P_13_7")
    }


@pytest.mark.parametrize("elements", ["<P_11>100</P_11><P_11A>200</P_11A>", "<P_11>100</P_11><P_11Vat>23</P_11Vat>"])
def test_a_line_without_tax_contradicts_itself(elements: str) -> None:
    exempt = documents.document(
        sums="<P_13_7>100</P_13_7><P_15>100</P_15>",
        annotations=EXEMPT,
        body=row(f"<P_8B>1</P_8B>{elements}", "zw"),
    )
    assert {code for code, _ in mistakes(exempt)} == {"line-contradicts"}


# --- words ----------------------------------------------------------------------------------------------


def test_a_basis_of_an_exemption_without_exempt_sale() -> None:
    place = ("exemption-needless", "/Faktura/Fa/Adnotacje/Zwolnienie/P_19")
    assert mistakes(documents.document(annotations=EXEMPT)) == {place}
    zero = "<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_13_7>0.00</P_13_7><P_15>123</P_15>"
    assert mistakes(documents.document(annotations=EXEMPT, sums=zero)) == {place}
    gift = priced("100") + priced("0.00", "zw", 2)
    assert check(documents.document(annotations=EXEMPT, sums=zero, body=gift)).number


def test_a_simplified_invoice_names_the_basis_of_its_lines() -> None:
    xml = documents.SIMPLIFIED.replace(b"<P_12>23", b"<P_12>zw")
    assert mistakes(xml) == {("exemption-missing", "/Faktura/Fa/Adnotacje/Zwolnienie/P_19")}


def exempt_by(basis: str) -> bytes:
    named = documents.marked(Zwolnienie=f"<P_19>1</P_19><P_19A>{basis}</P_19A>")
    return documents.document(annotations=named, sums="<P_13_7>100</P_13_7><P_15>100</P_15>", body=priced("100", "zw"))


@pytest.mark.parametrize("basis", ["43.1.19", "art. 113"])
def test_a_basis_is_what_can_be_read(basis: str) -> None:
    """Of sales the same is asked (test_sale.py)."""
    assert check(exempt_by(basis)).number


@pytest.mark.parametrize("nothing", ["\u00a0", "–"])
def test_what_nobody_can_read_is_no_basis(nothing: str) -> None:
    assert mistakes(exempt_by(nothing)) == {("exemption-missing", "/Faktura/Fa/Adnotacje/Zwolnienie/P_19")}


def test_reverse_charge_beside_taxed_sales_alone() -> None:
    place = ("reverse-charge-needless", "/Faktura/Fa/Adnotacje/P_18")
    assert mistakes(documents.document(annotations=REVERSED)) == {place}
    abroad = documents.document(
        annotations=REVERSED, sums="<P_13_8>100</P_13_8><P_15>100</P_15>", body=priced("100", "np I")
    )
    assert check(abroad).number
