"""What of the queue waits for a window of sync.backlog_hours, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import cache

from agent.domain.calendar import BusinessCalendar
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.alerts import Policy
from agent.domain.monitoring.backlog_hours import BacklogHours, held_until
from agent.ports import Unsent
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.known_timeline import KnownTimeline


class BacklogWindow:
    """Judges by the deadlines as they are stored now, so what an announcement changed is judged anew."""

    def __init__(
        self,
        hours: BacklogHours | None,
        *,
        policy: Policy,
        calendar: BusinessCalendar,
        timeline: KnownTimeline,
        clock_check: ClockCheck,
    ) -> None:
        self._hours = hours
        self._policy = policy
        self._calendar = calendar
        self._timeline = timeline
        self._clock_check = clock_check
        self._ordered: set[str] = set()
        """Ids of what a person wants sent now, whatever the hour. A restart forgets it; the order can be repeated."""

    def order(self, invoice_ids: Iterable[str]) -> None:
        """Let these wait for no window; they are all that waits now, so an older order is part of it."""
        self._ordered = set(invoice_ids)

    def waiting(self, queue: Sequence[Unsent]) -> dict[str, datetime]:
        """Return which invoices of the queue wait for a window, each with when it opens.

        A base goes with its correction: KSeF takes none before it.
        """
        hours = self._hours
        if hours is None or not self._clock_check.knows_the_day():
            return {}
        now = self._clock_check.best()
        away = tuple((each.begin, each.end) for each in self._timeline.current.maintenance(now))

        @cache
        def opening(deadline: date | None) -> datetime | None:  # ten thousand invoices share a few deadlines
            return held_until(now, deadline, hours, policy=self._policy, calendar=self._calendar, away=away)

        held = {
            each.id: opens
            for each in queue
            if each.state is InvoiceState.ISSUED and self._may_wait(each)
            for opens in [opening(each.deadline)]
            if opens is not None
        }
        bases = {each.id: each.base_id for each in queue}
        for each in queue:
            base_id = each.base_id if each.id not in held else None
            while base_id in held:
                del held[base_id]
                base_id = bases[base_id]
        return held

    def _may_wait(self, record: Unsent) -> bool:
        """What still says online has to leave on its day; what a manager corrected or ordered goes now."""
        return record.mode is not Mode.ONLINE and record.version == 1 and record.id not in self._ordered
