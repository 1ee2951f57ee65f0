"""What screens, HQ and alerts look at: a snapshot in memory, refreshed on changes and every few seconds.

GET /health answers from it, so a hanging printer or a busy disk never delays it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from agent import __version__
from agent.domain.calendar import local_date
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.alerts import ActiveAlert, AlertCode, AlertFacts, BackupFacts, InvoiceFacts, Policy, alerts
from agent.domain.rejection import number_taken
from agent.ports import Copies, PrinterStatus, PrintResult, Signer, Transaction, Unsent
from agent.services.corrections.pending import existing, unsettled
from agent.services.desk import Desk
from agent.services.elapsed import Since
from agent.services.heartbeats import Heartbeats
from agent.services.monitoring.alerts import Alerting, Problem
from agent.services.outages.clock_check import ClockAnswer
from agent.services.outages.watch import ModeAnswer, Watch
from agent.services.paper.printing import Printing
from agent.services.shutdown import Shutdown

SETTLE_SECONDS = 0.2
"""Changes come in bunches; one refresh serves a bunch."""
REST = 4.0
"""Times a refresh took, rested before the next: behind ten thousand unsent invoices a press finds the loop free."""
MEGABYTE = 1024 * 1024
LEAST_FREE = MEGABYTE
"""Bytes that an invoice, its log and its paper surely fit into."""
OF_THE_DAY = frozenset(
    {
        AlertCode.DEADLINE_NEAR,
        AlertCode.OVERDUE,
        AlertCode.CERTIFICATE_EXPIRES,
        AlertCode.CERTIFICATE_EXPIRED,
        AlertCode.CERTIFICATE_NOT_YET_VALID,
        AlertCode.BACKUP_OLD,
    }
)
"""Alerts that a clock of next year would begin and one of last year end: while nobody knows the day they stay."""
BACKUP_GRACE_SECONDS = 2 * 60 * 60.0
"""After a start no copy is called old for so long: the timer of a till that was off makes the missed one first."""
DOUBTS = frozenset({"in_doubt", "send_failed"})
"""Events that leave an invoice in doubt."""


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """The unsent queue."""

    unsent: int
    in_doubt: int
    rejected: int
    overdue: int
    next_deadline: date | None


@dataclass(frozen=True, slots=True)
class CertificateHealth:
    """One certificate: ``use`` is authentication or offline."""

    use: str
    serial: str
    expires: datetime
    days_left: int


@dataclass(frozen=True, slots=True)
class HealthReport:
    """GET /health. Built from memory, never blocks on a printer or on KSeF."""

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


class Reporting:
    """Keeps the snapshot."""

    def __init__(
        self,
        desk: Desk,
        watch: Watch,
        printing: Printing,
        alerting: Alerting,
        *,
        shutdown: Shutdown,
        heartbeats: Heartbeats,
    ) -> None:
        self._desk = desk
        self._watch = watch
        self._printing = printing
        self._alerting = alerting
        self._shutdown = shutdown
        self._heartbeats = heartbeats
        self._unsent: list[Unsent] = []
        self._refused: tuple[tuple[str, str, str], ...] = ()
        self._printers: tuple[PrinterStatus, ...] = ()
        self._told_by_printer: PrintResult | None = None
        """The failed job whose trouble the printer itself told of: its own word counts from then on."""
        self._problems: tuple[Problem, ...] = ()
        self._since: dict[str, tuple[InvoiceState, Since]] = {}
        self._database_problem: str | None = None
        self._copies = Copies()
        self._first_event_at: datetime | None = None
        self._started = Since.now(desk.clock)
        self._database_checked = False
        self._refreshing = asyncio.Lock()
        self.hub_problem: Callable[[], tuple[str, bool] | None] = lambda: None
        """What is wrong between this till and the hub of its chain, in Polish, and whether it is critical."""
        self.folder_problems: Callable[[], Mapping[str, tuple[str, bool]] | None] = dict
        """What keeps files of the drop folder, where one is watched; None: not looked yet (exchange/watcher.py)."""

    async def run(self) -> None:
        """Refresh on every change until cancelled."""
        while True:
            news = self._desk.changed.next()
            begun = self._desk.clock.monotonic()
            await self.refresh()
            took = self._desk.clock.monotonic() - begun
            await news
            await self._desk.clock.sleep(max(SETTLE_SECONDS, REST * took))

    async def refresh(self) -> None:
        """Read the queue, judge, and let alerts start and end. One at a time, so that none is told twice."""
        async with self._refreshing:
            unsent = await self._desk.store.read(lambda tx: tx.invoices.queue())
            self._since = await self._states(unsent)
            self._unsent = unsent
            self._refused = await self._desk.store.read(_refused_corrections)
            self._copies = self._desk.store.copies()
            if self._first_event_at is None:
                self._first_event_at = await self._desk.store.read(_first_event_at)
            self._problems = await self._alerting.update(self._judge(), self._not_known_yet())

    @property
    def unsent(self) -> Sequence[Unsent]:
        """What KSeF does not have, as of the newest refresh."""
        return self._unsent

    async def ask_printers(self) -> None:
        """Ask every printer how it is; finite in time."""
        self._printers = await self._desk.printer.status()
        if any(status.problem is not None for status in self._printers):
            self._told_by_printer = self._printing.trouble
        self._desk.changed.set()

    async def check_database(self) -> None:
        """Verify the database's integrity (daily)."""
        self._database_problem = await self._desk.store.check()
        self._database_checked = True
        self._desk.changed.set()

    async def _states(self, unsent: list[Unsent]) -> dict[str, tuple[InvoiceState, Since]]:
        now = Since.now(self._desk.clock)
        states = {}
        for record in unsent:
            before = self._since.get(record.id)
            if before is not None and before[0] is record.state:
                states[record.id] = before
            elif record.state is InvoiceState.IN_DOUBT:
                states[record.id] = (record.state, await self._in_doubt_since(record.id))
            else:
                states[record.id] = (record.state, now)
        return states

    async def _in_doubt_since(self, invoice_id: str) -> Since:
        """Return when the log says the doubt began: a restart must not make it young again."""
        events = await self._desk.store.read(lambda tx: tx.events.of_invoice(invoice_id))
        began = [event.at for event in events if event.kind in DOUBTS]
        if not began:
            return Since.now(self._desk.clock)
        return Since.recalled(began[-1], self._watch.clock.best(), self._desk.clock)

    def _not_known_yet(self) -> frozenset[AlertCode]:
        """Return what no source has told since start, or needs to know the day: an alert of these does not end."""
        seen = self._watch.seen
        unknown: set[AlertCode] = set() if self._watch.clock.knows_the_day() else set(OF_THE_DAY)
        if seen.latarnia_at is None:
            unknown |= {AlertCode.LATARNIA_UNREACHABLE, AlertCode.LATARNIA_UNKNOWN}
        if seen.signed_in is None:
            unknown.add(AlertCode.LOGIN_REFUSED)
        if not self._printers and self._desk.printer.profile_names:
            unknown.add(AlertCode.PRINTER)
        if self.folder_problems() is None:
            unknown.add(AlertCode.DROP_FOLDER)
        if not self._database_checked:
            unknown.add(AlertCode.DATABASE)
        return frozenset(unknown)

    def _printer_states(self) -> tuple[PrinterStatus, ...]:
        """Return what the printers say; one that calls itself well while its newest job failed is not."""
        trouble = self._printing.trouble
        if trouble is None or trouble is self._told_by_printer:
            return self._printers
        problem = trouble.problem or "Ostatni wydruk się nie udał."
        return tuple(
            replace(status, problem=problem, code=trouble.code)
            if status.name == trouble.printer and status.problem is None
            else status
            for status in self._printers
        )

    def _judge(self) -> frozenset[ActiveAlert]:
        settings = self._desk.settings.alerts
        policy = Policy(
            deadline_hours=settings.deadline_hours,
            opens=settings.opens,
            closes=settings.closes,
            in_doubt_minutes=settings.in_doubt_minutes,
            latarnia_minutes=settings.latarnia_minutes,
            certificate_days=settings.certificate_days,
            disk_free_mb=settings.disk_free_mb,
            backup_hours=settings.backup_hours,
            clock_skew_seconds=self._desk.settings.issue.clock_skew_alarm_seconds,
        )
        found = alerts(self._facts(), policy, self._desk.calendar)
        if self._watch.clock.knows_the_day():
            return found
        return frozenset(alert for alert in found if alert.code not in OF_THE_DAY)

    def _facts(self) -> AlertFacts:
        now = self._watch.clock.best()
        situation = self._watch.timeline.at(now)
        total = situation.total_failure
        clock = self._watch.clock.verdict()
        lost = self._watch.seen.latarnia_lost
        false = self._watch.duties.in_doubt
        return AlertFacts(
            at=now,
            invoices=tuple(
                InvoiceFacts(
                    id=record.id,
                    number=record.number,
                    state=record.state,
                    deadline=record.deadline,
                    state_since=self._began(self._since[record.id][1], now),
                    rejection=record.rejection,
                    collision=number_taken(record.state, record.rejection),
                )
                for record in self._unsent
            ),
            refused_corrections=self._refused,
            certificates=self._certificate_ends(),
            certificate_starts={use: holder.valid_from for use, holder, _ in self._held_certificates()},
            foreign_certificates={
                use: holder.owner_nip
                for use, holder, nips in self._held_certificates()
                if holder.owner_nip is not None and holder.owner_nip not in nips
            },
            login_refused=self._watch.seen.login_problem if self._watch.seen.signed_in is False else None,
            clock_skew_seconds=clock.skew_seconds,
            clock_problem=clock if clock.problem is not None else None,
            disk_free_mb=self._disk_free() // MEGABYTE,
            database_problem=self._database_problem or self._desk.store.damage,
            backups=BackupFacts(
                last_at=self._copies.last_at,
                wanted_since=self._first_event_at,
                problem=self._copies.problem,
                failed_at=self._copies.failed_at,
                due=self._started.seconds(self._desk.clock) >= BACKUP_GRACE_SECONDS,
            ),
            printers={status.name: status.problem for status in self._printer_states()},
            undelivered={
                name: (problem, self._began(since, now)) for name, (problem, since) in self._desk.undelivered.items()
            },
            hub_problem=self.hub_problem(),
            drop_folder=self.folder_problems() or {},
            latarnia_unreachable_since=None if lost is None else self._began(lost, now),
            latarnia_unknown=tuple((word.where, word.value) for word in self._watch.seen.latarnia_unknown),
            status_unannounced=None if situation.unannounced is None else situation.unannounced.value,
            status_contradicts=() if lost is not None else situation.contradicted,
            falsely_exempt=tuple(each.number for each in false),
            falsely_exempt_archived=sum(each.archived for each in false),
            total_failure_unconfirmed=total.id if total is not None and total.confirmed is None else None,
        )

    def _began(self, since: Since, now: datetime) -> datetime:
        """Return the instant by the best known time, which the length of time is right for."""
        return now - timedelta(seconds=since.seconds(self._desk.clock))

    def _held_certificates(self) -> Iterator[tuple[str, Signer, tuple[str, ...]]]:
        """Yield each certificate with its use and whose it may be."""
        settings = self._desk.settings
        if self._desk.signer is not None:
            yield "offline", self._desk.signer, settings.offline_nips
        if self._desk.authentication is not None:
            yield "authentication", self._desk.authentication, settings.authentication_nips

    def _certificate_ends(self) -> dict[str, datetime | None]:
        signer = self._desk.signer
        ends: dict[str, datetime | None] = {"offline": None if signer is None else signer.expires}
        if self._desk.authentication is not None:
            ends["authentication"] = self._desk.authentication.expires
        return ends

    def _disk_free(self) -> int:
        return shutil.disk_usage(self._desk.settings.data_dir).free

    def health(self) -> HealthReport:
        """Return the report; no I/O but a look at the disk's free space."""
        now = self._watch.clock.best()
        clock = self._watch.clock.answer()
        disk_free = self._disk_free()
        return HealthReport(
            status=_status(self._problems),
            version=__version__,
            till=self._desk.settings.till,
            nip=self._desk.settings.seller.nip,
            at=clock.shows,
            started_at=self._desk.started_at or clock.shows,
            mode=self._watch.answer(),
            queue=_queue(self._unsent, local_date(now)),
            printers=self._printer_states(),
            certificates=self._certificates(now),
            clock=clock,
            clock_skew_seconds=clock.skew_seconds,
            disk_free_bytes=disk_free,
            database_bytes=self._desk.store.size(),
            copies=self._copies,
            latarnia_seen_at=self._watch.seen.latarnia_at,
            ksef_seen_at=self._watch.seen.ksef_at,
            problems=self._problems,
            ready=self._takes_presses(disk_free),
            live=self._lives(),
        )

    def _lives(self) -> bool:
        """Tell whether every part works: none has died, none has stood still for long."""
        return self._shutdown.defect is None and not self._heartbeats.silent()

    def _takes_presses(self, disk_free: int) -> bool:
        """Tell whether a press would be taken now: not while the service ends, without room, with a wrong clock."""
        clock_dates = self._watch.clock.verdict().problem is None
        return clock_dates and not self._shutdown.begun and disk_free >= LEAST_FREE and self._lives()

    def _certificates(self, now: datetime) -> tuple[CertificateHealth, ...]:
        found = []
        for use, holder, _ in self._held_certificates():
            found.append(CertificateHealth(use, holder.serial, holder.expires, (holder.expires - now).days))
        return tuple(found)


async def _first_event_at(tx: Transaction) -> datetime | None:
    first = await tx.events.after(0, limit=1)
    return first[0].at if first else None


async def _refused_corrections(tx: Transaction) -> tuple[tuple[str, str, str], ...]:
    found = [await existing(tx, held_id) for held_id in await unsettled(tx)]
    return tuple([(each.id, (await tx.invoices.get(each.base_id)).number, each.problem or "") for each in found])


def _status(problems: tuple[Problem, ...]) -> str:
    severities = {problem.severity for problem in problems}
    if "critical" in severities:
        return "critical"
    return "degraded" if severities else "ok"


def _queue(unsent: list[Unsent], today: date) -> QueueHealth:
    deadlines = [record.deadline for record in unsent if record.deadline is not None]
    return QueueHealth(
        unsent=len(unsent),
        in_doubt=sum(record.state is InvoiceState.IN_DOUBT for record in unsent),
        rejected=sum(record.state is InvoiceState.REJECTED for record in unsent),
        overdue=sum(deadline < today for deadline in deadlines),
        next_deadline=min(deadlines, default=None),
    )
