"""Ids of webhooks: sequence numbers of the event log, raised at each restore.

A receiver ignores an id that is not higher than the last one it has worked off (docs/webhooks.md). The log of a copy
that was put back begins again where the copy was made, and would give ids a second time, for other events. So from a
restore on something is added to them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass

NOTE: Final = "webhook-ids"
"""In the notebook: the steps, in order."""


@dataclass(frozen=True, slots=True)
class WebhookIds:
    """Ids and sequence numbers, each from the other."""

    steps: tuple[tuple[int, int], ...] = ()
    """(sequence number, id): from this event on ids are counted from this one. Both rise."""

    @classmethod
    def kept(cls, note: Json) -> WebhookIds:
        """Read what the notebook holds; no note is a log that was never put back."""
        if not isinstance(note, Sequence) or isinstance(note, str):
            return cls()
        pairs = [pair for pair in note if isinstance(pair, Sequence)]
        return cls(tuple((int(str(seq)), int(str(number))) for seq, number in pairs))

    def to_keep(self) -> Json:
        """Return the note."""
        return [list(step) for step in self.steps]

    def of(self, seq: int) -> int:
        """Return the id of the event with this sequence number."""
        place = bisect_right([first for first, _ in self.steps], seq)
        first, number = self.steps[place - 1] if place else (0, 0)
        return number + seq - first

    def first_from(self, number: int) -> int:
        """Return the sequence number of the first event whose id is ``number`` or higher."""
        place = bisect_right([lowest for _, lowest in self.steps], number)
        first, lowest = self.steps[place - 1] if place else (0, 0)
        seq = first + number - lowest
        return min(seq, self.steps[place][0]) if place < len(self.steps) else seq

    def after_restore(self, newest: int, given: int, now: datetime) -> WebhookIds:
        """Return the ids of a log that was put back with ``newest`` as its last sequence number.

        ``given``: the highest id that is known to have been given. Where nobody knows it, the seconds since 1970 do
        for it: a till records less than an event a second over the years, so an earlier restore began lower.
        """
        beyond = max(given, self.of(newest), int(now.timestamp()))
        return WebhookIds((*self.steps, (newest + 1, beyond + 1)))
