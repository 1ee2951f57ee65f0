"""Which mode a press gets now, whether anything may be sent, and how both are told on screens."""

from __future__ import annotations

from datetime import datetime

from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.circuit_breaker import LinkState
from agent.domain.outages.modes import ModeDecision, ModeFacts, after_budget, decide
from agent.domain.rejection import number_taken
from agent.domain.values import dataclass
from agent.ports import HeldSigner, KsefGateway
from agent.services.outages.announcements import Announcements
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.outages.deadline_updates import DeadlineUpdater
from agent.services.outages.known_timeline import KnownTimeline

MAY_HAVE_LEFT = frozenset({InvoiceState.SENDING, InvoiceState.SENT, InvoiceState.IN_DOUBT})
KSEF_WORDS = {LinkState.CLOSED: "up", LinkState.HALF_OPEN: "unknown", LinkState.OPEN: "down"}


@dataclass(frozen=True, slots=True)
class ModeAnswer:
    """The mode a press would get now, and why."""

    mode: Mode
    reason: str
    legal_basis: str
    ksef: str
    """up, down, unknown."""
    latarnia: str
    """Status word of Latarnia, or unreachable."""
    declared: str | None = None
    """offline24 or total_failure: what a manager's word switched on."""
    declared_by: str | None = None
    declared_reason: str | None = None
    total_failure_to_confirm: bool = False
    """A total failure is announced and no manager has confirmed it."""
    false_alarm_possible: bool = False
    """A total failure is over, and calling it a false alarm would bring invoices back to the queue."""


@dataclass(frozen=True, slots=True)
class ModeSettings:
    """What the shop has a say in."""

    prefer_offline24: bool
    budget_seconds: float
    """How long a press may wait for KSeF."""


class CurrentMode:
    """Puts together what the decision stands on; the decision itself is domain/outages/modes.py."""

    def __init__(
        self,
        settings: ModeSettings,
        *,
        gateway: KsefGateway,
        signer: HeldSigner,
        clock_check: ClockCheck,
        timeline: KnownTimeline,
        connection: Connection,
        announcements: Announcements,
        deadlines: DeadlineUpdater,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._signer = signer
        self._clock_check = clock_check
        self._timeline = timeline
        self._connection = connection
        self._announcements = announcements
        self._deadlines = deadlines

    def decide(self, now: datetime, *, kept_for_presses: bool = False) -> ModeDecision:
        """Decide the mode of a press; ``kept_for_presses``: what KSeF's limits still allow is for others."""
        budget = self._gateway.budget()
        return decide(
            ModeFacts(
                situation=self._timeline.at(now),
                link=self._connection.breaker.state,
                prefer_offline24=self._settings.prefer_offline24,
                ksef_away=budget.ksef_away,
                sends_left=budget.sends_left_hour,
                rate_limited=budget.wait > self._settings.budget_seconds,
                kept_for_presses=kept_for_presses,
                clock_suspect=self._clock_check.date_doubtful(now),
                has_offline_certificate=self._signer.current is not None,
            )
        )

    def after_budget(self, record: InvoiceRecord, now: datetime) -> ModeDecision | None:
        """Return the new mode of an online invoice whose budget ran out; None where KSeF decided in time."""
        if record.state in {InvoiceState.ACCEPTED, InvoiceState.REJECTED}:
            return None
        if number_taken(record):
            return None  # nothing is handed out
        attempted = ModeDecision(record.mode, record.reason, "", attempt_online=True)
        may_have_left = record.state in MAY_HAVE_LEFT
        after = after_budget(attempted, may_have_left=may_have_left, issued_on=record.issued_on, now=now)
        return None if after.mode is record.mode else after

    def may_send(self) -> bool:
        """Whether sending should be tried: the line is not known to be down."""
        return self._connection.breaker.state is not LinkState.OPEN and not self.sending_stopped()

    def sending_stopped(self) -> bool:
        """A confirmed total failure stops sending; the queue is kept."""
        total = self._timeline.at(self._clock_check.best()).total_failure
        return total is not None and total.confirmed is True

    def current(self) -> ModeAnswer:
        """Return mode and situation for screens."""
        now = self._clock_check.best()
        decision = self.decide(now)
        situation = self._timeline.at(now)
        total = situation.total_failure
        confirmed = total is not None and total.confirmed is True
        declared = self._timeline.current.confirmation(now) if confirmed else situation.offline24
        word = Mode.TOTAL_FAILURE if confirmed else Mode.OFFLINE24
        return ModeAnswer(
            mode=decision.mode,
            reason=decision.reason,
            legal_basis=decision.legal_basis,
            ksef="down" if self._gateway.budget().ksef_away else KSEF_WORDS[self._connection.breaker.state],
            latarnia=self._announcements.status_word(),
            declared=None if declared is None else word.value,
            declared_by=None if declared is None else declared.by,
            declared_reason=None if declared is None else declared.reason,
            total_failure_to_confirm=total is not None and total.confirmed is None,
            false_alarm_possible=total is None and self._deadlines.revocable is not None,
        )
