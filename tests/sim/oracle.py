"""An independent, slow calculation of deadlines: walks day by day and counts on its fingers.

Shares nothing with agent.domain but the words of Mode: own calendar (library `holidays`), own idea of an outage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

WARSAW = ZoneInfo("Europe/Warsaw")

OPEN = "open"
LIFTED = "lifted"

PATIENCE = timedelta(days=40)
"""So long after the last thing that happened an oracle calls it open."""


@dataclass(frozen=True)
class Outage:
    """What really happened. ``kind``: failure, total or maintenance."""

    kind: str
    announced: datetime
    begin: datetime
    end: datetime | None


@cache
def _free(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("PL", years=year))


def working(day: date) -> bool:
    """Monday to Friday and no holiday."""
    return day.isoweekday() not in (6, 7) and day not in _free(day.year)


def polish_day(instant: datetime) -> date:
    """The date on a wall in Warsaw."""
    return instant.astimezone(WARSAW).date()


def day_that_ends(instant: datetime) -> date:
    """The date on that wall a moment before: what ends at midnight ends on the evening's date."""
    wall = instant.astimezone(WARSAW)
    at_midnight = (wall.hour, wall.minute, wall.second, wall.microsecond) == (0, 0, 0, 0)
    return wall.date() - timedelta(days=1) if at_midnight else wall.date()


def oracle(mode: str, issued: datetime, outages: Sequence[Outage]) -> date | str:
    """Return the last day, OPEN or LIFTED."""
    waits_for: list[tuple[date | None, int]] = [(polish_day(issued), 1)]
    if mode == "total_failure" and any(
        outage.kind == "total" and outage.begin <= issued and (outage.end is None or issued <= outage.end)
        for outage in outages
    ):
        return LIFTED
    if mode in ("failure", "unavailability"):
        kind, days = ("failure", 7) if mode == "failure" else ("maintenance", 1)
        around = [
            outage
            for outage in outages
            if outage.kind == kind
            and outage.announced <= issued
            and outage.begin <= issued
            and (outage.end is None or issued <= outage.end)
        ]
        ended = [outage for outage in around if outage.end is not None]
        if ended:
            first = min(outage.end for outage in ended if outage.end is not None)
            waits_for = [(day_that_ends(first), days)]
        elif around:
            waits_for = [(None, days)]
    day = polish_day(issued)
    happened = [issued, *(outage.announced for outage in outages), *(outage.end for outage in outages if outage.end)]
    while day < polish_day(max(happened) + PATIENCE):
        for outage in outages:
            if outage.announced < issued or polish_day(outage.announced) != day:
                continue
            if outage.kind == "total":
                return LIFTED
            if outage.kind == "failure":
                waits_for.append((day_that_ends(outage.end) if outage.end else None, 7))
        if all(_passed(since, days, day) for since, days in waits_for):
            return day
        day += timedelta(days=1)
    return OPEN


def _passed(since: date | None, days: int, today: date) -> bool:
    """Have ``days`` working days gone by after ``since``, today included?"""
    if since is None:
        return False
    day = since
    while day < today and days:
        day += timedelta(days=1)
        if working(day):
            days -= 1
    return days == 0
