"""What KSeF does not have yet, and since when each of it stands as it does: a snapshot in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.ports import Clock, Event, Store, Transaction, Unsent
from agent.services.elapsed import Since
from agent.services.outages.clock_check import ClockCheck

DOUBTS = frozenset({EventKind.IN_DOUBT, EventKind.SEND_FAILED})
"""Events that leave an invoice in doubt."""


class UnsentInvoices:
    """Read anew at every refresh; only how long a state lasts is remembered in between."""

    def __init__(self, store: Store, clock: Clock, clock_check: ClockCheck) -> None:
        self._store = store
        self._clock = clock
        self._clock_check = clock_check
        self.now: Sequence[Unsent] = ()
        self._since: dict[str, tuple[InvoiceState, Since]] = {}

    async def refresh(self) -> None:
        """Read the queue."""
        unsent = await self._store.read(lambda tx: tx.invoices.queue())
        self._since = await self._states(unsent)
        self.now = unsent

    def began(self, record: Unsent, now: datetime) -> datetime:
        """Return when its state began, by the best known time, which the length of time is right for."""
        return now - timedelta(seconds=self._since[record.id][1].seconds(self._clock))

    async def _states(self, unsent: Sequence[Unsent]) -> dict[str, tuple[InvoiceState, Since]]:
        now = Since.now(self._clock)
        states = {}
        for record in unsent:
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


async def _log(invoice_id: str, tx: Transaction) -> list[Event]:
    return await tx.events.of_invoice(invoice_id)
