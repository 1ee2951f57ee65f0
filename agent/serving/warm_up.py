"""A press after the start that leaves nothing, so that the first customer does not wait for what happens only once.

The first press of a process pays for what later ones find: statements that are prepared, patterns that are compiled,
tables of letters that are made, forms of answers that are looked up. This one goes from the sale to the answer and is
rolled back. No number is taken; nothing is stored, printed or told.
"""

from __future__ import annotations

import json
import logging
from typing import Final, NoReturn

from aiohttp import web

from agent.services.assembly.services import Services
from agent.web import json_views, request_body

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
REHEARSALS: Final = 10
"""CPython adapts a function to what it is called with, once it was called eight times."""


class _Nowhere:
    """Stands where a printer is held for a press (agent.ports.ReadyPrinter); nothing leaves for it."""

    def __init__(self, name: str) -> None:
        """``name``: of the printer whose paper is laid out."""
        self.name = name

    def framed(self, data: bytes) -> bytes:
        """Return the paper alone: the questions that end a job belong to an open line."""
        return data

    async def print(self, job: bytes) -> NoReturn:
        """Refuse: what is rolled back is not printed."""
        raise RuntimeError("a rehearsal prints nothing")

    async def release(self) -> None:
        """Do nothing."""


async def warm_up(services: Services) -> None:
    """Make that press. Whatever fails here fails at a real one as well, which says so to whom it concerns."""
    try:
        for _ in range(REHEARSALS):
            printer = _Nowhere(services.ports.renderer.default)
            outcome = await services.issuing.rehearse(json.dumps(SALE).encode(), printer)
            json_views.issued(await services.invoices.issued(outcome))
        _read_types()
    except Exception as error:  # noqa: BLE001 - a till that cannot issue still answers for what it issued
        LOG.warning("no press was tried out before the first one: %r", error)


def _read_types() -> None:
    """Let aiohttp read what bodies say of themselves: it asks the e-mail package, a fifth of a press, and keeps it."""
    for kind in (request_body.JSON_TYPE, request_body.XML_TYPE):
        assert web.Response(content_type=kind).content_type == kind
