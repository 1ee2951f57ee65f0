"""Signed webhooks to the shop's system and to whoever hears alerts: at least once, in order, with replay.

The outbox is the event log itself; each subscriber has a durable cursor in the notebook. A message is delivered
again until the subscriber answers 2xx, so it may see one twice: ``id`` tells (agent.domain.monitoring.webhook_ids).
One that is never taken holds back all that follow: order is worth more than progress, and an alert says so.

The body is UTF-8 JSON, signed as signing.py tells; docs/webhooks.md tells the receiver's side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from functools import partial

from agent.domain.callers import Caller
from agent.domain.errors import BadInput, Conflict, FieldError
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.monitoring.webhook_ids import NOTE, WebhookIds
from agent.domain.values import dataclass
from agent.ports import Clock, Event, Json, Store, Transaction, WebhookSender
from agent.services.elapsed import Since
from agent.services.monitoring.signing import signed
from agent.services.signals import Signal

INVOICE_TYPES: Mapping[str, str] = {
    EventKind.ISSUED: "invoice.issued",
    EventKind.ACCEPTED: "invoice.accepted",
    EventKind.REJECTED: "invoice.rejected",
    EventKind.COLLISION: "invoice.rejected",
    EventKind.CORRECTED: "invoice.corrected",
    EventKind.CORRECTION_HELD: "correction.held",
    EventKind.CORRECTION_REFUSED: "correction.refused",
}
ALERT_TYPES: Mapping[str, str] = {EventKind.ALERT_STARTED: "alert.started", EventKind.ALERT_ENDED: "alert.ended"}
PAUSES = (1.0, 5.0, 15.0, 60.0, 300.0)
"""Seconds before each repeat of a refused delivery; the last one goes on for ever."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """How far a webhook subscriber is. ``cursor`` and ``newest`` are ids of events."""

    name: str
    url: str
    cursor: int
    """Everything up to here was taken, or concerns it not."""
    newest: int
    failing_with: str | None
    failing_since: datetime | None
    waiting: int
    """Events after the cursor."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who hears what. ``types`` maps event kinds to message types."""

    name: str
    url: str
    secret: bytes = field(repr=False)
    types: Mapping[str, str] = field(default_factory=dict)
    replayable: bool = True
    """Alerts are not: what was wrong last week alarms nobody usefully."""


class Outbox:
    """Delivers to one subscriber."""

    def __init__(
        self,
        sender: WebhookSender,
        subscriber: Subscriber,
        *,
        store: Store,
        clock: Clock,
        now: Callable[[], datetime],
        changed: Signal,
        till: str,
    ) -> None:
        """``now()``: the best known time: a receiver refuses signatures that are not of now."""
        self._store = store
        self._clock = clock
        self._changed = changed
        self._till = till
        self._sender = sender
        self._now = now
        self.undelivered: tuple[str, Since] | None = None
        """With what the subscriber refuses, and since when."""
        self._subscriber = subscriber
        self._cursor = f"outbox:{subscriber.name}"
        self._trouble = f"outbox-trouble:{subscriber.name}"
        self._ids = WebhookIds()
        self._seen: int | None = None
        """Everything up to here was delivered or concerns nobody; may be ahead of the durable cursor."""
        self._replays = 0
        self._moving = asyncio.Lock()
        """Held while the cursor is read or moved: a pass sees it before a replay, or after it, never in between."""

    @property
    def name(self) -> str:
        """Of the subscriber."""
        return self._subscriber.name

    @property
    def replayable(self) -> bool:
        """Whether replay() makes sense for this subscriber."""
        return self._subscriber.replayable

    async def load(self) -> None:
        """Read back since when the subscriber refuses, or begin with a new one; called once at start."""
        self._ids = WebhookIds.kept(await self._store.read(lambda tx: tx.key_values.get(NOTE)))
        kept = await self._store.read(lambda tx: tx.key_values.get(self._trouble))
        if isinstance(kept, Mapping):
            since = datetime.fromisoformat(str(kept["since"]))
            recalled = Since.recalled(since, self._now(), self._clock)
            self.undelivered = (str(kept["problem"]), recalled)
        else:
            await self._store.write(self._begin)

    async def run(self) -> None:
        """Deliver until cancelled."""
        refused, stuck_at = 0, None
        while True:
            news = self._changed.next()
            if await self.deliver_all():
                refused = 0
            else:  # of another message than before it is the first time
                refused, stuck_at = refused + 1 if self._seen == stuck_at else 1, self._seen
            if refused:
                await self._clock.sleep(PAUSES[min(refused, len(PAUSES)) - 1])
            else:
                await news

    async def deliver_all(self) -> bool:
        """Deliver everything after the cursor; False where the subscriber refused one."""
        while True:
            replays = self._replays
            async with self._moving:
                events = await self._store.read(self._next_page)
            if not events:
                return True
            for event in events:
                if event.kind in self._subscriber.types:
                    if not await self._deliver(event):
                        return False
                    await self._keep_cursor(event.seq, replays)
                if self._replays != replays:
                    break
                self._seen = event.seq
            else:
                if len(events) == PAGE:
                    await self._keep_cursor(events[-1].seq, replays)

    async def replay(self, from_id: int) -> None:
        """Deliver everything from ``from_id`` on again; one beyond the cursor leaves out what lies between."""
        newest = await self._store.read(lambda tx: tx.events.newest())
        most = self._ids.of(newest) + 1
        if not 1 <= from_id <= most:
            text = f"Numer zdarzenia musi być liczbą od 1 do {most}."
            raise BadInput(text, errors=(FieldError("/from", text, "not-allowed"),))
        cursor = self._ids.first_from(from_id) - 1
        async with self._moving:
            self._replays += 1  # first: a delivery under way must not move the cursor any more
            try:
                await self._store.write(lambda tx: tx.key_values.put(self._cursor, cursor))
            finally:
                self._seen = None
        self._changed.set()

    async def status(self) -> OutboxStatus:
        """How far the subscriber is, and what keeps it."""
        kept, newest = await self._store.read(partial(_progress, self._cursor))
        problem, since = self.undelivered or (None, None)
        cursor = max(self._seen or 0, kept if isinstance(kept, int) else 0)
        return OutboxStatus(
            self._subscriber.name,
            self._subscriber.url,
            self._ids.of(cursor),
            self._ids.of(newest),
            problem,
            None if since is None else since.at,
            waiting=max(0, newest - cursor),
        )

    async def _deliver(self, event: Event) -> bool:
        body, headers = signed(await self._message(event), self._subscriber.secret, self._now())
        headers["X-Ksef-Agent-Event"] = str(self._ids.of(event.seq))
        status = await self._sender.post(self._subscriber.url, body, headers)
        if isinstance(status, int) and 200 <= status < 300:
            await self._note_trouble(None)
            return True
        await self._note_trouble(f"HTTP {status}" if isinstance(status, int) else status)
        return False

    async def _note_trouble(self, problem: str | None) -> None:
        """Remember, also over a restart, since when the subscriber refuses."""
        before = self.undelivered
        if problem == (None if before is None else before[0]):
            return
        kept: dict[str, Json] | None = None
        if problem is None:
            self.undelivered = None
        else:
            since = Since.now(self._clock) if before is None else before[1]
            self.undelivered = (problem, since)
            kept = {"problem": problem, "since": since.at.isoformat()}
        await self._store.write(lambda tx: tx.key_values.put(self._trouble, kept))

    async def _message(self, event: Event) -> Mapping[str, Json]:
        message: dict[str, Json] = {
            "id": self._ids.of(event.seq),
            "type": self._subscriber.types[event.kind],
            "at": event.at.isoformat(),
            "till": self._till,
            "data": event.data,
        }
        if event.invoice_id is not None:
            invoice_id = event.invoice_id
            record = await self._store.read(lambda tx: tx.invoices.get(invoice_id))
            message["invoice"] = invoice_summary(record)
        return message

    async def _begin(self, tx: Transaction) -> None:
        """Start a new subscriber at now: a year of invoices is no news. Not one that has refused everything so far."""
        if await tx.key_values.get(self._cursor) is None:
            await tx.key_values.put(self._cursor, await tx.events.newest())

    async def _next_page(self, tx: Transaction) -> list[Event]:
        if self._seen is None:
            kept = await tx.key_values.get(self._cursor)
            self._seen = kept if isinstance(kept, int) else 0
        return await tx.events.after(self._seen, PAGE)

    async def _keep_cursor(self, seq: int, replays: int) -> None:
        """Make the cursor durable, unless a replay has moved it meanwhile."""
        async with self._moving:
            if replays == self._replays:
                await self._store.write(lambda tx: tx.key_values.put(self._cursor, seq))


async def _progress(cursor: str, tx: Transaction) -> tuple[Json, int]:
    return await tx.key_values.get(cursor), await tx.events.newest()


class Outboxes:
    """All subscribers."""

    def __init__(self, store: Store, outboxes: Sequence[Outbox]) -> None:
        self._store = store
        self._outboxes = outboxes

    def __iter__(self) -> Iterator[Outbox]:
        return iter(self._outboxes)

    async def load(self) -> None:
        """Read back since when each refuses; once at start."""
        for each in self._outboxes:
            await each.load()

    def undelivered(self) -> Mapping[str, tuple[str, Since]]:
        """Return by name with what each subscriber refuses, and since when; those that take everything are left out."""
        return {each.name: each.undelivered for each in self._outboxes if each.undelivered is not None}

    async def status(self) -> list[OutboxStatus]:
        """Return how far each is; empty where none is configured."""
        return [await each.status() for each in self._outboxes]

    async def replay(self, from_id: int, caller: Caller) -> list[OutboxStatus]:
        """Deliver again what the shop's system has lost, from that event on; alerts are not repeated.

        BadInput for a number that is none, Conflict where nobody is configured.
        """
        replayed = [each for each in self._outboxes if each.replayable]
        if not replayed:
            raise Conflict("Nie ustawiono adresu systemu sklepu (outbox.url).", code="no-outbox")
        for each in replayed:
            await each.replay(from_id)
        await self._store.write(
            lambda tx: tx.events.append(EventKind.OUTBOX_REPLAY, {"by": caller.name, "from": from_id})
        )
        return await self.status()


def invoice_summary(record: InvoiceRecord) -> Mapping[str, Json]:
    """Return what an order system needs to tie the sale to its invoice, as it stands at delivery."""
    return {
        "id": record.id,
        "number": record.number,
        "kind": record.kind,
        "external_ref": record.external_ref,
        "issued_on": record.issued_on.isoformat(),
        "mode": record.mode.value,
        "state": record.state.value,
        "ksef_number": record.ksef_number,
        "accepted_at": None if record.accepted_at is None else record.accepted_at.isoformat(),
        "deadline": None if record.deadline is None else record.deadline.isoformat(),
        "rejection": record.rejection,
        "corrects": record.base_id,
        "bases": [
            {"id": base.invoice_id, "number": base.number, "ksef_number": base.ksef_number} for base in record.bases
        ],
        "buyer": record.buyer.identifier,
        "buyer_email": record.buyer.email,
        "gross": str(record.totals.gross),
        "currency": record.totals.currency,
        "payments": [{"method": payment.method, "amount": str(payment.amount)} for payment in record.payments],
        "sha256": record.sha256.hex(),
    }
