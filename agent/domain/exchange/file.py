"""A whole .epp: its [INFO], its documents with their lines, and what its catalogues say about them.

Of the catalogues only what a document needs is kept; they may stand before or behind the documents.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field

from agent.domain.errors import BadInput, FieldError
from agent.domain.exchange.encoding import decode
from agent.domain.exchange.records import Label, Record, is_complete, malformed, read_records
from agent.domain.values import dataclass

MAX_DOCUMENTS = 2_000
INFO_FIELDS = 24
ACCOUNTING_OFFICE = "0"
NIP = "1"
"""NUMERYIDENTYFIKACYJNENABYWCOW, field 2."""
_GTU = {number + 1: f"GTU_{number:02}" for number in range(1, 14)}
"""TOWARYGRUPYJPKVAT: field -> the mark it sets."""
_MNEMONIC = re.compile(
    "(?:FS|FZ|FR|RS|RZ|KFS|KFZ|KRS|KRZ|MM|MMW|PZ|WZ|VPZ|VWZ|PW|RW|ZW|ZD|ZK|PA|FM|KFM|FWN|FWO|KWN|KWO)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Product:
    """A row of TOWARY."""

    name: str
    ean: str
    vat_symbol: str


@dataclass(frozen=True, slots=True)
class DocumentId:
    """How catalogues and corrections call a document; ``kind`` is empty where they leave the mnemonic out."""

    kind: str
    number: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its header record and the records of its lines."""

    header: Record
    lines: tuple[Record, ...]

    @property
    def kind(self) -> str:
        """FS, KFS, PA, …"""
        return self.header.text(1).strip().upper()

    @property
    def number(self) -> str:
        """The full number (field 7) without its mnemonic; empty where there is none."""
        return split_number(self.header.text(7)).number

    @property
    def name(self) -> str:
        """How people call it: "FS 12/2026"."""
        return f"{self.kind or '?'} {self.number or '(bez numeru)'}"


@dataclass(slots=True)
class ExchangeFile:
    """What was read."""

    info: Record
    text: str = field(repr=False)
    codec: str
    documents: list[Document] = field(default_factory=list)
    products: dict[str, Product] = field(default_factory=dict)
    gtu: dict[str, tuple[str, ...]] = field(default_factory=dict)
    countries: dict[str, str] = field(default_factory=dict)
    """Code of a buyer -> ISO code of his country (KONTRAHENCI, field 31)."""
    nips: dict[DocumentId, str] = field(default_factory=dict)
    """NUMERYIDENTYFIKACYJNENABYWCOW."""
    reasons: dict[DocumentId, str] = field(default_factory=dict)
    """PRZYCZYNYKOREKT; the first one of a document."""
    split_payment: set[DocumentId] = field(default_factory=set)
    """WYMAGALNOSCMPP."""


def names_of(document: Document) -> tuple[DocumentId, DocumentId]:
    """Return the two ways in which a catalogue may name a document."""
    return DocumentId(document.kind, document.number), DocumentId("", document.number)


def split_number(full: str) -> DocumentId:
    """Split "FS 12/2026" into mnemonic and number; Subiekt writes the mnemonic in some places and not in others."""
    folded = " ".join(full.split())
    mnemonic, _, rest = folded.partition(" ")
    if rest and _MNEMONIC.fullmatch(mnemonic):
        return DocumentId(mnemonic.upper(), rest)
    return DocumentId("", folded)


def read_file(data: bytes) -> ExchangeFile:
    """Read the file; BadInput (epp-malformed, epp-encoding, epp-accounting-office) where it cannot be one of ours."""
    text, codec = decode(data)
    if not is_complete(text):
        raise malformed(text.count("\n") + 1, "plik urywa się w środku wiersza (na końcu ma stać pusty wiersz).")
    assembly = _Assembly(text, codec)
    for item in read_records(text):
        if isinstance(item, Label):
            assembly.begin(item)
        else:
            assembly.add(item)
    return assembly.finish()


class _Assembly:
    """Puts labels and records together, one after the other."""

    def __init__(self, text: str, codec: str) -> None:
        self._text = text
        self._codec = codec
        self._label = Label(0, "")
        self._file: ExchangeFile | None = None
        self._header: Record | None = None
        self._lines: list[Record] = []
        self._row: Callable[[Record], None] | None = None

    def begin(self, label: Label) -> None:
        """Begin a section."""
        self._close(label)
        if label.word not in {"INFO", "NAGLOWEK", "ZAWARTOSC"}:
            raise malformed(label.line, f"nieznana etykieta [{label.word[:20]}].")
        if (label.word == "INFO") is (self._file is not None):
            raise malformed(label.line, "[INFO] ma stać w pliku raz, na początku.")
        if label.word == "ZAWARTOSC" and self._label.word != "NAGLOWEK":
            raise malformed(label.line, "[ZAWARTOSC] ma stać zaraz za swoim [NAGLOWEK].")
        if label.word != "ZAWARTOSC":
            self._end_document()
        self._label = label

    def add(self, record: Record) -> None:
        """Take a record of the section begun last."""
        match self._label.word:
            case "INFO" if self._file is None:
                self._file = ExchangeFile(_checked_info(record), self._text, self._codec)
            case "NAGLOWEK" if self._header is None and self._row is None:
                self._begin_header(record)
            case "ZAWARTOSC" if self._row is not None:
                self._row(record)
            case "ZAWARTOSC":
                self._lines.append(record)
            case word:
                raise malformed(record.line, f"po [{word}] ma stać jeden wiersz.")

    def finish(self) -> ExchangeFile:
        """Return the file; at least one document has to be in it."""
        self._close(Label(self._text.count("\n") + 1, ""))
        self._end_document()
        assert self._file is not None  # the first label is [INFO], decode() has seen it
        if not self._file.documents:
            raise malformed(self._file.info.line, "w pliku nie ma żadnego dokumentu.")
        return self._file

    def _close(self, following: Label) -> None:
        empty_info = self._label.word == "INFO" and self._file is None
        empty_header = self._label.word == "NAGLOWEK" and self._header is None and self._row is None
        if empty_info or empty_header:
            raise malformed(following.line, f"po [{self._label.word}] brakuje wiersza z danymi.")

    def _begin_header(self, record: Record) -> None:
        if len(record.fields) > 1:
            self._header = record
            return
        self._row = self._catalogue(record.text(1).strip().upper())

    def _end_document(self) -> None:
        if self._header is not None and self._file is not None:
            if len(self._file.documents) == MAX_DOCUMENTS:
                raise malformed(self._header.line, f"więcej niż {MAX_DOCUMENTS} dokumentów; podziel plik.")
            self._file.documents.append(Document(self._header, tuple(self._lines)))
        self._header, self._lines, self._row = None, [], None

    def _catalogue(self, word: str) -> Callable[[Record], None]:
        found = self._file
        assert found is not None

        def product(row: Record) -> None:
            found.products.setdefault(
                row.text(2).strip(), Product(row.text(5).strip(), row.text(4).strip(), row.text(11).strip().lower())
            )

        def gtu(row: Record) -> None:
            found.gtu[row.text(1).strip()] = tuple(mark for number, mark in _GTU.items() if row.text(number) == "1")

        def buyer(row: Record) -> None:
            if country := row.text(31).strip().upper():
                found.countries[row.text(2).strip()] = country

        def buyer_number(row: Record) -> None:
            if row.text(2).strip() == NIP:
                found.nips[split_number(row.text(1))] = row.text(3).strip()

        def reason(row: Record) -> None:
            if text := " ".join(row.text(3).split()):
                found.reasons.setdefault(split_number(row.text(1)), text)

        def split_payment(row: Record) -> None:
            if row.text(2).strip() == "1":
                found.split_payment.add(split_number(row.text(1)))

        readers: dict[str, Callable[[Record], None]] = {
            "TOWARY": product,
            "TOWARYGRUPYJPKVAT": gtu,
            "KONTRAHENCI": buyer,
            "NUMERYIDENTYFIKACYJNENABYWCOW": buyer_number,
            "PRZYCZYNYKOREKT": reason,
            "WYMAGALNOSCMPP": split_payment,
        }
        return readers.get(word, lambda _: None)


def _checked_info(info: Record) -> Record:
    if len(info.fields) < INFO_FIELDS - 1:
        raise malformed(info.line, f"po [INFO] ma stać wiersz z {INFO_FIELDS} polami, a ma {len(info.fields)}.")
    if info.text(2).strip() == ACCOUNTING_OFFICE:
        sentence = (
            "Plik przygotowano dla biura rachunkowego: ma tylko kwoty VAT według stawek, bez pozycji, więc nie można "
            "z niego zrobić faktury. Wyślij dokumenty z programu w celu innym niż biuro rachunkowe."
        )
        place = FieldError(f"{info.line}:2", sentence, "epp-accounting-office")
        raise BadInput(sentence, code="epp-accounting-office", errors=(place,))
    return info
