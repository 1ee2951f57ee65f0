"""Polish business days and civil dates.

Business day: Monday to Friday, not a day off by the Act of 18.01.1951 (24 December since 2025, Act of 6.12.2024).
The law does not define it; MF's worked example skips Saturday and Sunday (DOMAIN 1.3). All dates are civil
dates in Europe/Warsaw, whatever the zone of the machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

WARSAW = ZoneInfo("Europe/Warsaw")

_SATURDAY = 5


def local_date(instant: datetime) -> date:
    """Return the civil date in Poland at an aware ``instant``."""
    return _aware(instant).astimezone(WARSAW).date()


def local_time(instant: datetime) -> datetime:
    """Return an aware ``instant`` on the Polish wall clock."""
    return _aware(instant).astimezone(WARSAW)


def start_of_day(day: date) -> datetime:
    """Return the first instant of a Polish civil day (Poland has never skipped a midnight)."""
    return datetime.combine(day, time.min, tzinfo=WARSAW)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return instant


@cache
def days_off(year: int) -> frozenset[date]:
    """Return the statutory days off of a year, Sundays that are none of the fourteen not included."""
    from holidays.countries.poland import Poland  # noqa: PLC0415 - 40 ms that most commands never need

    return frozenset(Poland(years=year, expand=False, observed=False))


class BusinessCalendar:
    """Counts Polish business days. ``extra_days_off``: days the legislature added before `holidays` knew them."""

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
