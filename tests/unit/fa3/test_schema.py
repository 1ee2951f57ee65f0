"""The gate: what KSeF refuses is refused here, with a place and a sentence; the Ministry's examples pass."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from types import SimpleNamespace

import pytest
from lxml import etree

import schemas
from agent.domain.errors import BadInput
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.schema import (
    DEEPEST,
    MAX_BYTES,
    MAX_REPORTED,
    NAMESPACE,
    Fa3Schema,
    _without_remarks,
    check_bytes,
)
from agent.domain.fa3.schema_messages import explain
from tests.reference import FA3_SAMPLES
from tests.unit.sale.sale_samples import NOW, SELLER, fa3_schema, line, sale

VALID = build_invoice(sale(line(), line()), SELLER, number="FV/1", issued_at=NOW, system_info="ksef-agent")
BODY = VALID.split(b"?>", 1)[1].strip()


def refusal(xml: bytes) -> BadInput:
    with pytest.raises(BadInput) as caught:
        fa3_schema().check(xml)
    return caught.value


@pytest.mark.parametrize("path", FA3_SAMPLES, ids=lambda path: path.stem)
def test_the_ministrys_examples(path: Path) -> None:
    assert fa3_schema().check(path.read_bytes()).tag == f"{{{NAMESPACE}}}Faktura"


def nested(levels: int) -> bytes:
    """A Faktura with so many elements within one another below it."""
    return b'<Faktura xmlns="%s">' % NAMESPACE.encode() + b"<a>" * levels + b"</a>" * levels + b"</Faktura>"


def test_our_own_invoice() -> None:
    assert fa3_schema().check(VALID).tag == f"{{{NAMESPACE}}}Faktura"
    assert fa3_schema().check(BODY).tag == f"{{{NAMESPACE}}}Faktura"  # without a declaration


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"", "xml-malformed"),
        (b"  \n", "xml-malformed"),
        (b'{"buyer": null}', "xml-malformed"),
        (VALID[:-5], "xml-malformed"),
        (b"\xef\xbb\xbf" + VALID, "xml-bom"),
        (VALID.decode().replace("UTF-8", "UTF-16").encode("utf-16"), "xml-encoding"),
        (BODY.decode().encode("utf-16-le"), "xml-encoding"),
        (BODY.decode().encode("utf-32"), "xml-encoding"),
        (VALID.replace(b"UTF-8", b"ISO-8859-2"), "xml-encoding"),
        (VALID.replace(b"FV/1", b"FV/\xb11"), "xml-encoding"),
        (VALID + b" " * MAX_BYTES, "xml-too-large"),
        (b'<!DOCTYPE Faktura SYSTEM "http://127.0.0.1:9/x.dtd">' + BODY, "xml-doctype"),
        (b"<!-- a --><?b c?> <!DOCTYPE Faktura>" + BODY, "xml-doctype"),
        (VALID.replace(b"FV/1", b"<?pi?>FV/1"), "xml-instruction"),
        (b'<?xml-stylesheet href="a.xsl"?>' + BODY, "xml-instruction"),
        (VALID + b"<?pi?>", "xml-instruction"),
        (VALID.replace(b"FV/1", "FV/1\x84".encode()), "forbidden-character"),
        (VALID.replace(b"FV/1", b"FV/1&#x9F;"), "forbidden-character"),
        (VALID.replace(b'wersjaSchemy="1-0E"', b'wersjaSchemy="1-0E&#xFDD0;"'), "forbidden-character"),
        (VALID.replace(b"FV/1", b"FV/1&#0;"), "xml-malformed"),
        (VALID.replace(NAMESPACE.encode(), b"http://crd.gov.pl/wzor/2023/06/29/12648/"), "xml-namespace"),
        (b"<Faktura/>", "xml-namespace"),
        (nested(DEEPEST), "xml-too-deep"),
        (nested(300), "xml-too-deep"),
        (nested(100_000), "xml-too-deep"),
        (nested(DEEPEST - 1), "schema"),
    ],
)
def test_what_ksef_would_refuse(xml: bytes, code: str) -> None:
    assert refusal(xml).code == code


def test_an_entity_bomb_is_refused_at_once() -> None:
    entities = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 50) for n in range(1, 30))
    bomb = b'<!DOCTYPE Faktura [<!ENTITY e0 "x">' + entities + b"]>" + BODY.replace(b"FV/1", b"&e29;")
    started = process_time()
    assert refusal(bomb).code == "xml-doctype"
    assert process_time() - started < 5  # seconds of CPU


def test_a_flood_of_comments_is_read_in_linear_time() -> None:
    started = process_time()
    flood = b"<!---->" * 130_000
    assert refusal(flood + b"<!DOCTYPE x>" + BODY).code == "xml-doctype"
    assert process_time() - started < 5  # seconds of CPU; copying the rest at every comment takes minutes


def test_doctype_inside_a_comment_is_text() -> None:
    assert check_bytes(b"<!-- <!DOCTYPE a> -->" + BODY) is not None


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        (b"<P_7>Towar<", b"<P_7>" + b"a" * 600 + b"<", "/Faktura/Fa/FaWiersz[1]/P_7", "ma 600 znaków"),
        (b"<P_1>2026-11-24<", b"<P_1>24.11.2026<", "/Faktura/Fa/P_1", "niewłaściwego rodzaju"),
        (b"<JST>2</JST>", b"", "/Faktura/Podmiot2/GV", "nie może stać w tym miejscu. Spodziewane: "),
        (b"<P_12>23<", b"<P_12>24<", "/Faktura/Fa/FaWiersz[1]/P_12", "nie ma na liście"),
        (b"<NIP>5265877635<", b"<NIP>526<", "/Faktura/Podmiot2/DaneIdentyfikacyjne/NIP", "wymaganej postaci"),
        (b"<P_15>20.00<", b"<P_15>20.001<", "/Faktura/Fa/P_15", "20.001"),
        (b"<P_2>FV/1<", b"<P_2><", "/Faktura/Fa/P_2", "za krótkie"),
        (b"<Podmiot1>", b"<Podmiot1 a='b'>", "/Faktura/Podmiot1", "niedozwolony atrybut"),
        (b"<P_1>2026", b"<P_1>1999", "/Faktura/Fa/P_1", "wcześniejszą"),
    ],
)
def test_schema_mistakes_are_placed_and_explained_in_polish(old: bytes, new: bytes, place: str, said: str) -> None:
    assert old in VALID
    found = refusal(VALID.replace(old, new, 1))
    assert found.code == "schema"
    assert found.errors[0].pointer == place
    assert said in found.errors[0].message
    assert found.errors[0].message.startswith("wiersz 2: ")
    assert "Element '" not in found.errors[0].message


def test_a_missing_part_is_named() -> None:
    found = refusal(VALID.replace(b"<RodzajFaktury>VAT</RodzajFaktury>", b""))
    assert "RodzajFaktury" in found.detail


def test_every_mistake_is_named_up_to_a_limit() -> None:
    many = VALID.replace(b"<P_12>23<", b"<P_12>24<")
    assert [error.pointer for error in refusal(many).errors] == [
        f"/Faktura/Fa/FaWiersz[{number}]/P_12" for number in (1, 2)
    ]
    row = VALID[VALID.index(b"<FaWiersz>") : VALID.index(b"</FaWiersz>") + len(b"</FaWiersz>")]
    flood = VALID.replace(row, row.replace(b"<P_12>23<", b"<P_12>24<") * 200)
    assert len(refusal(flood).errors) == MAX_REPORTED


def test_the_schema_never_reaches_for_the_network_or_a_file() -> None:
    files = schemas.load()
    del files["KodyKrajow_v10-0E.xsd"]
    with pytest.raises(ValueError, match="KodyKrajow"):
        Fa3Schema(files)


def test_unusable_schema_files() -> None:
    with pytest.raises(ValueError, match=r"schemat\*\.xsd"):
        Fa3Schema({})
    with pytest.raises(ValueError, match=r"compile|Start tag|schema"):
        Fa3Schema({"schemat.xsd": b"<a/>"})


def test_schema_files_are_loaded_from_the_package_or_a_directory(tmp_path: Path) -> None:
    packaged = schemas.load()
    assert tuple(packaged) == schemas.FA3_FILES
    for name, content in packaged.items():
        (tmp_path / name).write_bytes(content)
    assert schemas.load(tmp_path) == packaged


def test_missing_schema_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(schemas.SchemasMissing, match=r"schemas\.dir"):
        schemas.load(tmp_path)
    with pytest.raises(schemas.SchemasMissing):
        schemas.load(tmp_path / "nowhere")


def test_the_file_that_came_out_is_the_file_that_was_checked() -> None:
    assert etree.tostring(fa3_schema().check(VALID), xml_declaration=True, encoding="UTF-8") == VALID


def test_a_schema_is_kept_without_what_explains_it_to_people() -> None:
    for name, content in schemas.load().items():
        kept = etree.fromstring(_without_remarks(content))
        assert not kept.xpath("//*[local-name()='annotation'] | //comment()"), name
        left = [(each.tag, dict(each.attrib)) for each in kept.iter()]
        whole = etree.fromstring(content)
        etree.strip_elements(whole, "{http://www.w3.org/2001/XMLSchema}annotation", with_tail=False)
        assert left == [(each.tag, dict(each.attrib)) for each in whole.iter(etree.Element)], name


@pytest.mark.parametrize("path", [None, "", "/*[9]"])
def test_a_mistake_without_a_place_is_told_of_the_whole_document(path: str | None) -> None:
    """libxml2 may know no path, or one that this tree does not have."""
    said = SimpleNamespace(line=1, path=path, message="Element 'P_7': no.", type_name="SCHEMAV_CVC_AU")
    told = explain(said, etree.fromstring(VALID))
    assert (told.pointer, "Faktura" in told.message) == ("/Faktura", True)
