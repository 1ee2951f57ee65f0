"""The queue empties by itself: doubts first, then by deadline; presses go before backlog.

The queue is the store, read a page at a time; this only decides what is next, and dispatch.py how it goes. It sleeps on
an event, never on a timer of its own: serving/schedule.py, a press, a number that arrived or a line that came back wake
it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractContextManager
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.ports import Clock, Store, Transaction, Unsent
from agent.services.delivery.backlog_window import BacklogWindow
from agent.services.delivery.backoff import Backoff
from agent.services.delivery.batch_breaker import LARGEST
from agent.services.delivery.batches import SLICE, BatchSender
from agent.services.delivery.dispatch import Dispatcher
from agent.services.delivery.doubts import Doubts
from agent.services.delivery.sender import InvoiceSender
from agent.services.outages.deadline_updates import DeadlineUpdater
from agent.services.outages.mode import CurrentMode
from agent.services.pages import pages
from agent.services.presses import Presses

PAGE = 500
"""Invoices read at once."""
REST = 4.0
"""Times the reading of the queue took, rested before the next pass: every press wakes one, also behind ten thousand."""

ReadPage = Callable[[Unsent | None, Transaction], Awaitable[list[Unsent]]]
"""Reads what follows an invoice, at most PAGE."""

NEWS_SECONDS = 2.0
"""A batch of which there is news is asked after so long: what becomes of it comes in bunches."""


class SendQueue:
    """Brings everything unsent to KSeF."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        mode: CurrentMode,
        deadlines: DeadlineUpdater,
        sender: InvoiceSender,
        batches: BatchSender,
        dispatcher: Dispatcher,
        doubts: Doubts,
        window: BacklogWindow,
        presses: Presses,
        wake: asyncio.Event,
    ) -> None:
        """``wake``: set by whoever has something to send."""
        self._store = store
        self._clock = clock
        self._mode = mode
        self._deadlines = deadlines
        self._sender = sender
        self._batches = batches
        self._dispatcher = dispatcher
        self._doubts = doubts
        self.window = window
        self._presses = presses
        self._wake = wake
        self._asking = Backoff(clock)
        """By session where it is a batch or holds doubts, by invoice otherwise."""
        self._reading_took = 0.0

    def press_under_way(self) -> AbstractContextManager[None]:
        """Let the backlog stand back."""
        return self._dispatcher.press_under_way()

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    async def send_now(self) -> int:
        """Send what waits, whatever the hour; return how many invoices KSeF does not have yet."""
        self.window.order(await self._store.read(lambda tx: tx.invoices.last_place()))
        self.wake()
        return sum(each.invoices for each in await self._store.read(lambda tx: tx.invoices.queue_counts()))

    async def ask_now(self, references: Collection[str]) -> None:
        """Ask for what there is news of, by its references; the rest of the queue takes its turn."""
        async for record in self._in_state(InvoiceState.SENT):
            if record.invoice_ref in references and not self._sender.busy(record.id):
                await self._sender.ask(record.id)
        for session in await self._store.read(lambda tx: tx.invoices.asked_sessions()):
            self._asking.hurry(session, NEWS_SECONDS)  # what went together has no reference of its own
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

    async def _resolve_doubts(self) -> None:
        """Ask by session: one list ends all doubts of a batch, and a session that cannot be asked waits."""
        self._doubts.forget_lists()
        async for record in self._in_state(InvoiceState.IN_DOUBT):
            if not self._sender.due([record]):
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
            if record.invoice_ref and self._asking.due(record.id) and self._sender.due([record], together=True):
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
                members += self._sender.due(page, together=True)  # asking is no send
            if members:
                self._asking.asked(session)
                await self._batches.ask(session, members)

    async def _send_waiting(self) -> None:
        """Go along what waits, as much at a time as one batch takes."""
        corrections = await self._store.read(self.window.corrections)
        last: Unsent | None = None
        found: list[Unsent] = []
        while self._mode.may_send() and self._dispatcher.something_may_leave():
            page = await self._read(_waiting, last)
            held = self.window.waiting(page, corrections)
            found += [each for each in self._sender.due(page, together=True) if each.id not in held]
            whole = len(page) < PAGE
            if found and (whole or len(found) >= LARGEST):
                if not await self._dispatcher.send(found):
                    return
                found = []
            if whole:
                return
            last = page[-1]


async def _waiting(after: Unsent | None, tx: Transaction) -> list[Unsent]:
    return await tx.invoices.waiting(PAGE, after)


async def _of_session(session: str, after: Unsent | None, tx: Transaction) -> list[Unsent]:
    return await tx.invoices.in_session(session, PAGE, after)
