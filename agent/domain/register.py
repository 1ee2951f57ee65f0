"""The register OFF <-> KSeF: one row per invoice, the JPK_V7M(3) marker, counts, CSV and JSON (DOMAIN 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from agent.domain.invoice import InvoiceRecord, Mode, Payment


class Marker(StrEnum):
    """Marker of a sales row in JPK_V7M(3), judged at filing."""

    NUMBER = "NrKSeF"
    OFF = "OFF"
    DI = "DI"
    BFK = "BFK"


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """One invoice in the books. Instants are UTC; ``days_late`` counts calendar days after the deadline."""

    id: str
    number: str
    kind: str
    issued_on: date
    mode: Mode
    legal_basis: str
    reason: str
    state: str
    deadline: date | None
    deadline_state: str
    sent_at: datetime | None
    accepted_at: datetime | None
    ksef_number: str | None
    upo: bool
    sha256: str
    """Hexadecimal."""
    buyer: str | None
    """Identifier with its country prefix where it is not Polish."""
    buyer_name: str | None
    net: Decimal
    tax: Decimal
    gross: Decimal
    currency: str
    base_number: str | None
    """Number of the invoice of this store that this one corrects."""
    corrections: tuple[str, ...]
    """Numbers of the corrections to this invoice, of this store."""
    external_ref: str | None
    payments: tuple[Payment, ...]
    marker: Marker
    days_late: int


@dataclass(frozen=True, slots=True)
class MarkerChange:
    """A marker that differs from the one exported before; ``old`` is None for a row that was not there."""

    id: str
    number: str
    issued_on: date
    old: Marker | None
    new: Marker
    ksef_number: str | None


@dataclass(frozen=True, slots=True)
class MonthCount:
    """Counts of one month of P_1."""

    month: str
    """YYYY-MM."""
    invoices: int
    offline: int
    by_mode: Mapping[Mode, int]
    unnumbered: int
    late: int
    """Reached KSeF after their deadline, or have not and it has passed."""
    days_late_max: int


def marker(record: InvoiceRecord, as_of: date) -> Marker:
    """Return the marker for a JPK filed on that day."""
    raise NotImplementedError


def rows(records: Iterable[InvoiceRecord], *, as_of: date, upos: Collection[str] = ()) -> list[RegisterRow]:
    """Return the rows, by issue date and number. ``upos`` holds the ids of invoices whose UPO is stored.

    Links between bases and corrections are found among ``records``.
    """
    raise NotImplementedError


def month_counts(register: Iterable[RegisterRow]) -> list[MonthCount]:
    """Return one count per month, oldest first."""
    raise NotImplementedError


def changed_since(then: Iterable[RegisterRow], now: Iterable[RegisterRow]) -> list[MarkerChange]:
    """Return the markers that changed, and the new rows, in the order of ``now``."""
    raise NotImplementedError


def to_csv(register: Iterable[RegisterRow]) -> bytes:
    """Return the register as CSV."""
    raise NotImplementedError


def to_dict(row: RegisterRow) -> dict[str, object]:
    """Return one row as JSON-able values: ISO dates, decimal strings."""
    raise NotImplementedError
