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
from agent.ports import Event, KsefError, Outgoing, Store, Transaction
from agent.services.hub_copies import note_refused, refused_copies, settled_copies

BOOKED = "hub:books"
"""In the notebook: the event of the log up to which the hub has the invoices that are never sent."""
EVENTS_AT_ONCE = 500
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
        self._closings = Closings(chain.client, store)

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
            await self._store.write(partial(note_refused, self._refused.reasons))
        finally:
            if before != self._refused.reasons:
                self._changed()

    async def _hand_over(self) -> None:
        cursor, self._refused.reasons = await self._store.read(_books)
        await self._offer_again()
        while events := await self._store.read(partial(_events, cursor)):
            for event in events:
                if event.kind != EventKind.EXEMPT or not event.invoice_id:
                    continue
                if len(self._refused.reasons) >= MOST_REFUSED:
                    await self._store.write(partial(note_refused, self._refused.reasons))
                    return
                await self._offer(event.invoice_id)
            cursor = events[-1].seq
            await self._store.write(partial(_note_booked, cursor, self._refused.reasons))

    async def _offer_again(self) -> None:
        """Offer what was refused, where an hour is over."""
        now = self._chain.clock.monotonic()
        due = self._offered_again_at is None or now - self._offered_again_at >= AGAIN_SECONDS
        if not self._refused.reasons or not due:
            return
        self._offered_again_at = now
        for invoice_id in tuple(self._refused.reasons):
            await self._offer(invoice_id)
        await self._store.write(partial(note_refused, self._refused.reasons))

    async def _offer(self, invoice_id: str) -> None:
        """Hand one over, if it is exempt still and no manager closed its case. KsefError: the hub can take none now."""
        record, settled = await self._store.read(partial(_copy, invoice_id))
        if settled or record.state is not InvoiceState.EXEMPT or not record.xml:
            self._refused.forget(invoice_id)
            return
        copy = Outgoing(record.id, record.xml, record.sha256, offline=True, mode=record.mode.value)
        await self._refused.offer(record, self._chain.client.keep(handover(copy, EXEMPT)))


async def _events(cursor: int, tx: Transaction) -> list[Event]:
    return await tx.events.after(cursor, EVENTS_AT_ONCE)


async def _copy(invoice_id: str, tx: Transaction) -> tuple[InvoiceRecord, bool]:
    return await tx.invoices.get(invoice_id), invoice_id in await settled_copies(tx)


async def _books(tx: Transaction) -> tuple[int, dict[str, str]]:
    cursor = await tx.key_values.get(BOOKED)
    return cursor if isinstance(cursor, int) else 0, await refused_copies(tx)


async def _note_booked(cursor: int, refused: dict[str, str], tx: Transaction) -> None:
    await tx.key_values.put(BOOKED, cursor)
    await note_refused(refused, tx)
