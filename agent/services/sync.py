"""The queue empties by itself: doubts first, then by deadline; presses go before backlog.

The queue is the store; this only decides what is next. It sleeps on an event, never on a timer of its own:
app.py's scheduler, a press, a number that arrived or a line that came back wake it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial

from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.ports import InvoiceChange, KsefError, Sent, Transaction
from agent.services.desk import Desk
from agent.services.sending import Courier
from agent.services.watch import Watch

AT_ONCE = 4
"""Invoices of the backlog in flight at the same time."""
BATCH_CHUNK = 2000
"""Invoices per batch session."""
BATCH_ATTEMPTS = 4
"""An invoice tried so often goes alone: perhaps it is what KSeF refuses the whole batch for."""
BATCH_REFUSED = frozenset({405, 415, 420, 430, 435, 440, 445, 500})
"""Status codes of a batch session of which KSeF took nothing."""


class Sync:
    """Brings everything unsent to KSeF, and the UPO back."""

    def __init__(self, desk: Desk, watch: Watch, courier: Courier) -> None:
        self._desk = desk
        self._watch = watch
        self._courier = courier
        self._wake = asyncio.Event()
        self.pressing = 0
        """Presses waiting for their number: the backlog stands back while there are any."""

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    async def recover(self) -> None:
        """After a crash nobody knows what left: every SENDING becomes a doubt. Called once at start."""

        async def work(tx: Transaction) -> None:
            for record in await tx.invoices.unsent():
                if record.state is InvoiceState.SENDING:
                    await tx.invoices.move(record.id, InvoiceState.IN_DOUBT)
                    await tx.events.append("in_doubt", {"why": "restart"}, record.id)

        await self._desk.store.write(work)

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.pass_once()

    async def pass_once(self) -> None:
        """Go over the queue once. Trouble with KSeF ends the pass; the next wake goes on."""
        if self._watch.sending_stopped():
            return
        queue = await self._desk.store.read(lambda tx: tx.invoices.unsent())
        now = self._desk.now()
        due = [record for record in queue if self._is_due(record, now)]
        for record in due:
            if record.state is InvoiceState.IN_DOUBT and self._watch.may_send():
                await self._courier.resolve(record.id)
        await self._ask_batches([record for record in due if record.state is InvoiceState.SENT])
        for record in due:
            if record.state is InvoiceState.SENT and record.invoice_ref and self._watch.may_send():
                await self._courier.ask(record)
        await self._send_waiting()
        await self._fetch_upos()

    def _is_due(self, record: InvoiceRecord, now: datetime) -> bool:
        if self._courier.busy(record.id):
            return False
        return record.not_before is None or record.not_before <= now

    async def _send_waiting(self) -> None:
        queue = await self._desk.store.read(lambda tx: tx.invoices.unsent())
        now = self._desk.now()
        waiting = [record for record in queue if record.state is InvoiceState.ISSUED and self._is_due(record, now)]
        waiting = await self._desk.store.read(partial(_bases_first, waiting))
        if not waiting or not self._watch.may_send():
            return
        in_batch = [each for each in waiting if each.version == 1 and each.attempts < BATCH_ATTEMPTS]
        if len(in_batch) >= self._desk.settings.ksef.batch_from:
            for start in range(0, len(in_batch), BATCH_CHUNK):
                if not await self._send_batch(in_batch[start : start + BATCH_CHUNK]):
                    return
            return
        for start in range(0, len(waiting), AT_ONCE):
            while self.pressing:
                await self._desk.clock.sleep(0.05)
            budget = self._desk.gateway.budget()
            if not self._watch.may_send() or budget.sends_left_hour <= 0 or budget.wait > 0:
                return
            await asyncio.gather(*(self._courier.deliver(record.id) for record in waiting[start : start + AT_ONCE]))

    async def _send_batch(self, records: list[InvoiceRecord]) -> bool:
        """Send many as one batch session; False where KSeF can not be reached now.

        SENDING is committed first and the session's reference before the first byte leaves, so that a crash
        leaves doubts that one list of the session settles.
        """
        outgoing = [await self._courier.outgoing(record) for record in records]

        async def opened(session: str) -> None:
            async def work(tx: Transaction) -> None:
                for record in records:
                    await tx.invoices.note(record.id, InvoiceChange(session_ref=session))
                    await tx.events.append("batch_opened", {"session": session}, record.id)

            await self._desk.store.write(work)

        async def begin(tx: Transaction) -> None:
            for record in records:
                await tx.invoices.move(record.id, InvoiceState.SENDING, InvoiceChange(attempted=True))
                await tx.events.append("sending", {"batch": True, "sha256": record.sha256.hex()}, record.id)

        await self._desk.store.write(begin)
        try:
            session = await self._desk.gateway.open_batch(outgoing, opened)
        except KsefError as error:
            await self._batch_failed(records, error)
            return False
        self._watch.answered()
        sent_at = self._desk.now()

        async def taken(tx: Transaction) -> None:
            for record in records:
                change = InvoiceChange(session_ref=session, sent_at=sent_at)
                await tx.invoices.move(record.id, InvoiceState.SENT, change)
                await tx.events.append("sent", {"session": session, "batch": True}, record.id)

        await self._desk.store.write(taken)
        return True

    async def _batch_failed(self, records: list[InvoiceRecord], error: KsefError) -> None:
        self._watch.failed(error)
        to = InvoiceState.IN_DOUBT if error.sent is Sent.UNKNOWN else InvoiceState.ISSUED
        later = self._desk.now() + timedelta(seconds=error.retry_after or 30.0)

        async def work(tx: Transaction) -> None:
            for record in records:
                await tx.invoices.move(record.id, to, InvoiceChange(not_before=later))
                await tx.events.append(
                    "send_failed",
                    {"call": "batch", "outcome": error.sent.value, "code": error.code, "message": error.message},
                    record.id,
                )

        await self._desk.store.write(work)

    async def _ask_batches(self, records: list[InvoiceRecord]) -> None:
        """Invoices sent by batch have no reference of their own until the batch is done."""
        sessions = {record.session_ref for record in records if record.invoice_ref is None and record.session_ref}
        for session in sorted(sessions):
            if not self._watch.may_send():
                return
            members = [each for each in records if each.session_ref == session and each.invoice_ref is None]
            try:
                verdicts = await self._desk.gateway.batch_verdicts(session)
            except KsefError as error:
                self._watch.failed(error)
                if error.sent is Sent.ANSWERED and error.code in BATCH_REFUSED:
                    for record in members:
                        await self._lost_in_batch(record, error.message)
                continue
            self._watch.answered()
            if verdicts is None:
                continue
            for record in members:
                known = verdicts.get(record.sha256)
                if known is None:
                    await self._lost_in_batch(record, "KSeF nie ma tego pliku w paczce.")
                    continue
                reference, verdict = known
                await self._desk.store.write(partial(_note_reference, record.id, reference))
                await self._courier.apply(record.id, verdict)

    async def _lost_in_batch(self, record: InvoiceRecord, why: str) -> None:
        """The batch is done and KSeF did not take this file: it goes again."""

        async def work(tx: Transaction) -> None:
            await tx.invoices.move(record.id, InvoiceState.ISSUED)
            await tx.events.append("not_in_batch", {"session": record.session_ref, "why": why}, record.id)

        await self._desk.store.write(work)

    async def _fetch_upos(self) -> None:
        if not self._watch.may_send():
            return
        for record in await self._desk.store.read(lambda tx: tx.invoices.without_upo()):
            if not self._courier.busy(record.id):
                await self._courier.fetch_upo(record.id)


async def _note_reference(invoice_id: str, reference: str, tx: Transaction) -> None:
    await tx.invoices.note(invoice_id, InvoiceChange(invoice_ref=reference))


async def _bases_first(waiting: list[InvoiceRecord], tx: Transaction) -> list[InvoiceRecord]:
    """Leave out corrections whose base KSeF does not have yet (POD2 4.1.3)."""
    ready: list[InvoiceRecord] = []
    for record in waiting:
        base = None if record.base_id is None else await tx.invoices.get(record.base_id)
        if base is None or base.ksef_number is not None or base.state is InvoiceState.EXEMPT:
            ready.append(record)
    return ready
