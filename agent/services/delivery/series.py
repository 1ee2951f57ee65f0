"""A series whose numbers KSeF has from elsewhere: it goes on after the last of them, where KSeF says which that is."""

from __future__ import annotations

import logging
from datetime import timedelta

from agent.domain.invoice import InvoiceRecord
from agent.ports import Json, KsefError, Transaction
from agent.services.desk import Desk

LOG = logging.getLogger("agent.series")
BACK = timedelta(days=90)
"""What of KSeF's ledger is read: numbers of a series that is in use are not older."""
AGAIN_SECONDS = 3600.0
"""Between two readings: KSeF allows twenty calls an hour to all tills of an address."""
FARTHEST = 1000
"""Numbers a series is moved on by itself; what lies further off is a manager's matter."""
REASON = "KSeF zna te numery z innych dokumentów (440)"


class SeriesCatchUp:
    """Asks KSeF for the last number after a collision. Without it each number is tried, and burnt, one by one."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._asked_at: float | None = None

    def after_collision(self, record: InvoiceRecord) -> None:
        """Look in the background, at most once an hour."""
        now = self._desk.clock.monotonic()
        if record.serial is None or (self._asked_at is not None and now - self._asked_at < AGAIN_SECONDS):
            return
        self._asked_at = now
        self._desk.tasks.start(f"series-{record.series}", self._catch_up(record.series))

    async def _catch_up(self, series: str) -> None:
        settings = self._desk.settings
        try:
            part = await self._desk.gateway.issued_since(settings.seller.nip, self._desk.now() - BACK)
        except KsefError as error:
            LOG.warning("the numbers of series %s could not be asked of KSeF: %s", series, error)
            return
        found = [settings.read_number(entry.number) for entry in part.entries]
        last = max((serial for name, serial in filter(None, found) if name == series), default=0)

        async def work(tx: Transaction) -> None:
            following = await tx.invoices.next_serial(series)
            if following <= last <= following + FARTHEST:
                await tx.invoices.resume_series(series, last, REASON)
                data: dict[str, Json] = {"series": series, "after": last, "why": REASON}
                await tx.events.append("series_resumed", data)

        await self._desk.store.write(work)
