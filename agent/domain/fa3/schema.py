"""The FA(3) gate: strict XML as KSeF wants it, then the official XSD. Refusals are Polish.

KSeF's strict rules (status 450 since 2026): UTF-8 without byte order mark, no processing instructions, no DTD, no
discouraged characters, at most 1 000 000 bytes. Nothing here opens a file or a connection: the schema comes as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, cast

from lxml import etree

from agent.domain.characters import first_forbidden
from agent.domain.errors import BadInput, FieldError
from agent.domain.fa3.schema_messages import Mistake, explain

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

NAMESPACE = "http://crd.gov.pl/wzor/2025/06/25/13775/"
MAX_BYTES = 1_000_000
MAX_REPORTED = 20
"""Schema mistakes named in one refusal; a wrong file can have thousands."""

_DECLARATION = re.compile(rb"<\?xml\s[^>]*\?>")
_ENCODING = re.compile(rb"""\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_VERSION = re.compile(rb"""\sversion\s*=\s*["']([^"']*)["']""")
KEPT_BYTES = 64 * 1024
"""Of a file whose tree is kept, about a hundred lines; trees take ten times the room."""
DEEPEST = 32
"""Levels of elements, many more than FA(3) knows."""

_WHITE_SPACE = re.compile(rb"[ \t\r\n]*")
_NOT_UTF8_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00", b"\x00\x00")
_UTF8_MARK = b"\xef\xbb\xbf"


def _refuse(detail: str, code: str, pointer: str = "") -> BadInput:
    return BadInput(detail, code=code, errors=(FieldError(pointer, detail, code),))


def _too_deep(line: object) -> BadInput:
    return _refuse(f"Plik ma więcej niż {DEEPEST} poziomy elementów (wiersz {line}).", "xml-too-deep")


def _check_encoding(xml: bytes) -> None:
    if len(xml) > MAX_BYTES:
        raise _refuse(f"Plik ma {len(xml)} bajtów, a KSeF przyjmuje najwyżej {MAX_BYTES}.", "xml-too-large")
    if not xml.strip():
        raise _refuse("Plik jest pusty.", "xml-malformed")
    if xml.startswith(_UTF8_MARK):
        raise _refuse("Plik zaczyna się znacznikiem BOM; KSeF przyjmuje UTF-8 bez BOM.", "xml-bom")
    if xml.startswith(_NOT_UTF8_MARKS):
        raise _refuse("Plik jest zapisany w UTF-16 lub UTF-32; KSeF przyjmuje tylko UTF-8.", "xml-encoding")
    declaration = _DECLARATION.match(xml)
    version = _VERSION.search(declaration.group()) if declaration else None
    if version is not None and version.group(1) != b"1.0":
        name = version.group(1).decode("ascii", "replace")
        raise _refuse(f"Plik podaje wersję XML {name}; KSeF przyjmuje tylko 1.0.", "xml-version")
    encoding = _ENCODING.search(declaration.group()) if declaration else None
    if encoding is not None and encoding.group(1).upper() != b"UTF-8":
        name = encoding.group(1).decode("ascii")
        raise _refuse(f"Plik podaje kodowanie {name}; KSeF przyjmuje tylko UTF-8.", "xml-encoding")
    try:
        text = xml.decode("utf-8")
    except UnicodeDecodeError as error:
        line = xml.count(b"\n", 0, error.start) + 1
        raise _refuse(f"Plik nie jest poprawnym UTF-8 (wiersz {line}).", "xml-encoding") from None
    _check_characters(text)


def _check_characters(text: str) -> None:
    forbidden = first_forbidden(text)
    if forbidden is not None:
        raise _refuse(f"Plik zawiera znak {forbidden}, którego KSeF nie przyjmuje.", "forbidden-character")


def _check_prolog(xml: bytes) -> None:
    """Refuse a DTD before the parser meets its entities. Linear in the prolog's length."""
    declaration = _DECLARATION.match(xml)
    position = declaration.end() if declaration else 0
    closing = {b"<!--": b"-->", b"<?": b"?>"}
    while True:
        space = _WHITE_SPACE.match(xml, position)
        position = space.end() if space else position
        mark = next((mark for mark in closing if xml.startswith(mark, position)), None)
        if mark is None:
            break
        end = xml.find(closing[mark], position + len(mark))
        if end < 0:
            break
        position = end + len(closing[mark])
    if xml.startswith(b"<!DOCTYPE", position):
        raise _refuse("Plik zawiera DOCTYPE (DTD, encje); KSeF takich plików nie przyjmuje.", "xml-doctype")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )


def check_bytes(xml: bytes) -> Element:
    """Return the root of a file that meets KSeF's strict XML rules; BadInput otherwise. Does not ask the XSD.

    Nobody changes what is under it: the same file may be asked for again (_checked).
    """
    return _checked(xml) if len(xml) <= KEPT_BYTES else _check(xml)


@lru_cache(maxsize=1)
def _checked(xml: bytes) -> Element:
    """Keep the newest one: a press reads its paper from the bytes that it has checked a moment before."""
    return _check(xml)


def _check(xml: bytes) -> Element:
    _check_encoding(xml)
    _check_prolog(xml)
    try:
        root = etree.fromstring(xml, _parser())
    except etree.XMLSyntaxError as error:
        line = error.lineno or 1
        if "depth" in error.msg:  # the parser's own limit, by its release 256 or more
            raise _too_deep(line) from None
        raise _refuse(f"Plik nie jest poprawnym XML (wiersz {line}): {error.msg}.", "xml-malformed") from None
    if below := cast("list[Element]", root.xpath("/*" * (DEEPEST + 1))):
        raise _too_deep(below[0].sourceline)
    if root.getroottree().docinfo.internalDTD is not None:
        raise _refuse("Plik zawiera DOCTYPE (DTD, encje); KSeF takich plików nie przyjmuje.", "xml-doctype")
    if root.xpath("//processing-instruction()"):
        raise _refuse("Plik zawiera instrukcje przetwarzania (<?…?>); KSeF ich nie przyjmuje.", "xml-instruction")
    if b"&#" in xml:
        texts = root.xpath("//text() | //@*")  # a character reference hides from the check of the bytes
        _check_characters("".join(map(str, texts)) if isinstance(texts, list) else "")
    name = etree.QName(root)
    if name.localname != "Faktura" or name.namespace != NAMESPACE:
        raise _refuse(
            f"To nie jest faktura FA(3): element główny „{name.localname}” w przestrzeni „{name.namespace or ''}”, "
            f"a powinna być „Faktura” w „{NAMESPACE}”.",
            "xml-namespace",
            "/",
        )
    return root


_ANNOTATION = "{http://www.w3.org/2001/XMLSchema}annotation"


def _without_remarks(xsd: bytes) -> bytes:
    """Return a schema without what explains it to people: libxml2 keeps its text as long as the schema lives."""
    root = etree.fromstring(xsd, etree.XMLParser(resolve_entities=False, remove_comments=True, remove_blank_text=True))
    etree.strip_elements(root, _ANNOTATION, with_tail=False)
    return etree.tostring(root, encoding="utf-8")


class _Packaged(etree.Resolver):
    """Answers imports and includes from memory; anything else is refused, never fetched."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__()
        self._files = files

    def resolve(self, url: str, public_id: str, context: object) -> object:  # type: ignore[override]  # stubs lack it
        name = (url or "").rsplit("/", 1)[-1]
        if name not in self._files:
            raise ValueError(f"the FA(3) schema refers to {url}, which is not among the given files")
        return self.resolve_string(_without_remarks(self._files[name]), context, base_url=url)


class Fa3Schema:
    """The official schema, compiled once (about 20 ms); check() may be called from any one thread at a time."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Compile. ``files``: name -> bytes of the FA(3) schema and all it refers to; ValueError where unusable."""
        mains = [name for name in files if name.startswith("schemat")]
        if len(mains) != 1:
            raise ValueError(f"expected one schemat*.xsd among the schema files, found: {', '.join(mains) or 'none'}")
        parser = _parser()
        parser.resolvers.add(_Packaged(files))
        try:
            self._schema = etree.XMLSchema(etree.fromstring(_without_remarks(files[mains[0]]), parser))
        except etree.LxmlError as error:
            raise ValueError(f"the FA(3) schema cannot be compiled: {error}") from error

    def check(self, xml: bytes) -> Element:
        """Return the root of a valid FA(3) file; BadInput names every mistake with its place and line otherwise."""
        root = check_bytes(xml)
        if self._schema.validate(root):
            return root
        mistakes = islice(cast("Iterable[Mistake]", self._schema.error_log), MAX_REPORTED)  # the stubs know no log
        errors = tuple(dict.fromkeys(explain(mistake, root) for mistake in mistakes))
        raise BadInput(f"Faktura nie jest zgodna ze schematem FA(3): {errors[0].message}", code="schema", errors=errors)
