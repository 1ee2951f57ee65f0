"""The queue empties by itself: doubts first, then by deadline; presses go before backlog.

The queue is the store; this only decides what is next. It sleeps on an event, never on a timer of its own:
serving/schedule.py, a press, a number that arrived or a line that came back wake it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.ports import Clock, KsefGateway, Store, Transaction, Unsent
from agent.services.delivery.backlog_window import BacklogWindow
from agent.services.delivery.backoff import Backoff
from agent.services.delivery.batches import BatchSender
from agent.services.delivery.quota import Share, backlog_share
from agent.services.delivery.sender import ASKING_SECONDS, InvoiceSender
from agent.services.delivery.verdicts import VerdictRecorder
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.deadline_updates import DeadlineUpdater
from agent.services.outages.mode import CurrentMode

AT_ONCE = 4
"""Invoices of the backlog in flight at the same time."""
SMALL_BATCH_SECONDS = 300.0
"""While single sends are used up, what waits goes in a batch so often: there are 60 batches an hour."""
REST = 4.0
"""Times the reading of the queue took, rested before the next pass: every press wakes one, also behind ten thousand."""


class SendQueue:
    """Brings everything unsent to KSeF."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        clock_check: ClockCheck,
        gateway: KsefGateway,
        mode: CurrentMode,
        deadlines: DeadlineUpdater,
        sender: InvoiceSender,
        batches: BatchSender,
        verdicts: VerdictRecorder,
        window: BacklogWindow,
        wake: asyncio.Event,
        batch_from: int,
        told: bool,
    ) -> None:
        """``wake``: set by whoever has something to send; ``batch_from``: so many go as a batch.

        ``told``: whoever takes the invoices says by himself what became of them.
        """
        self._store = store
        self._clock = clock
        self._clock_check = clock_check
        self._gateway = gateway
        self._mode = mode
        self._deadlines = deadlines
        self._sender = sender
        self._batches = batches
        self._verdicts = verdicts
        self.window = window
        self._wake = wake
        self._batch_from = batch_from
        self._asking = Backoff(clock)
        """By session where it is a batch or holds doubts, by invoice otherwise."""
        self._asking_seconds = 0.0 if told else ASKING_SECONDS
        """How long whoever sends one of the backlog goes on asking. A hub takes its time, and tells by itself."""
        self._small_batch_at: float | None = None
        self._reading_took = 0.0
        self._presses = 0
        """Presses waiting for their number: the backlog stands back while there are any."""

    @contextmanager
    def press_under_way(self) -> Iterator[None]:
        """Let the backlog stand back."""
        self._presses += 1
        try:
            yield
        finally:
            self._presses -= 1

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    async def send_now(self) -> int:
        """Send what waits, whatever the hour; return how many invoices KSeF does not have yet."""
        queue = await self._store.read(lambda tx: tx.invoices.queue())
        self.window.order(each.id for each in queue)
        self.wake()
        return len(queue)

    async def ask_now(self, references: Collection[str]) -> None:
        """Ask for what somebody told of, by its references; the rest of the queue takes its turn."""
        told = [each for each in await self._queue() if each.invoice_ref in references]
        for record in told:
            if record.state is InvoiceState.SENT and not self._sender.busy(record.id):
                await self._sender.ask(record.id)
        self.wake()

    async def recover(self) -> None:
        """After a crash nobody knows what left: every SENDING becomes a doubt. Called once at start."""
        await self._doubt_orphans(await self._queue(), "restart")

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.pass_once()
            await self._clock.sleep(REST * self._reading_took)

    async def pass_once(self) -> None:
        """Go over the queue once. Trouble with KSeF ends the pass; the next wake goes on. One pass at a time."""
        if self._mode.sending_stopped():
            return
        queue = await self._queue()
        await self._doubt_orphans(queue, "its sender failed")
        doubts = self._due(queue, InvoiceState.IN_DOUBT)
        sent = self._due(queue, InvoiceState.SENT, together=True)  # asking is no send
        sessions = {record.session_ref or "" for record in (*doubts, *sent)}
        self._asking.keep(sessions | {record.id for record in sent})
        self._verdicts.waits.keep({record.id for record in queue})
        await self._resolve_doubts(doubts)
        await self._ask_batches([record for record in sent if not record.invoice_ref])
        await self._ask_singly(sent)
        await self._send_waiting()

    async def _queue(self) -> list[Unsent]:
        begun = self._clock.monotonic()
        queue = await self._store.read(lambda tx: tx.invoices.queue())
        self._reading_took = self._clock.monotonic() - begun
        if await self._deadlines.exempt_if_over(queue):
            queue = await self._store.read(lambda tx: tx.invoices.queue())
        return queue

    async def _doubt_orphans(self, queue: list[Unsent], why: str) -> None:
        """A SENDING that nobody sends (crash, full disk) is a doubt."""
        orphans = [each.id for each in queue if each.state is InvoiceState.SENDING and not self._sender.busy(each.id)]
        if orphans:
            await self._store.write(partial(self._doubt, orphans, why))

    async def _doubt(self, invoice_ids: list[str], why: str, tx: Transaction) -> None:
        for invoice_id in invoice_ids:
            record = await tx.invoices.get(invoice_id)
            if record.state is InvoiceState.SENDING and not self._sender.busy(invoice_id):
                await tx.invoices.move(invoice_id, InvoiceState.IN_DOUBT)
                await tx.events.append(EventKind.IN_DOUBT, {"why": why}, invoice_id)

    def _due(self, queue: list[Unsent], state: InvoiceState, *, together: bool = False) -> list[Unsent]:
        """Return what may be tried now; ``together``: also what only single sends have to wait for."""
        now, waits = self._clock_check.best(), self._verdicts.waits
        return [
            each
            for each in queue
            if each.state is state and not self._sender.busy(each.id) and waits.over(each, now, together=together)
        ]

    async def _resolve_doubts(self, doubts: list[Unsent]) -> None:
        """Ask by session: one list ends all doubts of a batch, and a session that cannot be asked waits."""
        self._verdicts.forget_lists()
        for record in doubts:
            if not self._mode.may_send():
                return
            session = record.session_ref or ""
            if self._asking.due(session):
                after = await self._sender.resolve(record.id)
                if after.state is InvoiceState.IN_DOUBT:
                    self._asking.asked(session)

    async def _ask_singly(self, sent: list[Unsent]) -> None:
        for record in sent:
            if record.invoice_ref and self._asking.due(record.id) and self._mode.may_send():
                self._asking.asked(record.id)
                await self._sender.ask(record.id)

    async def _ask_batches(self, records: list[Unsent]) -> None:
        sessions = {record.session_ref for record in records if record.session_ref}
        for session in sorted(sessions):
            if not self._mode.may_send():
                return
            if self._asking.due(session):
                self._asking.asked(session)
                await self._batches.ask(session, [each for each in records if each.session_ref == session])

    async def _send_waiting(self) -> None:
        if not self._mode.may_send():
            return
        queue = await self._queue()
        held = self.window.waiting(queue)
        waiting = [each for each in self._due(queue, InvoiceState.ISSUED, together=True) if each.id not in held]
        waiting = await self._store.read(partial(_bases_first, waiting))
        if not waiting:
            return
        together = [record for record in waiting if self._batches.takes(record)]
        if self._batch_is_due(len(together)):
            if not await self._batches.send(together):
                return
            batched = {record.id for record in together}
            waiting = [record for record in waiting if record.id not in batched]
        waiting = self._due(waiting, InvoiceState.ISSUED)
        together = [record for record in waiting if self._batches.takes(record)]
        alone = [record for record in waiting if not self._batches.takes(record)]
        if await self._send_singly(alone, kept_for_presses=False):
            await self._send_singly(together, kept_for_presses=True)

    async def _send_singly(self, waiting: list[Unsent], *, kept_for_presses: bool) -> bool:
        """Send one by one as long as KSeF's limits allow; False where that ended it.

        What can go no other way takes the last place; what a batch would take as well leaves some to presses.
        """
        while waiting:
            while self._presses:
                await self._clock.sleep(0.05)
            at_once = min(AT_ONCE, self._share(kept_for_presses=kept_for_presses).now)
            if at_once == 0 or not self._mode.may_send():
                return False
            asking = self._asking_seconds
            await asyncio.gather(*(self._sender.deliver(record.id, asking) for record in waiting[:at_once]))
            waiting = waiting[at_once:]
        return True

    def _share(self, *, kept_for_presses: bool) -> Share:
        """Return what is left of the limits; where no press would be tried online nothing is kept for presses."""
        presses_online = self._mode.decide(self._clock_check.best()).attempt_online
        return backlog_share(self._gateway.budget(), kept_for_presses=kept_for_presses and presses_online)

    def _batch_is_due(self, count: int) -> bool:
        """A backlog goes as a batch; so does the little that waits when single sends are used up for the hour."""
        if self._batches.rest():
            return False
        if count >= self._batch_from:
            return True
        if count == 0 or self._share(kept_for_presses=True).this_hour > 0:
            return False
        now = self._clock.monotonic()
        if self._small_batch_at is not None and now < self._small_batch_at + SMALL_BATCH_SECONDS:
            return False
        self._small_batch_at = now
        return True


async def _bases_first(waiting: list[Unsent], tx: Transaction) -> list[Unsent]:
    """Leave out corrections whose base KSeF does not have yet (POD2 4.1.3)."""
    ready: list[Unsent] = []
    for record in waiting:
        base = None if record.base_id is None else await tx.invoices.get(record.base_id)
        if base is None or base.ksef_number is not None or base.outside_ksef:
            ready.append(record)
    return ready
