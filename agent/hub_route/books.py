"""Copies for the hub's books of invoices that are never sent: it would not know of them otherwise."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.hub_route.chain import Chain
from agent.hub_route.closings import Closings
from agent.hub_route.gateway import handover
from agent.hub_route.log_position import LogPosition
from agent.ports import KsefError, Outgoing, Store, Transaction
from agent.services.hub_copies import note_refused, refused_copies, settled_copies

BOOKED = "hub:books"
"""In the notebook: the event of the log up to which the hub has the invoices that are never sent."""
MOST_REFUSED = 500
"""So many are remembered; what comes after them waits: it is no longer about one invoice."""
AGAIN_SECONDS = 3600.0
"""How often what was refused is offered again: what kept it out, a series for instance, may be mended."""
EXEMPT = "EXEMPT"
"""The name under which they are handed over."""


class HubBooks:
    """Hands over what is never sent, in the order of the log, and tells what was closed."""

    def __init__(self, chain: Chain, store: Store, changed: Callable[[], None]) -> None:
        self._chain = chain
        self._store = store
        self._changed = changed
        self._refused = chain.refusals.of_books
        self._offered_again_at: float | None = None
        self._kept: dict[str, str] = {}
        """What the notebook says was refused."""
        self._closings = Closings(chain.client, store)
        self._log = LogPosition(store, BOOKED)

    async def hand_over(self) -> None:
        """Hand over what the hub does not have; what it cannot take now waits for the next time.

        What it refuses, people hear of (Refusals); it is offered again every hour, and holds up nothing else; what a
        manager has seen to is neither.
        """
        before = dict(self._refused.reasons)
        with suppress(KsefError):  # the next time
            await self._closings.tell()
        try:
            await self._hand_over()
        except KsefError:
            await self._keep_refused()
        finally:
            if before != self._refused.reasons:
                self._changed()

    async def _hand_over(self) -> None:
        self._kept = await self._store.read(refused_copies)
        self._refused.reasons = dict(self._kept)
        await self._offer_again()
        while events := await self._log.next_events():
            exempt = [each.invoice_id for each in events if each.kind == EventKind.EXEMPT and each.invoice_id]
            for invoice_id in exempt:
                if len(self._refused.reasons) >= MOST_REFUSED:
                    await self._keep_refused()
                    return
                await self._offer(invoice_id)
            await self._keep_refused()  # before the place behind them: a crash in between offers them again
            await self._log.passed(events, done=bool(exempt))

    async def _offer_again(self) -> None:
        """Offer what was refused, where an hour is over."""
        now = self._chain.clock.monotonic()
        due = self._offered_again_at is None or now - self._offered_again_at >= AGAIN_SECONDS
        if not self._refused.reasons or not due:
            return
        self._offered_again_at = now
        for invoice_id in tuple(self._refused.reasons):
            await self._offer(invoice_id)
        await self._keep_refused()

    async def _keep_refused(self) -> None:
        if self._refused.reasons != self._kept:
            await self._store.write(partial(note_refused, self._refused.reasons))
            self._kept = dict(self._refused.reasons)

    async def _offer(self, invoice_id: str) -> None:
        """Hand one over, if it is exempt still and no manager closed its case. KsefError: the hub can take none now."""
        record, settled = await self._store.read(partial(_copy, invoice_id))
        if settled or record.state is not InvoiceState.EXEMPT or not record.xml:
            self._refused.forget(invoice_id)
            return
        copy = Outgoing(record.id, record.xml, record.sha256, offline=True, mode=record.mode.value)
        await self._refused.offer(record, self._chain.client.keep(handover(copy, EXEMPT)))


async def _copy(invoice_id: str, tx: Transaction) -> tuple[InvoiceRecord, bool]:
    return await tx.invoices.get(invoice_id), invoice_id in await settled_copies(tx)
