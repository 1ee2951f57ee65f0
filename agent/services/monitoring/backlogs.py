"""What waits to be done, counted now and then for /metrics: invoices, prints, messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from agent.domain.lifecycle import PrintState
from agent.domain.values import dataclass
from agent.ports import Store, Transaction
from agent.services.monitoring.webhooks import Outboxes, OutboxStatus


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waited at the last count."""

    oldest_unsent_at: datetime | None = None
    """When the oldest invoice was issued that KSeF does not have; rejected ones wait for a person, not for KSeF."""
    print_jobs: Mapping[PrintState, int] = field(default_factory=dict)
    outboxes: tuple[OutboxStatus, ...] = ()


class Backlogs:
    """Counts, and keeps the last count: a look at /metrics costs the database nothing."""

    def __init__(self, store: Store, outboxes: Outboxes) -> None:
        self._store = store
        self._outboxes = outboxes
        self.last = Backlog()

    async def count(self) -> None:
        """Count everything anew."""
        oldest, prints = await self._store.read(_waiting)
        self.last = Backlog(oldest, prints, tuple(await self._outboxes.status()))


async def _waiting(tx: Transaction) -> tuple[datetime | None, Mapping[PrintState, int]]:
    return await tx.invoices.oldest_unsent_at(), await tx.prints.waiting()
