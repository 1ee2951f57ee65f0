"""The A4 page: everything the document says, in an accountant's columns, as PDF/A-3 with the FA(3) file inside."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import pypdf
import pytest
from lxml import etree
from pypdf.generic import ArrayObject, DictionaryObject, StreamObject

from agent.domain.fa3.view.read import read
from agent.domain.invoice import Mode
from agent.domain.paper.a4 import compose_a4
from agent.domain.paper.choice import PaperFacts, choose
from agent.domain.paper.sheet import Grid, Sheet
from printers.preview.a4 import render_a4
from tests.reference import FA3_SAMPLES
from tests.unit.fa3 import fa3_documents as documents
from tests.unit.paper.paper_text import run_on, unprinted, words

LINK = "https://qr.ksef.mf.gov.pl/invoice/9999999999/24-11-2026/abc"
CERTIFICATE = "https://qr.ksef.mf.gov.pl/certificate/Nip/9999999999/9999999999/01/abc/def"
KSEF_NUMBER = "9999999999-20261124-8BEF280C8D35-4D"
MM = 72 / 25.4


def sheet(xml: bytes, ksef_number: str | None = KSEF_NUMBER) -> Sheet:
    view = read(xml)
    facts = PaperFacts(Mode.OFFLINE24, view.buyer.as_buyer().kind, view.number, kind=view.kind, ksef_number=ksef_number)
    return compose_a4(view, choose(facts), xml, link_invoice=LINK, link_certificate=CERTIFICATE)


def said(page: Sheet) -> str:
    parts = [word for element in page.head for word in words(element)]
    parts += [word for party in page.parties for element in party for word in words(element)]
    for element in page.body:
        if isinstance(element, Grid):
            parts += [element.title, " ".join(element.header), element.note]
            parts += [" ".join(f"{cell.text} {cell.details}".strip() for cell in row) for row in element.rows]
            # a rate is said once, in its column
            parts += [f"VAT {row[6].text}" for row in element.rows]
        else:
            parts += words(element)
    return "\n".join([*parts, *(code.caption for code in page.codes)])


def reading(xml: bytes, ksef_number: str | None = KSEF_NUMBER) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(render_a4(sheet(xml, ksef_number))))


@pytest.mark.parametrize("name", documents.ALL)
def test_everything_the_document_says_is_on_the_page(name: str) -> None:
    xml = documents.ALL[name]
    assert unprinted(xml, said(sheet(xml))) == []


@pytest.mark.parametrize("path", FA3_SAMPLES, ids=lambda path: path.stem)
def test_everything_the_ministrys_examples_say_is_on_the_page(path: Path) -> None:
    xml = path.read_bytes()
    assert unprinted(xml, said(sheet(xml))) == []
    assert len(reading(xml).pages) >= 1


def test_lines_stand_in_an_accountants_columns() -> None:
    (grid,) = (part for part in sheet(documents.document()).body if isinstance(part, Grid))
    assert grid.header == ("Lp.", "Nazwa", "J.m.", "Ilość", "Cena brutto", "Netto", "Stawka", "VAT", "Brutto")
    assert [cell.text for cell in grid.rows[0]] == [
        *("1", "Wkrętak", "szt.", "1", "123,00"),
        *("100,00", "23%", "23,00", "123,00"),
    ]
    assert "wyliczono" in grid.note  # the document has the gross value only


def test_the_margin_scheme_shows_neither_base_nor_tax() -> None:
    body = documents.ONE_LINE.replace("<P_12>23</P_12>", "")
    (grid,) = (part for part in sheet(documents.document(body=body)).body if isinstance(part, Grid))
    assert [cell.text for cell in grid.rows[0]][5:] == ["–", "", "–", "123,00"]
    assert grid.note == ""


def test_a_correction_has_two_tables() -> None:
    grids = [part for part in sheet(documents.CORRECTION).body if isinstance(part, Grid)]
    assert [grid.title for grid in grids] == ["Przed korektą", "Po korekcie"]


def test_a_page_says_which_it_is_and_repeats_the_header() -> None:
    lines = "".join(documents.ONE_LINE.replace("<NrWierszaFa>1<", f"<NrWierszaFa>{number}<") for number in range(1, 80))
    pages = [page.extract_text() for page in reading(documents.document(body=lines)).pages]
    for number, text in enumerate(pages, start=1):
        assert f"strona {number} z {len(pages)}" in text
        assert "FV/2026/11/1" in text
    assert all("Cena brutto" in text for text in pages[:2])


def test_it_is_pdf_a_3_by_structure() -> None:
    """What ISO 19005-3 asks for beside embedded fonts: header, XMP, colour profile, identifiers, no encryption."""
    data = render_a4(sheet(documents.document()))
    reader = pypdf.PdfReader(io.BytesIO(data))
    assert data.startswith(b"%PDF-1.7\n%")
    assert all(byte > 127 for byte in data.split(b"\n")[1][1:5])
    assert not reader.is_encrypted
    assert "/ID" in reader.trailer
    root = reader.root_object
    xmp = cast(StreamObject, root["/Metadata"].get_object())
    assert "/Filter" not in xmp
    metadata = etree.fromstring(xmp.get_data().strip())
    pdfaid = "{http://www.aiim.org/pdfa/ns/id/}"
    assert [metadata.findtext(f".//{pdfaid}{name}") for name in ("part", "conformance")] == ["3", "B"]
    assert reader.metadata is not None
    title = metadata.find(".//{http://purl.org/dc/elements/1.1/}title")
    assert title is not None
    assert "".join(str(text) for text in title.itertext()).strip() == reader.metadata.title
    (intent,) = cast(ArrayObject, root["/OutputIntents"])
    assert intent["/S"] == "/GTS_PDFA1"
    assert intent["/DestOutputProfile"].get_object().get_data()[36:40] == b"acsp"
    assert str(root["/Lang"]) == "pl-PL"
    a4 = reader.pages[0].mediabox
    assert (round(float(a4.width) / MM), round(float(a4.height) / MM)) == (210, 297)


def test_every_font_that_letters_are_set_in_is_embedded() -> None:
    for page in reading(documents.EVERYTHING).pages:
        content = page.get_contents()
        assert content is not None
        used = {operands[0] for operands, operator in content.operations if operator == b"Tf"}
        fonts = cast(DictionaryObject, cast(DictionaryObject, page["/Resources"])["/Font"])
        assert used
        for name in used:
            descriptor = cast(DictionaryObject, fonts[name].get_object())["/FontDescriptor"].get_object()
            assert "/FontFile2" in cast(DictionaryObject, descriptor)


def test_the_fa3_file_is_inside_byte_for_byte() -> None:
    xml = documents.document()
    reader = reading(xml)
    assert reader.attachments == {"FV-2026-11-1.xml": [xml]}
    (specification,) = cast(ArrayObject, reader.root_object["/AF"])
    file = specification.get_object()
    assert (file["/AFRelationship"], file["/UF"]) == ("/Source", "FV-2026-11-1.xml")
    assert file["/EF"]["/F"].get_object()["/Subtype"] == "/text/xml"


def test_a_confirmation_is_no_invoice_and_carries_none() -> None:
    reader = reading(documents.document(), ksef_number=None)
    assert reader.attachments == {}
    text = run_on("".join(page.extract_text() for page in reader.pages))
    assert "To potwierdzenie nie jest fakturą." in text
    assert "Wkrętak" not in text


def test_the_same_document_is_the_same_file() -> None:
    assert len({render_a4(sheet(documents.CORRECTION)) for _ in range(3)}) == 1
