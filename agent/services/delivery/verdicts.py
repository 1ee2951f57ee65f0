"""What KSeF says of an invoice, made durable: accepted, rejected, taken back; a 440 is for duplicates.py."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from weakref import WeakValueDictionary

from agent.domain.errors import Conflict
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.modes import as_confirmed
from agent.domain.rejection import number_taken
from agent.ports import (
    NO_REJECTION,
    Accepted,
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
from agent.services.delivery.duplicates import Duplicates, OwnOriginal
from agent.services.delivery.records import DeliveryRecords, evidence_of, moved, noted
from agent.services.delivery.settled import NOT_KNOWN, is_unknown
from agent.services.delivery.upo import UpoFetcher, named_before
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.signals import Signal


class VerdictRecorder:
    """Asks KSeF about invoices it has, or may have, and records the answers."""

    def __init__(
        self,
        *,
        store: Store,
        records: DeliveryRecords,
        clock_check: ClockCheck,
        gateway: KsefGateway,
        connection: Connection,
        duplicates: Duplicates,
        upos: UpoFetcher,
        changed: Signal,
        numbered: Signal,
    ) -> None:
        self._store = store
        self._records = records
        self._clock_check = clock_check
        self._gateway = gateway
        self._connection = connection
        self._upos = upos
        self._duplicates = duplicates
        self._changed = changed
        self._numbered = numbered
        self._deciding: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By invoice whose verdict is being written; kept by those who hold it or wait."""

    async def ask(self, record: InvoiceRecord) -> Verdict | None:
        """Ask for the verdict on a SENT invoice; None where KSeF could not be asked."""
        if record.session_ref is None or record.invoice_ref is None:
            return None
        try:
            verdict = await self._gateway.status(record.session_ref, record.invoice_ref)
        except KsefError as error:
            self._connection.question_failed(error)
            if is_unknown(error, record.sent_at, self._clock_check.best()):
                await self._doubt(record.id, error)
            return None
        self._connection.answered()
        return verdict

    async def _doubt(self, invoice_id: str, error: KsefError) -> None:
        async with self._deciding.setdefault(invoice_id, asyncio.Lock()):
            record = await self._records.record(invoice_id)
            if record.state is InvoiceState.SENT:
                data = {"why": NOT_KNOWN, **evidence_of(error, "status")}
                await self._records.move(invoice_id, InvoiceState.IN_DOUBT, EventKind.IN_DOUBT, data)

    async def apply(self, invoice_id: str, verdict: Verdict) -> InvoiceRecord:
        """Record what KSeF decided about a SENT invoice; one that somebody decided meanwhile stays as it is.

        Between asking KSeF and writing its answer down lies a call, and more than one asks: whoever sent it, the
        queue, what a hub tells.
        """
        async with self._deciding.setdefault(invoice_id, asyncio.Lock()):
            record = await self._records.record(invoice_id)
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
            self._records.waits.forget(invoice_id)
        self._records.waits.accepted()
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
                return await self.follow(await self._duplicates.compare(record.id, verdict))
            case Rejected():
                return await self._reject(record.id, verdict)

    async def follow(self, compared: InvoiceRecord | OwnOriginal) -> InvoiceRecord:
        """Accept what was the number's own document; another one is recorded already."""
        if isinstance(compared, OwnOriginal):
            return await self._accept(compared.record, compared.accepted, compared.session)
        return compared

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
        record = await self._records.record(invoice_id)
        data: dict[str, Json] = {
            "why": "KSeF podał numer, który ma już inna faktura",
            "ksef_number": verdict.ksef_number,
            "sha256": record.sha256.hex(),
        }
        change = InvoiceChange(not_before=self._records.next_attempt(record))
        if record.state is InvoiceState.IN_DOUBT:
            return await self._store.write(partial(noted, record.id, change, kind=EventKind.DOUBT_REMAINS, data=data))
        return await self._records.move(record.id, InvoiceState.IN_DOUBT, EventKind.IN_DOUBT, data, change)

    async def _accepted_other_bytes(self, record: InvoiceRecord, verdict: Accepted) -> InvoiceRecord:
        """Under our reference KSeF accepted bytes that are not ours: no number is adopted, our hash is looked for."""
        data: dict[str, Json] = {
            "why": "KSeF podał numer dla pliku o innym skrócie",
            "ksef_number": verdict.ksef_number,
            "accepted_sha256": None if verdict.sha256 is None else verdict.sha256.hex(),
            "sha256": record.sha256.hex(),
        }
        change = InvoiceChange(not_before=self._records.next_attempt(record))
        return await self._records.move(record.id, InvoiceState.IN_DOUBT, EventKind.IN_DOUBT, data, change)

    async def _reject(self, invoice_id: str, verdict: Rejected) -> InvoiceRecord:
        data: Mapping[str, Json] = {
            "code": verdict.code,
            "description": verdict.description,
            "details": list(verdict.details),
        }
        if verdict.retryable:
            record = await self._records.record(invoice_id)
            if verdict.by_ksef:
                until = self._records.waits.rest_in_turn(record.id, record.attempts)
            else:  # what the hub says is none of KSeF's trouble, and no number would end the turn
                until = self._records.next_attempt(record)
            change = InvoiceChange(not_before=until)
            return await self._records.move(invoice_id, InvoiceState.ISSUED, EventKind.CANCELLED_BY_KSEF, data, change)
        text = f"{verdict.code}: {verdict.description}"
        if verdict.details:
            text += " (" + "; ".join(verdict.details) + ")"
        change = InvoiceChange(rejection=Rejection(verdict.code, text))
        return await self._records.move(invoice_id, InvoiceState.REJECTED, EventKind.REJECTED, data, change)


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
    record = await moved(invoice_id, InvoiceState.ACCEPTED, change, tx, kind=EventKind.ACCEPTED, data=data)
    named = await named_before(record, now, tx)
    if verdict.offline is not None and as_confirmed(record.mode, offline=verdict.offline) is not None:
        await confirmed_mode.follow(tx, invoice_id, offline=verdict.offline, now=now)
    elif not named:
        return record  # it is as it was issued, or the confirmation (UPO) will tell
    return await tx.invoices.get(invoice_id)
