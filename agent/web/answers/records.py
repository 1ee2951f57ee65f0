"""The books: register, event log, print jobs, webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from agent.domain.json_io.canonical import Json
from agent.domain.lifecycle import PrintState
from agent.domain.records.register import MarkerChange, RegisterRow
from agent.ports import Event, PrintJob
from agent.services.monitoring.webhooks import OutboxStatus
from agent.web.wire import Says

Month = Annotated[str, Says(pattern="^[0-9]{4}-[0-9]{2}$", example="2026-11")]


@dataclass(frozen=True, slots=True)
class Register:
    """The register of a month."""

    month: Month
    rows: tuple[RegisterRow, ...]


@dataclass(frozen=True, slots=True)
class RegisterChanges:
    """What to change in books filed on a day."""

    month: Month
    since: date
    changes: tuple[MarkerChange, ...]


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
