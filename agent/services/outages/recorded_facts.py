"""The durable facts of the timeline: what Latarnia announced, what a manager declared. None counts unstored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from agent.domain.event_kinds import EventKind
from agent.domain.outages.timeline import Timeline, TimelineFact, fact_from_json, fact_to_json, source_of
from agent.ports import Fact, Store, Transaction
from agent.services.outages.deadline_updates import DeadlineUpdater
from agent.services.outages.known_timeline import KnownTimeline
from agent.services.signals import Signal


class RecordedFacts:
    """Stores facts, turns the timeline by them, and lets all unsent deadlines follow."""

    def __init__(self, store: Store, timeline: KnownTimeline, deadlines: DeadlineUpdater, changed: Signal) -> None:
        self._store = store
        self._timeline = timeline
        self._deadlines = deadlines
        self._changed = changed
        self._recording = asyncio.Lock()

    async def load(self) -> None:
        """Read all facts back; called once at start."""
        facts = await self._store.read(lambda tx: tx.facts.all())
        self._timeline.current = Timeline.of(fact_from_json(fact.body, fact.seen_at) for fact in facts)

    async def record(self, added: Sequence[TimelineFact]) -> None:
        """Store facts, then let the deadlines follow; a crash in between is healed at the next start.

        One call at a time: a declaration and a poll that meet must both be part of what comes after.
        """
        async with self._recording:
            before = self._timeline.current
            try:
                await self._store.write(partial(self._add, before.plus(added), added))
            except Exception:
                self._timeline.current = before
                raise
            await self._deadlines.follow()
        self._changed.set()

    async def _add(self, after: Timeline, added: Sequence[TimelineFact], tx: Transaction) -> None:
        """Turn the timeline inside the transaction: a press is in the queue that follows, or goes by the new facts."""
        for fact in added:
            body = fact_to_json(fact)
            await tx.facts.add(Fact(source_of(fact), body, fact.seen_at))
            await tx.events.append(EventKind.FACT, body)
        self._timeline.current = after
