"""The register OFF <-> KSeF: a row per invoice, JPK_V7M(3) markers, counts, CSV and JSON (docs/law.md, section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from agent.domain.calendar import happened_by, local_date
from agent.domain.invoice import LEGAL_BASIS, Buyer, BuyerKind, InvoiceSummary, Mode, Payment
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.filed import Deadlined, Filed, FiledInvoice, InvoiceGroup, RegisteredInvoice, registered
from agent.domain.spreadsheets import RFC_4180, Cell, Dialect
from agent.domain.values import dataclass
from agent.domain.vat import amount_text

Value = None | bool | int | str | list[str] | list[dict[str, str]]
"""What a row holds as JSON."""

REACHED = frozenset({InvoiceState.SENT, InvoiceState.ACCEPTED})
DUE = "due"
"""InvoiceSummary.deadline_state of a deadline that runs."""
AsOf = date | datetime
"""When books were filed: an instant, or the end of a Polish civil day."""


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
    """NIP, or another identifier with its country prefix."""
    buyer_name: str | None
    net: Decimal
    tax: Decimal
    gross: Decimal
    currency: str
    bases: tuple[str, ...]
    """Numbers of the invoices that this one corrects."""
    corrections: tuple[str, ...]
    """Numbers of the corrections to this invoice."""
    external_ref: str | None
    payments: tuple[Payment, ...]
    marker: Marker
    days_late: int


@dataclass(frozen=True, slots=True)
class RegisterChange:
    """What the log tells of an invoice that changes how the books show it."""

    mode_before: Mode | None = None
    refused: bool = False
    """KSeF refused it."""


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


def marker(record: Filed, as_of: AsOf) -> Marker:
    """Return the marker for a JPK filed then (docs/law.md, section 5).

    The mode is that of the record: as_it_was() gives the one that an earlier filing knew.
    """
    return Marker.NUMBER if _numbered(record, as_of) else _unnumbered(record)


def _unnumbered(record: Filed) -> Marker:
    if record.mode is Mode.FAILURE:
        # Also where total failure lifted the duty later: OFF means "issued by art. 106nf and has no number".
        return Marker.OFF
    if record.mode in {Mode.TOTAL_FAILURE, Mode.OUTSIDE_KSEF} or record.state is InvoiceState.EXEMPT:
        return Marker.BFK
    # Online without a number counts too: past its day it is an offline24 invoice (art. 106nda ust. 16).
    return Marker.DI


def rows(
    records: Iterable[InvoiceSummary],
    *,
    as_of: date,
    corrections: Iterable[InvoiceSummary] = (),
) -> list[RegisterRow]:
    """Return the rows as of a Polish civil day, by issue date and number.

    What KSeF refused while it was issued online, or a manager closed, never became an invoice and has no row.

    ``corrections``: those of other months, so that their bases can name them; those among ``records`` are found.
    """
    listed = [record for record in records if is_invoice(record, as_of)]
    ordered = sorted(listed, key=lambda record: (record.issued_on, record.number))
    return list(rows_of_page(map(registered, ordered), as_of=as_of, corrections=(*listed, *corrections)))


def rows_of_page(
    records: Iterable[RegisteredInvoice], *, as_of: date, corrections: Iterable[InvoiceSummary]
) -> Iterator[RegisterRow]:
    """Yield the rows of a part of the register, in the order given. ``corrections``: all that name one of these."""
    corrected_by: dict[str, dict[str, None]] = {}
    for correction in corrections:
        for base in correction.bases:
            if base.invoice_id is not None:
                corrected_by.setdefault(base.invoice_id, {})[correction.number] = None
    for record in records:
        if is_invoice(record, as_of):
            yield _row(record, as_of, tuple(corrected_by.get(record.id, ())))


def is_invoice(record: Filed, as_of: AsOf) -> bool:
    """Return False for what KSeF refused while it was issued online, or whose case a manager closed."""
    if record.closed_at is not None:
        return not happened_by(record.closed_at, as_of)
    return record.state is not InvoiceState.REJECTED or record.mode is not Mode.ONLINE


def _row(record: RegisteredInvoice, as_of: date, corrections: tuple[str, ...]) -> RegisterRow:
    numbered = _numbered(record, as_of)
    return RegisterRow(
        id=record.id,
        number=record.number,
        kind=record.kind,
        issued_on=record.issued_on,
        mode=record.mode,
        legal_basis=LEGAL_BASIS[record.mode],
        reason=record.reason,
        state=record.state.value,
        deadline=record.deadline,
        deadline_state=record.deadline_state,
        sent_at=record.sent_at,
        accepted_at=record.accepted_at if numbered else None,
        ksef_number=record.ksef_number if numbered else None,
        upo=record.has_upo,
        sha256=record.sha256.hex(),
        buyer=_identifier(record.buyer),
        buyer_name=record.buyer.name,
        net=record.net,
        tax=record.tax,
        gross=record.gross,
        currency=record.currency,
        bases=record.bases,
        corrections=corrections,
        external_ref=record.external_ref,
        payments=record.payments,
        marker=Marker.NUMBER if numbered else _unnumbered(record),
        days_late=_days_late(record, as_of),
    )


def _numbered(record: Filed, as_of: AsOf) -> bool:
    if record.ksef_number is None:
        return False
    return record.accepted_at is None or happened_by(record.accepted_at, as_of)


def as_it_was(record: FiledInvoice, changes: Iterable[RegisterChange]) -> FiledInvoice:
    """Return the record with mode and state of before these changes, which are in order."""
    mode: Mode | None = None
    refused = False
    for change in changes:
        if change.mode_before is not None and mode is None:
            mode = change.mode_before
        refused = refused or change.refused
    if mode is not None:
        record = replace(record, mode=mode)
    if refused and record.state is InvoiceState.REJECTED:
        record = replace(record, state=InvoiceState.SENT)
    return record


def _identifier(buyer: Buyer) -> str | None:
    if buyer.identifier is None or buyer.kind is BuyerKind.NIP:
        return buyer.identifier
    return f"{buyer.country or ''}{buyer.identifier}"


def _days_late(record: Deadlined, as_of: date) -> int:
    """Calendar days between the deadline and the day KSeF was sent the invoice, or ``as_of`` where it was not.

    The day of sending counts, not that of the number; a sending that KSeF refused counts for nothing.
    """
    if record.deadline is None or record.deadline_state != DUE or record.state is InvoiceState.EXEMPT:
        return 0
    reached = (record.sent_at or record.accepted_at) if record.state in REACHED else None
    if reached is not None and happened_by(reached, record.deadline):
        return 0
    day = as_of if reached is None else min(local_date(reached), as_of)
    return max(0, (day - record.deadline).days)


class MonthCounting:
    """Counts the invoices of one month (YYYY-MM) as of a Polish civil day."""

    def __init__(self, month: str, as_of: date) -> None:
        self._month = month
        self._as_of = as_of
        self._by_mode = dict.fromkeys(Mode, 0)
        self._unnumbered = self._late = self._days_late_max = 0

    def add(self, group: InvoiceGroup) -> None:
        """Count some more; what never became an invoice does not count."""
        if not is_invoice(group, self._as_of):
            return
        days_late = _days_late(group, self._as_of)
        self._by_mode[group.mode] += group.invoices
        self._unnumbered += 0 if _numbered(group, self._as_of) else group.invoices
        self._late += group.invoices if days_late > 0 else 0
        self._days_late_max = max(self._days_late_max, days_late)

    def count(self) -> MonthCount:
        """Return the count, zeros where the month has no invoices."""
        invoices = sum(self._by_mode.values())
        return MonthCount(
            month=self._month,
            invoices=invoices,
            offline=invoices - self._by_mode[Mode.ONLINE],
            by_mode=self._by_mode,
            unnumbered=self._unnumbered,
            late=self._late,
            days_late_max=self._days_late_max,
        )


def to_dict(row: RegisterRow) -> dict[str, Value]:
    """Return one row as JSON-able values: ISO dates, instants with offset, decimal strings."""
    return {
        "id": row.id,
        "number": row.number,
        "kind": row.kind,
        "issued_on": row.issued_on.isoformat(),
        "mode": row.mode.value,
        "legal_basis": row.legal_basis,
        "reason": row.reason,
        "state": row.state,
        "deadline": _iso(row.deadline),
        "deadline_state": row.deadline_state,
        "days_late": row.days_late,
        "sent_at": _iso(row.sent_at),
        "accepted_at": _iso(row.accepted_at),
        "ksef_number": row.ksef_number,
        "upo": row.upo,
        "sha256": row.sha256,
        "marker": row.marker.value,
        "buyer": row.buyer,
        "buyer_name": row.buyer_name,
        "net": amount_text(row.net),
        "tax": amount_text(row.tax),
        "gross": amount_text(row.gross),
        "currency": row.currency,
        "bases": list(row.bases),
        "corrections": list(row.corrections),
        "external_ref": row.external_ref,
        "payments": [{"method": payment.method, "amount": amount_text(payment.amount)} for payment in row.payments],
    }


def count_to_dict(count: MonthCount) -> dict[str, str | int | dict[str, int]]:
    """Return one month's counts as JSON-able values."""
    return {
        "month": count.month,
        "invoices": count.invoices,
        "offline": count.offline,
        "by_mode": {mode.value: number for mode, number in count.by_mode.items()},
        "unnumbered": count.unnumbered,
        "late": count.late,
        "days_late_max": count.days_late_max,
    }


def csv_line(row: RegisterRow, dialect: Dialect = RFC_4180) -> str:
    """Return one row of the register as CSV, with its CRLF."""
    return dialect.line(_cells(row, dialect))


def _iso(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _payments(row: RegisterRow, dialect: Dialect) -> str:
    return "; ".join([f"{each.method} {dialect.amount(each.amount)}" for each in row.payments])


def _cells(row: RegisterRow, dialect: Dialect) -> list[Cell]:
    """Return the cells of COLUMNS, in their order."""
    return [
        row.number,
        row.kind,
        row.issued_on.isoformat(),
        row.marker.value,
        row.ksef_number,
        row.mode.value,
        row.legal_basis,
        row.reason,
        row.state,
        _iso(row.deadline),
        row.deadline_state,
        row.days_late,
        _iso(row.sent_at),
        _iso(row.accepted_at),
        row.upo,
        row.sha256,
        row.buyer,
        row.buyer_name,
        row.net,
        row.tax,
        row.gross,
        row.currency,
        "; ".join(row.bases),
        "; ".join(row.corrections),
        row.external_ref,
        _payments(row, dialect),
        row.id,
    ]


COLUMNS = (
    "number",
    "kind",
    "issued_on",
    "marker",
    "ksef_number",
    "mode",
    "legal_basis",
    "reason",
    "state",
    "deadline",
    "deadline_state",
    "days_late",
    "sent_at",
    "accepted_at",
    "upo",
    "sha256",
    "buyer",
    "buyer_name",
    "net",
    "tax",
    "gross",
    "currency",
    "bases",
    "corrections",
    "external_ref",
    "payments",
    "id",
)
"""Columns of the CSV, in order: what to_dict() names, amounts and payments as a spreadsheet reads them."""
