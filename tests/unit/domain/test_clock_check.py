"""The clock's judgement: every kind of evidence, and properties over steps, boots and silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.clock_check import (
    FA3_BEGINS,
    FRESH_SECONDS,
    LONGEST_OFF,
    ClockState,
    Known,
    Mark,
    Reading,
    Source,
    judge,
    may_assume,
    may_believe_ntp,
)

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=15)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CONFIRMED, ASSUMED, UNCONFIRMED, WRONG = ClockState


def reading(wall: datetime = NOW, monotonic: float = 5000.0, boot: str = "this") -> Reading:
    return Reading(wall, monotonic, boot)


def mark(source: Source, *, ago: float = 60.0, at: datetime = NOW, boot: str = "this") -> Mark:
    """Who vouched so many seconds ago that it is ``at`` now."""
    return Mark(at - timedelta(seconds=ago), 5000.0 - ago, boot, source)


@pytest.mark.parametrize("source", [Source.KSEF, Source.NTP, Source.MANAGER])
@pytest.mark.parametrize("off", [-LIMIT, timedelta(0), LIMIT])
def test_within_the_limit_of_what_somebody_vouched_for(source: Source, off: timedelta) -> None:
    verdict = judge(reading(NOW - off), Known(mark(source)), LIMIT)
    assert (verdict.state, verdict.skew_seconds) == (CONFIRMED, off.total_seconds())


@pytest.mark.parametrize(
    ("off", "ago", "state", "confirmable", "told"),
    [
        (-HOUR, 60.0, WRONG, False, "Zegar kasy różni się od czasu KSeF o 60 min."),
        (-400 * DAY, 60.0, WRONG, False, "pokazuje 20.10.2025 11:00 i różni się od czasu KSeF o 400 dni."),
        (-HOUR, 86_400.0, WRONG, False, "o 60 min."),
        (HOUR, 60.0, WRONG, False, "o 60 min."),
        (90 * DAY, FRESH_SECONDS, WRONG, False, "o 90 dni."),
        # KSeF is silent since, and a machine that was paused counts too little
        (HOUR, FRESH_SECONDS + 1, UNCONFIRMED, True, "o 60 min."),
        (90 * DAY, 86_400.0, UNCONFIRMED, True, "o 90 dni."),
    ],
)
def test_against_the_time_of_ksef(off: timedelta, ago: float, state: ClockState, confirmable: bool, told: str) -> None:
    verdict = judge(reading(NOW + off), Known(mark(Source.KSEF, ago=ago)), LIMIT)
    assert (verdict.state, verdict.confirmable) == (state, confirmable)
    assert verdict.problem is not None
    assert verdict.problem.endswith(told)
    assert verdict.skew_seconds == -off.total_seconds()


@pytest.mark.parametrize("source", [Source.NTP, Source.MANAGER, Source.MACHINE])
@pytest.mark.parametrize(("off", "words"), [(HOUR, "o 60 min do przodu"), (-3 * DAY, "o 3 dni do tyłu")])
def test_set_since_somebody_vouched(source: Source, off: timedelta, words: str) -> None:
    verdict = judge(reading(NOW + off), Known(mark(source)), LIMIT)
    assert (verdict.state, verdict.confirmable) == (UNCONFIRMED, True)
    assert verdict.problem is not None
    assert words in verdict.problem


@pytest.mark.parametrize(
    ("known", "confirmable", "told"),
    [
        (Known(), False, "a faktury FA(3) są od 01.09.2025."),
        (Known(ksef_until=NOW), False, "a faktury FA(3) są od 01.09.2025."),
    ],
)
@pytest.mark.parametrize("wall", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)])
def test_before_fa3(wall: datetime, known: Known, confirmable: bool, told: str) -> None:
    verdict = judge(reading(wall), known, LIMIT)
    assert (verdict.state, verdict.confirmable) == (WRONG, confirmable)
    assert verdict.problem is not None
    assert told in verdict.problem


@pytest.mark.parametrize(
    ("known", "confirmable", "told"),
    [
        (Known(ksef_until=NOW), False, "a ostatni znany czas KSeF to 24.11.2026 10:00."),
        (Known(newest_issue=NOW), True, "a ostatnia faktura jest z 24.11.2026 10:00."),
        (Known(alive_at=NOW), True, "a ostatni zapis w kasie jest z 24.11.2026 10:00."),
    ],
)
@pytest.mark.parametrize("boot", ["this", "other"])
def test_behind_what_is_known(known: Known, confirmable: bool, told: str, boot: str) -> None:
    """Also where the clock itself was believed in this boot."""
    known = Known(mark(Source.MACHINE, boot=boot), known.ksef_until, known.newest_issue, known.alive_at)
    verdict = judge(reading(NOW - HOUR), known, LIMIT)
    assert (verdict.state, verdict.confirmable, verdict.skew_seconds) == (WRONG, confirmable, 3600.0)
    assert verdict.problem is not None
    assert told in verdict.problem


def test_a_little_behind_is_forgiven_but_not_over_midnight() -> None:
    issued = datetime(2026, 11, 24, 23, 5, tzinfo=UTC)  # five past midnight in Warsaw
    before, after = issued - timedelta(minutes=7), issued - timedelta(minutes=4)
    for known in (Known(newest_issue=issued), Known(mark(Source.MACHINE, at=after), newest_issue=issued)):
        verdict = judge(reading(before), known, LIMIT)
        assert (verdict.state, verdict.confirmable) == (WRONG, True)
        assert judge(reading(after), known, LIMIT).state is ASSUMED
    # whom KSeF gives the time needs no older invoice: a log from the future gives way
    assert judge(reading(before), Known(mark(Source.KSEF, at=before), newest_issue=issued), LIMIT).state is CONFIRMED


@pytest.mark.parametrize(
    ("off", "battery", "state"),
    [
        (HOUR, True, ASSUMED),
        (3 * DAY, True, ASSUMED),
        (LONGEST_OFF, True, ASSUMED),
        (LONGEST_OFF + timedelta(minutes=1), True, UNCONFIRMED),
        (90 * DAY, True, UNCONFIRMED),
        # without a battery the clock goes on from where it was saved
        (timedelta(minutes=2), False, UNCONFIRMED),
        (timedelta(minutes=-10), False, UNCONFIRMED),
        (3 * DAY, False, ASSUMED),
    ],
)
def test_a_new_boot_that_nobody_vouches_for(off: timedelta, battery: bool, state: ClockState) -> None:
    known = Known(mark(Source.KSEF, boot="earlier"), ksef_until=NOW - DAY, newest_issue=NOW - HOUR, alive_at=NOW)
    verdict = judge(reading(NOW + off, monotonic=40.0), known, LIMIT, battery_clock=battery)
    assert verdict.state is state
    assert verdict.confirmable is (state is UNCONFIRMED)


def test_a_new_till_is_believed() -> None:
    verdict = judge(reading(), Known(), LIMIT, battery_clock=False)
    assert verdict.state is ASSUMED
    assert may_assume(reading(), Known(), verdict)
    assert not may_assume(reading(), Known(mark(Source.MACHINE)), verdict)


@pytest.mark.parametrize(
    ("wall", "known", "believed"),
    [
        (NOW, Known(), True),
        (NOW, Known(mark(Source.MACHINE)), True),
        (NOW + 90 * DAY, Known(mark(Source.MACHINE)), True),
        (NOW - 3 * DAY, Known(mark(Source.MANAGER)), True),
        (datetime(1970, 1, 1, tzinfo=UTC), Known(), False),
        (NOW - DAY, Known(ksef_until=NOW), False),
        # KSeF's word goes before, unless it is old and the clock ahead of it
        (NOW, Known(mark(Source.KSEF)), False),
        (NOW + HOUR, Known(mark(Source.KSEF)), False),
        (NOW + HOUR, Known(mark(Source.KSEF, ago=FRESH_SECONDS + 1)), True),
        (NOW - HOUR, Known(mark(Source.KSEF, ago=FRESH_SECONDS + 1)), False),
    ],
)
def test_when_a_time_server_is_believed(wall: datetime, known: Known, believed: bool) -> None:
    assert may_believe_ntp(reading(wall), known, LIMIT) is believed


# --- properties -------------------------------------------------------------------------------------

INSTANTS = st.integers(0, 70 * 365 * 86_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
SOURCES = st.sampled_from(list(Source))


@given(INSTANTS, SOURCES, st.floats(0, 1e7), st.none() | INSTANTS, st.none() | INSTANTS, st.booleans())
def test_a_dated_document_is_near_everything_that_is_certain(
    wall: datetime, source: Source, ago: float, ksef_until: datetime | None, newest: datetime | None, here: bool
) -> None:
    """Whatever else is known: no date before FA(3), none before KSeF's word, none far from a mark of this boot."""
    known = Known(mark(source, ago=ago, boot="this" if here else "other"), ksef_until, newest, newest)
    verdict = judge(reading(wall), known, LIMIT)
    assert (verdict.problem is None) is (verdict.state in {CONFIRMED, ASSUMED})
    if verdict.problem is not None:
        return
    if here:
        assert abs(wall - NOW) <= LIMIT
    else:
        assert wall >= FA3_BEGINS
        known_instants = [each for each in (ksef_until, newest) if each is not None]
        assert all(wall >= each - LIMIT for each in known_instants)
        assert not known_instants or wall <= max(known_instants) + LONGEST_OFF


@given(INSTANTS, st.timedeltas(-800 * DAY, 800 * DAY), st.floats(0, 3600))
def test_every_step_that_nobody_confirms_stops_the_till(began: datetime, step: timedelta, later: float) -> None:
    """The clock was believed, then it was set by more than the limit, in whichever direction."""
    known = Known(Mark(began, 100.0, "this", Source.MACHINE), newest_issue=began, alive_at=began)
    wall = began + timedelta(seconds=later) + step
    dates = judge(reading(wall, monotonic=100.0 + later), known, LIMIT).problem is None
    assert not dates or abs(step) <= LIMIT
