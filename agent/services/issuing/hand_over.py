"""From the stored document to the paper: KSeF within the budget, then whatever paper is right by then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.domain.outages.modes import ModeDecision, refused_before_paper
from agent.domain.rejection import number_taken
from agent.ports import Clock, KsefGateway, ReadyPrinter, Store, Transaction
from agent.services.background import BackgroundTasks
from agent.services.corrections.pending_slip import PendingCorrectionSlip
from agent.services.delivery.queue import SendQueue
from agent.services.delivery.quota import backlog_share
from agent.services.delivery.sender import ASKING_SECONDS, InvoiceSender
from agent.services.issuing.idempotency import IssueOutcome
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.mode import CurrentMode
from agent.services.outages.mode_change import change_mode
from agent.services.paper import own_printing
from agent.services.paper.interrupted import RESTARTED
from agent.services.paper.outcomes import Noted
from agent.services.paper.printing import Printing, QueuedPrint, release_unused
from agent.services.signals import Signal

LEAST_SECONDS = 0.05
"""Whatever of the budget the press itself took, a send gets so long."""


class HandOver:
    """Sends and prints what a press has made durable."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        clock_check: ClockCheck,
        gateway: KsefGateway,
        mode: CurrentMode,
        sender: InvoiceSender,
        queue: SendQueue,
        printing: Printing,
        slip: PendingCorrectionSlip,
        tasks: BackgroundTasks,
        numbered: Signal,
        budget_seconds: float,
    ) -> None:
        """``budget_seconds``: from the press, for KSeF to give the number; ``numbered``: a KSeF number has come."""
        self._store = store
        self._clock = clock
        self._clock_check = clock_check
        self._gateway = gateway
        self._mode = mode
        self._sender = sender
        self._queue = queue
        self._printing = printing
        self._slip = slip
        self._tasks = tasks
        self._numbered = numbered
        self._budget = budget_seconds
        self._background = 0
        """Documents being sent that nobody waits for."""

    async def invoice(self, invoice_id: str, decision: ModeDecision, begun: float, *, at_counter: bool) -> None:
        """Bring a new invoice to KSeF where its mode says so, and to paper where somebody waits for it.

        ``begun``: when the press did, on the monotonic clock.
        """
        attempt = decision.attempt_online and not await self._store.read(partial(_outside_ksef, invoice_id))
        if not at_counter:
            if attempt:
                self._background += 1
                self._tasks.start(f"send-{invoice_id}", self._send_in_background(invoice_id))
            return
        if attempt:
            left = self._budget - (self._clock.monotonic() - begun)
            await self._send_within(invoice_id, max(left, LEAST_SECONDS))
            record = await self._store.read(lambda tx: tx.invoices.get(invoice_id))
            if record.state is InvoiceState.REJECTED and record.mode is not Mode.ONLINE:
                await self._store.write(partial(_never_issued, record))
            if record.state is InvoiceState.REJECTED or number_taken(record):
                return  # KSeF said no while the customer waits: this is no invoice, and no paper may call it one
        await self._print(invoice_id)

    def ready_printer(self, *, wanted: bool) -> AbstractAsyncContextManager[ReadyPrinter | None]:
        """Hold the printer for a document that is about to be made (Printing.ready_printer)."""
        return self._printing.ready_printer(wanted=wanted)

    async def queue_paper(self, made: InvoiceRecord, tx: Transaction, ready: ReadyPrinter | None) -> QueuedPrint:
        """Queue the paper of an invoice that waits for no answer of KSeF, in the transaction that makes it."""
        return await self._printing.queue_of(made, tx, ready)

    async def paper(self, queued: QueuedPrint) -> Noted | None:
        """Print what was queued with its invoice; return both as they stand then, where the store knows."""
        return await self._printing.print_at_counter(queued)

    async def rest(self, pressed: IssueOutcome, *, at_counter: bool) -> None:
        """Do what a press leaves to others: the queue sends, and a pending correction waits, with a slip to say so."""
        self._queue.wake()
        if pressed.held_id is None:
            return
        # It may wait behind an older correction whose base is there already, and that number wakes nobody again.
        self._numbered.set()
        if at_counter:
            await self._slip.print(pressed.held_id)

    async def first_papers(self, invoice_ids: Sequence[str]) -> None:
        """Print what a crash kept from its first paper: the cashier presses again because nothing came out."""
        for invoice_id in await self._store.read(partial(_without_paper, invoice_ids)):
            await self._update_mode(invoice_id)
            await self._print(invoice_id)

    async def first_slip(self, held_id: str) -> None:
        """Print what a crash kept from its first slip."""
        await self._slip.first(held_id)

    async def _print(self, invoice_id: str) -> None:
        if await self._store.read(lambda tx: own_printing.chosen(tx, invoice_id)):
            return
        async with self._printing.ready_printer() as ready:
            queued = await self._store.write(partial(self._printing.queue, invoice_id, ready=ready))
            await release_unused(ready, [queued])
            await self._printing.print_at_counter(queued)

    def sends_kept(self) -> bool:
        """Whether all that the limits still allow is kept for presses; what is being sent may not be counted yet."""
        return backlog_share(self._gateway.budget(), kept_for_presses=True).now <= self._background

    async def _send_in_background(self, invoice_id: str) -> None:
        try:
            await self._send_within(invoice_id, self._budget)
        finally:
            self._background -= 1

    async def _send_within(self, invoice_id: str, seconds: float) -> None:
        delivering = self._sender.deliver(invoice_id, max(seconds, ASKING_SECONDS), pressed=True)
        delivery = self._tasks.start(f"deliver-{invoice_id}", delivering)
        waiting = seconds if self._sender.session_in_time() else LEAST_SECONDS
        with self._queue.press_under_way():
            try:
                await self._clock.within(waiting, asyncio.shield(delivery))
            except TimeoutError:
                self._sender.waited(invoice_id)
        await self._update_mode(invoice_id)

    async def _update_mode(self, invoice_id: str) -> None:
        """After the budget: an invoice KSeF did not take in time, or not on its day, is an offline24 one."""
        await self._store.write(partial(self._mode_after_budget, invoice_id))

    async def _mode_after_budget(self, invoice_id: str, tx: Transaction) -> None:
        record = await tx.invoices.get(invoice_id)
        change = self._mode.after_budget(record, self._clock_check.best())
        if change is not None and record.mode is Mode.ONLINE:
            await change_mode(tx, invoice_id, record.mode, change)


async def _never_issued(record: InvoiceRecord, tx: Transaction) -> None:
    await change_mode(tx, record.id, record.mode, refused_before_paper())


async def _outside_ksef(invoice_id: str, tx: Transaction) -> bool:
    return (await tx.invoices.get(invoice_id)).outside_ksef


async def _without_paper(invoice_ids: Sequence[str], tx: Transaction) -> list[str]:
    return [each for each in invoice_ids if await _lacks_paper(tx, each)]


async def _lacks_paper(tx: Transaction, invoice_id: str) -> bool:
    record = await tx.invoices.get(invoice_id)
    if record.state is InvoiceState.REJECTED or number_taken(record) or not record.xml:
        return False
    if await own_printing.chosen(tx, invoice_id):
        return False
    jobs = await tx.prints.summaries(invoice_id)
    return all(job.state is PrintState.FAILED and job.problem == RESTARTED for job in jobs)
