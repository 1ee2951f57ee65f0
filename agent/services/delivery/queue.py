"""The queue empties by itself: doubts first, then by deadline; presses go before backlog.

The queue is the store, read a page at a time; this only decides what is next. It sleeps on an event, never on a timer
of its own: serving/schedule.py, a press, a number that arrived or a line that came back wake it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.ports import Clock, KsefGateway, Store, Transaction, Unsent
from agent.services.delivery.backlog_window import BacklogWindow
from agent.services.delivery.backoff import Backoff
from agent.services.delivery.batch_trials import LARGEST
from agent.services.delivery.batches import SLICE, BatchSender
from agent.services.delivery.doubts import Doubts
from agent.services.delivery.quota import Share, backlog_share
from agent.services.delivery.records import DeliveryRecords
from agent.services.delivery.sender import ASKING_SECONDS, InvoiceSender
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.deadline_updates import DeadlineUpdater
from agent.services.outages.mode import CurrentMode
from agent.services.pages import pages
from agent.services.presses import Presses

AT_ONCE = 4
"""Invoices of the backlog in flight at the same time."""
SMALL_BATCH_SECONDS = 300.0
"""While single sends are used up, what waits goes in a batch so often: there are 60 batches an hour."""
PAGE = 500
"""Invoices read at once."""
REST = 4.0
"""Times the reading of the queue took, rested before the next pass: every press wakes one, also behind ten thousand."""

ReadPage = Callable[[Unsent | None, Transaction], Awaitable[list[Unsent]]]
"""Reads what follows an invoice, at most PAGE."""

TOLD_SECONDS = 2.0
"""A batch of which something was told is asked after so long: what becomes of it comes in bunches."""


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
        records: DeliveryRecords,
        doubts: Doubts,
        window: BacklogWindow,
        presses: Presses,
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
        self._records = records
        self._doubts = doubts
        self.window = window
        self._presses = presses
        self._wake = wake
        self._batch_from = batch_from
        self._asking = Backoff(clock)
        """By session where it is a batch or holds doubts, by invoice otherwise."""
        self._asking_seconds = 0.0 if told else ASKING_SECONDS
        """How long whoever sends one of the backlog goes on asking. A hub takes its time, and tells by itself."""
        self._small_batch_at: float | None = None
        self._reading_took = 0.0
        self._sending_presses = 0
        """Presses waiting for their number: the backlog stands back while there are any."""

    @contextmanager
    def press_under_way(self) -> Iterator[None]:
        """Let the backlog stand back."""
        self._sending_presses += 1
        try:
            yield
        finally:
            self._sending_presses -= 1

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    async def send_now(self) -> int:
        """Send what waits, whatever the hour; return how many invoices KSeF does not have yet."""
        self.window.order(await self._store.read(lambda tx: tx.invoices.last_place()))
        self.wake()
        return sum(each.invoices for each in await self._store.read(lambda tx: tx.invoices.queue_counts()))

    async def ask_now(self, references: Collection[str]) -> None:
        """Ask for what somebody told of, by its references; the rest of the queue takes its turn."""
        async for record in self._in_state(InvoiceState.SENT):
            if record.invoice_ref in references and not self._sender.busy(record.id):
                await self._sender.ask(record.id)
        for session in await self._store.read(lambda tx: tx.invoices.asked_sessions()):
            self._asking.hurry(session, TOLD_SECONDS)  # what went together has no reference of its own
        self.wake()

    async def recover(self) -> None:
        """After a crash nobody knows what left: every SENDING becomes a doubt. Called once at start."""
        await self._doubt_orphans("restart")

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._presses.pass_by()  # the press that woke it is still to be answered
            self._reading_took = 0.0
            await self.pass_once()
            await self._clock.sleep(REST * self._reading_took)

    async def pass_once(self) -> None:
        """Go over the queue once. Trouble with KSeF ends the pass; the next wake goes on. One pass at a time."""
        if self._mode.sending_stopped():
            return
        await self._deadlines.exempt_if_over()
        await self._doubt_orphans("its sender failed")
        self._asking.forget_old()
        if self._mode.may_send():
            await self._resolve_doubts()
            await self._ask_batches()
            await self._ask_singly()
            await self._send_waiting()

    async def _read(self, read_page: ReadPage, after: Unsent | None) -> list[Unsent]:
        begun = self._clock.monotonic()
        page = await self._store.read(partial(read_page, after))
        self._reading_took += self._clock.monotonic() - begun
        return page

    def _pages(self, read_page: ReadPage) -> AsyncIterator[list[Unsent]]:
        return pages(partial(self._read, read_page), PAGE)

    async def _in_state(self, state: InvoiceState) -> AsyncIterator[Unsent]:
        async for page in self._pages(lambda after, tx: tx.invoices.in_state(state, PAGE, after)):
            for record in page:
                yield record

    async def _doubt_orphans(self, why: str) -> None:
        """A SENDING that nobody sends (crash, full disk) is a doubt."""
        orphans = [each.id async for each in self._in_state(InvoiceState.SENDING) if not self._sender.busy(each.id)]
        for start in range(0, len(orphans), SLICE):
            await self._store.write(partial(self._doubt, orphans[start : start + SLICE], why))

    async def _doubt(self, invoice_ids: list[str], why: str, tx: Transaction) -> None:
        for invoice_id in invoice_ids:
            record = await tx.invoices.get(invoice_id)
            if record.state is InvoiceState.SENDING and not self._sender.busy(invoice_id):
                await tx.invoices.move(invoice_id, InvoiceState.IN_DOUBT)
                await tx.events.append(EventKind.IN_DOUBT, {"why": why}, invoice_id)

    def _due(self, records: Sequence[Unsent], *, together: bool = False) -> list[Unsent]:
        """Return what may be tried now; ``together``: also what only single sends have to wait for."""
        now, waits = self._clock_check.best(), self._records.waits
        return [each for each in records if not self._sender.busy(each.id) and waits.over(each, now, together=together)]

    async def _resolve_doubts(self) -> None:
        """Ask by session: one list ends all doubts of a batch, and a session that cannot be asked waits."""
        self._doubts.forget_lists()
        async for record in self._in_state(InvoiceState.IN_DOUBT):
            if not self._due([record]):
                continue
            if not self._mode.may_send():
                return
            session = record.session_ref or ""
            if self._asking.due(session):
                after = await self._sender.resolve(record.id)
                if after.state is InvoiceState.IN_DOUBT:
                    self._asking.asked(session)

    async def _ask_singly(self) -> None:
        async for record in self._in_state(InvoiceState.SENT):
            if record.invoice_ref and self._asking.due(record.id) and self._due([record], together=True):
                if not self._mode.may_send():
                    return
                self._asking.asked(record.id)
                await self._sender.ask(record.id)

    async def _ask_batches(self) -> None:
        for session in await self._store.read(lambda tx: tx.invoices.asked_sessions()):
            if not self._mode.may_send():
                return
            if not self._asking.due(session):
                continue
            members: list[Unsent] = []
            async for page in self._pages(partial(_of_session, session)):
                members += self._due(page, together=True)  # asking is no send
            if members:
                self._asking.asked(session)
                await self._batches.ask(session, members)

    async def _send_waiting(self) -> None:
        """Go along what waits, as much at a time as one batch takes."""
        corrections = await self._store.read(self.window.corrections)
        last: Unsent | None = None
        found: list[Unsent] = []
        while self._mode.may_send() and self._something_may_leave():
            page = await self._read(_waiting, last)
            held = self.window.waiting(page, corrections)
            found += [each for each in self._due(page, together=True) if each.id not in held]
            whole = len(page) < PAGE
            if found and (whole or len(found) >= LARGEST):
                if not await self._send(found):
                    return
                found = []
            if whole:
                return
            last = page[-1]

    def _something_may_leave(self) -> bool:
        """Tell whether KSeF's limits leave room for anything: else nobody reads what waits."""
        return not self._batches.rest() or self._share(kept_for_presses=False).now > 0

    async def _send(self, waiting: list[Unsent]) -> bool:
        """Send these, as a batch where one is due; False where KSeF or its limits end the pass."""
        together = [record for record in waiting if self._batches.takes(record)]
        if self._batch_is_due(len(together)):
            if not await self._batches.send(together):
                return False
            batched = {record.id for record in together}
            waiting = [record for record in waiting if record.id not in batched]
        waiting = self._due(waiting)
        together = [record for record in waiting if self._batches.takes(record)]
        alone = [record for record in waiting if not self._batches.takes(record)]
        return await self._send_singly(alone, kept_for_presses=False) and await self._send_singly(
            together, kept_for_presses=True
        )

    async def _send_singly(self, waiting: list[Unsent], *, kept_for_presses: bool) -> bool:
        """Send one by one as long as KSeF's limits allow; False where that ended it.

        What can go no other way takes the last place; what a batch would take as well leaves some to presses.
        """
        while waiting:
            while self._sending_presses:
                await self._clock.sleep(0.05)
            at_once = min(AT_ONCE, self._share(kept_for_presses=kept_for_presses).now)
            if at_once == 0 or not self._mode.may_send():
                return False
            waiting = [record for record in waiting if self._sender.may_try(record.id)]
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


async def _waiting(after: Unsent | None, tx: Transaction) -> list[Unsent]:
    return await tx.invoices.waiting(PAGE, after)


async def _of_session(session: str, after: Unsent | None, tx: Transaction) -> list[Unsent]:
    return await tx.invoices.in_session(session, PAGE, after)
