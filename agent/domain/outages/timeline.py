"""What was announced and declared, as an immutable fold over facts (docs/law.md, section 1).

Facts only ever get added. Three kinds come from Latarnia (a communiqué, a status, something not understood) and one
from a manager (a declaration). The fold does not depend on the order in which communiqués arrived: the newest
version of each counts, and the earliest publication of a category is when it was announced.

Rules for what Latarnia may get wrong:
    corrected version          the highest version of a message id counts, whenever it arrived
    an end without a start     the event begins where the end communiqué says; it counts as announced with its end
    overlapping events         stay separate events; deadlines.py chains them
    status without a message   never awaria: offline24 rules, an alarm (Situation.unannounced)
    message without status     the communiqué is the legal sign, yet AVAILABLE makes it doubtful: Situation.doubtful
    TOTAL_FAILURE              counts only when a manager confirmed it, and no more once withdrawn or corrected
    silence                    no fact at all
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime

from agent.domain.outages.events import Outage, events_of_one_id
from agent.domain.outages.facts import (
    AnnouncementSeen,
    Declaration,
    DeclarationKind,
    Declared,
    StatusSeen,
    TimelineFact,
    UnknownSeen,
    fact_from_json,
    fact_to_json,
    source_of,
)
from agent.domain.outages.latarnia import Category, Status, Unknown
from agent.domain.values import dataclass

__all__ = [
    "AnnouncementSeen",
    "Declaration",
    "DeclarationKind",
    "Declared",
    "Outage",
    "Situation",
    "StatusSeen",
    "Timeline",
    "TimelineFact",
    "UnknownSeen",
    "fact_from_json",
    "fact_to_json",
    "source_of",
]

DECLARED_PREFIX = "declared:"


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds at one instant, by everything known."""

    at: datetime
    status: Status | None = None
    """Newest status seen; None: never seen."""
    failure: Outage | None = None
    maintenance: Outage | None = None
    total_failure: Outage | None = None
    """Announced or declared and not withdrawn; ask ``confirmed``."""
    offline24: Declaration | None = None
    unannounced: Status | None = None
    """The status says an outage that no communiqué announces."""
    doubtful: bool = False
    """A communiqué says awaria while the status says AVAILABLE."""
    contradicted: tuple[Category, ...] = ()
    """All that is in force while the status says AVAILABLE; total failure only where it is confirmed."""


@dataclass(frozen=True)
class Timeline:
    """All facts. Build with Timeline.of(facts); add with plus()."""

    facts: tuple[TimelineFact, ...] = ()
    events: tuple[Outage, ...] = field(default=(), compare=False)
    """By announcement, then begin. Withdrawn total failures are in it, with ``confirmed`` False."""

    @classmethod
    def of(cls, facts: Iterable[TimelineFact]) -> Timeline:
        """Fold ``facts``, in any order."""
        kept = tuple(dict.fromkeys(facts))
        return cls(kept, _events(kept))

    def plus(self, facts: Iterable[TimelineFact]) -> Timeline:
        """Return the timeline with more facts."""
        return Timeline.of((*self.facts, *facts))

    def at(self, instant: datetime) -> Situation:
        """Return what holds at ``instant`` (aware)."""
        status = self._status(instant)
        failure = self._in_force(Category.FAILURE, instant)
        maintenance = self._in_force(Category.MAINTENANCE, instant)
        total = self._in_force(Category.TOTAL_FAILURE, instant)
        announced = {
            Status.FAILURE: failure or total,
            Status.TOTAL_FAILURE: total,
            Status.MAINTENANCE: maintenance,
        }
        in_force = [failure, maintenance, total if total is not None and total.confirmed else None]
        return Situation(
            at=instant,
            status=status,
            failure=failure,
            maintenance=maintenance,
            total_failure=total,
            offline24=self._offline24(instant),
            unannounced=status if status in announced and announced[status] is None else None,
            doubtful=failure is not None and status is Status.AVAILABLE,
            contradicted=tuple(each.category for each in in_force if each is not None and status is Status.AVAILABLE),
        )

    def confirmation(self, instant: datetime) -> Declaration | None:
        """Return the newest word by which a manager confirmed a total failure."""
        spoken = [
            word
            for word in _declarations(self.facts)
            if word.kind is DeclarationKind.TOTAL_FAILURE_CONFIRMED and word.at <= instant
        ]
        return max(spoken, key=lambda word: word.at, default=None)

    def in_total_failure(self, instant: datetime) -> bool:
        """Tell whether a confirmed total failure covers ``instant``, by everything known today."""
        total = self._in_force(Category.TOTAL_FAILURE, instant)
        return total is not None and total.confirmed is True

    def false_alarm(self, instant: datetime) -> Declaration | None:
        """Return the newest word by which a manager said, after ``instant``, that the total failure then was none."""
        begun = {
            event.id
            for event in self.events
            if event.category is Category.TOTAL_FAILURE and event.confirmed is False and event.begin <= instant
        }
        spoken = [
            word
            for word in _declarations(self.facts)
            if word.kind is DeclarationKind.TOTAL_FAILURE_WITHDRAWN
            and word.at >= instant
            and (word.event_id is None or word.event_id in begun)
        ]
        return max(spoken, key=lambda word: word.at, default=None)

    def total_failure_of(self, instant: datetime) -> Outage | None:
        """Return the total failure of ``instant``, also one that turned out to be none."""
        confirmed = self._in_force(Category.TOTAL_FAILURE, instant)
        if confirmed is not None:
            return confirmed
        begun = [each for each in self.events if each.category is Category.TOTAL_FAILURE and each.begin <= instant]
        return max(begun, key=lambda event: event.begin, default=None)

    def unknown(self) -> tuple[Unknown, ...]:
        """Return everything that was not understood."""
        return tuple(fact.unknown for fact in self.facts if isinstance(fact, UnknownSeen))

    def maintenance(self, instant: datetime) -> tuple[Outage, ...]:
        """Return announced maintenance that is not over at ``instant``."""
        return tuple(each for each in self._of(Category.MAINTENANCE) if each.end is None or each.end > instant)

    def _of(self, category: Category) -> list[Outage]:
        return [event for event in self.events if event.category is category and event.confirmed is not False]

    def _in_force(self, category: Category, instant: datetime) -> Outage | None:
        found = [
            event
            for event in self._of(category)
            if event.covers(instant) and (event.announced is None or event.announced <= instant)
        ]
        # Of several, a confirmed one; then the one that ends first: the earlier deadline is never too late.
        return min(found, key=lambda event: (event.confirmed is not True, _closing(event)), default=None)

    def _status(self, instant: datetime) -> Status | None:
        seen = [fact for fact in self.facts if isinstance(fact, StatusSeen) and fact.seen_at <= instant]
        return max(seen, key=lambda fact: fact.seen_at).status if seen else None

    def _offline24(self, instant: datetime) -> Declaration | None:
        kinds = (DeclarationKind.OFFLINE24_DECLARED, DeclarationKind.OFFLINE24_WITHDRAWN)
        spoken = [word for word in _declarations(self.facts) if word.kind in kinds and word.at <= instant]
        newest = max(spoken, key=lambda word: word.at, default=None)
        return newest if newest and newest.kind is DeclarationKind.OFFLINE24_DECLARED else None


# --- the fold ---------------------------------------------------------------------------------------


def _closing(event: Outage) -> datetime:
    return event.end or datetime.max.replace(tzinfo=UTC)


def _declarations(facts: Iterable[TimelineFact]) -> list[Declaration]:
    return [fact.declaration for fact in facts if isinstance(fact, Declared)]


def _events(facts: Sequence[TimelineFact]) -> tuple[Outage, ...]:
    by_event: dict[str, list[AnnouncementSeen]] = {}
    for fact in facts:
        if isinstance(fact, AnnouncementSeen):
            by_event.setdefault(fact.announcement.event_id, []).append(fact)
    events = [event for seen in by_event.values() for event in events_of_one_id(seen)]
    events = _confirmed(events, _declarations(facts))
    return tuple(sorted(events, key=lambda event: (event.known_by, event.begin, event.id)))


def _confirmed(events: Sequence[Outage], declarations: Sequence[Declaration]) -> list[Outage]:
    """Apply what managers said of total failures, in the order they said it."""
    result = list(events)
    for word in sorted(declarations, key=lambda word: word.at):
        match word.kind:
            case DeclarationKind.TOTAL_FAILURE_CONFIRMED:
                result = _confirm(result, word)
            case DeclarationKind.TOTAL_FAILURE_ENDED:
                result = _revise(result, word, end=word.at)
            case DeclarationKind.TOTAL_FAILURE_WITHDRAWN:
                result = _revise(result, word, end=None)
            case _:
                pass
    return result


def _confirm(events: list[Outage], word: Declaration) -> list[Outage]:
    """Confirm the communiqués known by then; a confirmation without any is an event of its own."""
    said = word.since or word.at
    totals = _meant(events, word)
    open_ones = [event for event in totals if event.confirmed is not False and event.covers(word.at)]
    corrected = [event for event in totals if event.confirmed is False and word.at <= (event.end_announced or said)]
    asked = [event for event in totals if event.confirmed is None]
    if open_ones or asked or corrected:
        chosen = {event.id for event in (open_ones or asked)}
        return [replace(event, confirmed=True) if _is_total(event, chosen) else event for event in events]
    declared = Outage(
        id=DECLARED_PREFIX + word.at.isoformat(),
        category=Category.TOTAL_FAILURE,
        begin=said,
        announced=said,
        known_by=said,
        confirmed=True,
    )
    return [*events, declared]


def _revise(events: list[Outage], word: Declaration, *, end: datetime | None) -> list[Outage]:
    """End the total failures in force at ``word.at``, or withdraw them where ``end`` is None."""
    totals = [event for event in _meant(events, word) if event.confirmed is not False]
    in_force = [event for event in totals if event.covers(word.at)]
    newest = sorted(totals, key=lambda event: event.known_by)[-1:] if end is None else []
    chosen = {event.id for event in (in_force or newest)}
    changed = []
    for event in events:
        if not _is_total(event, chosen):
            changed.append(event)
        elif end is None:
            changed.append(replace(event, confirmed=False, end_announced=word.at))
        else:
            changed.append(replace(event, end=end, end_announced=end))
    return changed


def _meant(events: Iterable[Outage], word: Declaration) -> list[Outage]:
    """Return the total failures that a declaration can be about."""
    return [
        event
        for event in events
        if event.category is Category.TOTAL_FAILURE and event.known_by <= word.at and word.event_id in (None, event.id)
    ]


def _is_total(event: Outage, chosen: set[str]) -> bool:
    return event.category is Category.TOTAL_FAILURE and event.id in chosen
