"""An invoice on its way to KSeF: how it stands, its moves with what the log keeps of them, when it is tried next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from agent.domain.errors import DocumentDamaged
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.ports import TOO_MANY, CallOutcome, Clock, InvoiceChange, Json, KsefError, Store, Transaction
from agent.services.delivery.backoff import Waits, step_of
from agent.services.signals import Signal

REFUSAL_STEPS = (5.0, 15.0, 60.0, 300.0, 900.0)
"""Seconds before the next attempt, by attempts made, at what KSeF answered about this very invoice."""
DECIDED = frozenset({InvoiceState.ACCEPTED, InvoiceState.REJECTED})
DAMAGED_SECONDS = 3600.0
"""Between two looks at an invoice whose bytes the disk changed: nothing but a restore mends it."""


class DeliveryRecords:
    """Reads and moves invoices that are brought to KSeF."""

    def __init__(self, store: Store, clock: Clock, changed: Signal) -> None:
        self._store = store
        self._changed = changed
        self.waits = Waits(clock)

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
        record = await self._store.write(partial(moved, invoice_id, to, change, kind=kind, data=data))
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
        return await self._store.write(partial(noted, record.id, change, kind=kind, data=data))

    async def note_damage(self, record: InvoiceRecord, error: DocumentDamaged) -> InvoiceRecord:
        """Record that an invoice was not sent since its bytes are not those that were issued; look again later."""
        change = InvoiceChange(not_before=self.waits.rest(DAMAGED_SECONDS, record.id))
        data = {"why": error.detail, "sha256": record.sha256.hex()}
        after = await self._store.write(partial(noted, record.id, change, kind=EventKind.DAMAGED, data=data))
        self._changed.set()
        return after

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


async def moved(
    invoice_id: str,
    to: InvoiceState,
    change: InvoiceChange | None,
    tx: Transaction,
    *,
    kind: EventKind,
    data: Mapping[str, Json],
) -> InvoiceRecord:
    """Move an invoice within a unit of work, with the event that tells why, and one more where its mode changes."""
    turned = change is not None and change.mode is not None
    before = await tx.invoices.get(invoice_id) if turned else None
    record = await tx.invoices.move(invoice_id, to, change)
    if before is not None and record.mode is not before.mode:
        await tx.events.append(
            EventKind.MODE, {"from": before.mode, "to": record.mode, "reason": record.reason}, invoice_id
        )
    await tx.events.append(kind, data, invoice_id)
    return record


async def noted(
    invoice_id: str, change: InvoiceChange, tx: Transaction, *, kind: EventKind, data: Mapping[str, Json]
) -> InvoiceRecord:
    """Add facts to an invoice within a unit of work, with the event that tells why."""
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
