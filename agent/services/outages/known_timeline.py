"""The timeline as this till knows it now: all announcements and declarations, in memory."""

from __future__ import annotations

from datetime import datetime

from agent.domain.outages.timeline import Situation, Timeline


class KnownTimeline:
    """Read by everybody; only RecordedFacts makes it a newer one."""

    def __init__(self) -> None:
        self.current = Timeline()

    def at(self, instant: datetime) -> Situation:
        """Return what holds at an instant."""
        return self.current.at(instant)
