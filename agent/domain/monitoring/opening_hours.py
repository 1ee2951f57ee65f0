"""How much opening time of the shop is left before a deadline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta

from agent.domain.calendar import WARSAW, BusinessCalendar, local_date, local_time, start_of_day
from agent.domain.monitoring.policy import Policy

FAR = timedelta(days=366)
"""No deadline that lies further off is near: a clock of 1970 would have twenty thousand days counted."""
Window = tuple[datetime, datetime | None]
"""Begin and end; None: the end is not known."""


def pressing(
    days: Iterable[date],
    now: datetime,
    policy: Policy,
    calendar: BusinessCalendar,
    maintenance: Sequence[Window] = (),
) -> frozenset[date]:
    """Return which of these deadlines are near or over."""
    today, limit = local_date(now), timedelta(hours=policy.deadline_hours)
    return frozenset(
        day for day in days if day < today or opening_time_left(now, day, policy, calendar, maintenance) <= limit
    )


def opening_time_left(
    now: datetime, last_day: date, policy: Policy, calendar: BusinessCalendar, without: Sequence[Window] = ()
) -> timedelta:
    """Return how much opening time is left from ``now`` to the end of ``last_day`` (Polish civil day).

    ``without``: times that do not count, since KSeF announced that it will not be there. ``timedelta.max`` where the
    day lies further off than FAR: whoever said such a day, nobody counts up to it.
    """
    left = timedelta(0)
    clock = local_time(now)
    day = clock.date()
    if last_day - day > FAR:
        return timedelta.max
    while day <= last_day:
        if not policy.business_days_only or calendar.is_business_day(day):
            for begin, end in _open_on(day, policy):
                for free_begin, free_end in outside(max(begin, clock), end, without):
                    left += free_end - free_begin
        day += timedelta(days=1)
    return left


def outside(begin: datetime, end: datetime, windows: Sequence[Window]) -> list[tuple[datetime, datetime]]:
    """Return what is left of a time outside these windows."""
    pieces = [(begin, end)] if begin < end else []
    for closed, reopened in windows:
        kept: list[tuple[datetime, datetime]] = []
        for first, last in pieces:
            kept.append((first, min(last, closed)))
            if reopened is not None:
                kept.append((max(first, reopened), last))
        pieces = [(first, last) for first, last in kept if first < last]
    return pieces


def _open_on(day: date, policy: Policy) -> Iterator[tuple[datetime, datetime]]:
    """Yield the opening times within one civil day; a shop that closes past midnight has two."""
    midnight = start_of_day(day + timedelta(days=1))
    opens, closes = (datetime.combine(day, clock, tzinfo=WARSAW) for clock in (policy.opens, policy.closes))
    if opens < closes:
        yield opens, closes
    else:
        yield start_of_day(day), closes
        yield opens, midnight
