"""What every use case needs: settings and ports, built once by app.py."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from agent.domain.calendar import BusinessCalendar
from agent.domain.fa3.schema import Fa3Schema
from agent.ports import Clock, KsefGateway, Metrics, Printer, ReceiptRenderer, Signer, Store
from agent.services.background import BackgroundTasks
from agent.services.elapsed import Since
from agent.services.signals import Signal
from agent.settings.model import Settings


@dataclass(slots=True)
class Desk:
    """The ports, the settings and the few shared pieces of one running agent."""

    settings: Settings
    clock: Clock
    store: Store
    gateway: KsefGateway
    printer: Printer
    renderer: ReceiptRenderer
    schema: Fa3Schema
    calendar: BusinessCalendar
    tasks: BackgroundTasks
    metrics: Metrics
    signer: Signer | None = None
    authentication: Signer | None = None
    """Serial and end of validity of the authentication certificate; never signs here."""
    changed: Signal = field(default_factory=Signal)
    """Something a screen shows has changed."""
    accepted: Signal = field(default_factory=Signal)
    """A number has arrived: what waited for it (corrections, outbox) may go on."""
    queue_wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Something may be sent: the queue looks at once."""
    undelivered: dict[str, tuple[str, Since]] = field(default_factory=dict)
    """Webhook subscribers that refuse: name -> (with what, since when)."""
    started_at: datetime | None = None

    def now(self) -> datetime:
        """Return the wall time, UTC."""
        return self.clock.now()
