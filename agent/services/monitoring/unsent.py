"""What KSeF does not have yet: how much, and the invoices that a problem may be about. A snapshot in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, timedelta
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.ports import Clock, Event, QueueCount, Store, Transaction, Unsent
from agent.services.delivery.backlog_window import BacklogWindow, HeldBack
from agent.services.elapsed import Since
from agent.services.outages.clock_check import ClockCheck

DOUBTS = frozenset({EventKind.IN_DOUBT, EventKind.SEND_FAILED})
"""Events that leave an invoice in doubt."""
NAMED = 100
"""Invoices of one kind (rejected, in doubt, deadline near or over) looked at singly; the others are counted."""


class UnsentInvoices:
    """Read anew at every refresh, at a cost that the queue's length does not change."""

    def __init__(self, store: Store, clock: Clock, clock_check: ClockCheck, window: BacklogWindow) -> None:
        self._store = store
        self._window = window
        self._clock = clock
        self._clock_check = clock_check
        self.counts: Sequence[QueueCount] = ()
        self.noted: Sequence[Unsent] = ()
        """Rejected, in doubt, or of a pressing deadline: at most NAMED of each."""
        self.held = HeldBack()
        """What waits for a window of sync.backlog_hours."""
        self._since: dict[str, tuple[InvoiceState, Since]] = {}

    async def refresh(self, pressing: Callable[[Collection[date]], Collection[date]]) -> None:
        """Read how much waits, and what a problem may be about. ``pressing``: which deadlines are near or over."""
        counts, self.held = await self._store.read(self._counted)
        days = pressing({each.deadline for each in counts if each.deadline is not None})
        noted = await self._store.read(partial(_noted, max(days, default=None)))
        self._since = await self._states(noted)
        self.counts, self.noted = counts, noted

    async def _counted(self, tx: Transaction) -> tuple[list[QueueCount], HeldBack]:
        return await tx.invoices.queue_counts(), await self._window.held_back(tx)

    def began(self, record: Unsent, now: datetime) -> datetime:
        """Return when its state began, by the best known time, which the length of time is right for."""
        return now - timedelta(seconds=self._since[record.id][1].seconds(self._clock))

    async def _states(self, noted: Sequence[Unsent]) -> dict[str, tuple[InvoiceState, Since]]:
        now = Since.now(self._clock)
        states = {}
        for record in noted:
            before = self._since.get(record.id)
            if before is not None and before[0] is record.state:
                states[record.id] = before
            elif record.state is InvoiceState.IN_DOUBT:
                states[record.id] = (record.state, await self._in_doubt_since(record.id))
            else:
                states[record.id] = (record.state, now)
        return states

    async def _in_doubt_since(self, invoice_id: str) -> Since:
        """Return when the log says the doubt began: a restart must not make it young again."""
        began = [event.at for event in await self._store.read(partial(_log, invoice_id)) if event.kind in DOUBTS]
        if not began:
            return Since.now(self._clock)
        return Since.recalled(began[-1], self._clock_check.best(), self._clock)


async def _noted(until: date | None, tx: Transaction) -> list[Unsent]:
    found = await tx.invoices.in_state(InvoiceState.IN_DOUBT, NAMED)
    found += await tx.invoices.in_state(InvoiceState.REJECTED, NAMED)
    if until is not None:
        found += await tx.invoices.due(until, NAMED)
    return list({each.id: each for each in found}.values())


async def _log(invoice_id: str, tx: Transaction) -> list[Event]:
    return await tx.events.of_invoice(invoice_id)
