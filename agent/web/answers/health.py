"""How the agent stands, for headquarters and the till page: the body of /health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Annotated, Final

from agent.domain.calendar import local_time
from agent.domain.invoice import Mode
from agent.domain.values import dataclass
from agent.ports import PrinterStatus
from agent.services.monitoring import alerts, health
from agent.services.monitoring.health import HealthReport
from agent.web.wire import Count, Says

LISTED_OF_A_CODE: Final = 20
"""Problems of one code that are listed; a long outage makes thousands of late invoices, and HQ polls every minute."""


@dataclass(frozen=True, slots=True)
class KsefHealth:
    """The line to KSeF and to Latarnia."""

    state: Annotated[str, Says(words=("up", "down", "unknown"))]
    seen_at: datetime | None
    """Last answer of KSeF."""
    latarnia: str
    """Status word of Latarnia, or unreachable."""
    latarnia_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """The unsent queue."""

    unsent: Count
    in_doubt: Count
    """Nobody knows whether KSeF has them."""
    rejected: Count
    overdue: Count
    next_deadline: date | None
    """Nearest deadline of an unsent invoice."""
    waiting_for_window: Count
    """How many of the unsent wait for a window (sync.backlog_hours); nothing is wrong with them."""
    window_opens_at: datetime | None
    """When the next of these windows opens; null where nothing waits for one."""


@dataclass(frozen=True, slots=True)
class PrinterHealth:
    """What a printer says of itself."""

    name: str
    online: bool
    problem: str | None
    """Polish: what to do."""
    code: str | None
    """Stable: paper-out, cover-open, …"""
    near_end: bool
    """Paper is running out."""


@dataclass(frozen=True, slots=True)
class RenewalHealth:
    """The last time KSeF was asked for another certificate."""

    at: datetime
    problem: str | None
    """Polish: why there is none; null where there is."""


@dataclass(frozen=True, slots=True)
class CertificateHealth:
    """A KSeF certificate."""

    use: Annotated[str, Says(words=("authentication", "offline"))]
    serial: str
    expires: datetime
    days_left: int
    renewal: RenewalHealth | None
    """The last attempt to renew it; null where none was due."""


@dataclass(frozen=True, slots=True)
class ClockHealth:
    """The till's clock."""

    skew_seconds: float | None
    """The right time minus the till's; null where nothing tells."""
    state: Annotated[str | None, Says(words=("confirmed", "assumed", "unconfirmed", "wrong"))]
    """unconfirmed and wrong date no invoice; null before the first look."""
    confirmed_by: Annotated[str | None, Says(words=("ksef", "ntp", "manager"))]
    """Who vouched for the time since the machine started; null: nobody."""
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class BackupHealth:
    """Copies of the database."""

    last_at: datetime | None
    file: str | None
    failed_at: datetime | None
    problem: str | None
    """Polish: why the newest try made none; null where it did."""


@dataclass(frozen=True, slots=True)
class DiskHealth:
    """Room for invoices."""

    free_bytes: Count
    database_bytes: Count


@dataclass(frozen=True, slots=True)
class HealthProblem:
    """Something a person should see."""

    code: str
    """Stable."""
    message: str
    """Polish."""
    since: datetime
    severity: Annotated[str, Says(words=("warning", "critical"))]


@dataclass(frozen=True, slots=True)
class Health:
    """State of one agent. Fields may be added; none is removed or changes its meaning."""

    status: Annotated[str, Says(words=("ok", "degraded", "critical"))]
    """ok and degraded answer 200, critical answers 503."""
    version: str
    till: str
    nip: Annotated[str, Says(pattern="^[0-9]{10}$")]
    """The seller's NIP."""
    at: datetime
    """When this was written."""
    started_at: datetime
    mode: Mode
    """The mode a press would get now."""
    mode_reason: str
    """Polish."""
    legal_basis: str
    """Article of the VAT Act."""
    declared_by: str | None
    """The manager who declared the mode."""
    total_failure_to_confirm: bool
    """A total failure is announced and no manager has confirmed it."""
    ksef: KsefHealth
    queue: QueueHealth
    printer: PrinterHealth | None
    """The first printer."""
    printers: tuple[PrinterHealth, ...]
    certificates: tuple[CertificateHealth, ...]
    clock: ClockHealth
    backup: BackupHealth
    disk: DiskHealth
    problems: tuple[HealthProblem, ...]
    """At most 20 of each code."""
    problems_total: Count
    """All of them, also those not listed."""


def health_of(report: HealthReport) -> Health:
    """Describe the agent."""
    printers = tuple(_printer(each) for each in report.printers)
    return Health(
        status=report.status,
        version=report.version,
        till=report.till,
        nip=report.nip,
        at=report.at,
        started_at=report.started_at,
        mode=report.mode.mode,
        mode_reason=report.mode.reason,
        legal_basis=report.mode.legal_basis,
        declared_by=report.mode.declared_by,
        total_failure_to_confirm=report.mode.total_failure_to_confirm,
        ksef=KsefHealth(report.mode.ksef, report.ksef_seen_at, report.mode.latarnia, report.latarnia_seen_at),
        queue=_queue(report),
        printer=printers[0] if printers else None,
        printers=printers,
        certificates=tuple(_certificate(each) for each in report.certificates),
        clock=_clock(report),
        backup=_backup(report),
        disk=DiskHealth(report.disk_free_bytes, report.database_bytes),
        problems=tuple(
            HealthProblem(each.code, each.message, each.since, each.severity) for each in _listed(report.problems)
        ),
        problems_total=len(report.problems),
    )


def _queue(report: HealthReport) -> QueueHealth:
    queue = report.queue
    return QueueHealth(
        unsent=queue.unsent,
        in_doubt=queue.in_doubt,
        rejected=queue.rejected,
        overdue=queue.overdue,
        next_deadline=queue.next_deadline,
        waiting_for_window=queue.waiting_for_window,
        window_opens_at=None if queue.window_opens_at is None else local_time(queue.window_opens_at),
    )


def _certificate(held: health.CertificateHealth) -> CertificateHealth:
    last = held.renewal
    renewal = None if last is None else RenewalHealth(last.at, last.problem)
    return CertificateHealth(held.use, held.serial, held.expires, held.days_left, renewal)


def _printer(status: PrinterStatus) -> PrinterHealth:
    return PrinterHealth(status.name, status.online, status.problem, status.code, status.near_end)


def _clock(report: HealthReport) -> ClockHealth:
    clock, skew = report.clock, report.clock_skew_seconds
    if clock is None:
        return ClockHealth(skew, None, None, None)
    return ClockHealth(skew, clock.state, clock.confirmed_by, clock.confirmed_at)


def _backup(report: HealthReport) -> BackupHealth:
    copies = report.copies
    return BackupHealth(copies.last_at, copies.last_file, copies.failed_at, copies.problem)


def _listed(problems: Iterable[alerts.Problem]) -> Iterator[alerts.Problem]:
    seen: Counter[str] = Counter()
    for each in problems:
        seen[each.code] += 1
        if seen[each.code] <= LISTED_OF_A_CODE:
            yield each
