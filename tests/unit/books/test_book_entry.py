"""What the books read out of an invoice: tax points, sums in PLN, markers; and the rows the official schema accepts."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agent.domain.books import tax_points
from agent.domain.books.entry import BookEntry
from agent.domain.books.jpk import COLUMNS, JpkCsv, JpkRow, JpkXml, rows_of
from agent.domain.books.read import book_entry, entry_of_row
from agent.domain.books.tax_points import wdt_day
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Buyer, BuyerKind, InvoiceRecord, Mode
from agent.domain.json_io.codec import from_plain, to_plain
from agent.domain.lifecycle import InvoiceState
from agent.domain.spreadsheets import EXCEL, RFC_4180
from tests.fakes.filed import filed
from tests.reference import FA3_SAMPLES
from tests.unit.books.jpk_frame import sales_rows
from tests.unit.fa3 import fa3_documents as documents
from tests.unit.fa3.fa3_documents import document, marked
from tests.unit.records.test_register import ACCEPTED, BASE, NUMBER

D = Decimal
YEAR = (date(2026, 1, 1), date(2026, 12, 31))
FILED = date(2027, 1, 20)


def entry(xml: bytes) -> BookEntry:
    found = book_entry(read(xml))
    assert from_plain(BookEntry, to_plain(found)) == found, "what is stored comes back equal"
    return found


def months(xml: bytes) -> list[str]:
    return [f"{part.day:%Y-%m}" for part in entry(xml).parts]


def amounts(xml: bytes) -> dict[str, Decimal]:
    (part,) = entry(xml).parts
    return {each.field: each.value for each in part.amounts}


def record(xml: bytes, **changes: Any) -> InvoiceRecord:
    view = read(xml)
    found = replace(
        ACCEPTED,
        stored_xml=xml,
        sha256=hashlib.sha256(xml).digest(),
        number=view.number,
        kind=view.kind.value,
        issued_on=view.issued_on,
        buyer=view.buyer.as_buyer(),
        totals=view.totals,
    )
    return replace(found, **changes)


def jpk(xml: bytes, first: date = YEAR[0], last: date = YEAR[1], as_of: date = FILED, **changes: Any) -> list[JpkRow]:
    return rows_of(filed(record(xml, **changes)), entry(xml), (first, last), as_of)


def as_xml(rows: list[JpkRow]) -> str:
    writer = JpkXml()
    return "".join((writer.begin(), *(writer.row(row) for row in rows), writer.end()))


def line(number: int, net: str, rate: str = "23", sold_on: str = "", extra: str = "", gross: bool = False) -> str:
    when = f"<P_6A>{sold_on}</P_6A>" if sold_on else ""
    value = f"<P_9B>{net}</P_9B><P_11A>{net}</P_11A>" if gross else f"<P_9A>{net}</P_9A><P_11>{net}</P_11>"
    return (
        f"<FaWiersz><NrWierszaFa>{number}</NrWierszaFa>{when}<P_7>Towar {number}</P_7><P_8A>szt.</P_8A><P_8B>1</P_8B>"
        f"{value}<P_12>{rate}</P_12>{extra}</FaWiersz>"
    )


def between(xml: bytes, begin: str, end: str) -> str:
    return xml.decode().split(begin)[1].split(end)[0]


# --- tax points ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "month"),
    [
        ("", "2026-11"),
        ("<P_6>2026-10-31</P_6>", "2026-10"),
        ("<P_6>2026-12-20</P_6>", "2026-12"),  # issued up to 60 days before the sale (art. 106i ust. 7)
        ("<OkresFa><P_6_Od>2026-09-01</P_6_Od><P_6_Do>2026-10-31</P_6_Do></OkresFa>", "2026-10"),
    ],
)
def test_a_sale_belongs_to_the_month_in_which_it_took_place(dates: str, month: str) -> None:
    assert months(document(dates=dates)) == [month]


def test_lines_of_two_months_make_two_rows_that_add_up_to_the_invoice() -> None:
    xml = document(
        sums="<P_13_1>100.01</P_13_1><P_14_1>23</P_14_1><P_13_3>30</P_13_3><P_14_3>1.50</P_14_3><P_15>154.51</P_15>",
        body=line(1, "33.34", sold_on="2026-10-30", extra="<GTU>GTU_05</GTU>")
        + line(2, "66.67", sold_on="2026-11-02")
        + line(3, "30", "5", sold_on="2026-11-03"),
    )
    october, november = entry(xml).parts
    assert (october.day, november.day) == (date(2026, 10, 30), date(2026, 11, 3))
    assert (october.sold_on, november.sold_on) == (date(2026, 10, 30), date(2026, 11, 3))
    assert {each.field: each.value for each in october.amounts} == {"K_19": D("33.34"), "K_20": D("7.67")}
    assert {each.field: each.value for each in november.amounts} == {
        "K_15": D("30"), "K_16": D("1.50"), "K_19": D("66.67"), "K_20": D("15.33"),
    }  # fmt: skip
    assert (october.gtu, november.gtu) == (("GTU_05",), ())
    assert len(sales_rows(as_xml(jpk(xml)))) == 2
    assert [row.amounts["K_20"] for row in jpk(xml, last=date(2026, 10, 31))] == [D("7.67")]


def test_an_advance_belongs_to_the_months_of_its_payments() -> None:
    assert months(documents.ADVANCE) == ["2026-11"]
    paid = (
        "<ZaliczkaCzesciowa><P_6Z>2026-09-30</P_6Z><P_15Z>410</P_15Z></ZaliczkaCzesciowa>"
        "<ZaliczkaCzesciowa><P_6Z>2026-11-20</P_6Z><P_15Z>820</P_15Z></ZaliczkaCzesciowa>"
    )
    xml = document(
        kind="ZAL",
        sums="<P_13_1>1000</P_13_1><P_14_1>230</P_14_1><P_15>1230</P_15>",
        after_kind=paid,
        body="<Zamowienie>" + between(documents.ADVANCE, "<Zamowienie>", "</Fa>"),
    )
    first, second = entry(xml).parts
    assert (first.day, second.day) == (date(2026, 9, 30), date(2026, 11, 20))
    assert [each.value for each in first.amounts] == [D("333.33"), D("76.67")]
    assert [each.value for each in second.amounts] == [D("666.67"), D("153.33")]


@pytest.mark.parametrize(
    ("sold", "issued", "point"),
    [
        ("2026-10-20", "2026-10-25", "2026-10-25"),
        ("2026-10-20", "2026-11-10", "2026-11-10"),
        ("2026-10-20", "2026-11-30", "2026-11-15"),
        ("2026-12-20", "2026-11-24", "2026-12-20"),
        ("2026-12-31", "2027-02-01", "2027-01-15"),
    ],
)
def test_a_supply_within_the_union_follows_its_invoice(sold: str, issued: str, point: str) -> None:
    assert wdt_day(date.fromisoformat(sold), date.fromisoformat(issued)) == date.fromisoformat(point)


def test_a_supply_within_the_union_beside_services_makes_a_row_of_its_own() -> None:
    xml = document(
        dates="<P_6>2026-10-20</P_6>",
        buyer=documents.EU_BUYER,
        sums="<P_13_6_2>100</P_13_6_2><P_13_9>50</P_13_9><P_15>150</P_15>",
        body=line(1, "100", "0 WDT") + line(2, "50", "np II"),
    )
    assert months(xml) == ["2026-10", "2026-11"]
    rows = sales_rows(as_xml(jpk(xml)))
    assert [(row.get("K_11"), row.get("K_12"), row.get("K_21")) for row in rows] == [
        ("50.00", "50.00", None),
        (None, None, "100.00"),
    ]
    assert (rows[0]["KodKrajuNadaniaTIN"], rows[0]["NrKontrahenta"]) == ("DE", "123456789")


def test_cash_accounting_belongs_to_the_day_of_payment_where_the_invoice_says_it() -> None:
    paid = "<Platnosc><Zaplacono>1</Zaplacono><DataZaplaty>2026-12-03</DataZaplaty></Platnosc>"
    xml = document(annotations=marked(P_16="1"), dates="<P_6>2026-11-20</P_6>", body=documents.ONE_LINE + paid)
    (part,) = entry(xml).parts
    assert (part.day, part.sold_on) == (date(2026, 12, 3), date(2026, 11, 20))
    unpaid = entry(document(annotations=marked(P_16="1")))
    assert unpaid.notes == (tax_points.CASH_ACCOUNTING,)


def test_an_invoice_to_a_receipt_belongs_to_the_month_of_its_issue() -> None:
    """Art. 109 ust. 3d: the sale itself is in the daily report of its own month."""
    xml = document(issued_on="2026-12-02", dates="<P_6>2026-11-30</P_6>", after_kind="<FP>1</FP>")
    (part,) = entry(xml).parts
    assert (part.day, part.sold_on) == (date(2026, 12, 2), date(2026, 11, 30))
    (row,) = sales_rows(as_xml(jpk(xml)))
    assert (row["DataWystawienia"], row["DataSprzedazy"], row["TypDokumentu"]) == ("2026-12-02", "2026-11-30", "FP")
    assert jpk(xml, last=date(2026, 11, 30)) == []
    by_line = document(issued_on="2026-12-02", after_kind="<FP>1</FP>", body=line(1, "50", sold_on="2026-11-03"))
    (part,) = entry(by_line).parts
    assert (part.day, part.sold_on) == (date(2026, 12, 2), date(2026, 11, 3))
    unpaid = document(annotations=marked(P_16="1"), after_kind="<FP>1</FP>")
    assert (months(unpaid), entry(unpaid).notes) == (["2026-11"], ())


def correction(effect: str = "", gross: str = "-61.50", dates: str = "", currency: str = "PLN") -> bytes:
    sign = "-" if gross.startswith("-") else ""
    base = (
        "<DaneFaKorygowanej><DataWystFaKorygowanej>2026-09-20</DataWystFaKorygowanej>"
        "<NrFaKorygowanej>FV/1</NrFaKorygowanej><NrKSeFN>1</NrKSeFN></DaneFaKorygowanej>"
    )
    return document(
        kind="KOR",
        dates=dates,
        currency=currency,
        sums=f"<P_13_1>{sign}50</P_13_1><P_14_1>{sign}11.50</P_14_1><P_15>{gross}</P_15>",
        after_kind=(f"<TypKorekty>{effect}</TypKorekty>" if effect else "") + base,
    )


@pytest.mark.parametrize(
    ("xml", "month"),
    [
        (correction(), "2026-11"),  # less: month of issue (art. 29a ust. 13)
        (correction("2"), "2026-11"),
        (correction("3"), "2026-11"),
        (correction("1"), "2026-09"),
        (correction("1", dates="<P_6>2026-08-31</P_6>"), "2026-08"),
        (correction("", "61.50"), "2026-09"),  # more: month of its cause, as a rule that of the base (ust. 17)
        (correction("2", "61.50"), "2026-11"),
    ],
)
def test_a_correction_belongs_where_its_effect_is(xml: bytes, month: str) -> None:
    assert months(xml) == [month]
    assert len(sales_rows(as_xml(jpk(xml)))) == 1


def test_what_an_accountant_has_to_look_at_is_said() -> None:
    assert entry(correction("", "61.50")).notes == (tax_points.IN_PLUS,)
    assert entry(correction("1", "61.50")).notes == ()
    assert entry(correction("3")).notes == (tax_points.OTHER_MONTHS,)
    several = document(
        kind="KOR",
        after_kind="<TypKorekty>1</TypKorekty>"
        + documents.CORRECTION.decode().split("</TypKorekty>")[1].split("<Okres")[0],
    )
    assert (months(several), entry(several).notes) == (["2026-11"], (tax_points.SEVERAL_BASES,))


def test_a_correction_of_an_invoice_to_a_receipt_says_that_its_row_changes_no_tax() -> None:
    to_receipt = correction().replace(b"</DaneFaKorygowanej>", b"</DaneFaKorygowanej><FP>1</FP>")
    assert entry(to_receipt).notes == (tax_points.OF_RECEIPT,)
    text = as_xml(jpk(to_receipt))
    assert "ewidencji zwrotów" in text
    assert "<PodatekNalezny>0.00</PodatekNalezny>" in text
    name_only = to_receipt.replace(b"<P_13_1>-50</P_13_1><P_14_1>-11.50</P_14_1><P_15>-61.50", b"<P_15>0")
    assert entry(name_only).notes == ()


def test_a_dearer_invoice_to_a_receipt_raises_the_tax_and_says_so() -> None:
    note = "<DodatkowyOpis><Klucz>Numer paragonu fiskalnego</Klucz><Wartosc>W1</Wartosc></DodatkowyOpis>"
    named = correction().replace(b"</DaneFaKorygowanej>", f"</DaneFaKorygowanej>{note}".encode())
    assert entry(named).notes == ()
    dearer = named.replace(
        b"<P_13_1>-50</P_13_1><P_14_1>-11.50</P_14_1><P_15>-61.50",
        b"<P_13_1>50</P_13_1><P_14_1>11.50</P_14_1><P_15>61.50",
    )
    assert tax_points.OF_RECEIPT_IN_PLUS in entry(dearer).notes


def rate_changed(before: str, after: str) -> bytes:
    """The same gross amount at another rate."""
    net = {"23": (D("100"), D("23"), "1"), "8": (D("113.89"), D("9.11"), "2")}
    sums = ""
    for rate, sign in sorted(((before, -1), (after, 1)), key=lambda each: net[each[0]][2]):
        base, tax, field = net[rate]
        sums += f"<P_13_{field}>{sign * base}</P_13_{field}><P_14_{field}>{sign * tax}</P_14_{field}>"
    return correction().replace(b"<P_13_1>-50</P_13_1><P_14_1>-11.50</P_14_1><P_15>-61.50", f"{sums}<P_15>0".encode())


def test_more_tax_of_the_same_gross_goes_back_to_the_month_of_its_base() -> None:
    """Art. 29a ust. 17: the tax was too low from the beginning, whatever becomes of the gross amount."""
    assert (months(rate_changed("8", "23")), entry(rate_changed("8", "23")).notes) == (
        ["2026-09"],
        (tax_points.IN_PLUS,),
    )
    less = entry(rate_changed("23", "8"))
    assert (f"{less.parts[0].day:%Y-%m}", less.reduces, less.notes) == ("2026-11", True, ())


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("sent", [None, date(2026, 11, 24), date(2026, 12, 2)])
def test_a_reduction_issued_offline_belongs_to_the_month_in_which_it_was_sent(mode: Mode, sent: date | None) -> None:
    at = None if sent is None else datetime(sent.year, sent.month, sent.day, 12, tzinfo=UTC)
    state = InvoiceState.ISSUED if sent is None else InvoiceState.ACCEPTED
    number = None if sent is None else NUMBER
    november, december = (date(2026, 11, 1), date(2026, 11, 30)), (date(2026, 12, 1), date(2026, 12, 31))
    found = {
        month: len(jpk(correction(), *days, mode=mode, state=state, sent_at=at, accepted_at=at, ksef_number=number))
        for month, days in (("11", november), ("12", december))
    }
    by_sending = mode in (Mode.OFFLINE24, Mode.UNAVAILABILITY, Mode.FAILURE)
    expected = "11" if not by_sending else (None if sent is None else f"{sent:%m}")
    assert found == {"11": int(expected == "11"), "12": int(expected == "12")}


def test_a_reduction_outside_ksef_waits_for_the_buyers_confirmation() -> None:
    (row,) = jpk(correction(), mode=Mode.TOTAL_FAILURE, state=InvoiceState.EXEMPT, ksef_number=None)
    assert "art. 29a ust. 13a" in row.notes[0]


# --- sums ----------------------------------------------------------------------------------------------


RATES = [
    ("23", "1", "K_19", "K_20"),
    ("22", "1", "K_19", "K_20"),
    ("8", "2", "K_17", "K_18"),
    ("7", "2", "K_17", "K_18"),
    ("5", "3", "K_15", "K_16"),
    ("0 KR", "6_1", "K_13", None),
    ("0 WDT", "6_2", "K_21", None),
    ("0 EX", "6_3", "K_22", None),
    ("zw", "7", "K_10", None),
    ("np I", "8", "K_11", None),
]


@pytest.mark.parametrize(("rate", "field", "net", "tax"), RATES)
def test_each_rate_has_its_field(rate: str, field: str, net: str, tax: str | None) -> None:
    sums = f"<P_13_{field}>100</P_13_{field}>" + (f"<P_14_{field}>20</P_14_{field}>" if tax else "")
    xml = document(sums=f"{sums}<P_15>120</P_15>", body=line(1, "100", rate))
    assert amounts(xml) == {net: D(100)} | ({tax: D(20)} if tax else {})
    assert len(sales_rows(as_xml(jpk(xml)))) == 1


@pytest.mark.parametrize("field", ["4", "5", "10", "11"])
def test_what_jpk_has_no_field_for_is_said_and_never_put_elsewhere(field: str) -> None:
    sums = f"<P_13_{field}>100</P_13_{field}>" + (f"<P_14_{field}>4</P_14_{field}>" if field in "45" else "")
    xml = document(
        sums=f"{sums}<P_15>100</P_15>", annotations=marked(PMarzy="<P_PMarzy>1</P_PMarzy><P_PMarzy_2>1</P_PMarzy_2>")
    )
    found = entry(xml)
    assert len(found.notes) == 1
    (row,) = sales_rows(as_xml(jpk(xml)))
    assert {name for name in row if name.startswith("K_")} == set()
    assert (row.get("SprzedazVAT_Marza"), row.get("MR_T")) == ("100.00" if field == "11" else None, "1")


def test_a_foreign_currency_is_told_in_zlotys() -> None:
    xml = document(
        currency="EUR",
        sums="<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_14_1W>98.95</P_14_1W><P_13_7>10</P_13_7><P_15>133</P_15>",
        annotations=marked(Zwolnienie="<P_19>1</P_19><P_19A>art. 43</P_19A>"),
        body=line(1, "100", extra="<KursWaluty>4.3021</KursWaluty>")
        + line(2, "10", "zw", extra="<KursWaluty>4.3021</KursWaluty>"),
    )
    assert amounts(xml) == {"K_10": D("43.02"), "K_19": D("430.21"), "K_20": D("98.95")}


def test_a_foreign_currency_without_its_rate_is_said() -> None:
    by_tax = document(
        currency="EUR",
        sums="<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_14_1W>98.90</P_14_1W><P_15>123</P_15>",
    )
    assert amounts(by_tax) == {"K_19": D("430.00"), "K_20": D("98.90")}
    assert "P_14_xW" in entry(by_tax).notes[0]
    abroad = document(currency="EUR", sums="<P_13_8>100</P_13_8><P_15>100</P_15>", body=line(1, "100", "np I"))
    assert (amounts(abroad), "Kursu waluty" in entry(abroad).notes[0]) == ({}, True)


def test_lines_of_two_rates_of_exchange_are_weighed() -> None:
    xml = document(
        currency="EUR",
        sums="<P_13_1>300</P_13_1><P_14_1>69</P_14_1><P_14_1W>300</P_14_1W><P_15>369</P_15>",
        body=line(1, "100", extra="<KursWaluty>4</KursWaluty>") + line(2, "200", extra="<KursWaluty>5</KursWaluty>"),
    )
    assert amounts(xml)["K_19"] == D("1400.00")


def test_a_simplified_invoice_without_sums_gives_them_all_the_same() -> None:
    assert amounts(documents.SIMPLIFIED) == {"K_19": D("365.85"), "K_20": D("84.15")}
    lines = line(1, "123", gross=True) + line(2, "108", "8", gross=True)
    mixed = document(kind="UPR", sums="<P_15>231</P_15>", body=lines)
    assert amounts(mixed) == {"K_17": D(100), "K_18": D(8), "K_19": D(100), "K_20": D(23)}
    exempt = document(
        kind="UPR", sums="<P_15>173</P_15>", body=line(1, "123", gross=True) + line(2, "50", "zw", gross=True)
    )
    assert amounts(exempt) == {"K_10": D(50), "K_19": D(100), "K_20": D(23)}
    no_rate = line(1, "123", gross=True) + line(2, "50", gross=True).replace("<P_12>23</P_12>", "")
    of_no_rate = document(kind="UPR", sums="<P_15>173</P_15>", body=no_rate)
    assert (amounts(of_no_rate), "sum według stawek" in entry(of_no_rate).notes[0]) == ({}, True)
    untold = document(kind="UPR", sums="<P_15>450</P_15>", body=lines)
    assert (amounts(untold), "sum według stawek" in entry(untold).notes[0]) == ({}, True)


# --- rows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", documents.ALL)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("number", [None, NUMBER])
def test_the_official_schema_accepts_every_row(name: str, mode: Mode, number: str | None) -> None:
    rows = jpk(documents.ALL[name], mode=mode, ksef_number=number)
    written = sales_rows(as_xml(rows))
    assert len(written) == len(rows) > 0
    for row, found in zip(rows, written, strict=True):
        assert [name for name in ("NrKSeF", "OFF", "BFK", "DI") if name in found] == [row.marker.value]
        assert found.get("NrKSeF") == number
        assert (found.get("TypDokumentu") == "FP") == (b"<FP>1" in documents.ALL[name])


@pytest.mark.parametrize("path", FA3_SAMPLES, ids=lambda path: path.stem)
def test_the_ministrys_examples_become_rows(path: Path) -> None:
    xml = path.read_bytes()
    rows = jpk(xml)
    assert sales_rows(as_xml(rows))
    view = read(xml)
    assert (
        sum((row.amounts.get(name, D(0)) for row in rows for name in ("K_16", "K_18", "K_20")), D(0)) == view.totals.tax
    )


def test_months_of_the_ministrys_examples() -> None:
    found = {path.stem[-2:]: months(path.read_bytes()) for path in FA3_SAMPLES}
    assert found == {
        "01": ["2026-02"], "02": ["2026-03"], "03": ["2026-03"], "04": ["2026-01"], "06": ["2026-07"],
        "09": ["2026-01"], "15": ["2026-01"], "25": ["2026-02"], "26": ["2026-02"],
    }  # fmt: skip


def test_control_sums_leave_out_what_is_in_a_daily_report() -> None:
    receipt = document(after_kind="<FP>1</FP>", number="FV/2")
    text = as_xml([*jpk(document()), *jpk(receipt)])
    rows = sales_rows(text)
    assert [row.get("TypDokumentu") for row in rows] == [None, "FP"]
    assert [row["LpSprzedazy"] for row in rows] == ["1", "2"]
    assert "<PodatekNalezny>23.00</PodatekNalezny>" in text


BUYERS = [
    (Buyer(BuyerKind.NIP, "1111111111", "PL", "Firma"), None, "1111111111"),
    (Buyer(BuyerKind.EU_VAT, "123456789", "EL", "Ελλάς"), "EL", "123456789"),
    (Buyer(BuyerKind.EU_VAT, "GD123", "XI", "Belfast"), "XI", "GD123"),
    (Buyer(BuyerKind.FOREIGN_ID, "UA-778/1", "UA", "Київ"), "UA", "UA7781"),
    (Buyer(BuyerKind.FOREIGN_ID, "778", "GR", "Πάτρα"), "EL", "778"),
    (Buyer(BuyerKind.FOREIGN_ID, "---", "US", "Nobody"), None, "BRAK"),
    (Buyer(BuyerKind.FOREIGN_ID, "44051401359", "PL", "Jan"), None, "BRAK"),
    (Buyer(BuyerKind.FOREIGN_ID, "44051401359", None, "Jan"), None, "BRAK"),
    (Buyer(BuyerKind.NONE, None, None, "Jan  Kowalski\n"), None, "BRAK"),
    (Buyer(BuyerKind.NONE, None, None, None), None, "BRAK"),
    (Buyer(BuyerKind.NIP, "1111111111", "PL", "Ł" * 600), None, "1111111111"),
]


@pytest.mark.parametrize(("buyer", "country", "number"), BUYERS)
def test_buyers_as_the_schema_wants_them(buyer: Buyer, country: str | None, number: str) -> None:
    (row,) = sales_rows(as_xml(jpk(document(), buyer=buyer)))
    assert (row.get("KodKrajuNadaniaTIN"), row["NrKontrahenta"]) == (country, number)
    assert row["NazwaKontrahenta"] == (" ".join((buyer.name or "").split())[:512] or "BRAK")


def test_a_comment_stays_a_comment() -> None:
    xml = document(
        number="FV--1-", currency="EUR", sums="<P_13_8>100</P_13_8><P_15>100</P_15>", body=line(1, "100", "np I")
    )
    (row,) = sales_rows(as_xml(jpk(xml)))
    assert row["DowodSprzedazy"] == "FV--1-"


def test_what_was_not_there_at_filing_has_no_row() -> None:
    assert jpk(document(), as_of=date(2026, 11, 23)) == []
    assert jpk(document(), state=InvoiceState.REJECTED, mode=Mode.ONLINE, ksef_number=None) == []
    closed = BASE.issued_at
    assert jpk(document(), state=InvoiceState.REJECTED, closed_at=closed, ksef_number=None) == []


def test_an_invoice_whose_content_is_gone_says_so() -> None:
    known = record(document())
    (row,) = rows_of(filed(known), entry_of_row(known), YEAR, FILED)
    assert row.amounts == {"K_19": D(100), "K_20": D(23)}
    assert "archiwum" in row.notes[0]
    sales_rows(as_xml([row]))
    foreign = replace(known, totals=replace(known.totals, currency="EUR"))
    assert rows_of(filed(foreign), entry_of_row(foreign), YEAR, FILED)[0].amounts == {}


@pytest.mark.parametrize(("dialect", "mark", "amount"), [(RFC_4180, "", "100.00"), (EXCEL, "\ufeff", "100,00")])
def test_the_table_has_the_schemas_columns(dialect: Any, mark: str, amount: str) -> None:
    writer = JpkCsv(dialect)
    text = writer.begin() + "".join(writer.row(row) for row in jpk(document(after_kind="<FP>1</FP>")))
    assert text.startswith(f"{mark}LpSprzedazy{dialect.delimiter}")
    (row,) = csv.DictReader(io.StringIO(text.removeprefix(mark), newline=""), delimiter=dialect.delimiter)
    assert tuple(row) == COLUMNS
    assert (row["K_19"], row["TypDokumentu"], row["DataSprzedazy"], row["NrKSeF"]) == (amount, "FP", "", NUMBER)
    assert text.endswith("\r\n")
