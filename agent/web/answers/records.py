"""The books: register, event log, print jobs, webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated

from agent.domain.books.changes import RowChange
from agent.domain.books.reconcile import Difference
from agent.domain.json_io.canonical import Json
from agent.domain.lifecycle import PrintState
from agent.domain.records.evidence_files import OutageReport
from agent.domain.records.register import Marker, RegisterRow
from agent.domain.values import dataclass
from agent.ports import Event, PrintJob
from agent.services.monitoring.webhooks import OutboxStatus
from agent.services.records.ksef_comparison import KsefComparison
from agent.web.wire import Count, Says

Month = Annotated[str, Says(pattern="^[0-9]{4}-[0-9]{2}$", example="2026-11")]


@dataclass(frozen=True, slots=True)
class Register:
    """The register of a month."""

    month: Month
    rows: tuple[RegisterRow, ...]


@dataclass(frozen=True, slots=True)
class RegisterChange:
    """A row of filed books that is another one now."""

    id: str
    number: str
    issued_on: date
    old: Marker | None
    """null: the row was not there."""
    new: Marker | None
    """null: the row is gone; KSeF refused the document, or a reduction belongs to another month."""
    ksef_number: str | None
    needs_correction: bool
    """Whether the JPK has to be corrected: not where a number came for an OFF."""


@dataclass(frozen=True, slots=True)
class RegisterChanges:
    """What to change in books that were filed."""

    month: Month
    since: str
    """The day of filing, or the instant when the rows of the month were last given out."""
    changes: tuple[RegisterChange, ...]


@dataclass(frozen=True, slots=True)
class RegisterSide:
    """Invoices of the register."""

    numbered: Count
    """With a KSeF number."""
    online: Count
    """Of these, by their mode."""
    waiting: Count
    """To be in KSeF, without number."""
    outside: Count
    """Never to be in KSeF (BFK)."""


@dataclass(frozen=True, slots=True)
class KsefSide:
    """Invoices of the seller in KSeF."""

    invoices: Count
    online: Count
    """Of those known here, by invoicingMode."""
    unknown_here: Count
    """Of other tills and programs."""


@dataclass(frozen=True, slots=True)
class RegisterBesideKsef:
    """The register beside KSeF's own metadata of the same days of P_1, both included."""

    first: date
    last: date
    complete: bool
    """false: KSeF has more than may be asked for at once; ask for fewer days."""
    register: RegisterSide
    ksef: KsefSide
    agreeing: Count
    """Same number, total, bytes and mode on both sides."""
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage: announced, declared by a manager, or of the line of this shop."""

    name: str
    """Of its closing report: GET /v1/outages/{name}."""
    kind: Annotated[str, Says(words=("awaria", "awaria-calkowita", "niedostepnosc", "offline24", "lacze"))]
    begin: datetime
    end: datetime | None
    """null: it goes on, or its end is not known."""
    basis: str
    """Polish: communiqués, or who declared it and why."""


@dataclass(frozen=True, slots=True)
class OutageList:
    """Outages, oldest first."""

    outages: tuple[Outage, ...]


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One line of the append-only log."""

    seq: int
    at: datetime
    kind: str
    invoice_id: str | None
    data: Mapping[str, Json]
    chain: str
    """SHA-256 over the previous chain and this line, hexadecimal."""


@dataclass(frozen=True, slots=True)
class EventList:
    """Everything recorded about an invoice, in order."""

    events: tuple[RecordedEvent, ...]


@dataclass(frozen=True, slots=True)
class Print:
    """A print job."""

    id: int
    copy: Annotated[int, Says(low=1)]
    """1: original, 2…: marked WYDRUK PONOWNY."""
    document: str
    label: str
    state: PrintState
    created_at: datetime
    printer: str | None
    problem: str | None
    """Polish."""


@dataclass(frozen=True, slots=True)
class PrintList:
    """The print jobs of an invoice."""

    prints: tuple[Print, ...]


@dataclass(frozen=True, slots=True)
class Outbox:
    """How far each webhook subscriber is."""

    subscribers: tuple[OutboxStatus, ...]


def changes_of(found: Sequence[RowChange]) -> tuple[RegisterChange, ...]:
    """Describe changes."""
    return tuple(
        RegisterChange(
            each.id, each.number, each.issued_on, each.old, each.new, each.ksef_number, each.needs_correction
        )
        for each in found
    )


def comparison_of(found: KsefComparison) -> RegisterBesideKsef:
    """Describe a comparison."""
    counts = found.counts
    return RegisterBesideKsef(
        first=found.first,
        last=found.last,
        complete=found.complete,
        register=RegisterSide(counts.numbered, counts.online_here, counts.waiting, counts.outside),
        ksef=KsefSide(counts.in_ksef, counts.online_in_ksef, counts.unknown_here),
        agreeing=counts.agreeing,
        differences=counts.differences,
    )


def events_of(found: Sequence[Event]) -> EventList:
    """Describe events."""
    return EventList(
        tuple(RecordedEvent(each.seq, each.at, each.kind, each.invoice_id, each.data, each.chain) for each in found)
    )


def prints_of(found: Sequence[PrintJob]) -> PrintList:
    """Describe print jobs, without their bytes."""
    return PrintList(tuple(_print(each) for each in found))


def _print(job: PrintJob) -> Print:
    return Print(job.id, job.copy, job.document, job.label, job.state, job.created_at, job.printer, job.problem)


def outages_of(found: Sequence[OutageReport]) -> OutageList:
    """Describe outages."""
    return OutageList(tuple(Outage(each.name, each.kind, each.begin, each.end, each.basis) for each in found))
