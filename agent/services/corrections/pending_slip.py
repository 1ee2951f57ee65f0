"""The slip that tells a customer that a correction is pending: no invoice and no print job, the log remembers it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from functools import partial

from agent.domain.calendar import local_date
from agent.domain.callers import Caller
from agent.domain.corrections.correction import Correction
from agent.domain.errors import Conflict, Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.fa3.view.read import read_heading
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import HeldState
from agent.domain.paper.compose import PendingSlip, compose_pending_slip
from agent.domain.paper.receipt import Receipt
from agent.ports import Clock, Event, HeldCorrection, Json, Outcome, Printer, ReceiptRenderer, Store, Transaction
from agent.services.background import BackgroundTasks
from agent.services.corrections.pending import existing, stored
from agent.services.corrections.slip_log import cut_off, due, handed_out, never_begun, of_slip
from agent.services.paper.outcomes import PAUSE_SECONDS
from agent.services.paper.printing import PAPER_SECONDS


class PendingCorrectionSlip:
    """Prints it: once at the press, or at its repeat after a crash; again when a person asks."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        tasks: BackgroundTasks,
        printer: Printer,
        renderer: ReceiptRenderer,
        footer: Sequence[str],
    ) -> None:
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._printer = printer
        self._renderer = renderer
        self._footer = tuple(footer)
        self._running: dict[str, asyncio.Task[None]] = {}
        """By held correction: its slip that is being printed, or waits for the printer."""

    async def print(self, held_id: str) -> None:
        """Print one, and wait for it as long as for a paper; every copy after the first is marked.

        It is printed to its end, whoever stops waiting: a printer that is busy or without paper goes on later.
        """
        held = await self._store.read(partial(existing, held_id))
        receipt = await self._receipt(held, stored(held))
        printing = self._running.get(held_id)
        if printing is None:  # else it comes out already, and a second one would be no copy to the customer
            printing = self._tasks.start(f"slip-{held.id}", self._print(held, receipt), awaited=True)
            self._running[held_id] = printing
            printing.add_done_callback(lambda _: self._running.pop(held_id, None))
        try:
            await self._clock.within(PAPER_SECONDS, asyncio.shield(printing))
        except TimeoutError:
            self._tasks.start(f"slip-rest-{held.id}", _rest_of(printing))

    async def first(self, held_id: str) -> None:
        """Print what a crash kept from its first slip, while the correction waits."""
        held = await self._store.read(partial(existing, held_id))
        _, events = await self._store.read(partial(_base_and_log, held.base_id))
        wanted = held.state is HeldState.WAITING and due(events, held_id) is not False
        if wanted and never_begun(of_slip(events, held_id)):
            await self.print(held_id)

    async def recover(self) -> None:
        """Note what a crash left behind; called once at start."""
        await self._store.write(_note_restart)

    async def reprint(self, held_id: str, caller: Caller) -> None:
        """Print it again, marked; Conflict once the correction does not wait any more."""
        await self._store.write(partial(_note_wish, held_id, caller))
        await self.print(held_id)

    async def _receipt(self, held: HeldCorrection, correction: Correction) -> Receipt:
        record, events = await self._store.read(partial(_base_and_log, held.base_id))
        heading = read_heading(record.xml)
        slip = PendingSlip(
            seller=heading.seller,
            buyer=heading.buyer,
            base_number=record.number,
            base_issued_on=record.issued_on,
            accepted_on=local_date(held.created_at),
            reason=correction.reason,
            difference=correction.totals.gross,
            currency=correction.currency,
            deposits=correction.deposits,
            due=correction.due,
            in_ksef=record.receives_in_ksef,
            in_total_failure=correction.in_total_failure,
            others=tuple(base.number for base in correction.bases if base.number != record.number),
        )
        copy = handed_out(of_slip(events, held.id)) + 1
        return compose_pending_slip(slip, copy=copy, footer=self._footer)

    async def _print(self, held: HeldCorrection, receipt: Receipt) -> None:
        result = await self._printer.print(
            lambda name: self._renderer.encode(name, receipt), partial(self._about_to_leave, held)
        )
        done = result.outcome is Outcome.DONE
        facts = {"held": held.id, "problem": result.problem, "outcome": result.outcome.value}
        kind = EventKind.SLIP_PRINTED if done else EventKind.SLIP_FAILED
        try:
            await self._note(held, kind, facts)
        except Unavailable:  # a full disk; until it is noted, nobody is told that the slip is there, or is not
            self._tasks.start(f"slip-outcome-{held.id}", self._note_later(held, kind, facts))

    async def _note_later(self, held: HeldCorrection, kind: EventKind, facts: Mapping[str, Json]) -> None:
        """Note what became of a slip once the store takes it, unless another one has begun meanwhile."""
        _, events = await self._store.read(partial(_base_and_log, held.base_id))
        known = len(of_slip(events, held.id))
        while True:
            await self._clock.sleep(PAUSE_SECONDS)
            with contextlib.suppress(Unavailable):
                await self._store.write(partial(_note_if_newest, held, kind, facts, known))
                return

    async def _about_to_leave(self, held: HeldCorrection, printer: str, data: bytes) -> None:
        await self._note(held, EventKind.SLIP_PRINTING, {"held": held.id, "printer": printer, "bytes": len(data)})

    async def _note(self, held: HeldCorrection, kind: EventKind, data: Mapping[str, Json]) -> None:
        await self._store.write(lambda tx: tx.events.append(kind, data, held.base_id))


async def _base_and_log(base_id: str, tx: Transaction) -> tuple[InvoiceRecord, list[Event]]:
    return await tx.invoices.get(base_id), await tx.events.of_invoice(base_id)


async def _rest_of(printing: asyncio.Task[None]) -> None:
    """Await what nobody waits for any more, so that its defects are not lost."""
    await printing


async def _note_if_newest(
    held: HeldCorrection, kind: EventKind, facts: Mapping[str, Json], known: int, tx: Transaction
) -> None:
    if len(of_slip(await tx.events.of_invoice(held.base_id), held.id)) == known:
        await tx.events.append(kind, facts, held.base_id)


async def _note_restart(tx: Transaction) -> None:
    for held in await tx.held.waiting():
        events = await tx.events.of_invoice(held.base_id)
        slip = of_slip(events, held.id)
        left = cut_off(slip)
        if left is not None and (slip or due(events, held.id)):
            await tx.events.append(EventKind.SLIP_FAILED, {"held": held.id, **left}, held.base_id)


async def _note_wish(held_id: str, caller: Caller, tx: Transaction) -> None:
    held = await existing(held_id, tx)
    if held.state is not HeldState.WAITING:
        text = "Ta korekta już nie czeka: jest wystawiona albo nie można jej wystawić."
        raise Conflict(text, code="correction-not-waiting")
    await tx.events.append(EventKind.SLIP_REPRINT, {"by": caller.name, "held": held_id}, held.base_id)
