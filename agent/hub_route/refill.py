"""What KSeF has taken and nothing proves yet, handed over once more to a hub that lost its data.

The till has its number, so the queue is done with it; but only the hub asks KSeF for the confirmation, and a hub that
began anew, or was put back to an older copy, never would. KSeF answers the second sending with 440, the hub compares
the hashes, and fetches the confirmation as ever.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable

from agent.domain.errors import DocumentDamaged
from agent.domain.invoice import InvoiceRecord, InvoiceSummary
from agent.hub_route.chain import Chain
from agent.hub_route.gateway import handover
from agent.hub_route.refusals import is_refusal, why
from agent.ports import KsefError, Outgoing, Store

LOG = logging.getLogger("agent.hub")

AT_ONCE = 500
"""Invoices looked at in one round; what comes after them has its turn once these are proven."""


class Refill:
    """Looks after a hub that does not know what it should."""

    def __init__(self, chain: Chain, store: Store, outgoing: Callable[[InvoiceRecord], Awaitable[Outgoing]]) -> None:
        """``outgoing`` builds what goes over the wire; DocumentDamaged where it must not."""
        self._chain = chain
        self._store = store
        self._outgoing = outgoing
        self._refusals = chain.refusals

    async def run(self) -> None:
        """Hand over what the hub should know and does not; a hub that does not answer is asked the next time.

        What it refuses is told (Refusals) until it takes it, or its UPO came some other way.
        """
        hub = self._chain.gateway.hub
        if not hub.forgot and not self._refusals.of_refill:
            return
        missing = await self._store.read(lambda tx: tx.invoices.without_upo(AT_ONCE))
        if not hub.forgot:
            wanted = {each.id for each in missing}
            self._refusals.of_refill = {name: said for name, said in self._refusals.of_refill.items() if name in wanted}
            return
        refused: dict[str, str] = {}
        try:
            for each in missing:
                if await self._chain.client.status(each.sha256) is None:
                    await self._hand_over(each, refused)
        except KsefError:
            self._refusals.of_refill = {**self._refusals.of_refill, **refused}
            return
        self._refusals.of_refill = refused
        hub.forgot = False

    async def _hand_over(self, invoice: InvoiceSummary, refused: dict[str, str]) -> None:
        """Hand one over under the name it had, and note in ``refused`` why the hub does not take it."""
        record = await self._store.read(lambda tx: tx.invoices.get(invoice.id))
        if not record.xml or record.session_ref is None:
            return
        with contextlib.suppress(DocumentDamaged):
            outgoing = await self._outgoing(record)
            try:
                offered = await self._chain.client.offer(handover(outgoing, record.session_ref))
            except KsefError as error:
                if not is_refusal(error):
                    raise
                refused[record.id] = why(record.number, error)
            else:
                if offered.status is None:
                    refused[record.id] = why(record.number, offered)
            if record.id in refused and record.id not in self._refusals.of_refill:
                LOG.warning("the hub does not take again %s", refused[record.id])
