"""Business days against the library `holidays`, and the dates of docs/law.md, section 1, by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.calendar import BusinessCalendar, days_off, easter, local_date, start_of_day

CALENDAR = BusinessCalendar()


@pytest.mark.parametrize("year", range(2019, 2101))
def test_days_off_are_those_of_the_library(year: int) -> None:
    assert days_off(year) == frozenset(holidays.country_holidays("PL", years=year))


def test_days_off_of_2027() -> None:
    days = ["01-01", "01-06", "03-28", "03-29", "05-01", "05-03", "05-16", "05-27"]
    days += ["08-15", "11-01", "11-11", "12-24", "12-25", "12-26"]
    assert sorted(days_off(2027)) == [date.fromisoformat(f"2027-{day}") for day in days]


def test_christmas_eve_is_free_since_2025() -> None:
    assert CALENDAR.is_business_day(date(2024, 12, 24))
    assert not CALENDAR.is_business_day(date(2025, 12, 24))
    assert not CALENDAR.is_business_day(date(2026, 12, 24))


@pytest.mark.parametrize(("year", "day"), [(2285, "03-22"), (2038, "04-25"), (2500, "04-18"), (4000, "04-09")])
def test_easter_far_away(year: int, day: str) -> None:
    assert easter(year) == date.fromisoformat(f"{year}-{day}")


@given(st.dates(date(1990, 1, 1), date(9998, 12, 31)))
def test_far_years_have_business_days(day: date) -> None:
    following = CALENDAR.next_business_day(day)
    assert timedelta(days=1) <= following - day <= timedelta(days=6)
    assert following.weekday() < 5


@given(st.dates(date(2020, 1, 1), date(2100, 1, 1)), st.integers(1, 30), st.integers(1, 30))
def test_counting_in_two_steps_is_counting_at_once(day: date, first: int, second: int) -> None:
    there = CALENDAR.add_business_days(CALENDAR.add_business_days(day, first), second)
    assert there == CALENDAR.add_business_days(day, first + second)


def test_extra_day_off_moves_the_count() -> None:
    day = date(2026, 11, 23)
    assert CALENDAR.next_business_day(day) == date(2026, 11, 24)
    assert BusinessCalendar([date(2026, 11, 24)]).next_business_day(day) == date(2026, 11, 25)


def test_count_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="count"):
        CALENDAR.add_business_days(date(2026, 11, 23), 0)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-11-22T22:59:59Z", "2026-11-22"),
        ("2026-11-22T23:00:00Z", "2026-11-23"),
        ("2027-07-01T21:59:59Z", "2027-07-01"),
        ("2027-07-01T22:00:00Z", "2027-07-02"),
        ("2027-03-28T00:30:00Z", "2027-03-28"),
        ("2027-10-31T22:59:59Z", "2027-10-31"),
    ],
)
def test_civil_date_is_the_polish_one(instant: str, day: str) -> None:
    assert local_date(datetime.fromisoformat(instant)) == date.fromisoformat(day)
    assert CALENDAR.local_date(datetime.fromisoformat(instant)) == date.fromisoformat(day)


@given(st.dates(date(2020, 1, 1), date(2100, 1, 1)))
def test_a_day_begins_at_its_own_midnight(day: date) -> None:
    begin = start_of_day(day).astimezone(UTC)
    assert local_date(begin) == day
    assert local_date(begin - timedelta(seconds=1)) == day - timedelta(days=1)


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        local_date(datetime(2026, 11, 22))  # noqa: DTZ001 - the point of the test
