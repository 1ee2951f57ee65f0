"""Reporting to the hub and hearing from it: heartbeats out, news and outcomes in. The till works on without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Protocol

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.hub_contract.heartbeat import Heartbeat, News
from agent.hub_route.chain import Chain
from agent.hub_route.client import HubRefusal
from agent.hub_route.gateway import handover
from agent.ports import CallOutcome, Event, Json, KsefError, Outgoing, Store, Transaction

CURSOR = "hub:cursor"
"""In the notebook: how far the outcomes were read; moved after what they tell was made durable."""
WAIT_SECONDS = 25.0
"""How long the hub holds the question for outcomes back."""
BOOKED = "hub:books"
"""In the notebook: the event of the log up to which the hub has the invoices that are never sent."""
EVENTS_AT_ONCE = 500
WAIT_FOR = frozenset({"not-found", "token-unknown", "token-missing", "till-name-duplicate"})
"""Refusals that end: a hub of an older version, or one that does not know this till now. Others never will."""
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

    def problem(self) -> tuple[str, bool] | None:
        """What people should know of, in Polish, and whether it is critical."""
        if self._refusal is not None:
            return self._refusal, True
        silent = self._chain.clock.monotonic() - self._heard_at
        if silent < SILENT_SECONDS:
            return None if self._certificate_trouble is None else (self._certificate_trouble, False)
        return f"Centrala nie odpowiada od {int(silent // 60)} min. Faktury czekają na kasie.", False

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
        """Hand over, for the hub's books, what is never sent; what the hub cannot take now waits for the next time."""
        kept = await self._store.read(lambda tx: tx.key_values.get(BOOKED))
        cursor = kept if isinstance(kept, int) else 0
        while events := await self._store.read(partial(_events, cursor)):
            for event in events:
                if event.kind == EventKind.EXEMPT and event.invoice_id and not await self._kept(event.invoice_id):
                    return
            cursor = events[-1].seq
            await self._store.write(partial(_booked, cursor))

    async def _kept(self, invoice_id: str) -> bool:
        """Hand one over; False where the hub cannot take it now. One it refuses is passed over: it never will."""
        record = await self._store.read(lambda tx: tx.invoices.get(invoice_id))
        if record.state is not InvoiceState.EXEMPT or not record.xml:
            return True
        what = Outgoing(record.id, record.xml, record.sha256, offline=True, mode=record.mode.value)
        try:
            await self._chain.client.keep(handover(what, EXEMPT))
        except HubRefusal as error:
            return error.outcome is CallOutcome.REFUSED and error.problem_code not in WAIT_FOR
        except KsefError:
            return False
        return True

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


async def _booked(cursor: int, tx: Transaction) -> None:
    await tx.key_values.put(BOOKED, cursor)
