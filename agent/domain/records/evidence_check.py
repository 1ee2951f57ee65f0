"""Checks the files of an evidence zip against each other: sums, hash chain, invoices, UPO, links.

Every problem is one Polish sentence. What no file can prove is that the chain's last value is the one the till
held: compare it with a later export or a backup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.domain.event_kinds import EventKind
from agent.domain.json_io.canonical import Json, canonical
from agent.domain.records.evidence_files import FORMAT, INDEX, LOG, SESSION_UPOS, SUMS
from agent.domain.records.hash_chain import LogLine, verify_chain

_HEX = re.compile(r"[0-9a-f]{64}")
_UPO_HASH = re.compile(rb"<(?:\w+:)?SkrotDokumentu>\s*([A-Za-z0-9+/=]+)\s*</")
_UPO_DOCUMENT = b"Dokument>"
"""Ends every Dokument of a UPO, whatever its prefix; SkrotDokumentu and the like do not end so."""
_UPO_NUMBER = re.compile(rb"<(?:\w+:)?NumerKSeFDokumentu>\s*([0-9A-Za-z-]+)\s*</")


def verify_zip_files(files: Mapping[str, bytes], log_lines: Callable[[], Iterable[bytes]] | None = None) -> list[str]:
    """Return every problem; nothing where all files are as the agent wrote them.

    ``log_lines`` reads the lines of LOG with their ends. It is larger than all other files, so of it only a hash for
    each invoice stays in memory; it is asked for again where an invoice's own events are not those of the log.
    """
    read_log = log_lines or (lambda: files.get(LOG, b"").splitlines(keepends=True))
    index = _object(files, INDEX)
    if index is None:
        return [f"Brak poprawnego pliku {INDEX}."]
    if index.get("format") != FORMAT:
        return [f"Nieznany format dowodów: {index.get('format')}."]
    log = _Log(read_log)
    chain = list(_chain(index, log))
    problems = [*log.problems, *_sums(files, index, log.sha256), *chain]
    pages = {path: _read_page(files[path]) for path in files if path.startswith(f"{SESSION_UPOS}/")}
    return [*problems, *_invoices(files, log, pages)]


def _invoices(files: Mapping[str, bytes], log: _Log, pages: Mapping[str, _Page]) -> list[str]:
    """Check each invoice by its own events where they are the log's to the letter, else by what the log says."""
    told: dict[str, list[str]] = {}
    differing: dict[str, str] = {}
    for folder in sorted({path.rsplit("/", 1)[0] for path in files if path.startswith("faktury/")}):
        data = _object(files, f"{folder}/dane.json")
        if data is None:
            told[folder] = [f"{folder}: brak poprawnego pliku dane.json."]
            continue
        own = _parsed(files.get(f"{folder}/zdarzenia.json"))
        invoice_id = str(data.get("id"))
        if isinstance(own, list) and log.holds(invoice_id, own):
            lines = [LogLine.from_json(each) for each in own]
            told[folder] = list(_invoice(files, folder, data, lines, pages))
        else:
            differing[folder] = invoice_id
    found = log.of_invoices(frozenset(differing.values()))
    for folder, invoice_id in differing.items():
        data = _object(files, f"{folder}/dane.json") or {}
        told[folder] = list(_invoice(files, folder, data, found[invoice_id], pages))
    return [problem for folder in sorted(told) for problem in told[folder]]


class _Log:
    """The log, a line in memory at a time; a line that is no event ends it."""

    def __init__(self, read: Callable[[], Iterable[bytes]]) -> None:
        self._read = read
        self._hashes: dict[str, bytes] = {}
        """By invoice, over all its lines."""
        self.sha256 = ""
        """Of the file, in hexadecimal; known after once()."""
        self.problems: list[str] = []
        self.first: LogLine | None = None
        self.last: LogLine | None = None

    def once(self) -> Iterator[LogLine]:
        """Yield all lines, and keep what is asked for later."""
        whole = hashlib.sha256()
        for line in self._lines(whole.update):
            self.first, self.last = self.first or line, line
            if line.invoice_id is not None:
                self._hashes[line.invoice_id] = _with(self._hashes.get(line.invoice_id), line.to_json())
            yield line
        self.sha256 = whole.hexdigest()

    def _lines(self, seen: Callable[[bytes], None] = lambda _: None) -> Iterator[LogLine]:
        """Yield the lines before the first that is no event; ``seen`` takes the bytes of all."""
        sound = True
        for number, text in enumerate(self._read(), 1):
            seen(text)
            try:
                line = LogLine.from_json(json.loads(text)) if sound else None
            except (KeyError, TypeError, ValueError, RecursionError):
                self.problems = [f"{LOG}: wiersz {number} nie jest zdarzeniem."]
                sound, line = False, None
            if line is not None:
                yield line

    def holds(self, invoice_id: str, events: Iterable[Json]) -> bool:
        """Tell whether these are, to the letter, all the log's events of an invoice."""
        value: bytes | None = None
        try:
            for event in events:
                value = _with(value, event)
        except (ValueError, RecursionError):  # NaN and the like
            return False
        return value == self._hashes.get(invoice_id)

    def of_invoices(self, invoice_ids: frozenset[str]) -> Mapping[str, list[LogLine]]:
        """Read the lines of some invoices again."""
        found: dict[str, list[LogLine]] = {invoice_id: [] for invoice_id in invoice_ids}
        for line in self._lines() if invoice_ids else ():
            if line.invoice_id in found:
                found[line.invoice_id].append(line)
        return found


def _with(value: bytes | None, event: Json) -> bytes:
    return hashlib.sha256((value or b"") + canonical(event).encode()).digest()


def _sums(files: Mapping[str, bytes], index: Mapping[str, Json], log_sha256: str) -> Iterator[str]:
    listed = index.get("files")
    if not isinstance(listed, Mapping):
        yield f"{INDEX} nie zawiera skrótów plików."
        return
    names = set(files)
    for path, value in sorted(listed.items()):
        if path not in names:
            yield f"Brak pliku {path}."
        elif (log_sha256 if path == LOG else hashlib.sha256(files[path]).hexdigest()) != value:
            yield f"Plik {path} zmieniono: skrót SHA-256 się nie zgadza."
    for path in sorted(names - set(listed) - {INDEX, SUMS}):
        yield f"Pliku {path} nie ma w spisie."
    sums = {**listed, INDEX: hashlib.sha256(files[INDEX]).hexdigest()}
    expected = hashlib.sha256()
    for path, value in sorted(sums.items()):
        expected.update(f"{value}  {path}\n".encode())
    if SUMS not in names or hashlib.sha256(files[SUMS]).digest() != expected.digest():
        yield f"{SUMS} nie zgadza się z {INDEX}."


def _chain(index: Mapping[str, Json], log: _Log) -> Iterator[str]:
    ends = index.get("chain")
    if not isinstance(ends, Mapping):
        deque(log.once(), maxlen=0)
        yield f"{INDEX} nie podaje końców łańcucha."
        return
    yield from verify_chain(log.once(), str(ends.get("previous")))
    found = (log.first.seq, log.last.seq, log.last.chain) if log.first and log.last else (None, None, None)
    if found != (ends.get("first_seq"), ends.get("last_seq"), ends.get("head")):
        yield "Dziennik zdarzeń nie sięga od pierwszego do ostatniego zdarzenia podanego w spisie."


def _invoice(
    files: Mapping[str, bytes],
    folder: str,
    data: Mapping[str, Json],
    lines: list[LogLine],
    pages: Mapping[str, _Page],
) -> Iterator[str]:
    sha256 = str(data.get("sha256"))
    yield from _versions(files, folder, data, sha256)
    yield from _events(files, folder, data, lines)
    yield from _events_match(folder, data, lines)
    yield from _papers(files, folder, data, lines)
    if _base64url(sha256) not in str(data.get("link_invoice")):
        yield f"{folder}: adres KOD I nie zawiera skrótu faktury."
    number = str(data.get("ksef_number"))
    upo = files.get(f"{folder}/upo.xml")
    if upo is not None:
        yield from _upo(folder, upo, sha256, number)
    elif data.get("upo") is not None:
        yield f"{folder}: brak UPO, które podaje dane.json."
    if data.get("session_upo") is not None:
        yield from _session_upo(pages, folder, str(data["session_upo"]), (sha256, number), lines)


def _versions(files: Mapping[str, bytes], folder: str, data: Mapping[str, Json], sha256: str) -> Iterator[str]:
    versions = data.get("versions")
    if not isinstance(versions, list) or not versions:
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
    own = _parsed(files.get(f"{folder}/zdarzenia.json"))
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
    if state in ends and state != told_end:
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
    for paper in papers if isinstance(papers, list) else []:
        if not isinstance(paper, Mapping):
            continue
        if paper.get("label") not in labels:
            yield f"{folder}: dziennik nie zna wydruku „{paper.get('label')}”."
        content = files.get(f"{folder}/{paper.get('bytes')}")
        known = paper.get("state") == "printed" and None not in hashes  # version 0.1 logged no hash
        if known and content is not None and hashlib.sha256(content).hexdigest() not in hashes:
            yield f"{folder}/{paper.get('bytes')}: dziennik zna inny wydruk."


def _session_upo(
    pages: Mapping[str, _Page], folder: str, path: str, invoice: tuple[str, str], lines: list[LogLine]
) -> Iterator[str]:
    """Check that the page is there, names this invoice with its hash, and is the one the log tells of."""
    page = pages.get(path)
    if page is None:
        yield f"{folder}: brak UPO sesji, które podaje dane.json ({path})."
        return
    sha256, number = invoice
    expected = base64.b64encode(bytes.fromhex(sha256)) if _HEX.fullmatch(sha256) else b""
    if (number.encode(), expected) not in page.names:
        yield f"{folder}: UPO sesji {path} nie wymienia tej faktury z jej skrótem."
    told = {line.data["page_sha256"] for line in lines if line.kind == EventKind.UPO and "page_sha256" in line.data}
    if told and page.sha256 not in told:
        yield f"{folder}: dziennik zna inne UPO sesji niż {path}."


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of a session's UPO, read once: it may name ten thousand invoices."""

    sha256: str
    names: frozenset[tuple[bytes, bytes]]
    """(KSeF number, SHA-256 in Base64), pairs of one Dokument."""


def _read_page(content: bytes) -> _Page:
    found = ((_UPO_NUMBER.search(each), _UPO_HASH.search(each)) for each in content.split(_UPO_DOCUMENT))
    names = frozenset((number[1], digest[1]) for number, digest in found if number and digest)
    return _Page(hashlib.sha256(content).hexdigest(), names)


def _upo(folder: str, upo: bytes, sha256: str, number: str) -> Iterator[str]:
    expected = base64.b64encode(bytes.fromhex(sha256)) if _HEX.fullmatch(sha256) else b""
    if expected not in _UPO_HASH.findall(upo):
        yield f"{folder}: UPO podaje inny skrót faktury."
    if number.encode() not in _UPO_NUMBER.findall(upo):
        yield f"{folder}: UPO podaje inny numer KSeF."


def _base64url(sha256: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=") if _HEX.fullmatch(sha256) else "?"


def _object(files: Mapping[str, bytes], path: str) -> Mapping[str, Json] | None:
    parsed = _parsed(files.get(path))
    return parsed if isinstance(parsed, Mapping) else None


def _parsed(text: bytes | None) -> Json:
    try:
        parsed: Json = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return None
    return parsed
