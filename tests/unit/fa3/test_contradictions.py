"""A ready FA(3) that contradicts itself is refused with the place; every honest way of writing one is taken."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.contradictions import contradictions
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Sale
from tests.reference import FA3_SAMPLES
from tests.unit.fa3 import fa3_documents as documents
from tests.unit.fa3.test_supplied import SCHEMA, check, refusal
from tests.unit.sale.sale_samples import NOW, SELLER, sales

SUMS = "<P_13_1>100</P_13_1><P_14_1>23</P_14_1>"
P_15 = "<P_15>123</P_15>"
NET_LINE = (
    "<FaWiersz><NrWierszaFa>1</NrWierszaFa><P_7>Towar</P_7><P_8A>szt.</P_8A><P_8B>1</P_8B><P_9A>100.00</P_9A>"
    "<P_11>100.00</P_11><P_12>23</P_12></FaWiersz>"
)
SECOND = "<FaWiersz><NrWierszaFa>2</NrWierszaFa><P_7>Ciastko</P_7><P_8B>1</P_8B>{0}<P_12>{1}</P_12></FaWiersz>"


def found(xml: bytes) -> list[tuple[str, str]]:
    SCHEMA.check(xml)
    return [(error.code, error.pointer.removeprefix("/Faktura/Fa/")) for error in contradictions(read(xml))]


def line(elements: str, rate: str = "<P_12>23</P_12>", number: int = 1) -> str:
    return f"<FaWiersz><NrWierszaFa>{number}</NrWierszaFa><P_7>Towar</P_7>{elements}{rate}</FaWiersz>"


def settled(elements: str) -> str:
    return f"{documents.ONE_LINE}<Rozliczenie>{elements}</Rozliczenie>"


def paid(marker: str, *amounts: str) -> str:
    parts = "".join(
        f"<ZaplataCzesciowa><KwotaZaplatyCzesciowej>{each}</KwotaZaplatyCzesciowej>"
        "<DataZaplatyCzesciowej>2026-11-20</DataZaplatyCzesciowej><FormaPlatnosci>1</FormaPlatnosci></ZaplataCzesciowa>"
        for each in amounts
    )
    marked = f"<ZnacznikZaplatyCzesciowej>{marker}</ZnacznikZaplatyCzesciowej>"
    return f"{documents.ONE_LINE}<Platnosc>{marked}{parts}</Platnosc>"


# --- rates and lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["2", "3", "4", "5", "6_1", "6_2", "6_3", "7", "8", "9", "10", "11"])
def test_a_sum_of_zero_is_no_such_sale(field: str) -> None:
    """Shop systems fill every field: P_13_7 = 0.00 wants no basis of an exemption, and no empty rate on paper."""
    zero = f"<P_13_{field}>0.00</P_13_{field}>"
    if field in {"2", "3", "4", "5"}:
        zero += f"<P_14_{field}>0.00</P_14_{field}>"
    ready = check(documents.document(sums=f"{SUMS}{zero}{P_15}"))
    assert [rate.label for rate in ready.view.rates] == ["23"]
    assert [rate.rate for rate in ready.totals.rates] == ["23"]


def test_nothing_is_converted_on_an_invoice_in_pln() -> None:
    filled = f"<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_14_1W>0.00</P_14_1W>{P_15}"
    assert [rate.tax_pln for rate in check(documents.document(sums=filled)).view.rates] == [None]
    wrong = filled.replace("0.00", "5.00")
    assert found(documents.document(sums=wrong)) == [("tax-in-pln-contradicts", "P_14_1W")]


@pytest.mark.parametrize(
    "elements",
    [
        "<P_8B>1</P_8B><P_9A>100</P_9A><P_9B>0.00</P_9B><P_11>100</P_11><P_11A>0.00</P_11A><P_11Vat>0.00</P_11Vat>",
        "<P_8B>1</P_8B><P_9A>0.00</P_9A><P_9B>123</P_9B><P_11>0.00</P_11><P_11A>123</P_11A><P_11Vat>0.00</P_11Vat>",
    ],
)
def test_a_line_whose_other_prices_are_only_filled_in(elements: str) -> None:
    (read_line,) = check(documents.document(body=line(elements))).view.lines
    told = (read_line.price_net, read_line.net, read_line.price_gross, read_line.gross)
    assert sorted(value for value in told if value is not None) in ([100, 100], [123, 123])
    assert read_line.tax is None


def test_a_line_of_zero_keeps_its_rate() -> None:
    gift = SECOND.format("<P_9A>0</P_9A><P_11>0.00</P_11>", "8")
    xml = documents.document(sums=f"{SUMS}<P_13_2>0</P_13_2><P_14_2>0</P_14_2>{P_15}", body=documents.ONE_LINE + gift)
    assert [rate.label for rate in check(xml).view.rates] == ["23", "8"]


@pytest.mark.parametrize("rate", ["8", "5", "zw", "0 KR", "0 WDT", "0 EX", "np I", "np II", "oo", "4"])
def test_a_rate_of_the_lines_has_its_sum(rate: str) -> None:
    xml = documents.document(body=documents.ONE_LINE + SECOND.format("<P_9A>55</P_9A><P_11>55.00</P_11>", rate))
    assert [code for code, _ in found(xml)] == ["rate-sum-missing"]


def test_a_line_of_oss_has_its_sum() -> None:
    oss = line("<P_8B>1</P_8B><P_11>55.00</P_11>", "<P_12_XII>19</P_12_XII>", 2)
    assert found(documents.document(body=documents.ONE_LINE + oss)) == [("rate-sum-missing", "P_13_5")]


@pytest.mark.parametrize(
    ("sums", "place"),
    [
        ("<P_13_2>100</P_13_2><P_14_2>8</P_14_2><P_15>231</P_15>", "P_13_2"),
        ("<P_13_7>108</P_13_7><P_15>231</P_15>", "P_13_7"),
        ("<P_13_8>108</P_13_8><P_15>231</P_15>", "P_13_8"),
    ],
)
def test_a_sum_has_its_lines(sums: str, place: str) -> None:
    exempt = documents.marked(Zwolnienie="<P_19>1</P_19><P_19A>art. 43 ust. 1</P_19A>")
    xml = documents.document(sums=SUMS + sums, annotations=exempt if "P_13_7" in sums else documents.ANNOTATIONS)
    assert found(xml) == [("rate-lines-missing", place)]


@pytest.mark.parametrize("rate", ["np I", "np II", "zw", "0 EX"])
def test_lines_of_another_rate_than_the_sum(rate: str) -> None:
    """Lines that are not taxed here, and a sum with 23 %: both places are named."""
    xml = documents.document(body=documents.ONE_LINE.replace("<P_12>23", f"<P_12>{rate}"))
    assert {code for code, _ in found(xml)} == {"rate-sum-missing", "rate-lines-missing"}


def test_the_tax_of_another_country_follows_its_rate() -> None:
    """P_14_5 may be left out; where it stands, it is the share that the lines' rates make."""
    row = line("<P_8B>1</P_8B><P_11>50</P_11>", "<P_12_XII>19</P_12_XII>")
    for tax, codes in (("9.50", []), ("9.51", []), ("25", [("tax-contradicts", "P_14_5")])):
        total = f"{50 + float(tax):.2f}"
        sums = f"<P_13_5>50</P_13_5><P_14_5>{tax}</P_14_5><P_15>{total}</P_15>"
        assert found(documents.document(sums=sums, body=row)) == codes


def test_where_nothing_contradicts() -> None:
    margin = documents.marked(PMarzy="<P_PMarzy>1</P_PMarzy><P_PMarzy_3_1>1</P_PMarzy_3_1>")
    used = line("<P_11A>50.00</P_11A>", "", 2)
    of_margin = documents.document(
        sums=f"{SUMS}<P_13_11>50</P_13_11><P_15>173</P_15>", annotations=margin, body=documents.ONE_LINE + used
    )
    oss = documents.document(
        sums=f"{SUMS}<P_13_5>50</P_13_5><P_14_5>9.50</P_14_5><P_15>182.50</P_15>",
        body=documents.ONE_LINE + line("<P_8B>1</P_8B><P_11>50</P_11>", "<P_12_XII>19</P_12_XII>", 2),
    )
    mixed = documents.document(
        sums="<P_13_1>200</P_13_1><P_14_1>46</P_14_1><P_15>246</P_15>",
        body=documents.ONE_LINE + line("<P_8B>1</P_8B><P_11>100.00</P_11>", number=2),
    )
    for xml in (of_margin, oss, mixed):
        assert check(xml).view.lines is not None
    assert found(mixed.replace(b"<P_11>100.00", b"<P_11>90.00")) == [("lines-contradict", "P_13_1")]


@pytest.mark.parametrize("path", FA3_SAMPLES, ids=lambda path: path.stem)
def test_the_ministrys_examples_contradict_nothing(path: Path) -> None:
    assert found(path.read_bytes()) == []


# --- one line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "elements",
    [
        "<P_8B>7</P_8B><P_9A>1.00</P_9A><P_11>100.00</P_11>",
        "<P_8B>1</P_8B><P_9B>1.00</P_9B><P_11A>123.00</P_11A>",
        "<P_8B>2</P_8B><P_9A>100</P_9A><P_11>100.00</P_11>",
        "<P_8B>10</P_8B><P_9A>12</P_9A><P_10>5</P_10><P_11>100.00</P_11>",
        "<P_8B>1</P_8B><P_11>100.00</P_11><P_11Vat>8.00</P_11Vat>",
        "<P_8B>1</P_8B><P_11>100.00</P_11><P_11A>108.00</P_11A>",
    ],
)
def test_a_line_that_contradicts_itself(elements: str) -> None:
    codes = [code for code, place in found(documents.document(body=line(elements))) if place.startswith("FaWiersz")]
    assert codes == ["line-contradicts"]


@pytest.mark.parametrize(
    "elements",
    [
        "<P_8B>1000</P_8B><P_9A>0.10</P_9A><P_11>100.00</P_11>",
        "<P_8B>3</P_8B><P_9A>33.33</P_9A><P_11>100.00</P_11>",  # the price is rounded
        "<P_8B>3000</P_8B><P_9A>0.03</P_9A><P_11>100.00</P_11>",
        "<P_8B>0.333</P_8B><P_9A>300.30</P_9A><P_11>100.00</P_11>",
        "<P_8B>10</P_8B><P_9A>12</P_9A><P_10>20</P_10><P_11>100.00</P_11>",  # off the line
        "<P_8B>10</P_8B><P_9A>12</P_9A><P_10>2</P_10><P_11>100.00</P_11>",  # off each piece, as in example 4
        "<P_8B>10</P_8B><P_9A>10</P_9A><P_10>2</P_10><P_11>100.00</P_11>",  # in the price already
        "<P_8B>1</P_8B><P_9A>100</P_9A><P_9B>123</P_9B><P_11>100</P_11><P_11A>123</P_11A><P_11Vat>23</P_11Vat>",
        "<P_8B>1</P_8B><P_11>100.00</P_11>",
    ],
)
def test_an_honest_line(elements: str) -> None:
    assert found(documents.document(body=line(elements))) == []


def test_a_number_names_one_line() -> None:
    twice = documents.document(
        sums="<P_13_1>200</P_13_1><P_14_1>46</P_14_1><P_15>246</P_15>", body=documents.ONE_LINE * 2
    )
    assert found(twice) == [("duplicate-line", "FaWiersz[1]")]
    order = documents.ADVANCE.replace(b"</ZamowienieWiersz>", b"</ZamowienieWiersz>@", 1)
    row = order[order.index(b"<ZamowienieWiersz>") : order.index(b"@")]
    assert found(order.replace(b"@", row.replace(b"<UU_IDZ>z-1</UU_IDZ>", b""))) == [
        ("duplicate-line", "Zamowienie/ZamowienieWiersz[1]")
    ]


# --- charges, deductions, payments ------------------------------------------------------------------------


CHARGE = "<Obciazenia><Kwota>5.00</Kwota><Powod>Kaucja</Powod></Obciazenia>"
DEDUCTION = "<Odliczenia><Kwota>1.00</Kwota><Powod>Nadpłata</Powod></Odliczenia>"
ALL_OFF = "<Odliczenia><Kwota>200.00</Kwota><Powod>Nadpłata</Powod></Odliczenia>"


@pytest.mark.parametrize(
    ("elements", "places"),
    [
        (f"{CHARGE}<SumaObciazen>50.00</SumaObciazen><DoZaplaty>999.00</DoZaplaty>", ["SumaObciazen", "DoZaplaty"]),
        (f"{CHARGE}<SumaObciazen>5.00</SumaObciazen><DoZaplaty>123.00</DoZaplaty>", ["DoZaplaty"]),
        (f"{CHARGE}{DEDUCTION}<DoZaplaty>128.00</DoZaplaty>", ["DoZaplaty"]),
        (f"{DEDUCTION}<SumaOdliczen>2.00</SumaOdliczen><DoZaplaty>122.00</DoZaplaty>", ["SumaOdliczen"]),
        ("<DoZaplaty>0.00</DoZaplaty>", ["DoZaplaty"]),
        ("<DoRozliczenia>5.00</DoRozliczenia>", ["DoRozliczenia"]),
        (f"{ALL_OFF}<DoRozliczenia>7.00</DoRozliczenia>", ["DoRozliczenia"]),
    ],
)
def test_what_is_due(elements: str, places: list[str]) -> None:
    expected = [("settlement-contradicts", f"Rozliczenie/{place}") for place in places]
    assert found(documents.document(body=settled(elements))) == expected


@pytest.mark.parametrize(
    "elements",
    [
        f"{CHARGE}<SumaObciazen>5</SumaObciazen>{DEDUCTION}<SumaOdliczen>1</SumaOdliczen><DoZaplaty>127</DoZaplaty>",
        f"{CHARGE}<DoZaplaty>128.00</DoZaplaty>",
        f"{ALL_OFF}<DoRozliczenia>77.00</DoRozliczenia>",
        f"{ALL_OFF}<DoZaplaty>0.00</DoZaplaty>",
        "<DoZaplaty>123.00</DoZaplaty>",
        "<DoRozliczenia>0.00</DoRozliczenia>",
    ],
)
def test_what_is_due_and_right(elements: str) -> None:
    assert found(documents.document(body=settled(elements))) == []


@pytest.mark.parametrize(
    ("body", "right"),
    [
        (paid("1", "100.00", "20.00"), True),
        (paid("2", "100.00", "23.00"), True),
        (paid("1", "100.00", "50.00"), False),
        (paid("2", "100.00", "24.00"), False),
        (paid("2", "100.00"), False),
    ],
)
def test_part_payments(body: str, right: bool) -> None:
    wrong = [("payments-do-not-add-up", "Platnosc/ZaplataCzesciowa")]
    assert found(documents.document(body=body)) == ([] if right else wrong)


def test_part_payments_pay_the_deposits_too() -> None:
    body = settled(f"{CHARGE}<DoZaplaty>128.00</DoZaplaty>") + paid("2", "128.00").removeprefix(documents.ONE_LINE)
    assert found(documents.document(body=body)) == []


def test_the_payments_of_an_advance_add_up() -> None:
    assert found(documents.ADVANCE) == []
    assert found(documents.ADVANCE.replace(b"<P_15Z>229.90", b"<P_15Z>129.90")) == [("sum-contradicts", "P_15")]


def taxed_line(net: str, tax: str) -> str:
    """A line that states its net value and its tax."""
    return line(f"<P_8B>1</P_8B><P_9A>{net}</P_9A><P_11>{net}</P_11><P_11Vat>{tax}</P_11Vat>")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("made", "cents", "code"),
    [
        (lambda off: documents.document(sums=f"{SUMS}<P_15>{123 + off}</P_15>"), 2, "sum-contradicts"),
        (
            lambda off: documents.document(
                sums=f"<P_13_1>100</P_13_1><P_14_1>{23 + off}</P_14_1><P_15>{123 + off}</P_15>", body=NET_LINE
            ),
            2,
            "tax-contradicts",
        ),
        (lambda off: documents.document(body=taxed_line(f"{100 + off}", "23")), 2, "lines-contradict"),
        (lambda off: documents.document(body=taxed_line("100", f"{23 + off}")), 2, "lines-contradict"),
        (
            lambda off: documents.ADVANCE.replace(b"<P_15Z>229.90", f"<P_15Z>{Decimal('229.90') + off}".encode()),
            1,
            "sum-contradicts",
        ),
    ],
    ids=["total", "tax", "net of lines", "tax of lines", "advances"],
)
def test_a_sum_is_off_by_a_cent_for_each_line_and_rate_and_no_more(
    made: Callable[[Decimal], bytes], cents: int, code: str, sign: int
) -> None:
    cent = Decimal("0.01") * sign
    assert found(made(cents * cent)) == []
    assert code in [each for each, _ in found(made((cents + 1) * cent))]


# --- tax in PLN -------------------------------------------------------------------------------------------


def in_euro(tax_pln: str, rate: str | None = "4.3", currency: str = "EUR") -> bytes:
    given = "" if rate is None else f"<KursWaluty>{rate}</KursWaluty>"
    return documents.document(
        currency=currency,
        sums=f"{SUMS}<P_14_1W>{tax_pln}</P_14_1W>{P_15}",
        body=documents.ONE_LINE.replace("<P_12>23</P_12>", f"<P_12>23</P_12>{given}"),
    )


def test_tax_in_pln_follows_the_rate() -> None:
    assert found(in_euro("98.90")) == []
    assert found(in_euro("98.92")) == []
    assert found(in_euro("23.00")) == [("tax-in-pln-contradicts", "P_14_1W")]
    assert found(in_euro("430.00")) == [("tax-in-pln-contradicts", "P_14_1W")]
    assert found(in_euro("98.90", rate=None)) == []
    assert found(in_euro("0.00")) == [("tax-in-pln-contradicts", "P_14_1W")]
    assert found(in_euro("23.00", rate=None, currency="PLN")) == []
    assert found(in_euro("98.90", rate=None, currency="PLN")) == [("tax-in-pln-contradicts", "P_14_1W")]


def test_a_tax_in_pln_has_the_sign_of_the_tax_and_a_rate_is_above_nothing() -> None:
    assert found(in_euro("-98.90", rate=None)) == [("tax-in-pln-contradicts", "P_14_1W")]
    for rate in ("0", "-4.3"):
        assert found(in_euro("0.00", rate=rate)) == [("exchange-rate", "FaWiersz[1]/KursWaluty")]
    of_advance = documents.ADVANCE.replace(b"<KursWalutyZ>4.5", b"<KursWalutyZ>0")
    assert ("exchange-rate", "KursWalutyZ") in found(of_advance)
    before = documents.CORRECTION_OF_ADVANCE.replace(b"<KursWalutyZK>4.44", b"<KursWalutyZK>-1")
    assert ("exchange-rate", "KursWalutyZK") in found(before)


# --- the simplified invoice ---------------------------------------------------------------------------------


def simplified(gross: str, currency: str = "PLN", buyer: str = documents.DOMESTIC_BUYER, rate: str = "") -> bytes:
    return documents.document(
        kind="UPR",
        currency=currency,
        buyer=buyer,
        sums=f"<P_15>{gross}</P_15>",
        body=f"<FaWiersz><NrWierszaFa>1</NrWierszaFa><P_7>Wiertarka</P_7><P_12>23</P_12>{rate}</FaWiersz>",
    )


RATE = "<KursWaluty>4.50</KursWaluty>"


@pytest.mark.parametrize(
    ("xml", "codes"),
    [
        (simplified("450.00"), []),
        (simplified("450.01"), ["simplified-limit"]),
        (simplified("100.00", "EUR"), []),
        (simplified("100.01", "EUR"), ["simplified-limit"]),
        (simplified("100.00", "USD", rate=RATE), []),
        (simplified("100.01", "USD", rate=RATE), ["simplified-limit"]),
        (simplified("100.00", "USD"), ["simplified-limit"]),
        (simplified("10.00", buyer=documents.EU_BUYER), []),
        (simplified("10.00", buyer=documents.CONSUMER), ["simplified-buyer"]),
        (simplified("10.00", buyer=documents.FOREIGN_BUYER), ["simplified-buyer"]),
        (
            simplified("10.00", buyer=documents.EU_BUYER).replace(b"<P_15>", b"<P_13_6_2>10</P_13_6_2><P_15>"),
            ["simplified-rate"],
        ),
        (
            simplified("10.00", buyer=documents.EU_BUYER).replace(b"<P_15>", b"<P_13_9>10</P_13_9><P_15>"),
            ["simplified-rate"],
        ),
        (simplified("10.00", buyer=documents.EU_BUYER).replace(b"<P_12>23", b"<P_12>np II"), ["simplified-rate"]),
        (simplified("10.00", buyer=documents.EU_BUYER).replace(b"<P_12>23", b"<P_12>np I"), []),
    ],
)
def test_a_simplified_invoice_within_its_limits(xml: bytes, codes: list[str]) -> None:
    assert [code for code, _ in found(xml)] == codes


# --- the whole document -----------------------------------------------------------------------------------


def test_the_document_with_everything_is_refused_for_its_sums() -> None:
    """Its sums stand for no lines, on purpose: every element is on it once."""
    errors = refusal(documents.EVERYTHING).errors
    assert {error.code for error in errors} == {
        "rate-lines-missing",
        "line-contradicts",
        "settlement-contradicts",
        "tax-in-pln-contradicts",
    }


@pytest.mark.parametrize("version", ["1.1", "2.0", "1.0.1", ""])
def test_another_version_of_xml(version: str) -> None:
    xml = re.sub(rb'version="1.0"', f'version="{version}"'.encode(), documents.document(), count=1)
    assert refusal(xml).code == "xml-version"


def test_taxes_of_the_lines_add_up() -> None:
    """Art. 106e ust. 10; each line may be a cent off, and the sum for every line."""
    rows = "".join(
        line("<P_8B>1</P_8B><P_11>1.00</P_11><P_11Vat>0.25</P_11Vat>", number=number) for number in range(1, 101)
    )
    assert ("lines-contradict", "P_14_1") in found(documents.document(body=rows))
    assert found(documents.document(body=rows.replace("0.25", "0.23"))) == []


@given(sales())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_our_own_invoices_contradict_nothing(sale: Sale) -> None:
    """A technical correction of one comes back as a ready document."""
    xml = build_invoice(sale, SELLER, number="FV/1", issued_at=NOW, system_info="ksef-agent")
    assert found(xml) == []
