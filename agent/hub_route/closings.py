"""Cases of refused invoices that a manager closed on the till: the hub's books would go on listing them otherwise."""

from __future__ import annotations

from functools import partial

from agent.domain.event_kinds import EventKind
from agent.hub_route.client import HubClient, HubRefusal
from agent.ports import Event, KsefError, Store, Transaction

TOLD = "hub:closed"
"""In the notebook: the event of the log up to which the hub knows what was closed."""
EVENTS_AT_ONCE = 500
UNKNOWN_INVOICE = "invoice-not-found"


class Closings:
    """Tells the hub, in the order of the log; what it cannot be told now waits for the next time."""

    def __init__(self, client: HubClient, store: Store) -> None:
        self._client = client
        self._store = store

    async def tell(self) -> None:
        """Tell what the hub does not know. KsefError where it cannot be told now, a hub of before included."""
        cursor = await self._store.read(_cursor)
        while events := await self._store.read(partial(_events, cursor)):
            for event in events:
                if event.kind == EventKind.CLOSED and event.invoice_id:
                    await self._tell(event.invoice_id)
            cursor = events[-1].seq
            await self._store.write(partial(_told, cursor))

    async def _tell(self, invoice_id: str) -> None:
        record = await self._store.read(lambda tx: tx.invoices.get(invoice_id))
        if record.closed_at is None:  # the case of a copy for the hub's books
            return
        try:
            await self._client.close_case(record.sha256, record.closed_at)
        except KsefError as error:
            if not isinstance(error, HubRefusal) or error.problem_code != UNKNOWN_INVOICE:
                raise


async def _cursor(tx: Transaction) -> int:
    cursor = await tx.key_values.get(TOLD)
    return cursor if isinstance(cursor, int) else 0


async def _events(cursor: int, tx: Transaction) -> list[Event]:
    return await tx.events.after(cursor, EVENTS_AT_ONCE)


async def _told(cursor: int, tx: Transaction) -> None:
    await tx.key_values.put(TOLD, cursor)
