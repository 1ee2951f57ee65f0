"""What KSeF has taken and nothing proves yet, handed over once more to a hub that lost its data.

The till has its number, so the queue is done with it; but only the hub asks KSeF for the confirmation, and a hub that
began anew, or was put back to an older copy, never would. KSeF answers the second sending with 440, the hub compares
the hashes, and fetches the confirmation as ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from agent.domain.errors import DocumentDamaged
from agent.domain.invoice import InvoiceRecord
from agent.hub_route.chain import Chain
from agent.hub_route.gateway import handover
from agent.ports import KsefError, Outgoing, Store

AT_ONCE = 500
"""Invoices looked at in one round; what comes after them has its turn once these are proven."""


class Refill:
    """Looks after a hub that does not know what it should."""

    def __init__(self, chain: Chain, store: Store, outgoing: Callable[[InvoiceRecord], Awaitable[Outgoing]]) -> None:
        """``outgoing`` builds what goes over the wire; DocumentDamaged where it must not."""
        self._chain = chain
        self._store = store
        self._outgoing = outgoing
        self._refused = chain.refusals.of_refill

    async def run(self) -> None:
        """Hand over what the hub should know and does not; a hub that does not answer is asked the next time.

        What it refuses, people hear of (Refusals) until it takes it, or its UPO came some other way.
        """
        hub = self._chain.gateway.hub
        if not hub.forgot and not self._refused.reasons:
            return
        missing = await self._store.read(lambda tx: tx.invoices.without_upo(AT_ONCE))
        self._refused.keep_only({each.id for each in missing})
        if not hub.forgot:
            return
        with contextlib.suppress(KsefError):
            for each in missing:
                if await self._chain.client.status(each.sha256) is None:
                    await self._hand_over(each.id)
                else:
                    self._refused.forget(each.id)
            hub.forgot = False

    async def _hand_over(self, invoice_id: str) -> None:
        """Hand one over under the name it had."""
        record = await self._store.read(lambda tx: tx.invoices.get(invoice_id))
        if not record.xml or record.session_ref is None:
            self._refused.forget(invoice_id)
            return
        try:
            outgoing = await self._outgoing(record)
        except DocumentDamaged:
            self._refused.forget(invoice_id)
            return
        await self._refused.offer(record, self._chain.client.offer(handover(outgoing, record.session_ref)))
