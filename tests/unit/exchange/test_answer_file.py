"""The file for the way back: remarks end with the KSeF number, and nothing else is another byte."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.exchange.answer import with_ksef_numbers
from agent.domain.exchange.file import read_file
from agent.domain.exchange.requests import content_of, key_of
from agent.domain.exchange.sale import REMARKS
from tests.fakes.exchange import Item, Paperwork, epp

COFFEE = Item("KAWA", "Kawa „Źdźbło” 1 kg", Decimal("64.90"))
NUMBERS = ("5261040828-20261124-0100001AF629-0A", "5261040828-20261124-0200001AF629-0B")


def remarks(data: bytes) -> list[str]:
    return [document.header.text(REMARKS) for document in read_file(data).documents]


@given(st.text(st.characters(codec="cp1250", categories=("L", "M", "N", "P", "S", "Z")), max_size=300), st.booleans())
def test_only_the_remarks_change(text: str, as_utf_8: bool) -> None:
    data = epp(Paperwork([COFFEE], fields={REMARKS: text}), Paperwork([COFFEE], kind="PA"))
    if as_utf_8:
        data = b"\xef\xbb\xbf" + data.decode("cp1250").encode()
    found = read_file(data)
    answer = with_ksef_numbers(found, {0: NUMBERS[0], 1: NUMBERS[1]})
    written = remarks(answer)
    assert all(each.endswith(f"KSeF {number}") for each, number in zip(written, NUMBERS, strict=True))
    assert all(len(each) <= 255 for each in written)
    if len(text) < 200:
        assert written[0].removesuffix(f"KSeF {NUMBERS[0]}").rstrip() == text.rstrip()
    again = read_file(answer)
    for before, after in zip(found.documents, again.documents, strict=True):
        assert (key_of(found, before), content_of(found, before)) == (key_of(again, after), content_of(again, after))
        assert before.lines[0].fields == after.lines[0].fields
        assert len(before.header.fields) == len(after.header.fields)
    assert with_ksef_numbers(again, {0: NUMBERS[0], 1: NUMBERS[1]}) == answer
    assert with_ksef_numbers(found, {}) == data


def test_a_document_without_number_keeps_its_remarks() -> None:
    data = epp(Paperwork([COFFEE], fields={REMARKS: "jeden"}), Paperwork([COFFEE], fields={REMARKS: "dwa"}))
    assert remarks(with_ksef_numbers(read_file(data), {1: NUMBERS[1]})) == ["jeden", f"dwa KSeF {NUMBERS[1]}"]


@pytest.mark.parametrize("kept", [48, 40])
def test_a_header_that_ends_before_its_remarks(kept: int) -> None:
    lines = epp(Paperwork([COFFEE])).split(b"\r\n")
    place = lines.index(b"[NAGLOWEK]") + 1
    lines[place] = b",".join(lines[place].replace(b"00-002", b"00002").split(b",")[:kept])
    answer = with_ksef_numbers(read_file(b"\r\n".join(lines)), {0: NUMBERS[0]})
    assert remarks(answer) == [f"KSeF {NUMBERS[0]}"]
