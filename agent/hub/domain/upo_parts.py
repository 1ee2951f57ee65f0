"""The parts of a session's UPO page that confirm single invoices.

A page confirms up to ten thousand invoices of many tills and is megabytes. What a till gets is the page with the
other Dokument elements left out, everything else as KSeF wrote it, and a comment that names the page by its hash. The
Ministry's signature is over the whole page, which the hub keeps: the part says where the proof is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection

from lxml import etree

UPO = "http://upo.schematy.mf.gov.pl/KSeF/v4-3"
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


class UpoPageParts:
    """A page taken apart once, for all who are named in it."""

    def __init__(self, page: bytes) -> None:
        """ValueError where it is no UPO."""
        self.sha256 = hashlib.sha256(page).digest()
        try:
            root = etree.fromstring(page, _PARSER)
        except etree.XMLSyntaxError as error:
            raise ValueError(f"not XML: {error}") from error
        self._documents: dict[bytes, bytes] = {}
        place: int | None = None
        for element in root.findall(f"{{{UPO}}}Dokument"):
            place = root.index(element) if place is None else place
            self._documents[_hash_of(element)] = etree.tostring(element, with_tail=False)
            root.remove(element)
        note = etree.Comment(f" Wyciąg ze strony UPO o skrócie SHA-256 {self.sha256.hex()}; całość jest w centrali. ")
        root.insert(len(root) if place is None else place, note)
        whole = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        mark = etree.tostring(note, with_tail=False, encoding="UTF-8")
        self._head, _, self._tail = whole.partition(mark)
        self._head += mark

    def part(self, hashes: Collection[bytes]) -> bytes:
        """Return the page with these invoices only. KeyError for one it does not name."""
        return b"".join((self._head, *(self._documents[sha256] for sha256 in hashes), self._tail))


def _hash_of(element: etree._Element) -> bytes:
    try:
        return base64.b64decode((element.findtext(f"{{{UPO}}}SkrotDokumentu") or "").strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("a Dokument without SkrotDokumentu") from error
