"""The state of the database itself: its integrity, looked at daily, whether it has room, and its copies."""

from __future__ import annotations

from datetime import datetime

from agent.domain.monitoring.facts import BackupFacts
from agent.ports import Clock, Copies, Store, Transaction
from agent.services.elapsed import Since
from agent.services.presses import Presses
from agent.services.signals import Signal

BACKUP_GRACE_SECONDS = 2 * 60 * 60.0
"""After a start no copy is called old for so long: the timer of a till that was off makes the missed one first."""


class StoreChecks:
    """Remembers what was found."""

    def __init__(self, store: Store, clock: Clock, presses: Presses, changed: Signal) -> None:
        self._store = store
        self._presses = presses
        self._clock = clock
        self._changed = changed
        self._started = Since.now(clock)
        self._first_event_at: datetime | None = None
        self.copies = Copies()
        self._found: str | None = None
        self.checked = False

    async def check(self) -> None:
        """Verify the database's integrity. Slow; presses go first."""
        self._found = await self._store.check(self._presses.stand_back)
        self.checked = True
        self._changed.set()

    @property
    def owed(self) -> bool:
        """Whether the start did not look at all of it, and nobody has since."""
        return not self._store.looked_through

    @property
    def problem(self) -> str | None:
        """Polish: what the last look found, or the store itself since then; None: nothing is known."""
        return self._found or self._store.damage

    @property
    def refused(self) -> bool:
        """Whether the newest attempt to store something found no room."""
        return self._store.full

    async def refresh(self) -> None:
        """Look at the copies."""
        self.copies = self._store.copies()
        if self._first_event_at is None:
            self._first_event_at = await self._store.read(_first_event_at)

    def backups(self) -> BackupFacts:
        """Return what alerts want to know of the copies."""
        return BackupFacts(
            last_at=self.copies.last_at,
            wanted_since=self._first_event_at,
            problem=self.copies.problem,
            failed_at=self.copies.failed_at,
            due=self._started.seconds(self._clock) >= BACKUP_GRACE_SECONDS,
        )

    def size(self) -> int:
        """Return the bytes of the database on disk."""
        return self._store.size()


async def _first_event_at(tx: Transaction) -> datetime | None:
    first = await tx.events.after(0, limit=1)
    return first[0].at if first else None
