"""Labels, records and encodings of .epp files: what is read comes out as it was written, and nothing else passes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.errors import BadInput
from agent.domain.exchange.encoding import decode, looks_like_exchange
from agent.domain.exchange.file import read_file, split_number
from agent.domain.exchange.records import Label, Record, field_spans, is_complete, read_records
from tests.fakes.exchange import Item, Paperwork, epp, row

TEXTS = st.lists(
    st.characters(codec="cp1250", exclude_characters="\x1a", categories=("L", "M", "N", "P", "S", "Z"))
    | st.just("\r\n")
).map("".join)
COFFEE = Item("KAWA", "Kawa „Źdźbło” 1 kg", Decimal("64.90"), Decimal(2))


def fields_of(text: str) -> list[tuple[str, ...]]:
    return [item.fields for item in read_records(text) if isinstance(item, Record)]


def code_of(data: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read_file(data)
    return caught.value.code


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=9), min_size=1, max_size=5))
def test_records_come_out_as_they_were_written(records: list[list[str]]) -> None:
    text = "".join(row(dict(enumerate(fields, start=1)), len(fields)) + "\r\n" for fields in records)
    assert fields_of(text) == [tuple(fields) for fields in records]


@given(st.lists(TEXTS, min_size=2, max_size=9))
def test_the_spans_of_fields_cover_the_record(fields: list[str]) -> None:
    written = row(dict(enumerate(fields, start=1)), len(fields))
    text = f"[INFO]\r\n{written}\r\n"
    record = next(item for item in read_records(text) if isinstance(item, Record))
    assert record.line == 2
    assert ",".join(text[start:end] for start, end in field_spans(text, record)) == written


def test_quotes_of_programs_that_do_not_double_them() -> None:
    assert fields_of('1,"Rura 1/2" PCV",2\n') == [("1", 'Rura 1/2" PCV', "2")]
    assert fields_of('"Rura 1/2""",2\n') == [('Rura 1/2"', "2")]
    assert fields_of('"Towar ""A"", nowy",\n') == [('Towar "A", nowy', "")]


def test_blanks_around_fields_and_empty_lines() -> None:
    assert fields_of('\r\n  \r\n1, "a b" ,  c d  ,,   \r\n\x1a') == [("1", "a b", "c d", "", "")]


def test_labels_and_line_numbers_with_every_line_break() -> None:
    for line_break in ("\r\n", "\n", "\r"):
        text = line_break.join(["[INFO]", '"a', 'b",1', "", "[NAGLOWEK]", '"TOWARY",', ""])
        items = list(read_records(text))
        assert items[0] == Label(1, "INFO")
        assert items[2] == Label(5, "NAGLOWEK")
        assert [item.line for item in items] == [1, 2, 5, 6]


def test_a_label_inside_a_text_is_text() -> None:
    assert fields_of('"uwagi:\r\n[NAGLOWEK]\r\n",1\r\n') == [("uwagi:\r\n[NAGLOWEK]\r\n", "1")]


@pytest.mark.parametrize("text", ['1,"bez końca\r\n2,3\r\n', '"' + "a" * 5000 + '",1\n', "," * 300 + "\n"])
def test_records_that_cannot_be_read_name_their_line(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        fields_of("[INFO]\r\n" + text)
    assert caught.value.code == "epp-malformed"
    assert caught.value.errors[0].pointer == "2"


def test_a_stray_quote_costs_no_time() -> None:
    with pytest.raises(BadInput):
        fields_of('"' * 100_001 + "x\n" + '"a' * 50_000)


@pytest.mark.parametrize("code_page", ["1250", "852"])
def test_code_pages(code_page: str) -> None:
    found = read_file(epp(Paperwork([COFFEE]), code_page=code_page))
    assert found.info.text(7) == "Sklep Łąka sp. z o.o."
    assert found.products["KAWA"].name.endswith("Źdźbło” 1 kg") is (code_page == "1250")  # 852 has no „”
    assert "Źdźbło" in found.products["KAWA"].name


def test_utf_8_is_believed_before_the_field() -> None:
    data = epp(Paperwork([COFFEE])).decode("cp1250").encode()
    assert read_file(data).products["KAWA"].name == COFFEE.name
    with_mark = b"\xef\xbb\xbf" + data
    assert read_file(with_mark).products["KAWA"].name == COFFEE.name
    assert decode(with_mark)[1] == "utf-8-sig"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "epp-malformed"),
        (b'{"buyer": 1}', "epp-malformed"),
        (epp(Paperwork([COFFEE])).decode("cp1250").encode("utf-16"), "epp-encoding"),
        (epp(Paperwork([COFFEE])).replace(b",1250,", b",28592,", 1), "epp-encoding"),
        (epp(Paperwork([COFFEE])).replace(b"Kawa", b"Kaw\x98", 1), "epp-encoding"),
        (epp(Paperwork([COFFEE]), info={2: "0"}), "epp-accounting-office"),
        (epp(), "epp-malformed"),
        (epp(Paperwork([COFFEE])).rstrip(), "epp-malformed"),
        (epp(Paperwork([COFFEE])).replace(b"[ZAWARTOSC]", b"[ZAWARTO]", 1), "epp-malformed"),
        (epp(Paperwork([COFFEE])).replace(b"[NAGLOWEK]", b"[INFO]", 1), "epp-malformed"),
        (epp(Paperwork([COFFEE])).replace(b"[NAGLOWEK]\r\n", b"", 1), "epp-malformed"),
        (b"[INFO]\r\n[NAGLOWEK]\r\n", "epp-malformed"),
        (b"[INFO]\r\n1,3,1250\r\n", "epp-malformed"),
    ],
)
def test_what_is_no_file_of_ours(data: bytes, code: str) -> None:
    assert code_of(data) == code


@given(st.data())
def test_damaged_files_are_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    whole = epp(Paperwork([COFFEE], fields={49: "uwagi, „dwa”\r\nwiersze"}), Paperwork([COFFEE], kind="PA"))
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 30))
    damaged = whole[:start] + data.draw(st.binary(max_size=20)) + whole[start + length :]
    try:
        read_file(damaged)
    except BadInput as error:
        told = error.detail
    else:
        told = "read"
    assert told


@given(st.integers(1, 600))
def test_a_file_cut_short_inside_a_line_is_not_complete(missing: int) -> None:
    whole = epp(Paperwork([COFFEE])).decode("cp1250")
    cut = whole[:-missing]
    assert is_complete(cut) is cut.endswith(("\r", "\n"))


def test_detection() -> None:
    assert looks_like_exchange(b"\xef\xbb\xbf\r\n[INFO]\r\n")
    assert not looks_like_exchange(b'{"lines": "[INFO]\n"}')
    assert not looks_like_exchange(b"<Faktura/>")


def test_numbers_with_and_without_mnemonic() -> None:
    assert split_number("FS 12/MAG/2026").number == "12/MAG/2026"
    assert split_number("583/03").number == "583/03"
    assert split_number("FV 12/2026").number == "FV 12/2026"
    assert split_number("KFS  3/2026").kind == "KFS"


def test_a_file_that_ends_after_a_label_is_told_by_the_line_that_it_lacks() -> None:
    begun = epp(Paperwork([COFFEE])).decode("cp1250").split("[NAGLOWEK]")[0] + "[NAGLOWEK]\r\n"
    with pytest.raises(BadInput) as caught:
        read_file(begun.encode("cp1250"))
    assert [each.pointer for each in caught.value.errors] == [str(begun.count("\n") + 1)]
