"""What is wrong now: everything this till knows of itself, judged by the rules of domain/monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta

from agent.domain.calendar import BusinessCalendar
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.alert import ActiveAlert, AlertCode
from agent.domain.monitoring.alerts import alerts
from agent.domain.monitoring.facts import NAMED, UPO_LATE, AlertFacts, InvoiceFacts, Others
from agent.domain.monitoring.opening_hours import Window, pressing
from agent.domain.monitoring.policy import Policy
from agent.domain.outages.timeline import Situation
from agent.domain.rejection import number_taken
from agent.ports import Clock, Transaction
from agent.services.corrections.pending import existing, open_cases
from agent.services.delivery import confirmed_mode
from agent.services.elapsed import Since
from agent.services.monitoring.certificates import HeldCertificates
from agent.services.monitoring.disk import Disk
from agent.services.monitoring.printer_states import PrinterStates
from agent.services.monitoring.store_checks import StoreChecks
from agent.services.monitoring.unsent import UnsentInvoices
from agent.services.monitoring.webhooks import Outboxes
from agent.services.outages.announcements import Announcements
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.outages.deadline_updates import DeadlineUpdater
from agent.services.outages.known_timeline import KnownTimeline
from agent.services.outages.sending_trouble import BatchTrouble, SendingTrouble

MEGABYTE = 1024 * 1024
OF_THE_DAY = frozenset(
    {
        AlertCode.DEADLINE_NEAR,
        AlertCode.OVERDUE,
        AlertCode.CERTIFICATE_EXPIRES,
        AlertCode.CERTIFICATE_EXPIRED,
        AlertCode.CERTIFICATE_NOT_YET_VALID,
        AlertCode.BACKUP_OLD,
        AlertCode.UPO_MISSING,
    }
)
"""Alerts that a clock of next year would begin and one of last year end: while nobody knows the day they stay."""


class AlertJudge:
    """Gathers the facts and judges them."""

    def __init__(
        self,
        policy: Policy,
        *,
        calendar: BusinessCalendar,
        clock: Clock,
        clock_check: ClockCheck,
        timeline: KnownTimeline,
        announcements: Announcements,
        connection: Connection,
        deadlines: DeadlineUpdater,
        unsent: UnsentInvoices,
        printers: PrinterStates,
        store_checks: StoreChecks,
        certificates: HeldCertificates,
        outboxes: Outboxes,
        disk: Disk,
    ) -> None:
        self._policy = policy
        self._calendar = calendar
        self._clock = clock
        self._clock_check = clock_check
        self._timeline = timeline
        self._announcements = announcements
        self._connection = connection
        self._deadlines = deadlines
        self._unsent = unsent
        self._printers = printers
        self._store_checks = store_checks
        self._certificates = certificates
        self._outboxes = outboxes
        self._disk = disk
        self.refused_corrections: tuple[tuple[str, str, str], ...] = ()
        """Id, number of the base and reason of each whose case is open."""
        self.contradicted_papers: tuple[tuple[str, str, bool], ...] = ()
        """Id, number and whether KSeF has it as online, of each invoice whose paper says the opposite."""
        self.without_upo: tuple[str, ...] = ()
        """Numbers of the first invoices whose UPO is late."""
        self.tokens_problem: Callable[[], str | None] = lambda: None
        """Why nobody's token is known, in Polish; no I/O but a look at their file."""
        self.hub_problem: Callable[[], tuple[str, bool] | None] = lambda: None
        """What is wrong between this till and the hub of its chain, in Polish, and whether it is critical."""
        self.folder_problems: Callable[[], Mapping[str, tuple[str, bool]] | None] = dict
        """What keeps files of the drop folder, where one is watched; None: not looked yet (exchange/watcher.py)."""

    async def refresh(self, tx: Transaction) -> None:
        """Read what is kept in the database."""
        self.refused_corrections = await refused_corrections(tx)
        self.contradicted_papers = await contradicted_papers(self._clock_check.best(), tx)
        self.without_upo = await without_upo(self._clock_check.best(), tx)

    def judge(self) -> frozenset[ActiveAlert]:
        """Return what is wrong."""
        found = alerts(self._facts(), self._policy, self._calendar)
        if self._clock_check.knows_the_day():
            return found
        return frozenset(alert for alert in found if alert.code not in OF_THE_DAY)

    def pressing(self, days: Collection[date]) -> Collection[date]:
        """Return which of these deadlines are near or over."""
        now = self._clock_check.best()
        return pressing(days, now, self._policy, self._calendar, self._maintenance(now))

    def not_known_yet(self) -> frozenset[AlertCode]:
        """Return what no source has told since start, or needs to know the day: an alert of these does not end."""
        unknown: set[AlertCode] = set() if self._clock_check.knows_the_day() else set(OF_THE_DAY)
        if self._announcements.seen_at is None:
            unknown |= {AlertCode.LATARNIA_UNREACHABLE, AlertCode.LATARNIA_UNKNOWN}
        if self._connection.last.signed_in is None:
            unknown |= {AlertCode.LOGIN_REFUSED, AlertCode.SIGN_IN_FAILING}
        if self._printers.unknown:
            unknown.add(AlertCode.PRINTER)
        if self.folder_problems() is None:
            unknown.add(AlertCode.DROP_FOLDER)
        if not self._store_checks.checked:
            unknown.add(AlertCode.DATABASE)
        return frozenset(unknown)

    def _facts(self) -> AlertFacts:
        now = self._clock_check.best()
        situation = self._timeline.at(now)
        total = situation.total_failure
        clock = self._clock_check.verdict()
        lost = self._announcements.lost
        false = self._deadlines.retracted
        return AlertFacts(
            at=now,
            invoices=tuple(
                InvoiceFacts(
                    id=record.id,
                    number=record.number,
                    state=record.state,
                    deadline=record.deadline,
                    state_since=self._unsent.began(record, now),
                    rejection=record.rejection,
                    collision=number_taken(record),
                )
                for record in self._unsent.noted
            ),
            others=self._others(),
            refused_corrections=self.refused_corrections,
            contradicted_papers=self.contradicted_papers,
            without_upo=self.without_upo,
            certificates=self._certificates.ends(),
            certificate_starts=self._certificates.starts(),
            foreign_certificates=self._certificates.foreign(),
            certificate_files=self._certificates.file_problems(),
            failed_renewals=self._certificates.failed_renewals(),
            login_refused=self._connection.last.login_problem if self._connection.last.signed_in is False else None,
            sign_in_failing=self._failing(self._connection.sending_trouble, now),
            batches_failing=self._failing(self._connection.batch_trouble, now),
            unreachable=self._unreachable(situation, now),
            clock_skew_seconds=clock.skew_seconds,
            clock_problem=clock if clock.problem is not None else None,
            disk_free_mb=self._disk.free() // MEGABYTE,
            disk_free_files=self._disk.files(),
            disk_refused=self._store_checks.refused,
            database_problem=self._store_checks.problem,
            tokens_problem=self.tokens_problem(),
            backups=self._store_checks.backups(),
            printers={status.name: status.problem for status in self._printers.now()},
            undelivered={
                name: (problem, self._began(since, now))
                for name, (problem, since) in self._outboxes.undelivered().items()
            },
            hub_problem=self.hub_problem(),
            drop_folder=self.folder_problems() or {},
            latarnia_unreachable_since=None if lost is None else self._began(lost, now),
            latarnia_unknown=tuple((word.where, word.value) for word in self._announcements.not_understood),
            maintenance=self._maintenance(now),
            status_unannounced=None if situation.unannounced is None else situation.unannounced.value,
            status_contradicts=() if lost is not None else situation.contradicted,
            corrections_outside=self._deadlines.corrections_outside,
            falsely_exempt=tuple(each.number for each in false),
            falsely_exempt_archived=sum(each.archived for each in false),
            total_failure_unconfirmed=total.id if total is not None and total.confirmed is None else None,
        )

    def _failing(self, trouble: SendingTrouble | BatchTrouble, now: datetime) -> tuple[str, datetime] | None:
        return None if trouble.since is None else (trouble.words, self._began(trouble.since, now))

    def _unreachable(self, situation: Situation, now: datetime) -> tuple[str, datetime] | None:
        """Return why the line is down, and since when; None where people know it by an announcement, or of the hub."""
        lost = self._connection.lost
        if lost is None or self.hub_problem() is not None:
            return None
        announced = (situation.failure, situation.maintenance, situation.total_failure, situation.offline24)
        if situation.unannounced is not None or any(announced):
            return None
        return self._connection.last.problem, self._began(lost, now)

    def _maintenance(self, now: datetime) -> tuple[Window, ...]:
        return tuple((each.begin, each.end) for each in self._timeline.current.maintenance(now))

    def _others(self) -> Others:
        """Count what no fact is about singly."""
        days: Counter[date] = Counter()
        states: Counter[InvoiceState] = Counter()
        for each in self._unsent.counts:
            states[each.state] += each.invoices
            if each.deadline is not None:
                days[each.deadline] += each.invoices
        for record in self._unsent.noted:
            states[record.state] -= 1
            if record.deadline is not None:
                days[record.deadline] -= 1
        return Others(deadlines=+days, rejected=states[InvoiceState.REJECTED], in_doubt=states[InvoiceState.IN_DOUBT])

    def _began(self, since: Since, now: datetime) -> datetime:
        """Return the instant by the best known time, which the length of time is right for."""
        return now - timedelta(seconds=since.seconds(self._clock))


async def refused_corrections(tx: Transaction) -> tuple[tuple[str, str, str], ...]:
    """Read id, number of the base and reason of each refused correction whose case is open."""
    found = [await existing(held_id, tx) for held_id in await open_cases(tx)]
    return tuple([(each.id, (await tx.invoices.get(each.base_id)).number, each.problem or "") for each in found])


async def contradicted_papers(now: datetime, tx: Transaction) -> tuple[tuple[str, str, bool], ...]:
    """Read what AlertFacts tells of papers that contradict KSeF's confirmation."""
    found = await confirmed_mode.contradicted_papers(tx, now)
    return tuple((each.id, each.number, each.mode is Mode.ONLINE) for each in found)


async def without_upo(now: datetime, tx: Transaction) -> tuple[str, ...]:
    """Read the numbers of the first invoices whose UPO is late; the oldest are looked at, one more than is named."""
    found = await tx.invoices.without_upo(NAMED + 1)
    return tuple(each.number for each in found if each.accepted_at is not None and now - each.accepted_at >= UPO_LATE)
