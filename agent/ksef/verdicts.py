"""What KSeF says of an invoice (SessionInvoiceStatusResponse) and of its UPO, as values of agent.ports."""

from __future__ import annotations

import base64
import hmac
import logging
import re
from collections.abc import Sequence

from lxml import etree

from agent.domain import ksef_number
from agent.domain.records.upo import OFFLINE_BY_WAY
from agent.ksef.crypto import sha256
from agent.ksef.responses import Answer, Fields, as_sha256
from agent.ports import Accepted, Duplicate, KsefError, Pending, Rejected, Upo, UpoPage, Verdict

log = logging.getLogger(__name__)

ACCEPTED, DUPLICATE = 200, 440
RETRYABLE = frozenset({405, 550})
"""KSeF cancelled the work: of the session (405) or its own (550). The same bytes may be sent again."""
FIRST_REFUSAL = 400
META_HASH = "x-ms-meta-hash"
"""Base64 SHA-256 of the document in the body, where KSeF gives it."""
UPO = {"upo": "http://upo.schematy.mf.gov.pl/KSeF/v4-3"}
PAGE_FIELDS = (
    "NumerReferencyjnySesji",
    "OpisPotwierdzenia/upo:Strona",
    "OpisPotwierdzenia/upo:LiczbaStron",
    "OpisPotwierdzenia/upo:ZakresDokumentowOd",
    "OpisPotwierdzenia/upo:ZakresDokumentowDo",
)
_COUNT = re.compile(r"[0-9]{1,9}")
"""A place in a page: KSeF's largest has ten thousand documents, and int() raises for thousands of digits."""
PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def read_verdict(item: Fields) -> Verdict:
    """Read one invoice's status. A KSeF number with a wrong checksum makes the whole answer unusable."""
    status = item.object("status")
    code = status.number("code")
    if code < ACCEPTED:
        return Pending(code)
    if code == ACCEPTED:
        arrived_at, numbered_at = item.optional_instant("invoicingDate"), item.optional_instant("acquisitionDate")
        took = None if numbered_at is None or arrived_at is None else (numbered_at - arrived_at).total_seconds()
        offline = OFFLINE_BY_WAY.get(item.optional_text("invoicingMode") or "")
        accepted_at = numbered_at or item.instant("invoicingDate")
        return Accepted(_checked_number(item), accepted_at, item.sha256("invoiceHash"), offline, took)
    if code == DUPLICATE:
        original = status.optional_object("extensions")
        number = original.optional_text("originalKsefNumber") if original else None
        session = original.optional_reference("originalSessionReferenceNumber") if original else None
        return Duplicate(number, session, status.said())
    if code < FIRST_REFUSAL:
        raise item.unusable(f"Nieznany status faktury w KSeF: {code}.")
    return Rejected(code, status.words("description"), status.details(), retryable=code in RETRYABLE)


def better(one: Verdict, other: Verdict) -> Verdict:
    """Return which of two verdicts on the same bytes counts: sent twice, one is accepted and one a duplicate."""
    order = (Accepted, Pending, Duplicate, Rejected)
    return min(one, other, key=lambda verdict: order.index(type(verdict)))


def read_upo(answer: Answer) -> Upo:
    """Read the UPO of one invoice; KSeF's hash of it is compared where there is one."""
    document = checked_document(answer)
    documents = _upo_root(answer, document).findall("upo:Dokument", UPO)
    if len(documents) != 1:
        raise answer.unusable(f"UPO faktury opisuje {len(documents)} dokumentów zamiast jednego.")
    return Upo(document, *_confirmed(answer, documents[0]))


def read_upo_page(answer: Answer, session_ref: str, reference: str, number: int, pages: int) -> UpoPage:
    """Read page ``number`` of ``pages`` of a session's UPO; it has to say that it is that page of that session."""
    document = checked_document(answer)
    root = _upo_root(answer, document)
    elements = root.findall("upo:Dokument", UPO)
    said = [(root.findtext(f"upo:{name}", "", UPO)).strip() for name in PAGE_FIELDS]
    first, last = said[3], said[4]
    counted = all(map(_COUNT.fullmatch, (first, last))) and int(last) - int(first) + 1 == len(elements)
    if said[:3] != [session_ref, str(number), str(pages)] or not counted:
        raise answer.unusable(f"To nie jest strona {number} z {pages} UPO sesji {session_ref}, z całą jej treścią.")
    return UpoPage(number, reference, document, _readable(answer, elements))


def _upo_root(answer: Answer, document: bytes) -> etree._Element:
    try:
        root = etree.fromstring(document, PARSER)
    except etree.XMLSyntaxError as error:
        raise answer.unusable(f"UPO jest uszkodzone: {error}.") from error
    if root.tag != f"{{{UPO['upo']}}}Potwierdzenie":
        raise answer.unusable(f"To nie jest UPO w schemacie 4-3: {root.tag}.")
    return root


def _readable(answer: Answer, elements: Sequence[etree._Element]) -> tuple[tuple[str, bytes], ...]:
    """Read each Dokument; one that cannot be read costs itself only, where another can: it has a UPO of its own."""
    found: list[tuple[str, bytes]] = []
    left_out: list[KsefError] = []
    for element in elements:
        try:
            found.append(_confirmed(answer, element))
        except KsefError as error:
            left_out.append(error)
    if left_out and not found:
        raise left_out[0]
    if left_out:
        log.warning("%d of %d documents of a UPO left out: %s", len(left_out), len(elements), left_out[0].message)
    return tuple(found)


def _confirmed(answer: Answer, document: etree._Element) -> tuple[str, bytes]:
    """Return the KSeF number and the SHA-256 that a Dokument of a UPO names."""
    number = (document.findtext("upo:NumerKSeFDokumentu", "", UPO)).strip()
    digest = (document.findtext("upo:SkrotDokumentu", "", UPO)).strip()
    try:
        return ksef_number.check(number), as_sha256(digest)
    except ValueError as error:
        raise answer.unusable(f"UPO podaje błędny numer KSeF albo skrót: {error}.") from error


def checked_document(answer: Answer) -> bytes:
    """Return the XML document of an answer, its SHA-256 equal to the one KSeF names, where it names one."""
    if not answer.is_xml:
        raise answer.unusable("Odpowiedź KSeF nie jest dokumentem XML.", link_down=not answer.is_json)
    named = answer.headers.get(META_HASH)
    if named:
        try:
            expected = base64.b64decode(named, validate=True)
        except ValueError as error:
            raise answer.unusable(f"KSeF podał nieczytelny skrót dokumentu: {named}.") from error
        if not hmac.compare_digest(expected, sha256(answer.body)):
            raise answer.unusable("Skrót dokumentu różni się od podanego przez KSeF: odpowiedź jest uszkodzona.")
    return answer.body


def _checked_number(item: Fields) -> str:
    try:
        return ksef_number.check(item.text("ksefNumber"))
    except ValueError as error:
        raise item.unusable(f"KSeF podał błędny numer KSeF: {error}.") from error
