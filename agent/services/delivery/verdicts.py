"""What KSeF says of an invoice, made durable: its verdict, the comparison after a 440, the end of a doubt.

A 440 says that KSeF holds a document of the same seller, kind and number. It is ours only when its SHA-256 is, so
until the original could be compared the invoice is in doubt: KSeF's words are in the log, and the alert of a doubt
that lasts tells people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from weakref import WeakValueDictionary

from agent.domain.errors import Conflict, DocumentDamaged
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.modes import as_confirmed
from agent.domain.rejection import number_taken, sent_before
from agent.ports import (
    NO_REJECTION,
    TOO_MANY,
    Accepted,
    CallOutcome,
    Clock,
    Duplicate,
    InvoiceChange,
    Json,
    KsefError,
    KsefGateway,
    Pending,
    Rejected,
    Rejection,
    Store,
    Transaction,
    Verdict,
)
from agent.services.delivery import confirmed_mode
from agent.services.delivery.backoff import Waits, step_of
from agent.services.delivery.originals import DUPLICATE, Originals, is_final
from agent.services.delivery.series import SeriesCatchUp
from agent.services.delivery.upo import UpoFetcher, named_before
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.signals import Signal

REFUSAL_STEPS = (5.0, 15.0, 60.0, 300.0, 900.0)
"""Seconds before the next attempt, by attempts made, at what KSeF answered about this very invoice."""
TAKEN_PERHAPS = Rejection(DUPLICATE, "440: KSeF ma już dokument o tym numerze; trwa sprawdzanie, czy to ten")
DECIDED = frozenset({InvoiceState.ACCEPTED, InvoiceState.REJECTED})
DAMAGED_SECONDS = 3600.0
"""Between two looks at an invoice whose bytes the disk changed: nothing but a restore mends it."""


class VerdictRecorder:
    """Asks KSeF about invoices it has, or may have, and records the answers."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        clock_check: ClockCheck,
        gateway: KsefGateway,
        connection: Connection,
        originals: Originals,
        series: SeriesCatchUp,
        upos: UpoFetcher,
        changed: Signal,
        numbered: Signal,
    ) -> None:
        self._store = store
        self._clock = clock
        self._clock_check = clock_check
        self._gateway = gateway
        self._connection = connection
        self._upos = upos
        self._originals = originals
        self._series = series
        self._changed = changed
        self._numbered = numbered
        self.waits = Waits(clock)
        self._deciding: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By invoice whose verdict is being written; kept by those who hold it or wait."""

    async def record(self, invoice_id: str) -> InvoiceRecord:
        """Return the invoice as it stands."""
        return await self._store.read(lambda tx: tx.invoices.get(invoice_id))

    async def move(
        self,
        invoice_id: str,
        to: InvoiceState,
        kind: EventKind,
        data: Mapping[str, Json],
        change: InvoiceChange | None = None,
    ) -> InvoiceRecord:
        """Move it, with the event that tells why, in one transaction."""
        record = await self._store.write(partial(_moved, invoice_id, to, change, kind=kind, data=data))
        if to in DECIDED:
            self.waits.forget(invoice_id)
        self._changed.set()
        return record

    async def note_trouble(
        self, record: InvoiceRecord, kind: EventKind, error: KsefError, call: str, *, general: bool = False
    ) -> InvoiceRecord:
        """Record a failed attempt without a move; the next one waits (``general``: next_attempt)."""
        change = InvoiceChange(not_before=self.next_attempt(record, error, general=general), attempted=True)
        data = evidence_of(error, call)
        return await self._store.write(partial(_noted, record.id, change, kind=kind, data=data))

    async def note_damage(self, record: InvoiceRecord, error: DocumentDamaged) -> InvoiceRecord:
        """Record that an invoice was not sent since its bytes are not those that were issued; look again later."""
        change = InvoiceChange(not_before=self.waits.rest(DAMAGED_SECONDS, record.id))
        data = {"why": error.detail, "sha256": record.sha256.hex()}
        noted = await self._store.write(partial(_noted, record.id, change, kind=EventKind.DAMAGED, data=data))
        self._changed.set()
        return noted

    def next_attempt(self, record: InvoiceRecord, error: KsefError | None = None, *, general: bool = False) -> datetime:
        """Return when to try again: as KSeF said, else later the more often it was tried.

        ``general``: the error is none of this invoice's, KSeF gave no session to send anything in.
        What KSeF refuses to whoever asks is none of it either, and takes a place in the limits.
        """
        if error is not None and error.retry_after is not None:
            if error.code == TOO_MANY:
                return self.waits.rest(error.retry_after, record.id, singly=True)
            return self.waits.rest_as_told(record.id, error.retry_after)
        if error is not None and (general or error.outcome is not CallOutcome.REFUSED):
            return self.waits.rest_after_trouble(record.id, record.attempts)
        if error is not None and error.of_every_invoice:
            return self.waits.rest_in_turn(record.id, record.attempts)
        return self.waits.rest(step_of(REFUSAL_STEPS, record.attempts), record.id)

    def forget_lists(self) -> None:
        """Ask KSeF anew what a session holds."""
        self._originals.forget()

    async def ask(self, record: InvoiceRecord) -> Verdict | None:
        """Ask for the verdict on a SENT invoice; None where KSeF could not be asked."""
        if record.session_ref is None or record.invoice_ref is None:
            return None
        try:
            verdict = await self._gateway.status(record.session_ref, record.invoice_ref)
        except KsefError as error:
            self._connection.question_failed(error)
            return None
        self._connection.answered()
        return verdict

    async def apply(self, invoice_id: str, verdict: Verdict) -> InvoiceRecord:
        """Record what KSeF decided about a SENT invoice; one that somebody decided meanwhile stays as it is.

        Between asking KSeF and writing its answer down lies a call, and more than one asks: whoever sent it, the
        queue, what a hub tells.
        """
        async with self._deciding.setdefault(invoice_id, asyncio.Lock()):
            record = await self.record(invoice_id)
            if record.state is not InvoiceState.SENT:
                return record
            return await self._apply(record, verdict)

    async def accept_listed(
        self, invoice_ids: Sequence[str], verdicts: Mapping[bytes, tuple[str, Verdict]]
    ) -> frozenset[str]:
        """Record in one transaction which of these SENT invoices KSeF accepted, by its list of their session.

        Return them; what is left is for apply(): another verdict, another hash, one that somebody is deciding. All of
        them are left where one cannot be recorded, so that it costs itself only.
        """
        free = [each for each in invoice_ids if each not in self._deciding]
        async with AsyncExitStack() as held:
            for invoice_id in free:
                await held.enter_async_context(self._deciding.setdefault(invoice_id, asyncio.Lock()))
            try:
                accepted = await self._store.write(partial(_accepted_of, free, verdicts, self._clock_check.best()))
            except Conflict:
                return frozenset()
        if accepted:
            self._tell_accepted(accepted)
        return accepted

    def _tell_accepted(self, invoice_ids: Collection[str]) -> None:
        for invoice_id in invoice_ids:
            self.waits.forget(invoice_id)
        self.waits.accepted()
        self._changed.set()
        self._upos.accepted()
        self._numbered.set()

    async def _apply(self, record: InvoiceRecord, verdict: Verdict) -> InvoiceRecord:
        match verdict:
            case Pending():
                return record
            case Accepted():
                if verdict.sha256 is not None and verdict.sha256 != record.sha256:
                    return await self._accepted_other_bytes(record, verdict)
                return await self._accept(record, verdict)
            case Duplicate():
                return await self._compare(record.id, verdict)
            case Rejected():
                return await self._reject(record.id, verdict)

    async def resolve_unknown(self, record: InvoiceRecord) -> InvoiceRecord:
        """Look for an IN_DOUBT invoice in its session: what is there gets its verdict, what is not goes again."""
        if not record.session_ref:
            return await self.move(record.id, InvoiceState.ISSUED, EventKind.DOUBT_CLEARED, {"why": "no session"})
        found: tuple[str, Verdict] | None = None
        original: bytes | None = None
        try:
            found = (await self._originals.in_session(record.session_ref)).get(record.sha256)
            if found is not None and isinstance(found[1], Duplicate):
                original = await self._originals.sha256(record, found[1])
        except KsefError as error:
            self._connection.question_failed(error)
            if found is not None and isinstance(found[1], Duplicate) and self._suspected(record, error):
                return await self._taken(record, found[1], evidence_of(error, "compare"))
            return await self.note_trouble(record, EventKind.DOUBT_REMAINS, error, "find")
        if found is None:
            self._connection.answered()
            why = {"why": "not in session", "session": record.session_ref}
            return await self.move(record.id, InvoiceState.ISSUED, EventKind.DOUBT_CLEARED, why)
        self._connection.taken()
        reference, verdict = found
        await self.move(
            record.id,
            InvoiceState.SENT,
            EventKind.SENT,
            {"session": record.session_ref, "reference": reference, "found_by": "sha256"},
            InvoiceChange(invoice_ref=reference, sent_at=record.sent_at or self._clock_check.best()),
        )
        if isinstance(verdict, Duplicate) and original is not None:
            return await self._by_original(record, verdict, original)
        return await self.apply(record.id, verdict)

    async def _accept(
        self, record: InvoiceRecord, verdict: Accepted, original_session: str | None = None
    ) -> InvoiceRecord:
        """Record the number. After 440 the UPO belongs to the original's session, where our reference means nothing."""
        change = _change_of(record, verdict)
        if original_session is not None:
            change = replace(change, session_ref=original_session, invoice_ref="")
        now = self._clock_check.best()
        try:
            accepted = await self._store.write(partial(_accepted, record.id, change, verdict, now))
        except Conflict:
            return await self._number_given_twice(record.id, verdict)
        self._tell_accepted([record.id])
        return accepted

    async def _number_given_twice(self, invoice_id: str, verdict: Accepted) -> InvoiceRecord:
        """Leave in doubt what got a number that another invoice has: whose it is only KSeF can say."""
        record = await self.record(invoice_id)
        data: dict[str, Json] = {
            "why": "KSeF podał numer, który ma już inna faktura",
            "ksef_number": verdict.ksef_number,
            "sha256": record.sha256.hex(),
        }
        change = InvoiceChange(not_before=self.next_attempt(record))
        if record.state is InvoiceState.IN_DOUBT:
            return await self._store.write(partial(_noted, record.id, change, kind=EventKind.DOUBT_REMAINS, data=data))
        return await self.move(record.id, InvoiceState.IN_DOUBT, EventKind.IN_DOUBT, data, change)

    async def _accepted_other_bytes(self, record: InvoiceRecord, verdict: Accepted) -> InvoiceRecord:
        """Under our reference KSeF accepted bytes that are not ours: no number is adopted, our hash is looked for."""
        data: dict[str, Json] = {
            "why": "KSeF podał numer dla pliku o innym skrócie",
            "ksef_number": verdict.ksef_number,
            "accepted_sha256": None if verdict.sha256 is None else verdict.sha256.hex(),
            "sha256": record.sha256.hex(),
        }
        change = InvoiceChange(not_before=self.next_attempt(record))
        return await self.move(record.id, InvoiceState.IN_DOUBT, EventKind.IN_DOUBT, data, change)

    async def _reject(self, invoice_id: str, verdict: Rejected) -> InvoiceRecord:
        data: Mapping[str, Json] = {
            "code": verdict.code,
            "description": verdict.description,
            "details": list(verdict.details),
        }
        if verdict.retryable:
            record = await self.record(invoice_id)
            in_turn = verdict.by_ksef  # what the hub says is none of KSeF's trouble, and no number would end the turn
            until = self.waits.rest_in_turn(record.id, record.attempts) if in_turn else self.next_attempt(record)
            change = InvoiceChange(not_before=until)
            return await self.move(invoice_id, InvoiceState.ISSUED, EventKind.CANCELLED_BY_KSEF, data, change)
        text = f"{verdict.code}: {verdict.description}"
        if verdict.details:
            text += " (" + "; ".join(verdict.details) + ")"
        change = InvoiceChange(rejection=Rejection(verdict.code, text))
        return await self.move(invoice_id, InvoiceState.REJECTED, EventKind.REJECTED, data, change)

    @staticmethod
    def _suspected(record: InvoiceRecord, error: KsefError) -> bool:
        """Whether the number was taken at a first attempt, and KSeF will never show by what."""
        return number_taken(record) and is_final(error)

    # --- duplicates -------------------------------------------------------------------------------------------

    async def _compare(self, invoice_id: str, verdict: Duplicate) -> InvoiceRecord:
        """Find out whose number a 440 names.

        At a first attempt it is most surely another document's, and that is durable at once: nobody prints while the
        original is being compared.
        """
        record = await self.record(invoice_id)
        first = not await self._store.read(partial(_may_be_in_ksef, invoice_id))
        if first:
            record = await self._doubt(record, verdict, TAKEN_PERHAPS, {})
        try:
            original = await self._originals.sha256(record, verdict)
        except KsefError as error:
            self._connection.question_failed(error)
            if first and is_final(error):
                return await self._taken(record, verdict, evidence_of(error, "compare"))
            if first:
                return await self.note_trouble(record, EventKind.DOUBT_REMAINS, error, "compare")
            return await self._doubt(record, verdict, None, evidence_of(error, "compare"), error)
        return await self._by_original(record, verdict, original)

    async def _doubt(
        self,
        record: InvoiceRecord,
        verdict: Duplicate,
        rejection: Rejection | None,
        evidence: Mapping[str, Json],
        error: KsefError | None = None,
    ) -> InvoiceRecord:
        data: dict[str, Json] = {
            "why": f"440: {verdict.description}",
            "original_ksef_number": verdict.original_ksef_number,
            "original_session": verdict.original_session,
            **evidence,
        }
        change = InvoiceChange(not_before=self.next_attempt(record, error), rejection=rejection)
        return await self.move(record.id, InvoiceState.IN_DOUBT, EventKind.IN_DOUBT, data, change)

    async def _by_original(self, record: InvoiceRecord, verdict: Duplicate, original: bytes) -> InvoiceRecord:
        if original == record.sha256:
            number = verdict.original_ksef_number or ""
            accepted = Accepted(number, self._clock_check.best(), original)
            return await self._accept(record, accepted, verdict.original_session)
        return await self._taken(record, verdict, {"original_sha256": original.hex()})

    async def _taken(self, record: InvoiceRecord, verdict: Duplicate, evidence: Mapping[str, Json]) -> InvoiceRecord:
        """Record that the number is another document's; the series goes on after the numbers KSeF knows."""
        number = verdict.original_ksef_number or ""
        data: dict[str, Json] = {
            "code": DUPLICATE,
            "original_ksef_number": number,
            "original_session": verdict.original_session,
            "original_sha256": None,
            "sha256": record.sha256.hex(),
            **evidence,
        }
        text = f"440: numer zajęty w KSeF przez inny dokument ({number or 'bez numeru'})"
        change = InvoiceChange(rejection=Rejection(DUPLICATE, text))
        rejected = await self._store.write(partial(_number_lost, record.id, change, data))
        self.waits.forget(record.id)
        self._changed.set()
        self._series.after_collision(rejected)
        return rejected


def _change_of(record: InvoiceRecord, verdict: Accepted) -> InvoiceChange:
    change = InvoiceChange(ksef_number=verdict.ksef_number, accepted_at=verdict.accepted_at)
    if number_taken(record):
        change = replace(change, rejection=NO_REJECTION)  # it was this very document
    return change


async def _accepted_of(
    invoice_ids: Sequence[str], verdicts: Mapping[bytes, tuple[str, Verdict]], now: datetime, tx: Transaction
) -> frozenset[str]:
    accepted = set()
    for invoice_id in invoice_ids:
        record = await tx.invoices.get(invoice_id)
        reference, verdict = verdicts.get(record.sha256, ("", None))
        if record.state is not InvoiceState.SENT or not isinstance(verdict, Accepted):
            continue
        if verdict.sha256 not in {None, record.sha256}:
            continue
        await _accepted(invoice_id, replace(_change_of(record, verdict), invoice_ref=reference), verdict, now, tx)
        accepted.add(invoice_id)
    return frozenset(accepted)


async def _accepted(
    invoice_id: str, change: InvoiceChange, verdict: Accepted, now: datetime, tx: Transaction
) -> InvoiceRecord:
    data = {"ksef_number": verdict.ksef_number, "accepted_at": verdict.accepted_at.isoformat()}
    record = await _moved(invoice_id, InvoiceState.ACCEPTED, change, tx, kind=EventKind.ACCEPTED, data=data)
    named = await named_before(record, now, tx)
    if verdict.offline is not None and as_confirmed(record.mode, offline=verdict.offline) is not None:
        await confirmed_mode.follow(tx, invoice_id, offline=verdict.offline, now=now)
    elif not named:
        return record  # it is as it was issued, or the confirmation (UPO) will tell
    return await tx.invoices.get(invoice_id)


async def _number_lost(
    invoice_id: str, change: InvoiceChange, data: Mapping[str, Json], tx: Transaction
) -> InvoiceRecord:
    if (await tx.invoices.get(invoice_id)).state is InvoiceState.IN_DOUBT:
        await tx.invoices.move(invoice_id, InvoiceState.SENT)
    return await _moved(invoice_id, InvoiceState.REJECTED, change, tx, kind=EventKind.COLLISION, data=data)


async def _may_be_in_ksef(invoice_id: str, tx: Transaction) -> bool:
    """Whether this very invoice may have reached KSeF before: by an earlier attempt, or by a database that was lost."""
    log = await tx.events.of_invoice(invoice_id)
    if sent_before((event.kind, event.data) for event in log):
        return True
    issued = log[0].seq if log else 0
    return await tx.events.newest_of(EventKind.STORE_RESTORED) > issued


async def _moved(
    invoice_id: str,
    to: InvoiceState,
    change: InvoiceChange | None,
    tx: Transaction,
    *,
    kind: EventKind,
    data: Mapping[str, Json],
) -> InvoiceRecord:
    turned = change is not None and change.mode is not None
    before = await tx.invoices.get(invoice_id) if turned else None
    record = await tx.invoices.move(invoice_id, to, change)
    if before is not None and record.mode is not before.mode:
        await tx.events.append(
            EventKind.MODE, {"from": before.mode, "to": record.mode, "reason": record.reason}, invoice_id
        )
    await tx.events.append(kind, data, invoice_id)
    return record


async def _noted(
    invoice_id: str, change: InvoiceChange, tx: Transaction, *, kind: EventKind, data: Mapping[str, Json]
) -> InvoiceRecord:
    await tx.events.append(kind, data, invoice_id)
    return await tx.invoices.note(invoice_id, change)


def evidence_of(error: KsefError, call: str) -> Mapping[str, Json]:
    """Return what the event log keeps of a failed call, KSeF's answer included."""
    return {
        "call": call,
        "outcome": error.outcome.value,
        "code": error.code,
        "message": error.message,
        "retry_after": error.retry_after,
        "body": error.body,
    }
