"""Cases of refused invoices that a manager closed on the till: the hub's books would go on listing them otherwise."""

from __future__ import annotations

from agent.domain.event_kinds import EventKind
from agent.hub_route.client import HubClient, HubRefusal
from agent.hub_route.log_position import LogPosition
from agent.ports import KsefError, Store

TOLD = "hub:closed"
"""In the notebook: the event of the log up to which the hub knows what was closed."""
UNKNOWN_INVOICE = "invoice-not-found"


class Closings:
    """Tells the hub, in the order of the log; what it cannot be told now waits for the next time."""

    def __init__(self, client: HubClient, store: Store) -> None:
        self._client = client
        self._store = store
        self._log = LogPosition(store, TOLD)

    async def tell(self) -> None:
        """Tell what the hub does not know. KsefError where it cannot be told now, a hub of before included."""
        while events := await self._log.next_events():
            closed = [each.invoice_id for each in events if each.kind == EventKind.CLOSED and each.invoice_id]
            for invoice_id in closed:
                await self._tell(invoice_id)
            await self._log.passed(events, done=bool(closed))

    async def _tell(self, invoice_id: str) -> None:
        record = await self._store.read(lambda tx: tx.invoices.get(invoice_id))
        if record.closed_at is None:  # the case of a copy for the hub's books
            return
        try:
            await self._client.close_case(record.sha256, record.closed_at)
        except KsefError as error:
            if not isinstance(error, HubRefusal) or error.problem_code != UNKNOWN_INVOICE:
                raise
