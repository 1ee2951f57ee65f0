"""ESC/POS of every profile against a second reader: the same letters, codes and dots, and nothing else."""

from __future__ import annotations

import re
import unicodedata

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from agent.domain.paper.receipt import Pair, Qr, Receipt, Table, Text
from printers.escpos.encode import encode
from printers.hardware_day.slips import Slip, slip
from printers.preview import plaintext
from printers.profiles.models import PROFILES, QrMode
from tests.differential.escpos_reader import Unknown, read
from tests.unit.printers.slips import EC_LINK, INVOICE_LINK, profile, receipts
from tests.unit.printers.slips import invoice as slip_of_invoice

NAMES = sorted(PROFILES)


def letters(text: str) -> str:
    """ASCII letters and digits of a text, tails cut off: what every printer keeps."""
    bare = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    return re.sub(r"[^0-9A-Za-z]", "", bare)


@pytest.mark.parametrize("name", NAMES)
def test_an_invoice_says_the_same_to_both_readers(name: str) -> None:
    data = encode(slip_of_invoice(), PROFILES[name])
    found = read(data)
    printed = "".join(found.lines)
    for element in slip_of_invoice().elements:
        for words in said(element):
            for word in words.split():  # a line is broken between words, and an amount stands right of its first one
                assert letters(word) in letters(printed), word
    ours = {letters(line) for line in plaintext.decode(data, PROFILES[name]).splitlines()}
    assert {letters(line) for line in found.lines} <= ours | {""}
    payloads = [code.decode() for code in found.codes] + [scan(raster) for raster in found.rasters]
    assert sorted(payloads) == sorted((INVOICE_LINK, EC_LINK))
    assert found.cuts == int(PROFILES[name].cutter)
    assert found.drawers == 0


def said(element: object) -> list[str]:
    """The words of an element."""
    match element:
        case Text(text):
            return [text]
        case Pair(left, right):
            return [left, right]
        case Table(header, rows, total):
            return [*header, *(cell for row in rows for cell in row), *(total or ())]
        case Qr(_, caption):
            return [caption]
    return []


def scan(raster: list[str]) -> str:
    """Read a code as a phone does; one that has no quiet zone of its own is not read."""
    width, height = len(raster[0]), len(raster)
    picture = Image.new("L", (width + 80, height + 80), 255)
    for y, row in enumerate(raster):
        for x, bit in enumerate(row):
            if bit == "1":
                picture.putpixel((x + 40, y + 40), 0)
    (code,) = zxingcpp.read_barcodes(picture)
    return str(code.text)


@given(receipts, st.sampled_from(NAMES), st.sampled_from(QrMode))
@settings(max_examples=60)
def test_any_text_is_printed_as_text_only(document: Receipt, name: str, qr: QrMode) -> None:
    """Whatever a cashier pastes, no command comes of it: every byte is one of those that the agent may send."""
    try:
        data = encode(document, profile("generic-80", qr) if name == "generic-80" else PROFILES[name])
    except ValueError:
        return
    found = read(data)
    assert found.drawers == 0
    assert found.codes == []
    assert found.rasters == []
    assert found.cuts <= 1
    assert all(character >= " " for line in found.lines for character in line)


@pytest.mark.parametrize("kind", list(Slip))
def test_slips_of_the_hardware_day(kind: Slip) -> None:
    found = read(slip(kind, "proba 1", "paragon", PROFILES["epson-tm-t20"]))
    assert found.drawers == (kind is Slip.DRAWER)
    assert len(found.lines) > 5


@pytest.mark.parametrize(
    "data", [b"\x1b", b"\x1bZ", b"a", b"\x1d(k\x05\x001", b"\x1dv0\x00\x01\x00\x02\x00\xff", b"\x00"]
)
def test_the_second_reader_is_strict(data: bytes) -> None:
    with pytest.raises(Unknown):
        read(data)
