"""Whether the till's clock may date a document: what is known of the right time, against what the clock shows.

P_1, deadlines and the mode stand on the clock, and KSeF refuses a P_1 later than the day of acceptance, while it takes
an earlier one without a word (docs/law.md, day-future). So nothing is dated that nothing confirms.

What is known, best first:
    a mark of this boot    somebody vouched for an instant (KSeF, NTP, a manager), or the clock itself was believed
                           (MACHINE); carried on by the monotonic clock, which no change of the wall clock touches
    KSeF's last word       of an earlier boot: it is later than that, certainly
    the newest invoice     and the last sign of life of this till: later than that, unless the clock was wrong then
Nothing confirms a time after them, so a till that comes back is believed only for LONGEST_OFF (a weekend, a week's
leave), and only where the machine has a clock that runs while it is off.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from agent.domain.calendar import local_date, local_time
from agent.domain.values import dataclass

FA3_BEGINS = datetime(2025, 9, 1, tzinfo=UTC)
"""FA(3) takes no earlier DataWytworzeniaFa (its XSD): no clock that shows less is right."""
LONGEST_OFF = timedelta(days=7)
"""So long a till may have been off, or without this agent, before its clock has to be confirmed by somebody."""
FRESH_SECONDS = 600.0
"""So long after KSeF told its time a clock ahead of it is certainly wrong. Later the monotonic clock itself may have
missed something (a virtual machine that was paused), so a person is asked."""
STOOD_STILL = timedelta(minutes=15)
"""A machine without a battery clock goes on from the time it saved: within so long of its last sign of life."""
TWO_DAYS = timedelta(days=2)


class Source(StrEnum):
    """Who vouches for an instant."""

    KSEF = "ksef"
    NTP = "ntp"
    """The kernel says that its clock is disciplined by a time server."""
    MANAGER = "manager"
    MACHINE = "machine"
    """Nobody: the clock showed a time that may well be right."""


class ClockState(StrEnum):
    """What may be done with the clock. CONFIRMED and ASSUMED date documents, the others do not."""

    CONFIRMED = "confirmed"
    ASSUMED = "assumed"
    """Nobody confirmed it in this boot, and nothing speaks against it."""
    UNCONFIRMED = "unconfirmed"
    """It may be right or wrong: a manager has to say."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the clock. ``monotonic`` counts seconds since something of its ``boot``, sleep included."""

    wall: datetime
    monotonic: float
    boot: str


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant that ``source`` vouched for, tied to the monotonic clock of one boot."""

    at: datetime
    monotonic: float
    boot: str
    source: Source

    @classmethod
    def of(cls, reading: Reading, source: Source, at: datetime | None = None) -> Mark:
        """Tie ``at``, else what the clock showed, to a reading."""
        return cls(at or reading.wall, reading.monotonic, reading.boot, source)

    def now(self, monotonic: float) -> datetime:
        """Return the instant it has become."""
        return self.at + timedelta(seconds=monotonic - self.monotonic)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the right time. ``mark`` counts where it is of the reading's boot."""

    mark: Mark | None = None
    ksef_until: datetime | None = None
    """The latest instant that is certain by KSeF's word."""
    newest_issue: datetime | None = None
    alive_at: datetime | None = None
    """The last sign of life of an earlier run, by a clock that was believed then."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement. ``problem``: a Polish sentence without a remedy, None where the clock dates documents."""

    state: ClockState
    problem: str | None = None
    confirmable: bool = False
    """A manager's word may make it good: nothing certain contradicts the clock."""
    skew_seconds: float | None = None
    """The right time minus what the clock shows; None where nothing tells."""

    @property
    def remedy(self) -> str:
        """Return the Polish half sentence that says what to do."""
        if self.confirmable:
            return "Ustaw zegar albo poproś kierownika, żeby potwierdził datę (zakładka „Kierownik”)"
        return "Ustaw zegar"


def judge(reading: Reading, known: Known, limit: timedelta, *, battery_clock: bool = True) -> Verdict:
    """Judge one reading. ``limit``: what the clock may be off by (issue.clock_skew_refuse_seconds)."""
    mark = known.mark
    if mark is None or mark.boot != reading.boot:
        return _behind_what_is_known(reading, known, limit) or _unmarked(reading, known, battery_clock)
    right = mark.now(reading.monotonic)
    skew = (right - reading.wall).total_seconds()
    if abs(right - reading.wall) <= limit:
        return _near(reading, known, mark.source, skew)
    if mark.source is Source.KSEF:
        return _against_ksef(reading, mark, skew)
    behind = _behind_what_is_known(reading, known, limit)
    return behind or Verdict(ClockState.UNCONFIRMED, _stepped(reading, skew), confirmable=True, skew_seconds=skew)


def may_assume(reading: Reading, known: Known, verdict: Verdict) -> bool:
    """Tell whether the clock is to be believed from here on (a MACHINE mark): it may be right, and no mark holds."""
    unmarked = known.mark is None or known.mark.boot != reading.boot
    return unmarked and verdict.state is ClockState.ASSUMED


def may_believe_ntp(reading: Reading, known: Known, limit: timedelta) -> bool:
    """Tell whether a clock that NTP keeps confirms itself. KSeF's word goes before it where they contradict."""
    if known.ksef_until is not None and reading.wall < known.ksef_until - limit:
        return False
    if reading.wall < FA3_BEGINS:
        return False
    mark = known.mark
    if mark is None or mark.boot != reading.boot or mark.source is not Source.KSEF:
        return True
    return reading.wall - mark.now(reading.monotonic) > limit and not _fresh(mark, reading)


def _near(reading: Reading, known: Known, source: Source, skew: float) -> Verdict:
    """Judge a clock that shows what its mark says; one that nobody vouched for must not fall back over midnight."""
    if source is not Source.MACHINE:
        return Verdict(ClockState.CONFIRMED, skew_seconds=skew)
    newest = known.newest_issue
    if newest is not None and local_date(reading.wall) < local_date(newest):
        return Verdict(ClockState.WRONG, _before_issue(reading, newest), confirmable=True)
    return Verdict(ClockState.ASSUMED)


def _against_ksef(reading: Reading, mark: Mark, skew: float) -> Verdict:
    """Judge a clock that shows another time than KSeF's, carried on by the monotonic clock."""
    apart = timedelta(seconds=abs(skew))
    text = f"Zegar kasy różni się od czasu KSeF o {_length(apart)}."
    if apart >= TWO_DAYS:
        text = f"Zegar kasy pokazuje {_shown(reading.wall)} i różni się od czasu KSeF o {_length(apart)}."
    if skew > 0 or _fresh(mark, reading):
        return Verdict(ClockState.WRONG, text, skew_seconds=skew)
    return Verdict(ClockState.UNCONFIRMED, text, confirmable=True, skew_seconds=skew)


def _behind_what_is_known(reading: Reading, known: Known, limit: timedelta) -> Verdict | None:
    """Return the verdict on a clock that shows less than it must; None where it does not."""
    wall = reading.wall
    if wall < FA3_BEGINS:
        text = f"Zegar kasy pokazuje {_shown(wall)}, a faktury FA(3) są od {FA3_BEGINS:%d.%m.%Y}."
        return _late(reading, max(FA3_BEGINS, known.ksef_until or FA3_BEGINS), text)
    if known.ksef_until is not None and known.ksef_until - wall > limit:
        text = f"Zegar kasy pokazuje {_shown(wall)}, a ostatni znany czas KSeF to {_shown(known.ksef_until)}."
        return _late(reading, known.ksef_until, text)
    newest, alive_at = known.newest_issue, known.alive_at
    if newest is not None and (newest - wall > limit or local_date(wall) < local_date(newest)):
        return _late(reading, newest, _before_issue(reading, newest), confirmable=True)
    if alive_at is not None and alive_at - wall > limit:
        text = f"Zegar kasy pokazuje {_shown(wall)}, a ostatni zapis w kasie jest z {_shown(alive_at)}."
        return _late(reading, alive_at, text, confirmable=True)
    return None


def _late(reading: Reading, at_least: datetime, problem: str, *, confirmable: bool = False) -> Verdict:
    late = (at_least - reading.wall).total_seconds()
    return Verdict(ClockState.WRONG, problem, confirmable=confirmable, skew_seconds=late)


def _unmarked(reading: Reading, known: Known, battery_clock: bool) -> Verdict:
    """Judge a clock of a new boot that is later than all that is known."""
    last = max((each for each in (known.alive_at, known.newest_issue, known.ksef_until) if each), default=None)
    if last is None:
        return Verdict(ClockState.ASSUMED)  # a new till: a technician is with it
    if reading.wall - last > LONGEST_OFF:
        text = (
            f"Zegar kasy pokazuje {_shown(reading.wall)}, a kasa ostatnio działała {_shown(last)}: "
            "nic nie potwierdza daty."
        )
        return Verdict(ClockState.UNCONFIRMED, text, confirmable=True)
    began = reading.wall - timedelta(seconds=reading.monotonic)
    if not battery_clock and began - last < STOOD_STILL:
        text = (
            f"Zegar kasy pokazuje {_shown(reading.wall)}, ale ta kasa nie ma zegara, który chodzi po wyłączeniu: "
            "nic nie potwierdza daty."
        )
        return Verdict(ClockState.UNCONFIRMED, text, confirmable=True)
    return Verdict(ClockState.ASSUMED)


def _fresh(mark: Mark, reading: Reading) -> bool:
    return reading.monotonic - mark.monotonic <= FRESH_SECONDS


def _before_issue(reading: Reading, newest: datetime) -> str:
    return f"Zegar kasy pokazuje {_shown(reading.wall)}, a ostatnia faktura jest z {_shown(newest)}."


def _stepped(reading: Reading, skew: float) -> str:
    way = "do tyłu" if skew > 0 else "do przodu"
    length = _length(timedelta(seconds=abs(skew)))
    return f"Zegar kasy przestawił się o {length} {way} i pokazuje {_shown(reading.wall)}: nic nie potwierdza daty."


def _shown(instant: datetime) -> str:
    return f"{local_time(instant):%d.%m.%Y %H:%M}"


def _length(apart: timedelta) -> str:
    minutes = apart.total_seconds() / 60
    return f"{minutes:.0f} min" if apart < TWO_DAYS else f"{minutes / 1440:.0f} dni"
