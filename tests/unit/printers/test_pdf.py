"""The document as PDF: the same words, real text, vector codes, the same bytes every time."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pypdf
import pytest
from hypothesis import given, settings
from pypdf.generic import DictionaryObject

from agent.domain.paper.receipt import Pair, Qr, Receipt, Rule, Table, Text
from printers.escpos.charset import clean
from printers.escpos.qr import QrNotAscii
from printers.preview import pdf
from printers.preview.pdf import LONGEST, render_pdf
from tests.unit.printers.slips import INVOICE_LINK, KSEF_NUMBER, RSA_LINK, invoice, receipt, receipts, squeezed

MM = 72 / 25.4


def reading(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(data))


def text_of(data: bytes) -> str:
    return squeezed("".join(page.extract_text() for page in reading(data).pages))


def test_all_words_are_text() -> None:
    text = text_of(render_pdf(invoice()))
    for words in ("SKLEP „Żółta Łódź” Sp. z o.o.", KSEF_NUMBER, "123 108,00 PLN", "2 szt. × 4,99", "OFFLINE", "Brutto"):
        assert squeezed(words) in text


def test_same_document_same_bytes_in_any_thread() -> None:
    with ThreadPoolExecutor(4) as pool:
        pdfs = list(pool.map(lambda _: render_pdf(invoice(RSA_LINK)), range(8)))
    assert len(set(pdfs)) == 1


def test_sizes() -> None:
    narrow = reading(render_pdf(invoice()))
    assert round(float(narrow.pages[0].mediabox.width) / MM) == 80
    assert len(narrow.pages) == 1


def test_fonts_are_embedded_and_nothing_is_a_picture() -> None:
    reader = reading(render_pdf(invoice()))
    resources = cast(DictionaryObject, reader.pages[0]["/Resources"])
    fonts = [font.get_object() for font in cast(DictionaryObject, resources["/Font"]).values()]
    ours = [font for font in fonts if "DejaVu" in font["/BaseFont"]]
    assert len(ours) >= 2
    assert all("/FontFile2" in font["/FontDescriptor"].get_object() for font in ours)
    assert not reader.pages[0].images


def test_title_and_language() -> None:
    reader = reading(render_pdf(Receipt("Faktura VAT nr FV/1", (Text("x"),))))
    assert reader.metadata is not None
    assert reader.metadata.title == "Faktura VAT nr FV/1"
    assert str(reader.root_object["/Lang"]) == "pl-PL"


def shop(lines: int) -> Receipt:
    names = [element for number in range(lines) for element in (Text(f"{number}. Towar"), Pair("1 szt.", "1,00"))]
    table = Table(("Stawka", "Brutto"), tuple((f"{rate}%", "1,00") for rate in range(12)), ("Razem", "12,00"))
    return receipt(*names, Rule(), table, Rule(), Pair("Suma PLN", "12,00"), Qr(INVOICE_LINK, "OFFLINE"))


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no reader showed a page longer than 600 points."""
    monkeypatch.setattr(pdf, "LONGEST", 600.0)


@pytest.mark.usefixtures("short_pages")
@pytest.mark.parametrize("lines", range(16, 27))
def test_what_belongs_together_stays_on_one_page(lines: int) -> None:
    pages = [page.extract_text().split("\n") for page in reading(render_pdf(shop(lines))).pages]
    assert len(pages) == 2
    for page in pages:
        assert not page[0].startswith("1 szt.")  # a price without its name
        assert ("Stawka" in " ".join(page)) is ("Suma" in " ".join(page))


@pytest.mark.usefixtures("short_pages")
def test_pages_are_numbered_where_there_are_several() -> None:
    first, second = reading(render_pdf(shop(25))).pages
    assert "Próba · strona 1 z 2" in first.extract_text()
    assert "Próba · strona 2 z 2" in second.extract_text()
    assert "strona" not in text_of(render_pdf(shop(1)))


def test_wide_tables_shrink_and_keep_every_figure() -> None:
    cells = tuple(f"{number}23 456 789,00" for number in range(1, 7))
    data = render_pdf(receipt(Table(tuple("ABCDEF"), (cells,))))
    assert all(squeezed(cell) in text_of(data) for cell in cells)


def test_code_takes_links_only() -> None:
    with pytest.raises(QrNotAscii):
        render_pdf(receipt(Qr("żółw", "x")))


@settings(max_examples=25)
@given(receipts)
def test_any_text_makes_a_pdf(slip: Receipt) -> None:
    assert reading(render_pdf(slip)).pages


def test_letters_that_no_printer_has_are_kept() -> None:
    assert "Київ" in text_of(render_pdf(receipt(Text(clean("ТОВ Київ €")))))


def test_a_roll_longer_than_readers_show_goes_on_on_a_new_page() -> None:
    """Adobe's readers end at 200 inches, and a roll of 500 lines is longer."""
    goods = [Pair(f"Towar {number}", "1,23") for number in range(1500)]
    pages = reading(render_pdf(receipt(*goods, Qr(INVOICE_LINK, "OFFLINE")))).pages
    assert len(pages) > 1
    assert max(float(page.mediabox.height) for page in pages) <= LONGEST
    assert squeezed("Towar 1499") in squeezed(pages[-1].extract_text())
    assert "strona 1 z 2" in pages[0].extract_text()
