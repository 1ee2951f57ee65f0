"""How a till of the chain stands, as the hub knows it: what is wrong, how grave, and which one comes first.

A till that is switched off tells nobody. So the hub judges by silence: what it last said it had unsent, and by when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import IntEnum
from typing import NamedTuple

from agent.domain.calendar import BusinessCalendar, local_date, local_time
from agent.domain.json_io.canonical import Json
from agent.domain.monitoring.opening_hours import opening_time_left
from agent.domain.monitoring.policy import Policy
from agent.domain.values import dataclass
from agent.hub.domain.records import LastBeat, OpenCount, Till, UnreadRefusals
from agent.hub_contract.heartbeat import MOST_INVOICES, Heartbeat

LISTED = 5
"""Problems of a till's own /health that are repeated here."""
VERSION_LENGTH = 40
"""Characters of what a till says its version is; the rest is cut off."""
MOST_DAYS = 100_000
"""No certificate holds longer, or ended longer ago."""


class Grade(IntEnum):
    """How grave; the worst comes first."""

    CRITICAL = 0
    WARNING = 1
    WELL = 2
    UNHEARD = 3
    """Never reported yet."""


@dataclass(frozen=True, slots=True)
class FleetPolicy:
    """When something is a problem; hours are Polish clock hours of the shops."""

    silent: timedelta
    deadline_hours: float
    opens: time
    closes: time
    calendar: BusinessCalendar


@dataclass(frozen=True, slots=True)
class Trouble:
    """One problem: a stable code, how grave, a Polish sentence."""

    code: str
    grade: Grade
    text: str


@dataclass(frozen=True, slots=True)
class TillView:
    """One till. ``held``: its invoices at the hub that are not in KSeF yet; ``unsent``: what it said it had; ``alone``:
    of those what neither the hub nor KSeF has; ``refused``: what KSeF refused and the till has not read.
    """

    till: Till
    seller: str
    grade: Grade
    troubles: tuple[Trouble, ...]
    heard_at: datetime | None
    address: str | None
    version: str | None
    mode: str | None
    unsent: int
    held: int
    alone: int
    deadline: date | None
    printers: str | None
    certificate_days: int | None
    health: Mapping[str, Json]
    refused: int = 0

    @property
    def not_in_ksef(self) -> int:
        """Return how many of its invoices are not in KSeF, as the hub knows now: a till that died said more once."""
        return self.alone + self.held

    @property
    def order(self) -> tuple[int, date, str, str]:
        """Worst first, then by deadline, shop and name."""
        return (self.grade, self.deadline or date.max, self.till.shop, self.till.name)


def view_of(
    till: Till,
    seller: str,
    last: LastBeat | None,
    counts: Sequence[OpenCount],
    *,
    now: datetime,
    policy: FleetPolicy,
    refused: UnreadRefusals | None = None,
) -> TillView:
    """Judge one till. ``seller``: the name of whose it is; ``refused``: by KSeF, and not read by the till.

    One that was revoked is silent by order: of it there are only the deadlines of what it handed over, and refusals.
    """
    last = last if till.revoked_at is None else None
    beat = None if last is None else last.beat
    health = {} if beat is None else beat.health
    held = sum(each.count for each in counts)
    alone = _Alone(0, None) if beat is None else _alone(beat, held)
    days = [each for each in (alone.deadline, *(one.deadline for one in counts)) if each is not None]
    deadline = min(days, default=None)
    found = [*_troubles(last, alone, deadline, now, policy)]
    if refused is not None:
        found += _of_refusals(refused, till, now, policy)
    troubles = tuple(found)
    quiet = Grade.UNHEARD if last is None and till.revoked_at is None else Grade.WELL
    grade = min((each.grade for each in troubles), default=quiet)
    return TillView(
        till=till,
        seller=seller,
        grade=grade,
        troubles=troubles,
        heard_at=None if last is None else last.presence.seen_at,
        address=None if last is None else last.address,
        version=None if beat is None else beat.version[:VERSION_LENGTH],
        mode=_text(health.get("mode")),
        unsent=0 if beat is None else _count(beat.unsent),
        held=held,
        alone=alone.invoices,
        deadline=deadline,
        printers=_printers(health.get("printers")),
        certificate_days=_certificate_days(health.get("certificates")),
        health=health,
        refused=0 if refused is None else refused.count,
    )


class _Alone(NamedTuple):
    """How many invoices only the till has, and the nearest of their days."""

    invoices: int
    deadline: date | None


def _alone(beat: Heartbeat, held: int) -> _Alone:
    """Return what only the till has.

    Tills before 0.3 do not say: what they had unsent beyond what is held now, which counts what has come to KSeF since.
    """
    if beat.alone is not None:
        return _Alone(_count(beat.alone), beat.alone_deadline if beat.alone else None)
    return _Alone(_count(beat.unsent - held), beat.next_deadline if beat.unsent else None)


def _count(said: int) -> int:
    """Return how many a till says, as the hub's door asks for today; what was stored before may be any number."""
    return max(0, min(said, MOST_INVOICES))


def _troubles(
    last: LastBeat | None,
    alone: _Alone,
    deadline: date | None,
    now: datetime,
    policy: FleetPolicy,
) -> Iterator[Trouble]:
    near = _is_near(deadline, now, policy)
    overdue = deadline is not None and deadline < local_date(now)
    by = "" if deadline is None else f"{deadline:%d.%m.%Y}"
    if overdue:
        yield Trouble("overdue", Grade.CRITICAL, f"Termin przesłania do KSeF minął {by}.")
    elif near:
        yield Trouble("deadline-near", Grade.CRITICAL, f"Termin przesłania do KSeF upływa {by}.")
    if last is None:
        return
    if last.duplicate_at is not None:
        at = local_time(last.duplicate_at)
        text = f"Druga kasa zgłosiła się pod tą nazwą {at:%d.%m.%Y %H:%M}; centrala jej nie przyjmuje."
        yield Trouble("till-duplicate", Grade.CRITICAL, text)
    yield from _of_silence(last, alone, near or overdue, now, policy)
    yield from _of_health(last)


def _is_near(deadline: date | None, now: datetime, policy: FleetPolicy) -> bool:
    hours = Policy(opens=policy.opens, closes=policy.closes)
    return deadline is not None and (
        opening_time_left(now, deadline, hours, policy.calendar) <= timedelta(hours=policy.deadline_hours)
    )


def _of_refusals(refused: UnreadRefusals, till: Till, now: datetime, policy: FleetPolicy) -> Iterator[Trouble]:
    """What KSeF refused is its till's to look after, once it has read it. A till that is gone never will."""
    gone = till.revoked_at is not None
    if not gone and now - refused.oldest < policy.silent:
        return
    why = "kasa jest wycofana" if gone else f"kasa tego nie odczytała od {local_time(refused.oldest):%d.%m.%Y %H:%M}"
    by = "" if refused.deadline is None else f", najbliższy termin {refused.deadline:%d.%m.%Y}"
    text = f"KSeF odrzucił faktury tej kasy: {refused.count}{by}, a {why}. Wyjaśnij je na stronie kasy."
    grave = gone or _is_near(refused.deadline, now, policy)
    yield Trouble("refusals-unread", Grade.CRITICAL if grave else Grade.WARNING, text)


def _of_silence(last: LastBeat, alone: _Alone, urgent: bool, now: datetime, policy: FleetPolicy) -> Iterator[Trouble]:
    """The dead man's switch: what a till that no longer speaks still holds, and by when it has to be in KSeF."""
    silent = abs(now - last.presence.seen_at)  # a clock that was ahead then makes nobody heard now
    if silent < policy.silent:
        return
    since = local_time(last.presence.seen_at)
    if alone.invoices:
        by = f", najbliższy termin {alone.deadline:%d.%m.%Y}" if alone.deadline is not None else ""
        count = f"Faktur, których nie ma ani w KSeF, ani tutaj: {alone.invoices}{by}."
        text = f"Kasa milczy od {since:%d.%m.%Y %H:%M}. {count}"
        yield Trouble("till-silent", Grade.CRITICAL if urgent else Grade.WARNING, text)
    elif policy.opens <= local_time(now).time() < policy.closes:
        text = f"Kasa milczy od {since:%d.%m.%Y %H:%M}. Wszystkie jej faktury są tutaj albo w KSeF."
        yield Trouble("till-silent", Grade.WARNING, text)


def _of_health(last: LastBeat) -> Iterator[Trouble]:
    """What the till says of itself, as it says it."""
    problems = last.beat.health.get("problems")
    found = [each for each in problems if isinstance(each, Mapping)] if isinstance(problems, list | tuple) else []
    for each in found[:LISTED]:
        grave = each.get("severity") == "critical"
        text = _text(each.get("message")) or ""
        yield Trouble(_text(each.get("code")) or "till", Grade.CRITICAL if grave else Grade.WARNING, text)


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _printers(value: Json) -> str | None:
    """Return the trouble of the first printer that has any, "ok" where none has, None where there is none."""
    printers = [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []
    if not printers:
        return None
    return next((text for each in printers if (text := _text(each.get("problem")))), "ok")


def _certificate_days(value: Json) -> int | None:
    found = [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []
    days = [left for each in found if isinstance(left := each.get("days_left"), int) and abs(left) < MOST_DAYS]
    return min(days, default=None)
