"""What a decision stood on, as the event log keeps it."""

from __future__ import annotations

from datetime import datetime

from agent.domain.calendar import local_date
from agent.ports import Clock, Json
from agent.services.outages.announcements import Announcements
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.outages.known_timeline import KnownTimeline


class ObservedFacts:
    """Gathers what this till sees of KSeF, Latarnia and its clock."""

    def __init__(
        self,
        clock: Clock,
        *,
        clock_check: ClockCheck,
        timeline: KnownTimeline,
        connection: Connection,
        announcements: Announcements,
    ) -> None:
        self._clock = clock
        self._clock_check = clock_check
        self._timeline = timeline
        self._connection = connection
        self._announcements = announcements

    def for_log(self) -> dict[str, Json]:
        """Return it as it is now; the ``facts`` of the event ``issued``."""
        now = self._clock.now()
        situation = self._timeline.at(now)
        outages = [each for each in (situation.failure, situation.maintenance, situation.total_failure) if each]
        breaker, last = self._connection.breaker, self._connection.last
        clock = self._clock_check.answer()
        return {
            "latarnia": self._announcements.status_word(),
            "latarnia_seen_at": _iso(self._announcements.seen_at),
            "announcements": [message for outage in outages for message in outage.messages],
            "line": breaker.state.value,
            "line_since": _iso(breaker.since),
            "ksef_seen_at": _iso(last.answered_at),
            "ksef_problem": last.problem,
            "clock_skew_seconds": clock.skew_seconds,
            "clock_confirmed_by": clock.confirmed_by,
            "local_date": local_date(now).isoformat(),
        }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
