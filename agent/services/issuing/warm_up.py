"""One press after the start that leaves nothing, so that the first customer does not wait for what happens only once.

The first press of a process pays for what later ones find: statements that are prepared, patterns that are compiled,
tables of letters that are made. This one goes as far as its COMMIT and is rolled back there; then its paper is laid out
and encoded, and thrown away. No number is taken; nothing is stored, printed or told.
"""

from __future__ import annotations

import asyncio
import json
import logging

from agent.ports import ReceiptRenderer
from agent.services.issuing.issue import Issuing
from agent.services.paper.papers import InvoicePapers
from agent.services.presses import Presses

LOG = logging.getLogger("agent.issue")
SALE = {
    "buyer": {
        "nip": "1111111111",
        "name": "Próba po uruchomieniu",
        "address": {"line1": "ul. Próbna 1", "line2": "00-001 Warszawa"},
    },
    "prices": "gross",
    "lines": [
        {"name": "Śruba M8 ocynkowana, opakowanie", "quantity": "2", "unit": "szt.", "unit_price": "9.99", "vat": "23"},
        {"name": "Książka", "quantity": "1", "unit": "szt.", "unit_price": "40.00", "vat": "5"},
    ],
    "payments": [{"method": "cash", "amount": "59.98"}],
}
"""To an invented firm: the number has the check digit of a NIP and belongs to nobody."""


class WarmUp:
    """Makes that press, and lets a real one that comes meanwhile go first."""

    def __init__(self, *, issuing: Issuing, papers: InvoicePapers, renderer: ReceiptRenderer, presses: Presses) -> None:
        self._issuing = issuing
        self._papers = papers
        self._renderer = renderer
        self._presses = presses

    async def run(self) -> None:
        """Do it once. Whatever fails here fails at a press as well, which says so to whom it concerns."""
        try:
            await self._warm()
        except Exception as error:  # noqa: BLE001 - a till that cannot issue still answers for what it issued
            LOG.warning("no press was tried out before the first one: %r", error)

    async def _warm(self) -> None:
        await self._presses.pass_by()
        for queued in await self._issuing.rehearse(json.dumps(SALE).encode()):
            await self._presses.pass_by()
            receipt = self._papers.receipt(queued.record, queued.choice, queued.job.copy)
            await self._presses.pass_by()
            await asyncio.to_thread(self._renderer.encode, self._renderer.default, receipt)
