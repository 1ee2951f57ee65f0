"""Rows of JPK_V7M(3), one for each invoice and month: SprzedazWiersz of the schema crd.gov.pl/wzor/2025/12/19/14090.

The agent knows its invoices and nothing else: daily reports of fiscal registers (RO), internal documents (WEW) and
purchases are the accountant's. Columns of the CSV are the schema's elements in their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import date
from decimal import Decimal

from agent.domain.books.entry import BookEntry, BookPart
from agent.domain.books.read import GTU, PROCEDURES
from agent.domain.books.sums import FIELDS
from agent.domain.calendar import happened_by, local_date
from agent.domain.fa3.writing import escaped
from agent.domain.invoice import OFFLINE_MODES, Buyer, BuyerKind
from agent.domain.records.filed import FiledInvoice
from agent.domain.records.register import REACHED, AsOf, Marker, is_invoice, marker
from agent.domain.spreadsheets import Cell, Dialect
from agent.domain.values import dataclass
from agent.domain.vat import ZERO

NAMESPACE = "http://crd.gov.pl/wzor/2025/12/19/14090/"
NOBODY = "BRAK"
TO_RECEIPT = "FP"
NAME_LENGTH = 512
TAXES = ("K_16", "K_18", "K_20")
OUTSIDE = (
    "Korekta zmniejszająca wystawiona poza KSeF: ujmij ją w miesiącu, w którym masz potwierdzenie jej otrzymania "
    "(art. 29a ust. 13a)."
)
COLUMNS = (
    "LpSprzedazy",
    "KodKrajuNadaniaTIN",
    "NrKontrahenta",
    "NazwaKontrahenta",
    "DowodSprzedazy",
    "DataWystawienia",
    "DataSprzedazy",
    *(mark.value for mark in Marker),
    "TypDokumentu",
    *GTU,
    *PROCEDURES,
    *FIELDS,
    "Uwagi",
)
"""Of the CSV; Uwagi, the last one, is ours: what the document does not tell."""
_GREECE = {"GR": "EL"}
_PESEL = re.compile(r"[0-9]{11}")


@dataclass(frozen=True, slots=True)
class JpkRow:
    """One SprzedazWiersz, all but its number. Amounts in PLN."""

    id: str
    """Of the invoice here; not part of the row."""
    country: str | None
    buyer_number: str
    buyer_name: str
    document: str
    issued_on: date
    sold_on: date | None
    marker: Marker
    ksef_number: str | None
    """Where the marker is NrKSeF."""
    to_receipt: bool
    gtu: tuple[str, ...]
    procedures: tuple[str, ...]
    amounts: Mapping[str, Decimal]
    notes: tuple[str, ...]

    @property
    def tax(self) -> Decimal:
        """What the row adds to PodatekNalezny: nothing where the sale is in a daily report too."""
        return ZERO if self.to_receipt else sum((self.amounts.get(name, ZERO) for name in TAXES), ZERO)


def rows_of(record: FiledInvoice, entry: BookEntry, days: tuple[date, date], as_of: AsOf) -> list[JpkRow]:
    """Return the rows of one invoice whose tax point is in these days, both included, as filed ``as_of``."""
    if not happened_by(record.issued_at, as_of) or not is_invoice(record, as_of):
        return []
    found = []
    for part in entry.parts:
        day = _day(record, entry, part, as_of)
        if day is not None and days[0] <= day <= days[1]:
            found.append(_row(record, entry, part, as_of))
    return found


def _day(record: FiledInvoice, entry: BookEntry, part: BookPart, as_of: AsOf) -> date | None:
    """Return the day whose month the part belongs to; None for a reduction that has not been sent.

    A reduction issued offline counts in the month of sending (art. 29a ust. 13b, 13c).
    """
    if not entry.reduces or record.mode not in OFFLINE_MODES:
        return part.day
    reached = (record.sent_at or record.accepted_at) if record.state in REACHED else None
    return None if reached is None or not happened_by(reached, as_of) else local_date(reached)


def _row(record: FiledInvoice, entry: BookEntry, part: BookPart, as_of: AsOf) -> JpkRow:
    mark = marker(record, as_of)
    country, number = _identifier(record.buyer)
    outside = (OUTSIDE,) if entry.reduces and mark is Marker.BFK else ()
    return JpkRow(
        id=record.id,
        country=country,
        buyer_number=number,
        buyer_name=" ".join((record.buyer.name or "").split())[:NAME_LENGTH] or NOBODY,
        document=" ".join(record.number.split()),
        issued_on=record.issued_on,
        sold_on=part.sold_on,
        marker=mark,
        ksef_number=record.ksef_number if mark is Marker.NUMBER else None,
        to_receipt=entry.to_receipt,
        gtu=part.gtu,
        procedures=part.procedures,
        amounts={each.field: each.value for each in part.amounts},
        notes=(*outside, *entry.notes),
    )


def _identifier(buyer: Buyer) -> tuple[str | None, str]:
    """Return KodKrajuNadaniaTIN and NrKontrahenta: letters and digits only. A PESEL is no number of a taxpayer."""
    number = buyer.identifier or ""
    if not (number.isascii() and number.isalnum()):
        number = re.sub(r"[^0-9A-Za-z]", "", number)
    if buyer.kind is BuyerKind.NONE or not number:
        return None, NOBODY
    if buyer.kind is BuyerKind.NIP:
        return None, number
    if buyer.kind is BuyerKind.FOREIGN_ID and buyer.country in (None, "PL") and _PESEL.fullmatch(number):
        return None, NOBODY
    country = buyer.country
    return None if country is None else _GREECE.get(country, country), number[:50]


@dataclass(slots=True)
class Numbered:
    """Counts rows as they are written, and what they add up to."""

    count: int = 0
    tax: Decimal = field(default=ZERO)

    def add(self, row: JpkRow) -> int:
        """Return LpSprzedazy of a row."""
        self.count += 1
        self.tax += row.tax
        return self.count


class JpkXml:
    """Writes Ewidencja with the sales rows and SprzedazCtrl, a row at a time. Purchases are not in it."""

    def __init__(self) -> None:
        self._numbered = Numbered()

    def begin(self) -> str:
        """Return what comes before the rows."""
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Ewidencja xmlns="{NAMESPACE}">\n'

    def row(self, row: JpkRow) -> str:
        """Return one row, with a comment before it where an accountant has to look at it."""
        serial = self._numbered.add(row)
        notes = " ".join(row.notes).replace("--", "–")
        comment = f"<!-- {_plain(row.document)}: {notes} -->\n" if notes else ""
        elements = [f"<{name}>{escaped(value)}</{name}>" for name, value in _elements(row, serial)]
        return f"{comment}<SprzedazWiersz>{''.join(elements)}</SprzedazWiersz>\n"

    def end(self) -> str:
        """Return the control sums of the rows written."""
        return (
            f"<SprzedazCtrl><LiczbaWierszySprzedazy>{self._numbered.count}</LiczbaWierszySprzedazy>"
            f"<PodatekNalezny>{self._numbered.tax:.2f}</PodatekNalezny></SprzedazCtrl>\n</Ewidencja>\n"
        )


def _plain(text: str) -> str:
    """Return text that may stand in a comment."""
    return text.replace("--", "–").rstrip("-")


def _elements(row: JpkRow, serial: int) -> Iterator[tuple[str, str]]:
    """Yield the elements of a row in the schema's order."""
    yield "LpSprzedazy", str(serial)
    if row.country is not None:
        yield "KodKrajuNadaniaTIN", row.country
    yield "NrKontrahenta", row.buyer_number
    yield "NazwaKontrahenta", row.buyer_name
    yield "DowodSprzedazy", row.document
    yield "DataWystawienia", row.issued_on.isoformat()
    if row.sold_on is not None:
        yield "DataSprzedazy", row.sold_on.isoformat()
    yield row.marker.value, row.ksef_number or "1"
    if row.to_receipt:
        yield "TypDokumentu", TO_RECEIPT
    for name in (*row.gtu, *row.procedures):
        yield name, "1"
    for name, value in row.amounts.items():
        yield name, f"{value:.2f}"


class JpkCsv:
    """Writes the same rows as a table, a row at a time."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._numbered = Numbered()

    def begin(self) -> str:
        """Return the line of column names."""
        return self._dialect.begin(COLUMNS)

    def row(self, row: JpkRow) -> str:
        """Return one row."""
        cells: dict[str, Cell] = dict(_elements(row, self._numbered.add(row)))
        cells |= row.amounts
        cells["Uwagi"] = " ".join(row.notes)
        return self._dialect.line([cells.get(column) for column in COLUMNS])

    def end(self) -> str:
        """Return nothing: a table has no control sums."""
        return ""
