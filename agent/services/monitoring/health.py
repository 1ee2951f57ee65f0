"""What HQ and screens look at: GET /health, out of memory, so that a hanging printer or a busy disk never delays it."""

from __future__ import annotations

from dataclasses import field
from datetime import date, datetime

from agent import __version__
from agent.domain.calendar import local_date
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.alert import AlertCode
from agent.domain.values import dataclass
from agent.ports import Copies, PrinterStatus
from agent.services.heartbeats import Heartbeats
from agent.services.monitoring.alerts import Problem
from agent.services.monitoring.certificates import HeldCertificates, RenewalAttempt
from agent.services.monitoring.disk import LEAST_FREE, Disk
from agent.services.monitoring.printer_states import PrinterStates
from agent.services.monitoring.problems import ProblemWatch
from agent.services.monitoring.store_checks import StoreChecks
from agent.services.monitoring.unsent import UnsentInvoices
from agent.services.outages.announcements import Announcements
from agent.services.outages.clock_check import ClockAnswer, ClockCheck
from agent.services.outages.connection import Connection
from agent.services.outages.mode import CurrentMode, ModeAnswer
from agent.services.shutdown import Shutdown


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """The unsent queue."""

    unsent: int
    in_doubt: int
    rejected: int
    overdue: int
    next_deadline: date | None
    waiting_for_window: int = 0
    """How many of them wait for a window of sync.backlog_hours: nothing is wrong with them."""
    window_opens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CertificateHealth:
    """One certificate: ``use`` is authentication or offline."""

    use: str
    serial: str
    expires: datetime
    days_left: int
    renewal: RenewalAttempt | None = None


@dataclass(frozen=True, slots=True)
class HealthReport:
    """GET /health."""

    status: str
    """ok, degraded, critical."""
    version: str
    till: str
    nip: str
    at: datetime
    started_at: datetime
    mode: ModeAnswer
    queue: QueueHealth
    printers: tuple[PrinterStatus, ...]
    certificates: tuple[CertificateHealth, ...]
    clock_skew_seconds: float | None
    disk_free_bytes: int
    database_bytes: int
    latarnia_seen_at: datetime | None
    ksef_seen_at: datetime | None
    problems: tuple[Problem, ...] = ()
    ready: bool = True
    """A press would be taken."""
    live: bool = True
    """False once a defect has ended a part of the agent: the rest follows it."""
    clock: ClockAnswer | None = None
    copies: Copies = field(default_factory=Copies)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose report it is."""

    till: str
    nip: str
    started_at: datetime


class HealthReporter:
    """Puts the report together."""

    def __init__(
        self,
        identity: Identity,
        *,
        clock_check: ClockCheck,
        mode: CurrentMode,
        announcements: Announcements,
        connection: Connection,
        unsent: UnsentInvoices,
        problems: ProblemWatch,
        printers: PrinterStates,
        certificates: HeldCertificates,
        store_checks: StoreChecks,
        disk: Disk,
        shutdown: Shutdown,
        heartbeats: Heartbeats,
    ) -> None:
        self._identity = identity
        self._clock_check = clock_check
        self._mode = mode
        self._announcements = announcements
        self._connection = connection
        self._unsent = unsent
        self._problems = problems
        self._printers = printers
        self._certificates = certificates
        self._store_checks = store_checks
        self._disk = disk
        self._shutdown = shutdown
        self._heartbeats = heartbeats

    def report(self) -> HealthReport:
        """Return it as of now; no I/O but looks at the disk's free space."""
        now = self._clock_check.best()
        clock = self._clock_check.answer()
        disk_free = self._disk.free()
        return HealthReport(
            status=_status(self._problems.open),
            version=__version__,
            till=self._identity.till,
            nip=self._identity.nip,
            at=clock.shows,
            started_at=self._identity.started_at,
            mode=self._mode.current(),
            queue=_queue(self._unsent, local_date(now)),
            printers=self._printers.now(),
            certificates=tuple(
                CertificateHealth(
                    each.use,
                    each.holder.serial,
                    each.holder.expires,
                    (each.holder.expires - now).days,
                    self._certificates.attempts.last.get(each.use),
                )
                for each in self._certificates.all
            ),
            clock=clock,
            clock_skew_seconds=clock.skew_seconds,
            disk_free_bytes=disk_free,
            database_bytes=self._store_checks.size(),
            copies=self._store_checks.copies,
            latarnia_seen_at=self._announcements.seen_at,
            ksef_seen_at=self._connection.last.answered_at,
            problems=self._problems.open,
            ready=self._takes_presses(disk_free),
            live=self._lives(),
        )

    def _lives(self) -> bool:
        """Tell whether every part works: none has died, none has stood still for long."""
        return self._shutdown.defect is None and not self._heartbeats.silent()

    def _takes_presses(self, disk_free: int) -> bool:
        """Tell whether a press would be taken now: not while the service ends, without room, with a wrong clock, where
        nobody's token is known.
        """
        clock_dates = self._clock_check.verdict().problem is None
        knows_callers = all(problem.code != AlertCode.TOKENS for problem in self._problems.open)
        room = disk_free >= LEAST_FREE and self._disk.files() != 0 and not self._store_checks.refused
        return clock_dates and knows_callers and room and not self._shutdown.begun and self._lives()


def _status(problems: tuple[Problem, ...]) -> str:
    severities = {problem.severity for problem in problems}
    if "critical" in severities:
        return "critical"
    return "degraded" if severities else "ok"


def _queue(unsent: UnsentInvoices, today: date) -> QueueHealth:
    counts = unsent.counts
    return QueueHealth(
        unsent=sum(each.invoices for each in counts),
        in_doubt=sum(each.invoices for each in counts if each.state is InvoiceState.IN_DOUBT),
        rejected=sum(each.invoices for each in counts if each.state is InvoiceState.REJECTED),
        overdue=sum(each.invoices for each in counts if each.deadline is not None and each.deadline < today),
        next_deadline=min((each.deadline for each in counts if each.deadline is not None), default=None),
        waiting_for_window=unsent.held.invoices,
        window_opens_at=unsent.held.opens_at,
    )
