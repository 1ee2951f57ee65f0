"""What an auditor gets: the files of one zip, as pure data.

    CZYTAJ.txt                      what this is and how to check it without this program
    faktury/<number>_<id>/          dane.json, faktura-1.xml (-2 after a technical correction), upo.xml,
                                    wydruk-N.bin and .txt (the bytes last sent to the printer), zdarzenia.json
    upo-sesji/<session>/strona-N.xml  pages of collective UPO that confirm one of these invoices, beside its own UPO
                                    or in its place
    przerwy/<kind>-<id>.json, .txt  one report per outage: begin, end, invoices issued in it, when each reached KSeF
    komunikaty.json                 every communiqué, status and declaration, as seen
    zdarzenia.jsonl                 a stretch of the event log without gaps: the hash chain
    spis.json                       what the zip covers, the ends of the chain, SHA-256 of every file
    SHA256SUMS                      the same for `sha256sum -c`

The same facts give the same bytes. evidence_check.py checks all of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime

from agent.domain.calendar import clock_text
from agent.domain.invoice import LEGAL_BASIS, InvoiceRecord
from agent.domain.json_io.canonical import Json, canonical, indented
from agent.domain.outages.timeline import TimelineFact, fact_to_json, source_of
from agent.domain.records.hash_chain import LogLine
from agent.domain.values import dataclass

FORMAT = "ksef-agent-evidence/1"
README, INDEX, SUMS = "CZYTAJ.txt", "spis.json", "SHA256SUMS"
LOG, FACTS = "zdarzenia.jsonl", "komunikaty.json"
SESSION_UPOS = "upo-sesji"

_MARK = "*"
"""Stands for the files in the text of the index; no path has one (_safe)."""

File = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Paper:
    """One print: the bytes last sent to the printer (None: none were sent) and their text."""

    copy: int
    document: str
    label: str
    state: str
    created_at: datetime
    printer: str | None = None
    problem: str | None = None
    data: bytes | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class SessionUpo:
    """The page of its session's collective UPO that names an invoice with its hash."""

    session: str
    page: int

    @property
    def path(self) -> str:
        """Return its place in the zip, the same for all invoices it names."""
        return f"{SESSION_UPOS}/{_safe(self.session)}/strona-{self.page}.xml"


@dataclass(frozen=True, slots=True)
class InvoiceFile:
    """All there is about one invoice. ``versions`` may hold empty bytes: exported and pruned before."""

    record: InvoiceRecord
    versions: tuple[bytes, ...]
    upo: bytes | None
    papers: tuple[Paper, ...] = ()
    session_upo: SessionUpo | None = None


@dataclass(frozen=True, slots=True)
class OutageInvoice:
    """One line of an outage report."""

    number: str
    mode: str
    issued_at: datetime
    deadline: str
    state: str
    ksef_number: str | None
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutageReport:
    """One outage. ``kind``: awaria, awaria-calkowita, niedostepnosc, offline24, lacze."""

    kind: str
    id: str
    begin: datetime
    end: datetime | None
    basis: str
    """What it stands on: communiqués, or who declared it and why. Polish."""
    invoices: tuple[OutageInvoice, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in paths and addresses."""
        return f"{_safe(self.kind)}-{_safe(self.id)}"


def folder_of(number: str, invoice_id: str) -> str:
    """Return the folder of an invoice in the zip."""
    return f"faktury/{_safe(number)}_{_safe(invoice_id)}"


def invoice_files(invoice: InvoiceFile) -> Iterator[File]:
    """Yield the files of one invoice, but for its events: those are read last."""
    record = invoice.record
    folder = folder_of(record.number, record.id)
    versions: list[Json] = []
    for number, xml in enumerate(invoice.versions, 1):
        name = f"faktura-{number}.xml"
        versions.append({"file": name if xml else None, "sha256": hashlib.sha256(xml).hexdigest() if xml else None})
        if xml:
            yield f"{folder}/{name}", xml
    if invoice.upo:
        yield f"{folder}/upo.xml", invoice.upo
    papers: list[Json] = []
    for number, paper in enumerate(invoice.papers, 1):
        papers.append(_paper(paper, f"wydruk-{number}"))
        if paper.data is not None:
            yield f"{folder}/wydruk-{number}.bin", paper.data
        if paper.text is not None:
            yield f"{folder}/wydruk-{number}.txt", paper.text.encode("utf-8", "replace")
    yield f"{folder}/dane.json", _json(_invoice(invoice, versions, papers))


def invoice_log_file(folder: str, lines: Sequence[LogLine]) -> File:
    """Return the events of one invoice, for people."""
    return f"{folder}/zdarzenia.json", _json([line.to_json() for line in lines])


def outage_files(report: OutageReport) -> Iterator[File]:
    """Yield one outage's report as JSON and as text for people."""
    name = f"przerwy/{report.name}"
    yield (
        f"{name}.json",
        _json(
            {
                "kind": report.kind,
                "id": report.id,
                "begin": report.begin.isoformat(),
                "end": _iso(report.end),
                "basis": report.basis,
                "invoices": [
                    {
                        "number": line.number,
                        "mode": line.mode,
                        "issued_at": line.issued_at.isoformat(),
                        "deadline": line.deadline,
                        "state": line.state,
                        "ksef_number": line.ksef_number,
                        "accepted_at": _iso(line.accepted_at),
                    }
                    for line in report.invoices
                ],
            }
        ),
    )
    yield f"{name}.txt", _outage_text(report).encode()


def facts_file(facts: Iterable[TimelineFact]) -> File:
    """Return the file of all facts of the timeline."""
    told: list[Json] = [
        {"source": source_of(fact), "seen_at": fact.seen_at.isoformat(), "body": fact_to_json(fact)} for fact in facts
    ]
    return FACTS, _json(told)


def log_text(lines: Iterable[LogLine]) -> bytes:
    """Return a part of LOG, a line each."""
    return "".join(canonical(line.to_json()) + "\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class Cover:
    """What the zip covers: seller, days of P_1, and the ends of the chain (None: no event at all)."""

    seller_nip: str
    first: date
    last: date
    previous: str
    """Chain value before the first event in the file."""
    first_seq: int | None = None
    last_seq: int | None = None
    head: str | None = None
    """Chain value of the last event in the file."""


def closing_files(
    cover: Cover, files: Callable[[], Iterable[tuple[str, str]]]
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield readme, index and sums, in pieces.

    ``files`` gives path and SHA-256 of every file written until it is called, these three included, by path.
    """
    yield README, iter([_readme(cover).encode()])
    yield INDEX, _index(cover, files())
    yield SUMS, _sums(files())


def _index(cover: Cover, files: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """Yield the text of the index: _json() of it, with a line for each file in place of the mark."""
    whole = _json(
        {
            "format": FORMAT,
            "seller_nip": cover.seller_nip,
            "from": cover.first.isoformat(),
            "to": cover.last.isoformat(),
            "chain": {
                "previous": cover.previous,
                "first_seq": cover.first_seq,
                "last_seq": cover.last_seq,
                "head": cover.head,
            },
            "files": {_MARK: _MARK},
        }
    )
    before, _, after = whole.partition(f'"{_MARK}": "{_MARK}"'.encode())
    yield before
    between = ""
    for path, sha256 in files:
        yield f'{between}"{path}": "{sha256}"'.encode()
        between = ",\n  "
    yield after


def _sums(files: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    for path, sha256 in files:
        yield f"{sha256}  {path}\n".encode()


# --- text -------------------------------------------------------------------------------------------


def _invoice(invoice: InvoiceFile, versions: list[Json], papers: list[Json]) -> dict[str, Json]:
    record = invoice.record
    return {
        "id": record.id,
        "number": record.number,
        "kind": record.kind,
        "seller_nip": record.seller_nip,
        "buyer": {
            "kind": record.buyer.kind.value,
            "identifier": record.buyer.identifier,
            "name": record.buyer.name,
        },
        "gross": str(record.totals.gross),
        "currency": record.totals.currency,
        "issued_on": record.issued_on.isoformat(),
        "issued_at": record.issued_at.isoformat(),
        "pressed_by": record.pressed_by,
        "mode": record.mode.value,
        "legal_basis": LEGAL_BASIS[record.mode],
        "reason": record.reason,
        "state": record.state.value,
        "deadline": record.deadline.isoformat() if record.deadline else None,
        "deadline_state": record.deadline_state,
        "sent_at": _iso(record.sent_at),
        "accepted_at": _iso(record.accepted_at),
        "ksef_number": record.ksef_number,
        "rejection": record.rejection,
        "sha256": record.sha256.hex(),
        "link_invoice": record.link_invoice,
        "link_certificate": record.link_certificate,
        "versions": versions,
        "upo": "upo.xml" if invoice.upo else None,
        "session_upo": invoice.session_upo.path if invoice.session_upo else None,
        "papers": papers,
    }


def _paper(paper: Paper, name: str) -> dict[str, Json]:
    return {
        "copy": paper.copy,
        "document": paper.document,
        "label": paper.label,
        "state": paper.state,
        "created_at": paper.created_at.isoformat(),
        "printer": paper.printer,
        "problem": paper.problem,
        "bytes": f"{name}.bin" if paper.data is not None else None,
        "text": f"{name}.txt" if paper.text is not None else None,
    }


OUTAGE_KINDS = {
    "awaria": "Awaria KSeF (art. 106nf)",
    "awaria-calkowita": "Awaria całkowita KSeF (art. 106ng)",
    "niedostepnosc": "Niedostępność KSeF (art. 106nh)",
    "offline24": "Tryb offline24 włączony przez kierownika (art. 106nda)",
    "lacze": "Brak łączności sklepu z KSeF (art. 106nda)",
}


def _outage_text(report: OutageReport) -> str:
    lines = [
        OUTAGE_KINDS.get(report.kind, report.kind),
        f"Podstawa: {report.basis}",
        f"Początek: {clock_text(report.begin)}",
        f"Koniec: {clock_text(report.end) if report.end else 'nieznany'}",
        f"Faktury wystawione w tym czasie: {len(report.invoices)}",
        "",
    ]
    for invoice in report.invoices:
        reached = (
            f"w KSeF {clock_text(invoice.accepted_at)} jako {invoice.ksef_number}"
            if invoice.accepted_at
            else f"bez numeru KSeF (stan: {invoice.state})"
        )
        lines.append(
            f"{invoice.number}; tryb {invoice.mode}; wystawiona {clock_text(invoice.issued_at)}; "
            f"termin: {invoice.deadline}; {reached}"
        )
    return "\n".join(lines) + "\n"


def _readme(cover: Cover) -> str:
    return f"""Dowody wystawienia faktur w KSeF
Sprzedawca: NIP {cover.seller_nip}
Faktury z datą wystawienia (P_1) od {cover.first:%d.%m.%Y} do {cover.last:%d.%m.%Y}

Zawartość
  faktury/        jeden katalog na fakturę: plik XML dokładnie taki, jaki przesłano do KSeF (faktura-1.xml; kolejne
                  numery po korekcie technicznej), UPO (upo.xml), wydruki (bajty wysłane do drukarki i ich tekst),
                  dane.json (tryb, podstawa prawna, przyczyna, termin, numer KSeF), zdarzenia.json (co się z nią działo)
  upo-sesji/      UPO zbiorcze sesji, w których przesłano te faktury: każda strona wymienia numery KSeF i skróty wielu
                  faktur. Faktury przesłane paczką mają zwykle tylko takie UPO; pole session_upo w dane.json wskazuje
                  stronę
  przerwy/        jeden raport na awarię, niedostępność lub przerwę w łączności: początek, koniec, faktury wystawione
                  w tym czasie i chwila, w której każda dotarła do KSeF
  komunikaty.json komunikaty i statusy z Latarni KSeF oraz decyzje kierownika, z chwilą ich odczytania
  zdarzenia.jsonl dziennik zdarzeń programu, ciągły, bez luk
  spis.json       skrót SHA-256 każdego pliku oraz końce łańcucha dziennika
  SHA256SUMS      te same skróty dla programu sha256sum

Chwile podano w UTC (+00:00), a w plikach .txt w czasie polskim. Daty i terminy to dni kalendarzowe w Polsce.

Jak sprawdzić
  1. Całość:   ksef-agent evidence verify PLIK.zip
  2. Skróty plików bez tego programu:   sha256sum -c SHA256SUMS
  3. Faktura:  SHA-256 pliku XML jest równe polu SkrotDokumentu w UPO faktury albo sesji, przy jej numerze KSeF
               (tam w Base64), oraz części adresu z kodu QR „KOD I” (tam w Base64URL). UPO jest podpisane przez
               Ministerstwo Finansów.
  4. Dziennik: każdy wiersz ma pole chain = SHA-256 tablicy JSON [chain poprzedniego wiersza, at, kind, invoice_id,
               data], gdzie data jest napisem: tekstem JSON z kluczami w kolejności alfabetycznej, bez odstępów.
               Całą tablicę zapisuje się tak samo, w UTF-8. Zmiana, usunięcie lub wstawienie zdarzenia
               zmienia wszystkie następne wartości.
               Wartość przed pierwszym wierszem: {cover.previous}
               Wartość ostatniego wiersza:       {cover.head or "brak zdarzeń"}
               Tę ostatnią można porównać z późniejszym eksportem lub z kopią zapasową bazy.
"""


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _json(data: Json) -> bytes:
    return indented(data).encode("utf-8", "replace") + b"\n"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._") or "_"
