"""Polish business days and civil dates.

Business day: Monday to Friday, not a day off by the Act of 18.01.1951 (24 December since 2025, Act of 6.12.2024).
The law does not define it; MF's worked example skips Saturday and Sunday (docs/law.md, section 1). All dates are civil
dates in Europe/Warsaw, whatever the zone of the machine.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

WARSAW = ZoneInfo("Europe/Warsaw")
YEARS = range(1900, 3000)
"""What KSeF, Latarnia or a hub may speak of: beyond it, counting hours and days would leave the calendar."""

_SATURDAY = 5
_MOMENT = timedelta(microseconds=1)


def local_date(instant: datetime) -> date:
    """Return the civil date in Poland at an aware ``instant``."""
    return _aware(instant).astimezone(WARSAW).date()


def local_time(instant: datetime) -> datetime:
    """Return an aware ``instant`` on the Polish wall clock."""
    return _aware(instant).astimezone(WARSAW)


def start_of_day(day: date) -> datetime:
    """Return the first instant of a Polish civil day (Poland has never skipped a midnight)."""
    return datetime.combine(day, time.min, tzinfo=WARSAW)


def end_of_day(day: date) -> datetime:
    """Return the first instant after a Polish civil day; of the last day of the calendar, its last."""
    return datetime.max.replace(tzinfo=WARSAW) if day == date.max else start_of_day(day + timedelta(days=1))


def day_bounds(first: date, last: date) -> tuple[datetime, datetime]:
    """Return the first instant of ``first`` and the one after ``last``, in UTC, for any days of the calendar.

    At its ends, where Warsaw and UTC are in different years 0 or 10000, the outermost instants there are.
    """
    try:
        begin = start_of_day(first).astimezone(UTC)
    except OverflowError:
        begin = datetime.min.replace(tzinfo=UTC)
    try:
        end = start_of_day(last + timedelta(days=1)).astimezone(UTC)
    except OverflowError:
        end = datetime.max.replace(tzinfo=UTC)
    return begin, end


def month_bounds(day: date) -> tuple[date, date]:
    """Return the first and last day of the month of a day, of any month of the calendar."""
    return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from one to another, both included, of any part of the calendar."""
    return map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))


def happened_by(instant: datetime, as_of: date | datetime) -> bool:
    """Tell whether something had happened by then: by that instant, or by the end of that Polish civil day."""
    if isinstance(as_of, datetime):
        return instant <= as_of
    return _aware(instant) < _end_in_utc(as_of)


@lru_cache(maxsize=8)
def _end_in_utc(day: date) -> datetime:
    """Return end_of_day(); kept, since a report asks of each invoice whether something happened by the same day."""
    return end_of_day(day).astimezone(UTC)


def civil_date(as_of: date | datetime) -> date:
    """Return the Polish civil day of a day or an instant."""
    return local_date(as_of) if isinstance(as_of, datetime) else as_of


def ended_on(end: datetime) -> date:
    """Return the Polish civil day on which something ended: an end at 24:00 belongs to the day that ends."""
    return local_date(_aware(end) - _MOMENT)


def end_text(end: datetime) -> str:
    """Return an end on the Polish clock as people say it: DD.MM.RRRR GG:MM, midnight as 24:00 of the day before."""
    clock = local_time(end)
    if clock.time() == time.min:
        return f"{ended_on(end):%d.%m.%Y} 24:00"
    return f"{clock:%d.%m.%Y %H:%M}"


def clock_text(instant: datetime) -> str:
    """Return what the Polish clock shows: DD.MM.RRRR GG:MM:SS."""
    return f"{local_time(instant):%d.%m.%Y %H:%M:%S}"


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return instant


_FIXED = ((1, 1), (1, 6), (5, 1), (5, 3), (8, 15), (11, 1), (11, 11), (12, 25), (12, 26))
_AFTER_EASTER = (0, 1, 49, 60)
"""Days after Easter Sunday: itself, Easter Monday, Pentecost, Corpus Christi."""

_CHRISTMAS_EVE = (12, 24)
_CHRISTMAS_EVE_SINCE = 2025


@cache
def days_off(year: int) -> frozenset[date]:
    """Return the statutory days off of a year, 2019 or later (art. 1 of the Act), without the plain Sundays.

    A table of our own, not a library's: docs/decisions.md, number 14, says why. Tests compare it with `holidays`.
    """
    fixed = (*_FIXED, _CHRISTMAS_EVE) if year >= _CHRISTMAS_EVE_SINCE else _FIXED
    sunday = easter(year)
    return frozenset(date(year, month, day) for month, day in fixed) | frozenset(
        sunday + timedelta(days=days) for days in _AFTER_EASTER
    )


def easter(year: int) -> date:
    """Return Easter Sunday of a Gregorian year (Meeus, Astronomical Algorithms, chapter 8)."""
    century, in_century = divmod(year, 100)
    epact = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (in_century // 4) - epact - in_century % 4) % 7
    late = (year % 19 + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


class BusinessCalendar:
    """Counts Polish business days. ``extra_days_off``: days the legislature added since this was released."""

    def __init__(self, extra_days_off: Iterable[date] = ()) -> None:
        self._extra = frozenset(extra_days_off)

    def is_business_day(self, day: date) -> bool:
        """Tell whether the law's day count includes ``day``."""
        return day.weekday() < _SATURDAY and day not in self._extra and day not in days_off(day.year)

    def add_business_days(self, day: date, count: int) -> date:
        """Return the ``count``-th business day after ``day``; the day itself is never counted. ``count`` >= 1."""
        if count < 1:
            raise ValueError(f"count must be at least 1, not {count}")
        while count:
            day += timedelta(days=1)
            count -= self.is_business_day(day)
        return day

    def next_business_day(self, day: date) -> date:
        """Return the first business day after ``day``."""
        return self.add_business_days(day, 1)

    def local_date(self, instant: datetime) -> date:
        """Return the civil date in Poland at ``instant``."""
        return local_date(instant)
