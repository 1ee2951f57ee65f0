"""Watch KSeF: Latarnia's announcements as facts, the state of the line, the clock; and decide the mode of a press.

Latarnia and the line are different things: silence of either is a local outage (offline24), never awaria.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from agent.domain.calendar import local_date
from agent.domain.callers import Caller
from agent.domain.errors import Conflict, Unavailable
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.circuit_breaker import Breaker, LinkState
from agent.domain.outages.latarnia import BadAnswer, Unknown, parse
from agent.domain.outages.modes import ModeDecision, ModeFacts, Progress, after_budget, decide
from agent.domain.outages.timeline import (
    Declaration,
    DeclarationKind,
    Declared,
    Timeline,
    TimelineFact,
    fact_from_json,
    fact_to_json,
    facts_of,
    source_of,
)
from agent.domain.outages.timeline import Event as Outage
from agent.domain.rejection import number_taken
from agent.ports import Fact, Json, KsefError, Sent, StatusSource, Transaction, Unsent
from agent.services.desk import Desk
from agent.services.elapsed import Since
from agent.services.outages.clock_check import ClockAnswer, ClockCheck
from agent.services.outages.deadline_updates import Duties

BREAKER = "breaker"
MODE_REFUSED = "trybu nie zmieniono"
LOGIN_REFUSED = frozenset({415, 450, 460, 470, 480})
"""Status codes of an authentication that a person has to look into (agent.ksef.auth)."""


@dataclass(slots=True)
class Seen:
    """When each source last answered, and what trouble it had since. None: never."""

    latarnia_at: datetime | None = None
    latarnia_lost: Since | None = None
    latarnia_unknown: tuple[Unknown, ...] = ()
    """What was not understood in the newest answer."""
    ksef_at: datetime | None = None
    ksef_problem: str = ""
    ksef_code: int = 0
    ksef_body: str = ""
    """KSeF's code and the beginning of its answer in the newest trouble: evidence."""
    signed_in: bool | None = None
    login_problem: str = ""


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


class Watch:
    """Holds the timeline and the circuit breaker in memory; every fact is durable before it counts."""

    def __init__(self, desk: Desk, source: StatusSource) -> None:
        self._desk = desk
        self._source = source
        self.timeline = Timeline()
        self.breaker = Breaker(failures_to_open=desk.settings.watch.breaker_failures)
        self.seen = Seen()
        issue = desk.settings.issue
        self.clock = ClockCheck(
            desk.clock,
            desk.store,
            refuse_seconds=issue.clock_skew_refuse_seconds,
            patience_seconds=issue.budget_seconds,
        )
        self.duties = Duties(desk, lambda: self.timeline, self.clock.best)
        self._learning = asyncio.Lock()

    async def load(self) -> None:
        """Read facts, breaker and what is known of the clock back; called once at start."""

        async def work(tx: Transaction) -> tuple[list[Fact], Json]:
            return await tx.facts.all(), await tx.notebook.get(BREAKER)

        facts, kept = await self._desk.store.read(work)
        await self.clock.load()
        self.timeline = Timeline.of(fact_from_json(fact.body, fact.seen_at) for fact in facts)
        if isinstance(kept, dict):
            self.breaker = self.breaker.restored(kept)

    # --- sources ------------------------------------------------------------------------------------

    async def poll_latarnia(self) -> None:
        """Read Latarnia once; new facts are stored, and all unsent deadlines follow."""
        begun = Since.now(self._desk.clock)
        try:
            reading = await self._source.read()
            parsed = parse(reading.status, reading.messages)
        except (KsefError, BadAnswer) as error:
            if self.seen.latarnia_lost is None:
                self.seen.latarnia_lost = begun
                body = error.body if isinstance(error, KsefError) else ""
                await self._note_latarnia({"state": "unreachable", "problem": str(error), "body": body})
            return
        lost = self.seen.latarnia_lost
        self.seen.latarnia_at = reading.seen_at
        self.seen.latarnia_lost = None
        if lost is not None:
            await self._note_latarnia({"state": "answers", "unreachable_since": _iso(lost.at)})
        self.seen.latarnia_unknown = parsed.unknown
        added = facts_of(self.timeline, parsed, self.clock.best())
        if added:
            await self._learn(added)

    async def _note_latarnia(self, data: Mapping[str, Json]) -> None:
        await self._desk.store.write(lambda tx: tx.events.append("latarnia", data))
        self._desk.changed.set()

    async def probe(self) -> bool:
        """Ask KSeF something cheap; return True when the line has just come back."""
        was_closed = self.breaker.state is LinkState.CLOSED
        try:
            skew = await self._desk.gateway.probe()
        except KsefError as error:
            self.failed(error)
        else:
            self.clock.heard_ksef(skew)
            self.seen.ksef_at = self._desk.now()
            self.seen.ksef_problem = ""
            self._turn(self.breaker.on_probe(self._desk.now()))
        await self._keep_breaker()
        await self.clock.keep()
        return not was_closed and self.breaker.state is LinkState.CLOSED

    def answered(self) -> None:
        """Note that KSeF answered a real call."""
        self.seen.ksef_at = self._desk.now()
        self.seen.ksef_problem = ""
        self._turn(self.breaker.on_success(self._desk.now()))

    def failed(self, error: KsefError) -> None:
        """Note a failed call; only trouble of the line, or no usable answer, feeds the breaker."""
        self.seen.ksef_problem = error.message
        self.seen.ksef_code, self.seen.ksef_body = error.code, error.body
        if error.link_down or error.sent is Sent.UNKNOWN:
            self._turn(self.breaker.on_failure(self._desk.now()))

    def signed_in(self, error: KsefError | None = None) -> None:
        """Note whether KSeF takes our credentials; an error that is not about them tells nothing."""
        if error is None:
            self.seen.signed_in = True
        elif error.code in LOGIN_REFUSED:
            self.seen.signed_in = False
            self.seen.login_problem = error.message
            self._desk.changed.set()

    def _turn(self, breaker: Breaker) -> None:
        if breaker.state is not self.breaker.state:
            self._desk.changed.set()
        self.breaker = breaker

    async def _keep_breaker(self) -> None:
        kept = self.breaker.to_json()
        before = await self._desk.store.read(lambda tx: tx.notebook.get(BREAKER))
        if before == kept:
            return

        async def work(tx: Transaction) -> None:
            await tx.notebook.put(BREAKER, dict(kept))
            if not isinstance(before, dict) or before.get("state") != kept["state"]:
                data = {"state": kept["state"], "since": kept["since"], "problem": self.seen.ksef_problem}
                await tx.events.append("line", {**data, **self._answer_in_trouble()})

        await self._desk.store.write(work)

    def _answer_in_trouble(self) -> dict[str, Json]:
        return {"code": self.seen.ksef_code, "body": self.seen.ksef_body} if self.seen.ksef_problem else {}

    # --- decisions ----------------------------------------------------------------------------------

    def decide(self, now: datetime, *, kept_for_presses: bool = False) -> ModeDecision:
        """Decide the mode of a press; ``kept_for_presses``: what KSeF's limits still allow is for others."""
        return decide(self._facts(now, kept_for_presses))

    def _facts(self, now: datetime, kept_for_presses: bool) -> ModeFacts:
        settings = self._desk.settings
        budget = self._desk.gateway.budget()
        return ModeFacts(
            situation=self.timeline.at(now),
            link=self.breaker.state,
            prefer_offline24=settings.issue.prefer == "offline24",
            sends_left=budget.sends_left_hour,
            sends_rest=budget.wait > settings.issue.budget_seconds,
            kept_for_presses=kept_for_presses,
            clock_suspect=self.clock.date_doubtful(now),
            has_offline_certificate=self._desk.signer is not None,
        )

    def after_budget(self, record: InvoiceRecord, now: datetime) -> ModeDecision | None:
        """Return the new mode of an online invoice whose budget ran out; None where KSeF decided in time."""
        if record.state in {InvoiceState.ACCEPTED, InvoiceState.REJECTED}:
            return None
        if number_taken(record.state, record.rejection):
            return None  # nothing is handed out
        progress = {
            InvoiceState.SENT: Progress.TAKEN,
            InvoiceState.SENDING: Progress.UNKNOWN,
            InvoiceState.IN_DOUBT: Progress.UNKNOWN,
        }.get(record.state, Progress.NOT_SENT)
        attempted = ModeDecision(record.mode, record.reason, "", attempt_online=True)
        after = after_budget(
            attempted,
            progress,
            receives_in_ksef=record.buyer.receives_in_ksef,
            issued_on=record.issued_on,
            now=now,
        )
        return None if after.mode is record.mode else after

    async def issue_instant(self) -> datetime:
        """Return the instant to date a document with; Unavailable where the clock may not date it."""
        try:
            return await self.clock.require(self.probe, "faktury nie wystawiono")
        except Unavailable:
            self._desk.changed.set()  # whoever looks at the till sees why at once
            raise

    async def instant(self, refused: str) -> datetime:
        """Return the instant of what bears no date of issue. ``refused``: in Polish, what is not done otherwise."""
        return await self.clock.instant(self.probe, refused)

    def may_send(self) -> bool:
        """Whether the sync should try: the line is not known to be down."""
        return self.breaker.state is not LinkState.OPEN and not self.sending_stopped()

    def sending_stopped(self) -> bool:
        """A confirmed total failure stops sending; the queue is kept."""
        total = self.timeline.at(self.clock.best()).total_failure
        return total is not None and total.confirmed is True

    # --- declarations -------------------------------------------------------------------------------

    async def confirm_clock(self, day: date, caller: Caller) -> ClockAnswer:
        """Take a manager's word that the clock shows the right day and hour; ``day``: the Polish date as it was shown.

        Conflict (clock-moved, clock-wrong) where it shows another day by now, or is certainly wrong.
        """
        await self.clock.confirm(day, caller.name)
        self._desk.changed.set()
        return self.clock.answer()

    async def declare(self, mode: Mode, reason: str, caller: Caller) -> ModeAnswer:
        """Declare offline24, or confirm that a total failure was announced in mass media; Conflict for other modes."""
        kinds = {
            Mode.OFFLINE24: DeclarationKind.OFFLINE24_DECLARED,
            Mode.TOTAL_FAILURE: DeclarationKind.TOTAL_FAILURE_CONFIRMED,
        }
        kind = kinds.get(mode)
        if kind is None:
            raise Conflict(
                "Awarię i niedostępność KSeF ogłasza Ministerstwo Finansów; w sklepie można włączyć tylko "
                "tryb offline24 albo potwierdzić awarię całkowitą.",
                code="mode-not-declarable",
            )
        now = await self.instant(MODE_REFUSED)
        await self._say(kind, reason, caller.name, self.timeline.at(now).total_failure, now)
        return self.answer()

    async def withdraw(self, reason: str, caller: Caller, *, false_alarm: bool = False) -> ModeAnswer:
        """Withdraw what is declared now; Conflict where nothing is.

        ``false_alarm``: the total failure, confirmed or only announced, never was; all duties are back.
        """
        now = await self.instant(MODE_REFUSED)
        situation = self.timeline.at(now)
        total = situation.total_failure
        if total is not None and (total.confirmed or false_alarm):
            kind = DeclarationKind.TOTAL_FAILURE_WITHDRAWN if false_alarm else DeclarationKind.TOTAL_FAILURE_ENDED
        elif false_alarm and (past := self.duties.revocable) is not None:
            kind, total = DeclarationKind.TOTAL_FAILURE_WITHDRAWN, past
        elif false_alarm:
            raise Conflict("Nie ma awarii całkowitej, którą można by uznać za fałszywy alarm.", code="nothing-declared")
        elif situation.offline24 is not None:
            kind = DeclarationKind.OFFLINE24_WITHDRAWN
        else:
            raise Conflict("Nie ma nic do odwołania: żaden tryb nie jest włączony ręcznie.", code="nothing-declared")
        await self._say(kind, reason, caller.name, total, now)
        self._desk.queue_wake.set()
        return self.answer()

    async def _say(self, kind: DeclarationKind, reason: str, by: str, total: Outage | None, now: datetime) -> None:
        of_total = kind not in {DeclarationKind.OFFLINE24_DECLARED, DeclarationKind.OFFLINE24_WITHDRAWN}
        event_id = total.id if of_total and total is not None else None
        said = Declared(Declaration(kind, reason, by, now, event_id=event_id))
        await self._desk.tasks.run("declaration", self._learn([said]))

    # --- facts --------------------------------------------------------------------------------------

    async def _learn(self, added: list[TimelineFact]) -> None:
        """Store facts, then let all unsent deadlines follow; a crash in between is healed at the next start.

        One at a time: a declaration and a poll that meet must both be part of what comes after. The timeline turns
        inside the transaction, so a press is either in the queue that follows or counts by the new facts itself.
        """
        async with self._learning:
            before = self.timeline

            async def work(tx: Transaction) -> None:
                for fact in added:
                    body = fact_to_json(fact)
                    await tx.facts.add(Fact(source_of(fact), body, fact.seen_at))
                    await tx.events.append("fact", body)
                self.timeline = before.plus(added)

            try:
                await self._desk.store.write(work)
            except Exception:
                self.timeline = before
                raise
            await self.follow_deadlines()
        self._desk.changed.set()

    async def follow_deadlines(self) -> None:
        """Let all duties to send follow the timeline; also at start: settings or a crash may have left old ones."""
        await self.duties.follow()

    async def exempt_if_over(self, queue: list[Unsent]) -> bool:
        """Exempt what was issued in a total failure that came to its foreseen end, which no fact tells; True if any."""
        over = self.duties.any_over(queue)
        if over:
            await self.duties.follow()
        return over

    # --- what others want to know -------------------------------------------------------------------

    def answer(self) -> ModeAnswer:
        """Return mode and situation for screens."""
        now = self.clock.best()
        decision = self.decide(now)
        situation = self.timeline.at(now)
        total = situation.total_failure
        confirmed = total is not None and total.confirmed is True
        declared = self.timeline.confirmation(now) if confirmed else situation.offline24
        word = Mode.TOTAL_FAILURE if confirmed else Mode.OFFLINE24
        return ModeAnswer(
            mode=decision.mode,
            reason=decision.reason,
            legal_basis=decision.legal_basis,
            ksef={LinkState.CLOSED: "up", LinkState.HALF_OPEN: "unknown", LinkState.OPEN: "down"}[self.breaker.state],
            latarnia=self._latarnia_word(),
            declared=None if declared is None else word.value,
            declared_by=None if declared is None else declared.by,
            declared_reason=None if declared is None else declared.reason,
            total_failure_to_confirm=total is not None and total.confirmed is None,
            false_alarm_possible=total is None and self.duties.revocable is not None,
        )

    def _latarnia_word(self) -> str:
        if self.seen.latarnia_at is None or self.seen.latarnia_lost is not None:
            return "unreachable"
        status = self.timeline.at(self.clock.best()).status
        return "unknown" if status is None else status.value

    def evidence(self) -> dict[str, Json]:
        """Return what a decision stood on, for the event log."""
        now = self._desk.now()
        situation = self.timeline.at(now)
        events = [each for each in (situation.failure, situation.maintenance, situation.total_failure) if each]
        return {
            "latarnia": self._latarnia_word(),
            "latarnia_seen_at": _iso(self.seen.latarnia_at),
            "announcements": [message for event in events for message in event.messages],
            "line": self.breaker.state.value,
            "line_since": _iso(self.breaker.since),
            "ksef_seen_at": _iso(self.seen.ksef_at),
            "ksef_problem": self.seen.ksef_problem,
            "clock_skew_seconds": self.clock.skew(),
            "clock_confirmed_by": self.clock.answer().confirmed_by,
            "local_date": local_date(now).isoformat(),
        }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
