"""Bring one invoice to KSeF: intent committed, bytes sent, outcome committed.

Crash windows, and what heals them:
  after SENDING is committed, before or after the bytes left   restart moves it to in_doubt; sync looks for the
                                                               file by hash in that session, else resends the same bytes
  after KSeF's 202, before SENT is committed                   the same
  after KSeF accepted, before ACCEPTED is committed            sync asks the status again
Resending is safe: KSeF answers 440 for the same NIP, kind and number, and then the hashes are compared.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain, repeat

from agent.domain.calendar import local_date
from agent.domain.errors import DocumentDamaged, Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import NO_CORRECTION
from agent.ports import (
    SESSION_OVER,
    Accepted,
    CallOutcome,
    Clock,
    InvoiceChange,
    Json,
    KsefError,
    KsefGateway,
    Metrics,
    Outgoing,
    Rejection,
    SessionKind,
    SessionRef,
    Store,
    Transaction,
    Unsent,
)
from agent.services.background import BackgroundTasks
from agent.services.delivery.backoff import TROUBLE_STEPS, Backoff
from agent.services.delivery.doubts import Doubts
from agent.services.delivery.first_question import FirstQuestion
from agent.services.delivery.records import DeliveryRecords, evidence_of
from agent.services.delivery.upo import UpoFetcher
from agent.services.delivery.verdicts import VerdictRecorder
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.outages.mode import CurrentMode
from agent.services.signals import Signal

LOG = logging.getLogger("agent.delivery")
POLL_STEPS = (0.1, 0.2, 0.3, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0, 5.0)
"""Seconds between status questions after the first one (first_question.py); the last one repeats."""
ONE_DAY = timedelta(days=1)
IN_VAIN = 3
"""After so many presses in a row that waited for their number in vain, though KSeF had the invoice, none waits for it
until KSeF decides something: its questions may fail for hours, or what it says be "150" all day. The same of presses
that waited for a session in vain, until there is one: signing in may take its time and fail for hours."""
ASKING_SECONDS = 15.0
"""So long whoever sent an invoice goes on asking, a press at least as long as its budget; later the sync asks."""


class InvoiceSender:
    """Sends invoices one by one and asks for their verdicts. An invoice has one sender at a time."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        clock_check: ClockCheck,
        gateway: KsefGateway,
        connection: Connection,
        mode: CurrentMode,
        records: DeliveryRecords,
        verdicts: VerdictRecorder,
        doubts: Doubts,
        upos: UpoFetcher,
        tasks: BackgroundTasks,
        metrics: Metrics,
        changed: Signal,
        budget_seconds: float,
    ) -> None:
        """``budget_seconds``: from the press, for KSeF to give the number."""
        self._store = store
        self._clock = clock
        self._clock_check = clock_check
        self._gateway = gateway
        self._connection = connection
        self._mode = mode
        self._records = records
        self._verdicts = verdicts
        self._doubts = doubts
        self._upos = upos
        self._tasks = tasks
        self._metrics = metrics
        self._changed = changed
        self._budget = budget_seconds
        self._first_question = FirstQuestion()
        self._taken: dict[str, float] = {}
        """By invoice that was just sent: when KSeF said that it has it, on the monotonic clock."""
        self._closed_ways = Backoff(clock, TROUBLE_STEPS)
        """Ways that gave no session, though the line is there: signing in is refused, say."""
        self._in_vain = 0
        """Presses that waited for their number in vain since KSeF last decided."""
        self._seeking: set[str] = set()
        """Invoices for which a session is sought right now."""
        self._without_session = 0
        """Presses that waited for a session in vain since there last was one."""
        self._busy: dict[str, asyncio.Event] = {}
        """By invoice that is being sent; set when its sender is done with it."""

    def may_try(self, invoice_id: str) -> bool:
        """Whether its way to KSeF is worth a try of what nobody waits for.

        Where it gave no session it gives the next invoice none either. Each try is written down; a thousand invoices
        that try each minute would fill the disk over a weekend.
        """
        return self._closed_ways.due(self._gateway.way_of(invoice_id))

    def busy(self, invoice_id: str) -> bool:
        """Whether somebody is bringing this invoice to KSeF right now."""
        return invoice_id in self._busy

    def due(self, records: Sequence[Unsent], *, together: bool = False) -> list[Unsent]:
        """Return what may be tried now; ``together``: also what only single sends have to wait for.

        What a clock that was ahead dated tomorrow waits for that day: KSeF would refuse it now, and a customer has its
        paper. What is dated later goes, and a person decides: nobody waits for that day.
        """
        now, waits = self._clock_check.best(), self._records.waits
        today = self._clock_check.vouched_day()
        early = None if today is None else today + ONE_DAY
        return [
            each
            for each in records
            if not self.busy(each.id)
            and waits.over(each, now, together=together)
            and not (each.state is InvoiceState.ISSUED and each.issued_on == early)
        ]

    async def deliver(self, invoice_id: str, asking: float = ASKING_SECONDS, *, pressed: bool = False) -> InvoiceRecord:
        """Send if it waits, then ask for ``asking`` seconds or until KSeF decides.

        ``pressed``: a press waits for its number. So it goes before what nobody waits for, and where somebody is
        bringing it to KSeF already, that is waited for; else it is left to them.
        Trouble with KSeF never comes out as an exception: it is recorded, and the record tells.
        """
        busy = self._busy.get(invoice_id)
        if busy is not None:
            if pressed:
                await busy.wait()
            return await self._records.record(invoice_id)
        with self._busy_with(invoice_id):
            record = await self._records.record(invoice_id)
            if record.state is InvoiceState.ISSUED:
                record = await self._send(record, pressed=pressed)
            if record.state is InvoiceState.SENT and not (pressed and self._in_vain >= IN_VAIN):
                record = await self._follow(record, asking)
            if record.state is InvoiceState.ACCEPTED:
                self._tasks.start(f"upo-{record.id}", self._upos.fetch(record))
            return record

    def waited(self, invoice_id: str) -> None:
        """Note that a press has waited for its number as long as it may."""
        if invoice_id in self._taken:  # else KSeF did not even say that it has it
            self._in_vain += 1
        elif invoice_id in self._seeking:
            self._without_session += 1

    def session_in_time(self) -> bool:
        """Whether a press may hope for a session within its budget; it asks for one in any case, behind its answer."""
        return self._without_session < IN_VAIN

    async def resolve(self, invoice_id: str) -> InvoiceRecord:
        """Resolve a doubt: ask by reference, else look for the hash in the session, else free it for resending."""
        if invoice_id in self._busy:
            return await self._records.record(invoice_id)
        with self._busy_with(invoice_id):
            record = await self._records.record(invoice_id)
            if record.state is InvoiceState.IN_DOUBT:
                record = await self._doubts.resolve(record)
            return record

    @contextmanager
    def _busy_with(self, invoice_id: str) -> Iterator[None]:
        done = self._busy[invoice_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._busy[invoice_id]
            self._taken.pop(invoice_id, None)
            done.set()

    async def warm(self) -> None:
        """Have a session at hand, so that the first press of the day waits for none and bad credentials show early."""
        if self._mode.may_send():
            try:
                session = await self._session()
                await self._store.write(lambda tx: tx.sessions.use(session.reference, SessionKind.ONLINE))
                await self._gateway.learn_limits()
            except KsefError as error:
                self._connection.failed(error)
            except Unavailable as error:  # a full disk: the first press notes it, or is refused
                LOG.warning("the session at hand is not noted: %s", error.detail)

    async def _session(self, invoice: Outgoing | None = None) -> SessionRef:
        invoice_id = "" if invoice is None else invoice.invoice_id
        way = self._gateway.way_of(invoice_id)
        self._seeking.add(invoice_id)
        try:
            session = await self._gateway.session(invoice)
        except KsefError as error:
            self._connection.no_session(error)
            self._close_way(way, error)
            raise
        finally:
            self._seeking.discard(invoice_id)
        self._without_session = 0
        if self._connection.signed_in(session.reference, way):
            self._closed_ways.forget(way)
        self._upos.sending_in(session.reference)
        return session

    def _close_way(self, way: str, error: KsefError) -> None:
        if not error.link_down and self._closed_ways.due(way):  # of several that fail at once the first one counts
            self._closed_ways.asked(way)

    async def _send(self, record: InvoiceRecord, *, pressed: bool, again: bool = True) -> InvoiceRecord:
        """Send once; where the session turns out to be over, once more in a new one."""
        try:
            # before the intent: what the disk changed must not leave
            planned = await self.outgoing(record, pressed=pressed)
        except DocumentDamaged as error:
            return await self._records.note_damage(record, error)
        try:
            session = await self._session(planned)
        except KsefError as error:
            return await self._not_taken(record, error)
        sending = await self._begin(record, session)
        if sending is None:
            return await self._records.record(record.id)
        record = sending
        outgoing = await self.outgoing(record, pressed=pressed)
        try:
            reference = await self._gateway.send(session, outgoing)
        except KsefError as error:
            self._metrics.sent(error.outcome.value)
            record = await self._failed_send(record, error, again=again)
            if again and error.outcome is CallOutcome.NOT_SENT and error.code in SESSION_OVER:
                return await self._send(record, pressed=pressed, again=False)
            return record
        self._taken[record.id] = self._clock.monotonic()
        self._closed_ways.forget(self._gateway.way_of(record.id))
        self._metrics.sent("taken")
        self._connection.taken()
        self._records.waits.taken()
        return await self._records.move(
            record.id,
            InvoiceState.SENT,
            EventKind.SENT,
            {"session": session.reference, "reference": reference},
            InvoiceChange(invoice_ref=reference, sent_at=self._clock_check.best()),
        )

    async def _begin(self, record: InvoiceRecord, session: SessionRef) -> InvoiceRecord | None:
        """Commit the intent; an online invoice that missed its day (a crash, midnight) leaves as offline24.

        None where it waits no longer: a batch took it, or a total failure exempted it, while a session was sought.
        """
        now = self._clock_check.best()
        late = record.mode is Mode.ONLINE and local_date(now) != record.issued_on
        decision = self._mode.after_budget(record, now) if late else None
        change = InvoiceChange(session_ref=session.reference, attempted=True)
        if decision is not None:
            change = replace(change, mode=decision.mode, reason=decision.reason)
        sending = await self._store.write(partial(_intend, record, change, session.reference))
        self._changed.set()
        return sending

    async def outgoing(self, record: InvoiceRecord, *, pressed: bool = False) -> Outgoing:
        """Build what goes over the wire; a technical correction names the hash of the file it replaces.

        ``pressed``: a press waits for its number.
        DocumentDamaged where the stored bytes are not those that were issued.
        """
        corrects: bytes | None = None
        if record.version > 1:
            versions = await self._store.read(lambda tx: tx.invoices.versions(record.id))
            corrects = hashlib.sha256(versions[-2]).digest()
        return Outgoing(
            record.id,
            record.xml,
            record.sha256,
            leaves_offline(record),
            corrects,
            deadline=record.deadline,
            waited=self._waited(record) if pressed else 0.0,
            mode=record.mode.value,
        )

    def _waited(self, record: InvoiceRecord) -> float:
        """Return how long a customer still waits for its number: the rest of the budget; all of it at a set-back."""
        gone = (self._clock_check.best() - record.issued_at).total_seconds()
        return max(0.0, self._budget - max(0.0, gone))

    async def _not_taken(self, record: InvoiceRecord, error: KsefError) -> InvoiceRecord:
        """No session: the invoice did not leave; it stays issued and waits."""
        self._connection.failed(error)
        self._metrics.sent("no_session")
        return await self._records.note_trouble(record, EventKind.SEND_FAILED, error, "session", general=True)

    async def _failed_send(self, record: InvoiceRecord, error: KsefError, *, again: bool) -> InvoiceRecord:
        """``again``: where the session is over, another one is tried at once."""
        self._connection.failed(error)
        if error.outcome is CallOutcome.NOT_SENT and error.code not in SESSION_OVER:
            self._connection.no_session(error)  # no token to send it with
            self._close_way(self._gateway.way_of(record.id), error)
        elif (
            error.outcome is CallOutcome.UNKNOWN or error.of_every_invoice or (error.code in SESSION_OVER and not again)
        ):
            self._connection.nothing_taken(error)
        why = NO_CORRECTION.get(error.code) if error.outcome is CallOutcome.REFUSED else None
        if why is not None:
            change = InvoiceChange(rejection=Rejection(error.code, f"{error.code}: {why}"))
            data = evidence_of(error, "send")
            return await self._records.move(record.id, InvoiceState.REJECTED, EventKind.REJECTED, data, change)
        to = InvoiceState.IN_DOUBT if error.outcome is CallOutcome.UNKNOWN else InvoiceState.ISSUED
        return await self._records.move(
            record.id,
            to,
            EventKind.SEND_FAILED,
            evidence_of(error, "send"),
            InvoiceChange(not_before=self._records.next_attempt(record, error)),
        )

    async def _follow(self, record: InvoiceRecord, asking: float) -> InvoiceRecord:
        begun = self._clock.monotonic()
        taken = self._taken.get(record.id, begun)
        give_up = begun + asking
        pauses = chain((self._first_question.pause(begun - taken),), POLL_STEPS, repeat(POLL_STEPS[-1]))
        too_early: float | None = None
        for pause in pauses:
            left = give_up - self._clock.monotonic()
            if pause and left <= 0:
                break
            await self._clock.sleep(min(pause, left))
            asked = self._clock.monotonic()
            verdict = await self._verdicts.ask(record)
            if verdict is not None:
                self._first_question.answered(self._clock.monotonic() - asked)
            asked_after = asked - taken + self._first_question.way
            if verdict is None and not self._mode.may_send():
                break
            if verdict is not None:
                record = await self._verdicts.apply(record.id, verdict)
            if record.state is not InvoiceState.SENT:
                took = verdict.took if isinstance(verdict, Accepted) else None
                self._first_question.learn(asked_after, too_early, took)
                self._in_vain = 0
                break
            too_early = asked_after
        return record

    async def ask(self, invoice_id: str) -> InvoiceRecord:
        """Ask once about a SENT invoice and record the answer."""
        record = await self._records.record(invoice_id)
        if record.state is not InvoiceState.SENT:
            return record
        verdict = await self._verdicts.ask(record)
        if verdict is not None:
            record = await self._verdicts.apply(record.id, verdict)
        if record.state is not InvoiceState.SENT:
            self._in_vain = 0
        return record


def leaves_offline(record: InvoiceRecord) -> bool:
    """Return offlineMode of what leaves; a technical correction is always offline."""
    return record.mode is not Mode.ONLINE or record.version > 1


async def _intend(record: InvoiceRecord, change: InvoiceChange, session: str, tx: Transaction) -> InvoiceRecord | None:
    if (await tx.invoices.get(record.id)).state is not InvoiceState.ISSUED:
        return None
    sending = await tx.invoices.move(record.id, InvoiceState.SENDING, change)
    if change.mode is not None:
        data = {"from": record.mode, "to": change.mode, "reason": change.reason}
        await tx.events.append(EventKind.MODE, data, record.id)
    await tx.sessions.use(session, SessionKind.ONLINE)
    attempt: dict[str, Json] = {
        "session": session,
        "sha256": record.sha256.hex(),
        "offline": leaves_offline(sending),
    }
    await tx.events.append(EventKind.SENDING, attempt | {"attempt": record.attempts + 1}, record.id)
    return sending
