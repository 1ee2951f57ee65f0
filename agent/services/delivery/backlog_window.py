"""What of the queue waits for a window of sync.backlog_hours, and until when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import cache

from agent.domain.calendar import BusinessCalendar
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring.backlog_hours import BacklogHours, held_until
from agent.domain.monitoring.policy import Policy
from agent.domain.values import dataclass
from agent.ports import Transaction, Unsent
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.known_timeline import KnownTimeline


@dataclass(frozen=True, slots=True)
class HeldBack:
    """How much waits for a window, and when the next one opens."""

    invoices: int = 0
    opens_at: datetime | None = None


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
        self._ordered = 0
        """Up to this place (Unsent.place) a person wants all sent now, whatever the hour. A restart forgets it; the
        order can be repeated."""

    def order(self, last_place: int) -> None:
        """Let what was stored until now wait for no window."""
        self._ordered = last_place

    def waiting(self, records: Sequence[Unsent], corrections: Sequence[Unsent] = ()) -> dict[str, datetime]:
        """Return which of these invoices wait for a window, each with when it opens.

        A base goes with its correction: KSeF takes none before it. ``corrections``: all of the queue (corrections()),
        beside ``records``, which may be a part of it.
        """
        opening = self._opening()
        if opening is None:
            return {}
        queue = [*records, *corrections]
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

    async def corrections(self, tx: Transaction) -> list[Unsent]:
        """Read the corrections of the queue, for waiting(); reads nothing where there are no windows."""
        return [] if self._hours is None else await tx.invoices.open_corrections()

    async def held_back(self, tx: Transaction) -> HeldBack:
        """Count what waits for a window; reads nothing where there are no windows."""
        opening = self._opening()
        if opening is None:
            return HeldBack()
        counts = [
            (count, opens)
            for deadline, count in await tx.invoices.waiting_by_deadline(self._ordered)
            for opens in [opening(deadline)]
            if opens is not None
        ]
        corrections = await tx.invoices.open_corrections()
        bases = await tx.invoices.unsent_of([each.base_id for each in corrections if each.base_id is not None])
        with_bases = {each.id: each for each in (*bases, *corrections)}
        alone = sum(len(self.waiting([each])) for each in with_bases.values())
        gone = alone - len(self.waiting(list(with_bases.values())))
        opens_at = min((opens for _, opens in counts), default=None)
        return HeldBack(sum(count for count, _ in counts) - gone, opens_at)

    def _opening(self) -> Callable[[date | None], datetime | None] | None:
        """Return what says when an invoice of a deadline may go, None where it says: now; None without windows."""
        hours = self._hours
        if hours is None or not self._clock_check.knows_the_day():
            return None
        now = self._clock_check.best()
        maintenance = tuple((each.begin, each.end) for each in self._timeline.current.maintenance(now))

        @cache
        def opening(deadline: date | None) -> datetime | None:  # ten thousand invoices share a few deadlines
            return held_until(
                now, deadline, hours, policy=self._policy, calendar=self._calendar, maintenance=maintenance
            )

        return opening

    def _may_wait(self, record: Unsent) -> bool:
        """What still says online has to leave on its day; what a manager corrected or ordered goes now."""
        return record.mode is not Mode.ONLINE and record.version == 1 and record.place > self._ordered
