"""How far one purpose has gone through the log of events.

Everything the till does is an event, so the place moves all day, mostly past what is no matter of this purpose. It is
made durable where something was done, or where a page of the log was left behind: a restart goes past that much again.
"""

from __future__ import annotations

from agent.ports import Event, Store, Transaction

EVENTS_AT_ONCE = 500


class LogPosition:
    """A place in the log, kept in the notebook under ``name``; whoever takes it out there begins anew."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._kept = 0
        """What the notebook says."""
        self._seq = 0
        """How far this run of the program has come."""

    async def next_events(self) -> list[Event]:
        """Return what comes next, oldest first; empty at the end of the log."""
        return await self._store.read(self._events)

    async def passed(self, events: list[Event], *, done: bool) -> None:
        """Go on behind these; ``done``: something was done with them."""
        self._seq = events[-1].seq
        if done or self._seq - self._kept >= EVENTS_AT_ONCE:
            await self._store.write(self._keep)

    async def _events(self, tx: Transaction) -> list[Event]:
        kept = await self._read(tx)
        if kept != self._kept:  # of an earlier run, or begun anew
            self._kept = self._seq = kept
        return await tx.events.after(self._seq, EVENTS_AT_ONCE)

    async def _keep(self, tx: Transaction) -> None:
        if await self._read(tx) == self._kept:  # else it was taken out meanwhile
            await tx.key_values.put(self._name, self._seq)
            self._kept = self._seq

    async def _read(self, tx: Transaction) -> int:
        kept = await tx.key_values.get(self._name)
        return kept if isinstance(kept, int) else 0
