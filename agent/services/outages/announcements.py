"""Latarnia, the Ministry's status service: what it announces becomes facts.

Its silence is a local outage like any other (offline24), never awaria.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from agent.domain.event_kinds import EventKind
from agent.domain.outages.latarnia import BadAnswer, Unknown, parse
from agent.domain.outages.news import facts_of, left_out
from agent.ports import Clock, Json, KsefError, StatusSource, Store
from agent.services.elapsed import Since
from agent.services.outages.known_timeline import KnownTimeline
from agent.services.outages.recorded_facts import RecordedFacts
from agent.services.signals import Signal

TOO_MANY = Unknown("messages", "za dużo nowych komunikatów", "")


class Announcements:
    """Reads Latarnia. ``now()``: the best known time."""

    def __init__(
        self,
        source: StatusSource,
        *,
        clock: Clock,
        now: Callable[[], datetime],
        store: Store,
        timeline: KnownTimeline,
        facts: RecordedFacts,
        changed: Signal,
    ) -> None:
        self._source = source
        self._clock = clock
        self._now = now
        self._store = store
        self._timeline = timeline
        self._facts = facts
        self._changed = changed
        self.seen_at: datetime | None = None
        """When it last answered; None: never since start."""
        self.lost: Since | None = None
        """Since when it has not."""
        self.not_understood: tuple[Unknown, ...] = ()
        """Words of its newest answer that this version does not know."""

    async def poll(self) -> None:
        """Read it once; new facts are stored, and all unsent deadlines follow."""
        begun = Since.now(self._clock)
        try:
            reading = await self._source.read()
            parsed = parse(reading.status, reading.messages)
        except (KsefError, BadAnswer) as error:
            if self.lost is None:
                self.lost = begun
                body = error.body if isinstance(error, KsefError) else ""
                await self._note({"state": "unreachable", "problem": str(error), "body": body})
            return
        lost, self.lost = self.lost, None
        self.seen_at = reading.seen_at
        if lost is not None:
            await self._note({"state": "answers", "unreachable_since": lost.at.isoformat()})
        self.not_understood = parsed.unknown
        if added := facts_of(self._timeline.current, parsed, self._now()):
            await self._facts.record(added)
        if left_out(self._timeline.current, parsed):
            self.not_understood += (TOO_MANY,)

    def status_word(self) -> str:
        """Return Latarnia's own word for the state of KSeF, unreachable where it does not answer."""
        if self.seen_at is None or self.lost is not None:
            return "unreachable"
        status = self._timeline.at(self._now()).status
        return "unknown" if status is None else status.value

    async def _note(self, data: Mapping[str, Json]) -> None:
        await self._store.write(lambda tx: tx.events.append(EventKind.LATARNIA, data))
        self._changed.set()
