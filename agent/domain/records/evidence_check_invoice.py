"""The files of one invoice in a bundle, held against each other, the log, and the UPO that confirm it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime

from agent.domain.event_kinds import EventKind
from agent.domain.json_io.canonical import Json
from agent.domain.records.evidence_check_notes import EvidenceNotes
from agent.domain.records.evidence_files import INDEX
from agent.domain.records.hash_chain import LogLine
from agent.domain.values import dataclass

_HEX = re.compile(r"[0-9a-f]{64}")
_UPO_HASH = re.compile(rb"<(?:\w+:)?SkrotDokumentu>\s*([A-Za-z0-9+/=]+)\s*</")
_UPO_DOCUMENT = b"Dokument>"
"""Ends every Dokument of a UPO, whatever its prefix; SkrotDokumentu and the like do not end so."""
_UPO_NUMBER = re.compile(rb"<(?:\w+:)?NumerKSeFDokumentu>\s*([0-9A-Za-z-]+)\s*</")


@dataclass(frozen=True, slots=True)
class Covered:
    """What the index says that the bundle covers: the seller, and days of P_1 as ISO 8601 writes them."""

    seller_nip: str
    first: str
    last: str

    @classmethod
    def of(cls, index: Mapping[str, Json]) -> Covered | None:
        """Return what it says; None where it says none of it."""
        words = [index.get(name) for name in ("seller_nip", "from", "to")]
        try:
            seller_nip, first, last = (str(word) for word in words if isinstance(word, str))
            date.fromisoformat(first)
            date.fromisoformat(last)
        except ValueError:
            return None
        return cls(seller_nip, first, last)

    def problems(self, data: Mapping[str, Json]) -> Iterator[str]:
        """Yield what an invoice says otherwise."""
        if data.get("seller_nip") != self.seller_nip:
            yield f"sprzedawca w dane.json jest inny niż w {INDEX}."
        if not self.first <= str(data.get("issued_on")) <= self.last:
            yield f"data wystawienia leży poza dniami, które podaje {INDEX}."


def invoice_problems(
    files: Mapping[str, bytes],
    folder: str,
    data: Mapping[str, Json],
    lines: list[LogLine],
    notes: EvidenceNotes,
) -> Iterator[str]:
    """Yield what is wrong with the files of one invoice; ``lines``: what the log tells of it."""
    sha256 = str(data.get("sha256"))
    yield from _versions(files, folder, data, sha256)
    yield from _events(files, folder, data, lines)
    yield from _events_match(folder, data, lines)
    yield from _papers(files, folder, data, lines)
    if not str(data.get("link_invoice")).endswith(f"/{_base64url(sha256)}"):
        yield f"{folder}: adres KOD I nie zawiera skrótu faktury."
    certificate = data.get("link_certificate")
    if certificate is not None and f"/{_base64url(sha256)}/" not in str(certificate):
        yield f"{folder}: adres KOD II nie zawiera skrótu faktury."
    number = str(data.get("ksef_number"))
    upo = files.get(f"{folder}/upo.xml")
    if upo is not None:
        yield from _upo(folder, upo, sha256, number)
        told = {line.data["upo_sha256"] for line in lines if "upo_sha256" in line.data}
        if told and hashlib.sha256(upo).hexdigest() not in told:
            yield f"{folder}/upo.xml: dziennik zna inne UPO."
    elif data.get("upo") is not None:
        yield f"{folder}: brak UPO, które podaje dane.json."
    if data.get("session_upo") is not None:
        yield from _session_upo(notes, folder, str(data["session_upo"]), (sha256, number), lines)


def _versions(files: Mapping[str, bytes], folder: str, data: Mapping[str, Json], sha256: str) -> Iterator[str]:
    versions = data.get("versions")
    if not isinstance(versions, list) or not versions or not all(isinstance(each, Mapping) for each in versions):
        yield f"{folder}: dane.json nie wymienia pliku faktury."
        return
    for version in versions:
        name = version.get("file") if isinstance(version, Mapping) else None
        if not isinstance(version, Mapping) or name is None:
            continue  # exported and pruned before; the log still holds its hash
        xml = files.get(f"{folder}/{name}")
        if xml is None or hashlib.sha256(xml).hexdigest() != version.get("sha256"):
            yield f"{folder}/{name}: skrót nie zgadza się z dane.json."
    last = versions[-1]
    if isinstance(last, Mapping) and last.get("sha256") not in (None, sha256):
        yield f"{folder}: ostatni plik faktury nie jest tym, którego skrót podaje dane.json."


def _events(files: Mapping[str, bytes], folder: str, data: Mapping[str, Json], lines: list[LogLine]) -> Iterator[str]:
    issued = next((line for line in lines if line.kind == EventKind.ISSUED), None)
    if issued is None:
        yield f"{folder}: dziennik nie zawiera wystawienia tej faktury."
    elif issued.data.get("number") != data.get("number"):
        yield f"{folder}: numer faktury różni się od numeru w dzienniku."
    hashes = {line.data.get("sha256") for line in lines}
    if data.get("sha256") not in hashes:
        yield f"{folder}: dziennik nie zna skrótu tej faktury."
    number = data.get("ksef_number")
    if number is not None and not any(line.data.get("ksef_number") == number for line in lines):
        yield f"{folder}: dziennik nie zna numeru KSeF tej faktury."
    own = parsed(files.get(f"{folder}/zdarzenia.json"))
    if own != [line.to_json() for line in lines]:
        yield f"{folder}: zdarzenia.json różni się od dziennika."


_WORDS = {
    "number": "numer",
    "kind": "rodzaj",
    "issued_on": "data wystawienia",
    "gross": "kwota",
    "currency": "waluta",
    "pressed_by": "osoba wystawiająca",
    "mode": "tryb",
    "reason": "przyczyna trybu",
    "deadline": "termin",
    "ksef_number": "numer KSeF",
    "accepted_at": "chwila przyjęcia przez KSeF",
}


def _events_match(folder: str, data: Mapping[str, Json], lines: list[LogLine]) -> Iterator[str]:
    """Compare dane.json with what the log tells, event by event."""
    told: dict[str, Json] = {}
    for line in lines:
        match line.kind:
            case "issued" | "accepted":
                told |= {key: line.data[key] for key in _WORDS if key in line.data}
            case "mode":
                told |= {"mode": line.data.get("to"), "reason": line.data.get("reason")}
            case "deadline":
                told["deadline"] = line.data.get("to")
            case _:
                pass
    for key, value in told.items():
        if data.get(key) != value and not (key == "accepted_at" and _same_instant(data.get(key), value)):
            yield f"{folder}: {_WORDS[key]} w dane.json różni się od dziennika."
    state = str(data.get("state"))
    ends = {"accepted", "exempt"}
    told_end = next((line.kind for line in reversed(lines) if line.kind in {*ends, EventKind.DUTY_BACK}), None)
    if (state in ends or told_end in ends) and state != told_end:
        yield f"{folder}: dziennik nie zna stanu tej faktury ({state})."


def _same_instant(one: Json, other: Json) -> bool:
    """Tell whether two ISO 8601 texts, whatever their offset, name one instant."""
    try:
        return datetime.fromisoformat(str(one)) == datetime.fromisoformat(str(other))
    except (ValueError, TypeError):
        return False


def _papers(files: Mapping[str, bytes], folder: str, data: Mapping[str, Json], lines: list[LogLine]) -> Iterator[str]:
    """Compare papers with the log: their labels, and the bytes that went to the printer."""
    papers = data.get("papers")
    labels = {line.data.get("label") for line in lines if line.kind == EventKind.PRINT_QUEUED}
    hashes = [line.data.get("bytes_sha256") for line in lines if line.kind == EventKind.PRINT_PRINTED]
    known_papers = [each for each in papers if isinstance(each, Mapping)] if isinstance(papers, list) else []
    if len(known_papers) < sum(line.kind == EventKind.PRINT_QUEUED for line in lines):
        yield f"{folder}: dziennik zna więcej wydruków niż dane.json."
    for paper in known_papers:
        for name in (paper.get("bytes"), paper.get("text")):
            if name is not None and f"{folder}/{name}" not in files:
                yield f"{folder}: brak wydruku, który podaje dane.json ({name})."
        if paper.get("label") not in labels:
            yield f"{folder}: dziennik nie zna wydruku „{paper.get('label')}”."
        content = files.get(f"{folder}/{paper.get('bytes')}")
        known = paper.get("state") == "printed" and None not in hashes  # version 0.1 logged no hash
        if known and content is not None and hashlib.sha256(content).hexdigest() not in hashes:
            yield f"{folder}/{paper.get('bytes')}: dziennik zna inny wydruk."


def _session_upo(
    notes: EvidenceNotes, folder: str, path: str, invoice: tuple[str, str], lines: list[LogLine]
) -> Iterator[str]:
    """Check that the page is there, names this invoice with its hash, and is the one the log tells of."""
    page = notes.page_sha256(path)
    if page is None:
        yield f"{folder}: brak UPO sesji, które podaje dane.json ({path})."
        return
    sha256, number = invoice
    expected = base64.b64encode(bytes.fromhex(sha256)) if _HEX.fullmatch(sha256) else b""
    if not notes.page_names(path, number.encode("utf-8", "replace"), expected):
        yield f"{folder}: UPO sesji {path} nie wymienia tej faktury z jej skrótem."
    told = {line.data["page_sha256"] for line in lines if line.kind == EventKind.UPO and "page_sha256" in line.data}
    if told and page not in told:
        yield f"{folder}: dziennik zna inne UPO sesji niż {path}."


def confirmed_by(page: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield what a page of a session's UPO names: KSeF number and SHA-256 in Base64, pairs of one Dokument."""
    for each in page.split(_UPO_DOCUMENT):
        number, digest = _UPO_NUMBER.search(each), _UPO_HASH.search(each)
        if number and digest:
            yield number[1], digest[1]


def _upo(folder: str, upo: bytes, sha256: str, number: str) -> Iterator[str]:
    expected = base64.b64encode(bytes.fromhex(sha256)) if _HEX.fullmatch(sha256) else b""
    if expected not in _UPO_HASH.findall(upo):
        yield f"{folder}: UPO podaje inny skrót faktury."
    if number.encode() not in _UPO_NUMBER.findall(upo):
        yield f"{folder}: UPO podaje inny numer KSeF."


def _base64url(sha256: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=") if _HEX.fullmatch(sha256) else "?"


def object_of(files: Mapping[str, bytes], path: str) -> Mapping[str, Json] | None:
    """Return the object of a file; None where there is none."""
    found = parsed(files.get(path))
    return found if isinstance(found, Mapping) else None


def parsed(text: bytes | None) -> Json:
    """Return what JSON tells; None where it is none."""
    try:
        found: Json = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return None
    return found
