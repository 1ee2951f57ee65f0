"""Signed webhooks to the shop's system and to whoever hears alerts: at least once, in order, with replay.

The outbox is the event log itself; each subscriber has a durable cursor in the notebook. A message is delivered
again until the subscriber answers 2xx, so it may see one twice: ``id`` (the event's sequence number) tells.

Signature: header ``X-Ksef-Agent-Signature: t=<unix seconds>,v1=<hex>``, HMAC-SHA256 with the shared secret over
``<t>.<body>``. The body is UTF-8 JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.domain.errors import BadInput, FieldError
from agent.domain.invoice import InvoiceRecord
from agent.ports import Event, Json, Transaction, WebhookSender
from agent.services.desk import Desk

INVOICE_TYPES: Mapping[str, str] = {
    "issued": "invoice.issued",
    "accepted": "invoice.accepted",
    "rejected": "invoice.rejected",
    "collision": "invoice.rejected",
    "corrected": "invoice.corrected",
}
ALERT_TYPES: Mapping[str, str] = {"alert_started": "alert.started", "alert_ended": "alert.ended"}
PAUSES = (1.0, 5.0, 15.0, 60.0, 300.0)
"""Seconds before each repeat of a refused delivery; the last one goes on for ever."""
PAGE = 200


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who hears what. ``types`` maps event kinds to message types."""

    name: str
    url: str
    secret: bytes = field(repr=False)
    types: Mapping[str, str] = field(default_factory=dict)


class Outbox:
    """Delivers to one subscriber."""

    def __init__(self, desk: Desk, sender: WebhookSender, subscriber: Subscriber) -> None:
        self._desk = desk
        self._sender = sender
        self._subscriber = subscriber
        self._cursor = f"outbox:{subscriber.name}"
        self.failing_with: str | None = None
        """What the newest delivery failed with; None while all is well."""

    async def run(self) -> None:
        """Deliver until cancelled."""
        refused = 0
        while True:
            news = self._desk.changed.next()
            refused = 0 if await self.deliver_all() else refused + 1
            if refused:
                await self._desk.clock.sleep(PAUSES[min(refused, len(PAUSES)) - 1])
            else:
                await news

    async def deliver_all(self) -> bool:
        """Deliver everything after the cursor; False where the subscriber refused one."""
        while True:
            events = await self._desk.store.read(self._next_page)
            if not events:
                return True
            done = events[0].seq - 1
            for event in events:
                if event.kind in self._subscriber.types:
                    if not await self._deliver(event):
                        await self._write_cursor(done)
                        return False
                    await self._write_cursor(event.seq)
                done = event.seq
            await self._write_cursor(done)

    async def replay(self, from_id: int) -> None:
        """Deliver everything from ``from_id`` on again."""
        if from_id < 1:
            raise BadInput("Numer zdarzenia musi być dodatni.", errors=(FieldError("/from", "Liczba od 1."),))
        await self._write_cursor(from_id - 1)
        self._desk.changed.set()

    async def _deliver(self, event: Event) -> bool:
        body = json.dumps(await self._message(event), ensure_ascii=False, separators=(",", ":")).encode()
        at = int(self._desk.now().timestamp())
        signature = hmac.new(self._subscriber.secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Ksef-Agent-Event": str(event.seq),
            "X-Ksef-Agent-Signature": f"t={at},v1={signature}",
        }
        status = await self._sender.post(self._subscriber.url, body, headers)
        taken = status is not None and 200 <= status < 300
        self.failing_with = None if taken else ("brak odpowiedzi" if status is None else f"HTTP {status}")
        return taken

    async def _message(self, event: Event) -> Mapping[str, Json]:
        message: dict[str, Json] = {
            "id": event.seq,
            "type": self._subscriber.types[event.kind],
            "at": event.at.isoformat(),
            "till": self._desk.settings.till,
            "data": event.data,
        }
        if event.invoice_id is not None:
            invoice_id = event.invoice_id
            record = await self._desk.store.read(lambda tx: tx.invoices.get(invoice_id))
            message["invoice"] = invoice_summary(record)
        return message

    async def _next_page(self, tx: Transaction) -> list[Event]:
        kept = await tx.notebook.get(self._cursor)
        return await tx.events.after(kept if isinstance(kept, int) else 0, PAGE)

    async def _write_cursor(self, seq: int) -> None:
        async def work(tx: Transaction) -> None:
            await tx.notebook.put(self._cursor, seq)

        await self._desk.store.write(work)


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
        "buyer": record.buyer.identifier,
        "gross": str(record.totals.gross),
        "currency": record.totals.currency,
        "payments": [{"method": payment.method, "amount": str(payment.amount)} for payment in record.payments],
        "sha256": record.sha256.hex(),
    }
