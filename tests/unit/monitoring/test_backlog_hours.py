"""Windows for catching up: when they are open, what waits for them, and that nothing is late because of one."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.calendar import WARSAW, BusinessCalendar, end_of_day, local_date
from agent.domain.invoice import Mode
from agent.domain.monitoring.backlog_hours import LEAST, BacklogHours, BacklogHoursError, held_until, read_backlog_hours
from agent.domain.monitoring.opening_hours import Window, opening_time_left
from agent.domain.monitoring.policy import Policy
from agent.domain.outages.deadlines import deadline
from agent.domain.outages.timeline import Timeline
from tests.fakes.clock import at

CALENDAR = BusinessCalendar()
POLICY = Policy()


def hours(text: str) -> BacklogHours:
    read = read_backlog_hours(text)
    assert read is not None
    return read


def shown(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant.astimezone(WARSAW):%Y-%m-%d %H:%M}"


def test_no_text_no_windows() -> None:
    assert read_backlog_hours("") is None
    assert read_backlog_hours("  ") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22:00", "w postaci"),
        ("22-6", "w postaci"),
        ("22:00-06:00,", "w postaci"),
        ("25:00-06:00", "nie ma takiej godziny"),
        ("22:60-06:00", "nie ma takiej godziny"),
        ("24:00-06:00", "nie ma takiej godziny"),
        ("06:00-06:00", "o tej samej godzinie"),
        ("06:00-06:59", "krótsze niż godzina"),
        ("23:30-00:10", "krótsze niż godzina"),
        ("22:00-06:00, 05:00-07:00", "nachodzą"),
        ("20:00-23:00, 22:00-06:00", "nachodzą"),
        ("00:00-24:00, 12:00-13:00", "nachodzą"),
    ],
)
def test_what_is_no_window_is_refused(text: str, expected: str) -> None:
    with pytest.raises(BacklogHoursError, match=expected):
        read_backlog_hours(text)


@pytest.mark.parametrize(
    ("text", "now", "is_open", "opens"),
    [
        ("22:00-06:00", "2026-11-24 21:59", False, "2026-11-24 22:00"),
        ("22:00-06:00", "2026-11-24 22:00", True, "2026-11-24 22:00"),
        ("22:00-06:00", "2026-11-25 05:59", True, "2026-11-25 22:00"),
        ("22:00-06:00", "2026-11-25 06:00", False, "2026-11-25 22:00"),
        ("22:00-24:00", "2026-11-25 00:00", False, "2026-11-25 22:00"),
        ("13:00-14:00, 22:00–06:00", "2026-11-24 12:00", False, "2026-11-24 13:00"),
        ("13:00-14:00,22:00-06:00", "2026-11-24 14:00", False, "2026-11-24 22:00"),
        ("0:00-24:00", "2026-11-24 12:00", True, "2026-11-24 12:00"),
        # the clock goes forward at 02:00 on 28 March 2027: that night has no such hour
        ("02:00-03:00", "2027-03-27 12:00", False, "2027-03-29 02:00"),
        ("01:00-03:30", "2027-03-28 03:10", True, "2027-03-29 01:00"),
        ("22:00-06:00", "2027-03-28 05:59", True, "2027-03-28 22:00"),
        # and back at 03:00 on 25 October 2026
        ("22:00-06:00", "2026-10-25 05:59", True, "2026-10-25 22:00"),
        ("23:00-02:00", "2026-10-25 02:00", False, "2026-10-25 23:00"),
    ],
)
def test_windows_are_those_of_the_polish_clock(text: str, now: str, *, is_open: bool, opens: str) -> None:
    given_hours = hours(text)
    assert given_hours.open_at(at(now)) is is_open
    if is_open and given_hours.next_opening(at(now)) == at(now):
        return
    assert shown(given_hours.next_opening(at(now))) == opens


def test_a_night_of_the_clock_change_is_an_hour_longer_or_shorter() -> None:
    night = hours("22:00-06:00").windows[0]
    lengths = [
        end - begin for day in (date(2026, 10, 24), date(2027, 3, 27)) for begin, end in [night.beginning_on(day)]
    ]
    assert lengths == [timedelta(hours=9), timedelta(hours=7)]


@pytest.mark.parametrize(
    ("now", "due", "until"),
    [
        ("2026-11-24 10:00", "2026-11-25", "2026-11-24 22:00"),
        ("2026-11-24 22:30", "2026-11-25", None),  # the window is open
        ("2026-11-25 06:30", "2026-11-25", None),  # the next window opens when the shop has closed on the last day
        ("2026-11-27 10:00", "2026-11-30", "2026-11-27 22:00"),  # over the weekend
        ("2026-11-30 10:00", "2026-11-25", None),  # late
        ("2026-12-23 10:00", "2026-12-28", "2026-12-23 22:00"),
        ("2026-11-24 10:00", None, "2026-11-24 22:00"),  # an awaria without end
    ],
)
def test_what_waits_for_a_window(now: str, due: str | None, until: str | None) -> None:
    last_day = None if due is None else date.fromisoformat(due)
    found = held_until(at(now), last_day, hours("22:00-06:00"), policy=POLICY, calendar=CALENDAR)
    assert shown(found) == until


def test_a_window_in_the_last_hour_is_none() -> None:
    """Where the shop never closes and wants no alarm, the hour before midnight still has to be enough to send in."""
    policy = Policy(deadline_hours=0.0, opens=time(0), closes=time(23, 59))
    now, due = at("2026-11-25 12:00"), date(2026, 11, 25)
    for text, until in (("23:00-01:00", "2026-11-25 23:00"), ("23:15-01:00", None)):
        assert shown(held_until(now, due, hours(text), policy=policy, calendar=CALENDAR)) == until


def test_a_window_in_announced_maintenance_is_none() -> None:
    """Example 20 of the law's deadlines, at night: maintenance takes the window, so what is due next day goes now."""
    away: tuple[Window, ...] = ((at("2026-11-24 21:00"), at("2026-11-25 07:00")),)
    window = hours("22:00-06:00")
    now, due = at("2026-11-24 10:00"), date(2026, 11, 25)
    assert held_until(now, due, window, policy=POLICY, calendar=CALENDAR) is not None
    assert held_until(now, due, window, policy=POLICY, calendar=CALENDAR, maintenance=away) is None
    without_end: tuple[Window, ...] = ((at("2026-11-24 21:00"), None),)
    assert held_until(now, None, window, policy=POLICY, calendar=CALENDAR, maintenance=without_end) is None


SPANS = st.tuples(st.integers(0, 95), st.integers(4, 40)).map(
    lambda each: (
        f"{each[0] // 4:02}:{each[0] % 4 * 15:02}-{(each[0] + each[1]) // 4 % 24:02}:{(each[0] + each[1]) % 4 * 15:02}"
    )
)
MOMENTS = st.integers(0, 400 * 24 * 4).map(lambda quarters: at("2026-10-01 00:00") + timedelta(minutes=15 * quarters))
AWAY = st.lists(st.tuples(st.integers(0, 150), st.integers(1, 40)), max_size=3)


@given(
    SPANS,
    MOMENTS,
    AWAY,
    st.sampled_from([0.0, 0.0, 0.5, 4.0, 12.0]),
    st.sampled_from([(time(8), time(21)), (time(10), time(18)), (time(0), time(23, 59))]),
)
def test_no_invoice_leaves_after_its_deadline_because_of_a_window(
    text: str, issued: datetime, away: list[tuple[int, int]], near_hours: float, open_hours: tuple[time, time]
) -> None:
    """Whatever the window, the instant, the holidays and what KSeF announced: it leaves in time, before an alarm."""
    window = hours(text)
    policy = Policy(deadline_hours=near_hours, opens=open_hours[0], closes=open_hours[1])
    closed: tuple[Window, ...] = tuple(
        (issued + timedelta(hours=begin), issued + timedelta(hours=begin + length)) for begin, length in away
    )
    due = deadline(Mode.OFFLINE24, issued, Timeline(), CALENDAR).date
    assert due is not None
    now = issued
    while True:
        until = held_until(now, due, window, policy=policy, calendar=CALENDAR, maintenance=closed)
        if until is None:
            break
        assert until > now
        now = until
    waited = now > issued
    if waited:
        assert end_of_day(due) - now >= LEAST, "an hour to send in is left"
        assert local_date(now) <= due
        assert opening_time_left(now, due, policy, CALENDAR, closed) > timedelta(hours=near_hours), (
            "no alarm by waiting"
        )
        assert not any(begin <= now < end for begin, end in closed if end is not None), "KSeF is there"
