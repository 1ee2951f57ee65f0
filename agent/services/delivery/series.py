"""A series whose numbers KSeF has from elsewhere: it goes on after the last of them, where KSeF says which that is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.ports import Clock, Json, KsefError, KsefGateway, Store, Transaction
from agent.services.background import BackgroundTasks

LOG = logging.getLogger("agent.series")
BACK = timedelta(days=90)
"""What of KSeF's ledger is read: numbers of a series that is in use are not older."""
AGAIN_SECONDS = 3600.0
"""Between two readings: KSeF allows twenty calls an hour to all tills of an address."""
FARTHEST = 1000
"""Numbers a series is moved on by itself; what lies further off is a manager's matter."""
REASON = "KSeF zna te numery z innych dokumentów (440)"


ReadNumber = Callable[[str], tuple[str, int] | None]
"""Reads series and serial out of an invoice number; None: not one of this till."""


class SeriesCatchUp:
    """Asks KSeF for the last number after a collision. Without it each number is tried, and burnt, one by one."""

    def __init__(
        self,
        nip: str,
        read_number: ReadNumber,
        *,
        store: Store,
        clock: Clock,
        now: Callable[[], datetime],
        gateway: KsefGateway,
        tasks: BackgroundTasks,
    ) -> None:
        """``nip``: of the seller; ``read_number``: series and serial of a number of this till."""
        self._nip = nip
        self._read_number = read_number
        self._store = store
        self._clock = clock
        self._now = now
        self._gateway = gateway
        self._tasks = tasks
        self._asked_at: float | None = None

    def after_collision(self, record: InvoiceRecord) -> None:
        """Look in the background, at most once an hour."""
        now = self._clock.monotonic()
        if record.serial is None or (self._asked_at is not None and now - self._asked_at < AGAIN_SECONDS):
            return
        self._asked_at = now
        self._tasks.start(f"series-{record.series}", self._catch_up(record.series))

    async def _catch_up(self, series: str) -> None:
        try:
            part = await self._gateway.issued_since(self._nip, self._now() - BACK)
        except KsefError as error:
            LOG.warning("the numbers of series %s could not be asked of KSeF: %s", series, error)
            return
        found = [self._read_number(entry.number) for entry in part.entries]
        last = max((serial for name, serial in filter(None, found) if name == series), default=0)
        await self._store.write(partial(_resume, series, last))


async def _resume(series: str, last: int, tx: Transaction) -> None:
    following = await tx.invoices.next_serial(series)
    if following <= last <= following + FARTHEST:
        await tx.invoices.resume_series(series, last, REASON)
        data: dict[str, Json] = {"series": series, "after": last, "why": REASON}
        await tx.events.append(EventKind.SERIES_RESUMED, data)
