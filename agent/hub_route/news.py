"""Reporting to the hub and hearing from it: heartbeats out, news and outcomes in. The till works on without it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Protocol

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.hub_contract.heartbeat import Heartbeat, News
from agent.hub_route.chain import Chain
from agent.hub_route.client import HubRefusal
from agent.hub_route.gateway import handover
from agent.hub_route.refusals import from_json, is_refusal, why
from agent.ports import CallOutcome, Event, Json, KsefError, Outgoing, Store, Transaction

LOG = logging.getLogger("agent.hub")
CURSOR = "hub:cursor"
"""In the notebook: how far the outcomes were read; moved after what they tell was made durable."""
WAIT_SECONDS = 25.0
"""How long the hub holds the question for outcomes back."""
BOOKED = "hub:books"
"""In the notebook: the event of the log up to which the hub has the invoices that are never sent."""
EVENTS_AT_ONCE = 500
REFUSED = "hub:books:refused"
"""In the notebook: id of each that the hub refused for its books, and why."""
MOST_REFUSED = 500
"""So many are kept; what comes after them waits: it is no longer about one invoice."""
AGAIN_SECONDS = 3600.0
"""How often what was refused is offered again: what kept it out, a series for instance, may be mended."""
EXEMPT = "EXEMPT"
"""The name under which they are handed over."""
REST_SECONDS = 5.0
"""Between attempts while the hub does not answer."""
SILENT_SECONDS = 300.0
"""A hub that was not heard for so long is a problem people should know of."""


class Told(Protocol):
    """Who asks for invoices the hub told of (agent/services/delivery/queue.py)."""

    async def ask_now(self, references: Collection[str]) -> None:
        """Ask what became of them, and make it durable."""
        ...


class Reporter:
    """One till's talk with its hub."""

    def __init__(
        self,
        chain: Chain,
        store: Store,
        told: Told,
        *,
        beat: Callable[[], Heartbeat],
        late: Callable[[], Awaitable[frozenset[str]]],
        changed: Callable[[], None],
    ) -> None:
        self._chain = chain
        self._store = store
        self._told = told
        self._beat = beat
        self._late = late
        self._changed = changed
        self._heard_at = chain.clock.monotonic()
        self._refusal: str | None = None
        self._certificate_trouble: str | None = None
        self._refusals = chain.refusals
        self._offered_again_at: float | None = None

    def problem(self) -> tuple[str, bool] | None:
        """What people should know of, in Polish, and whether it is critical."""
        if self._refusal is not None:
            return self._refusal, True
        silent = self._chain.clock.monotonic() - self._heard_at
        if silent >= SILENT_SECONDS:
            return f"Centrala nie odpowiada od {int(silent // 60)} min. Faktury czekają na kasie.", False
        said = [each for each in (self._certificate_trouble, self._refusals.problem()) if each is not None]
        return (" ".join(said), False) if said else None

    async def report(self) -> None:
        """Give a sign of life and take over the news; trouble with the hub is noted, never raised."""
        self._chain.gateway.late = await self._late()
        try:
            news = await self._chain.client.heartbeat(self._beat())
        except KsefError as error:
            self._note(error)
            return
        self._note(None)
        self._chain.gateway.hub.hear(news)
        self._chain.latarnia.hear(news)
        await self._follow_certificate(news)

    async def _follow_certificate(self, news: News) -> None:
        before, held = self._certificate_trouble, self._chain.certificate.serial
        self._certificate_trouble = await self._chain.certificate.follow(news)
        if (before, held) != (self._certificate_trouble, self._chain.certificate.serial):
            self._changed()

    async def hear(self) -> None:
        """Wait for outcomes once, let them be asked for, and move the cursor."""
        kept = await self._store.read(lambda tx: tx.key_values.get(CURSOR))
        cursor = kept if isinstance(kept, str) else ""
        try:
            lines, after, anew = await self._chain.client.outcomes(cursor, WAIT_SECONDS)
        except KsefError:
            await self._chain.clock.sleep(REST_SECONDS)
            return
        if anew:
            self._chain.gateway.hub.forgot = True
            await self._store.write(lambda tx: tx.key_values.put(BOOKED, None))
        if lines:
            await self._told.ask_now({line.status.sha256.hex() for line in lines})
        if after != cursor:
            await self._store.write(lambda tx: _move(tx, after))

    async def keep_books(self) -> None:
        """Hand over, for the hub's books, what is never sent; what the hub cannot take now waits for the next time.

        What it refuses is told (Refusals), offered again every hour, and keeps nothing else from it.
        """
        kept, refused = await self._store.read(_books)
        self._note_refused(refused)
        if not await self._offer_again(refused):
            return
        cursor = kept
        while events := await self._store.read(partial(_events, cursor)):
            for event in events:
                if event.kind != EventKind.EXEMPT or not event.invoice_id:
                    continue
                if len(refused) >= MOST_REFUSED or not await self._kept(event.invoice_id, refused):
                    await self._store.write(partial(_refused, refused))
                    return
            cursor = events[-1].seq
            await self._store.write(partial(_booked, cursor, refused))

    async def _offer_again(self, refused: dict[str, str]) -> bool:
        """Offer what was refused, where an hour is over; False where the hub cannot take it now."""
        now = self._chain.clock.monotonic()
        if not refused or (self._offered_again_at is not None and now - self._offered_again_at < AGAIN_SECONDS):
            return True
        self._offered_again_at = now
        for invoice_id in tuple(refused):
            if not await self._kept(invoice_id, refused):
                return False
        await self._store.write(partial(_refused, refused))
        return True

    async def _kept(self, invoice_id: str, refused: dict[str, str]) -> bool:
        """Hand one over, and note in ``refused`` whether the hub refuses it; False where it cannot take it now."""
        record = await self._store.read(lambda tx: tx.invoices.get(invoice_id))
        if record.state is InvoiceState.EXEMPT and record.xml:
            what = Outgoing(record.id, record.xml, record.sha256, offline=True, mode=record.mode.value)
            try:
                await self._chain.client.keep(handover(what, EXEMPT))
            except KsefError as error:
                if not is_refusal(error):
                    return False
                if invoice_id not in refused:
                    LOG.warning("the hub does not take %s for its books: %s", record.number, error.message)
                refused[invoice_id] = why(record.number, error)
                self._note_refused(refused)
                return True
        refused.pop(invoice_id, None)
        self._note_refused(refused)
        return True

    def _note_refused(self, refused: Mapping[str, str]) -> None:
        if refused != self._refusals.of_books:
            self._refusals.of_books = dict(refused)
            self._changed()

    def _note(self, error: KsefError | None) -> None:
        before = self._refusal
        if error is None:
            self._heard_at = self._chain.clock.monotonic()
            self._refusal = None
        elif isinstance(error, HubRefusal) and error.outcome is CallOutcome.REFUSED:
            self._heard_at = self._chain.clock.monotonic()
            self._refusal = error.message
        if before != self._refusal:
            self._changed()


async def _move(tx: Transaction, cursor: Json) -> None:
    await tx.key_values.put(CURSOR, cursor)


async def _events(cursor: int, tx: Transaction) -> list[Event]:
    return await tx.events.after(cursor, EVENTS_AT_ONCE)


async def _books(tx: Transaction) -> tuple[int, dict[str, str]]:
    kept = await tx.key_values.get(BOOKED)
    return kept if isinstance(kept, int) else 0, from_json(await tx.key_values.get(REFUSED))


async def _booked(cursor: int, refused: Mapping[str, str], tx: Transaction) -> None:
    await tx.key_values.put(BOOKED, cursor)
    await _refused(refused, tx)


async def _refused(refused: Mapping[str, str], tx: Transaction) -> None:
    await tx.key_values.put(REFUSED, dict(refused) or None)
