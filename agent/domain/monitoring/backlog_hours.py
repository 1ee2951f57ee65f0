"""Windows for catching up: when what nobody waits for is sent to KSeF, and what may wait for the next window.

A window only ever delays what has time. An invoice waits for one where the next window that KSeF has not announced to
be away in opens early enough: with the deadline not even near by then (alerts.deadline_hours), and an hour to send in.
So no invoice is late, and no alarm begins, because of a window. Hours are those of the Polish clock; instants are
compared in UTC, so the nights of the clock change have the windows the clock shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from agent.domain.calendar import WARSAW, BusinessCalendar, end_of_day, local_date, start_of_day
from agent.domain.monitoring.opening_hours import Window, opening_time_left, outside
from agent.domain.monitoring.policy import Policy
from agent.domain.values import dataclass

MIDNIGHT = time(0)
LEAST = timedelta(hours=1)
"""Shortest window of a day, and what has to be left before a deadline when a window opens."""
USABLE = timedelta(minutes=30)
"""What is left of a window beside announced maintenance counts as one from so much on."""
AHEAD_DAYS = 8
"""So far a window is looked for; later than any deadline that does not stand still."""
_WINDOW = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_DAY = timedelta(days=1)


class BacklogHoursError(ValueError):
    """The text is no list of windows. The message is Polish."""


@dataclass(frozen=True, slots=True)
class DailyWindow:
    """A time of every day; where it closes no later than it opens, it closes on the next day."""

    opens: time
    closes: time
    """00:00: at the end of the day."""

    def beginning_on(self, day: date) -> tuple[datetime, datetime]:
        """Return the window that opens on a Polish civil day, in UTC."""
        closing_day = day if self.opens < self.closes else day + _DAY
        return _instant(day, self.opens), _instant(closing_day, self.closes)


@dataclass(frozen=True, slots=True)
class BacklogHours:
    """The windows of a day."""

    windows: tuple[DailyWindow, ...]

    def open_at(self, now: datetime) -> bool:
        """Tell whether a window is open."""
        return any(begin <= now < end for begin, end in self._around(now))

    def next_opening(self, now: datetime, maintenance: Sequence[Window] = ()) -> datetime | None:
        """Return when the next window opens in which KSeF is there; None: in none of the next days.

        ``maintenance``: announced (begin, end). Of a window that is open now: ``now``.
        """
        found = [
            max(begin, now)
            for whole in self._around(now)
            for begin, end in outside(*whole, maintenance)
            if end > now and end - max(begin, now) >= USABLE
        ]
        return min(found, default=None)

    def _around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        today = local_date(now)
        for days in range(-1, AHEAD_DAYS):
            for window in self.windows:
                begin, end = window.beginning_on(today + timedelta(days=days))
                if begin < end:  # 02:00-03:00 does not exist in the night in which the clock goes forward
                    yield begin, end


def read_backlog_hours(text: str) -> BacklogHours | None:
    """Read "22:00-06:00", or several with commas between them; None where the text is empty: at any time.

    BacklogHoursError: no such list, a window shorter than an hour, two that overlap.
    """
    if not text.strip():
        return None
    windows = tuple(_read(part.strip()) for part in text.split(","))
    spans = sorted((begin, begin + _length(window)) for window in windows for begin in [_minutes(window.opens)])
    following = (spans[0][0] + 24 * 60, spans[0][1] + 24 * 60)
    if any(first[1] > second[0] for first, second in pairwise([*spans, following])):
        raise BacklogHoursError(f"okna „{text}” nachodzą na siebie")
    return BacklogHours(windows)


def held_until(
    now: datetime,
    deadline: date | None,
    hours: BacklogHours,
    *,
    policy: Policy,
    calendar: BusinessCalendar,
    maintenance: Sequence[Window] = (),
) -> datetime | None:
    """Return when the window opens that an unsent invoice may wait for; None: it goes now.

    ``deadline``: its last day; None: the outage has not ended, so no days count yet.
    ``maintenance``: announced times without KSeF.
    """
    if hours.open_at(now):
        return None
    opening = hours.next_opening(now, maintenance)
    if opening is None:
        return None
    if deadline is None:
        return opening
    if end_of_day(deadline) - opening < LEAST:
        return None
    if opening_time_left(opening, deadline, policy, calendar, maintenance) <= timedelta(hours=policy.deadline_hours):
        return None
    return opening


def _read(text: str) -> DailyWindow:
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise BacklogHoursError(f"potrzebne okno w postaci „22:00-06:00”, kilka po przecinku; jest „{text}”")
    opens = _time(found[1], found[2], text)
    closes = MIDNIGHT if (found[3], found[4]) == ("24", "00") else _time(found[3], found[4], text)
    window = DailyWindow(opens, closes)
    if opens == closes and opens != MIDNIGHT:
        raise BacklogHoursError(f"okno „{text}” otwiera się i zamyka o tej samej godzinie")
    if timedelta(minutes=_length(window)) < LEAST:
        raise BacklogHoursError(f"okno „{text}” jest krótsze niż godzina")
    return window


def _time(hour: str, minute: str, text: str) -> time:
    try:
        return time(int(hour), int(minute))
    except ValueError:
        raise BacklogHoursError(f"nie ma takiej godziny w oknie „{text}”") from None


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _length(window: DailyWindow) -> int:
    """Return minutes of an ordinary day."""
    return (_minutes(window.closes) - _minutes(window.opens) - 1) % (24 * 60) + 1


def _instant(day: date, clock: time) -> datetime:
    if clock == MIDNIGHT:
        return start_of_day(day).astimezone(UTC)
    return datetime.combine(day, clock, tzinfo=WARSAW).astimezone(UTC)
