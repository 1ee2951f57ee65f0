"""Papers metres long: their picture comes in pages of bounded height; everything is on one, nothing is cut through."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from agent.domain.errors import BadInput
from agent.domain.paper.receipt import Pair, Receipt, Text
from agent.settings.model import PrinterSettings
from agent.system.clock import SystemClock
from printers.escpos.encode import encode
from printers.escpos.printed_page import Box, CodeBox, CutMark, Page, PictureBox, TextBox, compose
from printers.preview.raster import MARGIN, MAX_HEIGHT, NoSuchPage, divided, draw, render, render_png
from printers.printer_set import build
from printers.profiles.models import PROFILES
from tests.unit.printers.slips import invoice

KIND = PROFILES["generic-80"]


def long_paper(lines: int) -> bytes:
    goods = [element for number in range(lines) for element in (Text(f"Towar {number}"), Pair("1 x 1,23", "1,23"))]
    return encode(Receipt("Faktura", (*goods, *invoice().elements)), KIND)


def size(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as picture:
        return picture.size


def bottom(box: Box) -> int:
    match box:
        case TextBox():
            return box.y + box.height * box.tall
        case PictureBox():
            return box.y + box.height
        case CodeBox():
            return box.y + box.width
        case CutMark():
            return box.y


def test_a_usual_paper_is_one_page() -> None:
    data = encode(invoice(), KIND)
    picture = render(data, KIND)
    assert (picture.page, picture.pages) == (1, 1)
    assert picture.png == render_png(data, KIND) == draw(compose(data, KIND))


def test_five_hundred_lines() -> None:
    data = long_paper(500)
    page = compose(data, KIND)
    first = render(data, KIND)
    assert first.pages == -(-page.height // MAX_HEIGHT)
    for number in range(1, first.pages + 1):
        width, height = size(render(data, KIND, number).png)
        assert width == page.width + 2 * MARGIN
        assert height < MAX_HEIGHT + 100
    for number in (0, first.pages + 1):
        with pytest.raises(NoSuchPage):
            render(data, KIND, number)


def test_the_pages_under_each_other_are_the_paper() -> None:
    page = compose(long_paper(60), KIND)
    with Image.open(io.BytesIO(draw(page))) as whole:
        for top, end in divided(page, 700):
            with Image.open(io.BytesIO(draw(page, top, end))) as part:
                inner = (0, 24, whole.width, 24 + end - top)
                assert part.crop(inner).tobytes() == whole.crop((0, 24 + top, whole.width, 24 + end)).tobytes()


@given(st.integers(1, 80), st.integers(100, 3000))
def test_nothing_is_cut_through_or_shown_twice(lines: int, height: int) -> None:
    page = compose(long_paper(lines), KIND)
    bands = list(divided(page, height))
    assert bands[0][0] == 0
    assert bands[-1][1] == page.height
    assert all(before[1] == after[0] for before, after in pairwise(bands))
    for box in page.boxes:
        assert sum(top <= box.y and bottom(box) <= end for top, end in bands) >= 1
    tallest = max(bottom(box) - box.y for box in page.boxes)
    assert all(end - top <= height + tallest + 200 for top, end in bands)


def test_a_page_without_anything() -> None:
    assert list(divided(Page(576, 0, ()))) == [(0, 0)]


def test_a_page_that_is_not_there_is_told_with_how_many_there_are() -> None:
    fleet = build((PrinterSettings(),), SystemClock())
    data = encode(invoice(), fleet.profile("paragon"))
    with pytest.raises(BadInput) as refused:
        fleet.png("paragon", data, 2)
    assert (refused.value.code, refused.value.detail) == ("bad-query", "Obraz tego wydruku ma stron: 1.")
