"""UPO: the authority's confirmation, schema 4-3 (reference/upo/upo-v4-3.xsd), of one invoice or of a session."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from aiohttp import web
from lxml import etree

from agent.sandbox.ksef.state import LedgerEntry, Session
from agent.sandbox.ksef.wire import WARSAW, b64

NAMESPACE = "http://upo.schematy.mf.gov.pl/KSeF/v4-3"
RECEIVER = "Ministerstwo Finansów"
STRUCTURE = "Schemat_FA(3)_v1-0E.xsd"
FORM = "FA (3)"
PAGE_SIZE = 10_000
CONTEXT_ELEMENTS = {
    "Nip": "Nip",
    "InternalId": "IdWewnetrzny",
    "NipVatUe": "IdZlozonyVatUE",
    "PeppolId": "IdDostawcyUslugPeppol",
}


def confirm(session: Session, entries: Sequence[LedgerEntry], page: tuple[int, int, int] | None = None) -> bytes:
    """Return the UPO. ``page``: (number, of how many, documents in all) for a session's UPO, None for one invoice."""
    root = etree.Element(f"{{{NAMESPACE}}}Potwierdzenie", {"wersjaSchemy": "4-3"}, nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    _add(root, "NazwaPodmiotuPrzyjmujacego", RECEIVER)
    _add(root, "NumerReferencyjnySesji", session.reference)
    proof = _add(root, "Uwierzytelnienie")
    _add(_add(proof, "IdKontekstu"), CONTEXT_ELEMENTS[session.context_type], session.context)
    _add(proof, *session.proof)
    if page is not None:
        number, pages, total = page
        first = (number - 1) * PAGE_SIZE + 1
        description = _add(root, "OpisPotwierdzenia")
        _add(description, "Strona", str(number))
        _add(description, "LiczbaStron", str(pages))
        _add(description, "ZakresDokumentowOd", str(first))
        _add(description, "ZakresDokumentowDo", str(first + len(entries) - 1))
        _add(description, "CalkowitaLiczbaDokumentow", str(total))
    _add(root, "NazwaStrukturyLogicznej", STRUCTURE)
    _add(root, "KodFormularza", FORM)
    for entry in entries:
        _document(root, entry)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _document(root: etree._Element, entry: LedgerEntry) -> None:
    nip, _, number = entry.key
    document = _add(root, "Dokument")
    _add(document, "NipSprzedawcy", nip)
    _add(document, "NumerKSeFDokumentu", entry.ksef_number)
    _add(document, "NumerFaktury", number)
    _add(document, "DataWystawieniaFaktury", entry.issued_on.isoformat())
    # instants in Polish time with offset, as in the Ministry's samples
    _add(document, "DataPrzeslaniaDokumentu", entry.received_at.astimezone(WARSAW).isoformat(timespec="milliseconds"))
    _add(document, "DataNadaniaNumeruKSeF", entry.accepted_at.astimezone(WARSAW).isoformat(timespec="milliseconds"))
    _add(document, "SkrotDokumentu", b64(entry.sha256))
    _add(document, "TrybWysylki", "Offline" if entry.offline else "Online")


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = text
    return child


def xml_answer(xml: bytes) -> web.Response:
    """Return a document with its hash in x-ms-meta-hash."""
    digest = b64(hashlib.sha256(xml).digest())
    return web.Response(body=xml, content_type="application/xml", headers={"x-ms-meta-hash": digest})
