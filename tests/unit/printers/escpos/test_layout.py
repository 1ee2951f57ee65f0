"""Wrapping and columns: nothing is lost, nothing is wider than the paper, amounts stay whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.paper.receipt import Align, Blank, Element, Pair, Qr, Rule, Table, Text
from printers.escpos.charset import fit
from printers.escpos.layout import Code, Font, Line, Sheet, lay_out
from printers.escpos.wrapping import wrap
from tests.unit.printers.slips import KSEF_NUMBER, anything, receipt, receipts, squeezed

NARROW = Sheet(32, 42, lambda text: fit(text, "cp852"))
WIDE = Sheet(48, 64, lambda text: fit(text, "cp852"))


def lines(*elements: Element, sheet: Sheet = NARROW) -> list[Line]:
    return [item for item in lay_out(receipt(*elements), sheet) if isinstance(item, Line)]


def texts(*elements: Element, sheet: Sheet = NARROW) -> list[str]:
    return [line.text for line in lines(*elements, sheet=sheet)]


def test_wraps_at_words() -> None:
    assert wrap("Mleko świeże pasteryzowane 3,2%", 12) == ["Mleko świeże", "pasteryzowan", "e 3,2%"]


def test_a_word_that_leads_to_the_next_does_not_end_a_line() -> None:
    label = "Faktura VAT nr FV-1/2026/11/000001 wystawiona w trybie online (art. 106gb)"
    assert wrap(label, 48) == ["Faktura VAT nr FV-1/2026/11/000001 wystawiona", "w trybie online (art. 106gb)"]
    assert wrap("jest to w 8%", 9) == ["jest to", "w 8%"]
    assert wrap("w rzeczy", 6) == ["w", "rzeczy"]  # nothing to stay behind
    assert wrap("ser i szynka", 6) == ["ser i", "szynka"]  # no room beside the next word
    assert wrap("awaria KSeF (art. 106nf)", 17) == ["awaria KSeF", "(art. 106nf)"]
    assert wrap("Stolarnia Jesion sp. z o.o.", 22) == ["Stolarnia Jesion", "sp. z o.o."]
    assert wrap("ul. Polna 1, 00-001 Warszawa", 19) == ["ul. Polna 1,", "00-001 Warszawa"]
    assert wrap("sprzedaż VAT 23% CN 8418", 12) == ["sprzedaż", "VAT 23%", "CN 8418"]
    assert wrap("Faktura VAT nr 7", 14) == ["Faktura VAT", "nr 7"]
    assert wrap("akcyza w kwocie 0,10 zł.", 21) == ["akcyza w kwocie", "0,10 zł."]
    assert wrap("razem 7 sztuk", 8) == ["razem 7", "sztuk"]  # a number is no such word


def test_a_word_wider_than_the_line_begins_beside_its_number() -> None:
    assert wrap("12. Superkalifragilistyczny", 12) == ["12. Superkal", "ifragilistyc", "zny"]
    assert wrap("Płatność https://zaplac", 12) == ["Płatność", "https://zapl", "ac"]


@given(anything, st.integers(1, 60))
def test_wrapping_loses_nothing(text: str, columns: int) -> None:
    folded = fit(text, "cp852")
    wrapped = wrap(folded, columns)
    assert "".join(wrapped).replace(" ", "") == folded.replace(" ", "")
    assert all(len(line) <= columns for line in wrapped)


@given(receipts, st.sampled_from([NARROW, WIDE, Sheet(42, 56, NARROW.fit)]))
def test_nothing_is_wider_than_the_paper(slip: object, sheet: Sheet) -> None:
    for item in lay_out(slip, sheet):  # type: ignore[arg-type]
        assert isinstance(item, Line)
        assert len(item.text) <= sheet.columns(item.font, large=item.large)


def test_centred_lines_are_of_about_one_length() -> None:
    label = "Faktura VAT nr FV-1/2026/11/000001 wystawiona w trybie online (art. 106gb)"
    assert texts(Text(label, Align.CENTER), sheet=WIDE) == [
        "Faktura VAT nr FV-1/2026/11/000001",
        "wystawiona w trybie online (art. 106gb)",
    ]
    assert texts(Text(label), sheet=WIDE)[0] == "Faktura VAT nr FV-1/2026/11/000001 wystawiona"
    failure = "Faktura VAT nr FV-1/2026/11/000001 wystawiona w trybie offline – awaria KSeF (art. 106nf)"
    assert texts(Text(failure, Align.CENTER))[2:] == ["wystawiona w trybie offline –", "awaria KSeF (art. 106nf)"]
    assert texts(Text("a" * 40, Align.CENTER)) == ["a" * 32, "a" * 8]


def test_amount_stands_at_the_right_edge() -> None:
    assert texts(Pair("Chleb", "4,99 A")) == ["Chleb" + " " * 21 + "4,99 A"]


def test_amount_without_room_gets_its_own_line() -> None:
    assert texts(Pair("Chleb żytni na zakwasie z miodem", "1 234,56 A")) == [
        "Chleb żytni na zakwasie z miodem",
        "1 234,56 A".rjust(32),
    ]


def test_exactly_full_line_keeps_one_blank_before_the_amount() -> None:
    assert texts(Pair("a" * 21, "1 234,56 A")) == ["a" * 21 + " 1 234,56 A"]
    assert texts(Pair("a" * 22, "1 234,56 A")) == ["a" * 22, "1 234,56 A".rjust(32)]


def test_large_amount_that_does_not_fit_is_printed_in_normal_size() -> None:
    (line,) = lines(Pair("RAZEM", "1 234 567 890,12 PLN", large=True))
    assert not line.large
    assert line.text.endswith("1 234 567 890,12 PLN")


def test_large_amount_without_room_beside_its_name_stands_under_it_alone() -> None:
    assert lines(Pair("Kwota należności ogółem", "690,02 PLN", bold=True, large=True), sheet=WIDE) == [
        Line("Kwota należności ogółem", bold=True),
        Line("690,02 PLN".rjust(24), bold=True, large=True),
    ]


def test_a_tall_heading_costs_no_columns() -> None:
    assert lines(Text("Faktura VAT nr FV-1/2026/11/1", tall=True)) == [Line("Faktura VAT nr FV-1/2026/11/1", tall=True)]


def test_ksef_number_takes_the_small_font_on_narrow_paper() -> None:
    assert lines(Text(KSEF_NUMBER, unbroken=True)) == [Line(KSEF_NUMBER, Font.B)]
    assert lines(Text(KSEF_NUMBER, unbroken=True), sheet=WIDE) == [Line(KSEF_NUMBER, Font.A)]


def test_unbroken_text_gives_up_size_before_it_breaks() -> None:
    (line,) = lines(Text("FV-1/2026/11/000001", unbroken=True, large=True))
    assert (line.font, line.large) == (Font.A, False)


def test_unbroken_text_longer_than_the_small_font_is_split_at_the_edge() -> None:
    assert [(line.font, len(line.text)) for line in lines(Text("9" * 50, unbroken=True))] == [(Font.B, 42), (Font.B, 8)]


VAT = Table(("Stawka", "Netto", "VAT", "Brutto"), (("23%", "100,00", "23,00", "123,00"),), ("Razem", "1", "2", "3"))


def test_table_uses_the_whole_line_and_marks_its_total() -> None:
    header, row, total = lines(VAT)
    assert header.text == "Stawka    Netto     VAT   Brutto"
    assert row.text == "23%      100,00   23,00   123,00"
    assert total.bold
    assert not row.bold


def test_wide_amounts_take_the_small_font() -> None:
    table = Table(VAT.header, (("23%", "100 000,00", "23 000,00", "123 000,00"),))
    assert {line.font for line in lines(table)} == {Font.B}
    assert {line.font for line in lines(table, sheet=WIDE)} == {Font.A}


def test_amounts_wider_than_any_font_are_stacked_under_their_names() -> None:
    table = Table(VAT.header, (("23%", "100 000 000 000,00", "23 000 000 000,00", "123 000 000 000,00"),))
    assert texts(table) == [
        "Stawka 23%",
        "Netto         100 000 000 000,00",
        "VAT            23 000 000 000,00",
        "Brutto        123 000 000 000,00",
    ]


@given(st.lists(st.tuples(*[st.text("0123456789, ", min_size=1, max_size=18)] * 3), min_size=1, max_size=4))
def test_no_cell_of_a_table_is_cut(rows: list[tuple[str, str, str]]) -> None:
    printed = squeezed("".join(texts(Table(("A", "B", "C"), tuple(rows)))))
    for row in rows:
        for cell in row:
            assert squeezed(cell) in printed


def test_rule_blank_and_code() -> None:
    items = lay_out(receipt(Rule(), Blank(), Qr("https://x", "OFFLINE")), NARROW)
    assert items == [Line("-" * 32), Line(""), Code("https://x"), Line("OFFLINE", align=Align.CENTER)]


def test_a_caption_stands_nearer_to_its_own_code_than_to_the_next() -> None:
    items = lay_out(receipt(Qr("https://a", "OFFLINE"), Qr("https://b", "CERTYFIKAT")), NARROW)
    assert [item if isinstance(item, Code) else item.text for item in items] == [
        Code("https://a"),
        "OFFLINE",
        "",
        Code("https://b"),
        "CERTYFIKAT",
    ]


def test_empty_right_side_leaves_the_name_alone() -> None:
    assert texts(Pair("Chleb", "")) == ["Chleb"]


@pytest.mark.parametrize("element", [Text(""), Pair("", ""), Text("\x1b\x00")])
def test_empty_texts_are_empty_lines(element: Element) -> None:
    assert texts(element) == [""]
