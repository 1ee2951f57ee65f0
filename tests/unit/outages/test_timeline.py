"""What the timeline makes of everything that Latarnia may get wrong, and of what managers say."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest

from agent.domain.json_io.canonical import Json
from agent.domain.outages.latarnia import Category, Status
from agent.domain.outages.news import MORE_A_DAY, MOST_ANNOUNCEMENTS, MOST_UNKNOWN, new_facts
from agent.domain.outages.timeline import (
    AnnouncementSeen,
    Declaration,
    DeclarationKind,
    Declared,
    Situation,
    StatusSeen,
    Timeline,
    TimelineFact,
    UnknownSeen,
    fact_from_json,
    fact_to_json,
    source_of,
)

T0 = datetime(2026, 12, 9, 8, 0, tzinfo=UTC)


def hour(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def message(**changes: Json) -> dict[str, Json]:
    plain: dict[str, Json] = {
        "id": "K/2026/AWR/01",
        "eventId": 1,
        "category": "FAILURE",
        "type": "FAILURE_START",
        "start": hour(0).isoformat(),
        "end": None,
        "version": 1,
        "published": hour(0.5).isoformat(),
    }
    return plain | changes


START = message()
END = message(id="K/2026/AWR/02", type="FAILURE_END", end=hour(10).isoformat(), published=hour(10.5).isoformat())
WORKS = message(
    id="K/2026/NI/01",
    eventId=2,
    category="MAINTENANCE",
    type="MAINTENANCE_ANNOUNCEMENT",
    start=hour(48).isoformat(),
    end=hour(54).isoformat(),
    published=hour(1).isoformat(),
)
TOTAL = message(id="K/2026/AWC/01", eventId=3, category="TOTAL_FAILURE")


def poll(timeline: Timeline, at: datetime, status: str, *messages: dict[str, Json]) -> Timeline:
    return timeline.plus(new_facts(timeline, json.dumps({"status": status}), json.dumps(messages), at))


def heard(*messages: dict[str, Json], status: str = "FAILURE") -> Timeline:
    return poll(Timeline(), hour(1), status, *messages)


def said(kind: DeclarationKind, at: datetime, since: datetime | None = None) -> Declared:
    return Declared(Declaration(kind, "radio", "kierownik", at, since))


def test_silence_is_nothing() -> None:
    assert Timeline().at(hour(0)) == Situation(hour(0))


def test_a_poll_without_change_adds_nothing() -> None:
    timeline = heard(START, WORKS)
    assert len(timeline.facts) == 3
    assert poll(timeline, hour(2), "FAILURE", START, WORKS) == timeline
    assert poll(timeline, hour(2), "FAILURE") == timeline  # a message that is no longer shown stays known


def test_a_status_that_comes_back_is_a_new_fact() -> None:
    timeline = heard(status="AVAILABLE")
    for at, word in enumerate(["FAILURE", "FAILURE", "AVAILABLE"], 2):
        timeline = poll(timeline, hour(at), word)
    assert [fact.status for fact in timeline.facts if isinstance(fact, StatusSeen)] == [
        Status.AVAILABLE,
        Status.FAILURE,
        Status.AVAILABLE,
    ]
    assert timeline.at(hour(2.5)).status is Status.FAILURE
    assert timeline.at(hour(5)).status is Status.AVAILABLE


def test_failure_from_start_to_end() -> None:
    timeline = poll(heard(START), hour(11), "AVAILABLE", START, END)
    (event,) = timeline.events
    assert (event.begin, event.end, event.announced, event.end_announced) == (hour(0), hour(10), hour(0.5), hour(10.5))
    assert timeline.at(hour(0.4)).failure is None  # not announced yet
    assert timeline.at(hour(1)).failure == event
    assert timeline.at(hour(10)).failure == event
    assert timeline.at(hour(11)).failure is None


def test_failure_without_end_goes_on() -> None:
    assert heard(START).at(hour(500)).failure is not None


def test_corrected_version_counts_whenever_it_came() -> None:
    corrected = message(start=hour(0.25).isoformat(), version=2, published=hour(3).isoformat())
    for order in itertools.permutations([START, corrected]):
        timeline = Timeline()
        for at, item in enumerate(order, 4):
            timeline = poll(timeline, hour(at), "FAILURE", item)
        (event,) = timeline.events
        assert event.begin == hour(0.25)
        assert event.announced == hour(0.5)  # the first publication stays the announcement


def test_corrected_end() -> None:
    longer = END | {"end": hour(12).isoformat(), "version": 2, "published": hour(12.5).isoformat()}
    for order in itertools.permutations([START, END, longer]):
        (event,) = heard(*order).events
        assert event.end == hour(12)


def test_same_version_twice_with_other_content_takes_the_earlier_end() -> None:
    other = END | {"end": hour(9).isoformat()}
    for order in itertools.permutations([START, END, other]):
        (event,) = heard(*order).events
        assert event.end == hour(9)


def test_an_end_without_a_start() -> None:
    (event,) = heard(END).events
    assert (event.begin, event.end) == (hour(0), hour(10))
    assert event.announced is None
    assert event.known_by == hour(10.5)


def test_an_end_without_a_start_that_names_no_begin_says_nothing() -> None:
    assert heard(END | {"start": None}).events == ()


@pytest.mark.parametrize(("foreseen", "end"), [(None, 10.5), (9, 9), (20, 10.5)])
def test_an_end_that_names_no_instant(foreseen: float | None, end: float) -> None:
    start = START | {"end": hour(foreseen).isoformat() if foreseen else None}
    (event,) = heard(start, END | {"end": None}).events
    assert event.end == hour(end)


def test_an_end_that_says_neither_when_nor_since_when_ended_when_it_was_first_seen() -> None:
    """Else the failure would go on for ever, and no deadline begin."""
    end = message(id="K/2026/AWR/02", type="FAILURE_END", end=None, published=None)
    timeline = poll(heard(START), hour(12), "AVAILABLE", START, end)
    timeline = poll(timeline, hour(20), "AVAILABLE", START, end)
    (event,) = timeline.events
    assert (event.end, event.end_announced) == (hour(12), hour(12))
    assert timeline.at(hour(20)).failure is None


def test_a_start_that_names_the_end() -> None:
    (event,) = heard(START | {"end": hour(4).isoformat()}).events
    assert event.end == hour(4)


def test_end_under_the_same_message_id() -> None:
    (event,) = heard(START, END | {"id": START["id"]}).events
    assert (event.begin, event.end) == (hour(0), hour(10))


def test_overlapping_events_stay_two_and_the_earlier_end_is_in_force() -> None:
    second = message(id="K/2026/AWR/09", eventId=9, start=hour(2).isoformat(), published=hour(2).isoformat())
    timeline = heard(START, END, second)
    assert [event.id for event in timeline.events] == ["1", "9"]
    situation = timeline.at(hour(3))
    assert situation.failure is not None
    assert situation.failure.id == "1"
    later = timeline.at(hour(11)).failure
    assert later is not None
    assert later.id == "9"


def test_maintenance_and_failure_may_share_an_event_id() -> None:
    timeline = heard(START, END, WORKS | {"eventId": 1})
    assert [(event.category, event.begin) for event in timeline.events] == [
        (Category.FAILURE, hour(0)),
        (Category.MAINTENANCE, hour(48)),
    ]


def test_maintenance_as_announced() -> None:
    timeline = heard(WORKS, status="AVAILABLE")
    assert timeline.at(hour(2)).maintenance is None
    assert timeline.at(hour(50)).maintenance == timeline.events[0]
    assert timeline.at(hour(55)).maintenance is None


def test_prolonged_maintenance_by_a_new_message() -> None:
    longer = WORKS | {"id": "K/2026/NI/02", "end": hour(60).isoformat(), "published": hour(53).isoformat()}
    assert heard(WORKS, longer).at(hour(58)).maintenance is not None


@pytest.mark.parametrize("word", [Status.FAILURE, Status.MAINTENANCE, Status.TOTAL_FAILURE])
def test_status_without_message_is_no_event(word: Status) -> None:
    situation = heard(status=word.value).at(hour(2))
    assert (situation.failure, situation.maintenance, situation.total_failure) == (None, None, None)
    assert situation.unannounced is word


def test_status_with_its_message_is_announced() -> None:
    assert heard(START).at(hour(2)).unannounced is None
    assert heard(WORKS, status="MAINTENANCE").at(hour(49)).unannounced is None
    assert heard(TOTAL, status="TOTAL_FAILURE").at(hour(2)).unannounced is None


def test_message_without_status_is_doubtful() -> None:
    assert heard(START, status="AVAILABLE").at(hour(2)).doubtful
    assert not heard(START).at(hour(2)).doubtful


def test_unknown_words_change_nothing_and_are_kept_once() -> None:
    timeline = heard(message(category="METEOR"), status="METEOR")
    timeline = poll(timeline, hour(2), "METEOR", message(category="METEOR"))
    assert len(timeline.unknown()) == 2
    assert timeline.at(hour(3)) == Situation(hour(3))


# --- a source that invents messages -----------------------------------------------------------------


def inventing(timeline: Timeline, at: datetime, count: int) -> Timeline:
    """A poll whose messages nobody has seen before."""
    name = at.isoformat()
    new = [message(id=f"{name} {number}", eventId=f"{name} {number}") for number in range(count)]
    return poll(timeline, at, "FAILURE", *new)


def announcements(timeline: Timeline) -> int:
    return sum(isinstance(fact, AnnouncementSeen) for fact in timeline.facts)


def test_invented_messages_are_bounded_and_the_end_of_a_known_outage_is_taken_all_the_same() -> None:
    timeline = heard(START)
    for number in range(5):
        timeline = inventing(timeline, hour(2 + number / 60), 400)
    assert announcements(timeline) == MOST_ANNOUNCEMENTS
    timeline = inventing(timeline, hour(20), 400)
    assert announcements(timeline) == MOST_ANNOUNCEMENTS, "the day is full"
    later = hour(30)
    invented = [message(id=f"late {number}", eventId=f"late {number}") for number in range(400)]
    timeline = poll(timeline, later, "FAILURE", *invented, END)
    assert announcements(timeline) == MOST_ANNOUNCEMENTS + MORE_A_DAY
    (event,) = [each for each in timeline.events if each.id == "1"]
    assert event.end == hour(10), "a deadline rests on it"
    assert poll(timeline, hour(31), "FAILURE", *invented, END) == timeline


def test_invented_words_are_bounded() -> None:
    timeline = Timeline()
    for number in range(3):
        strange = [message(id=f"{number} {each}", category="METEOR") for each in range(600)]
        timeline = poll(timeline, hour(number), "FAILURE", *strange)
    assert len(timeline.unknown()) == MOST_UNKNOWN


# --- total failure ----------------------------------------------------------------------------------


def total_at(timeline: Timeline, at: datetime) -> bool | str | None:
    event = timeline.at(at).total_failure
    return "none" if event is None else event.confirmed


def test_total_failure_waits_for_a_manager() -> None:
    timeline = heard(TOTAL, status="TOTAL_FAILURE")
    assert total_at(timeline, hour(2)) is None
    confirmed = timeline.plus([said(DeclarationKind.TOTAL_FAILURE_CONFIRMED, hour(2))])
    assert total_at(confirmed, hour(3)) is True
    withdrawn = confirmed.plus([said(DeclarationKind.TOTAL_FAILURE_WITHDRAWN, hour(5))])
    assert total_at(withdrawn, hour(3)) == "none"
    assert [event.confirmed for event in withdrawn.events] == [False]
    assert total_at(timeline.plus([said(DeclarationKind.TOTAL_FAILURE_WITHDRAWN, hour(2))]), hour(3)) == "none"


def test_confirming_twice_is_once() -> None:
    words = [said(DeclarationKind.TOTAL_FAILURE_CONFIRMED, hour(at)) for at in (2, 3)]
    assert len(heard(TOTAL).plus(words).events) == 1
    assert len(Timeline.of(words).events) == 1


def test_total_failure_heard_in_the_media_only() -> None:
    timeline = Timeline.of([said(DeclarationKind.TOTAL_FAILURE_CONFIRMED, hour(2), since=hour(1))])
    assert total_at(timeline, hour(1.5)) is True
    ended = timeline.plus([said(DeclarationKind.TOTAL_FAILURE_ENDED, hour(9))])
    assert total_at(ended, hour(8)) is True
    assert total_at(ended, hour(10)) == "none"
    again = ended.plus([said(DeclarationKind.TOTAL_FAILURE_CONFIRMED, hour(100))])
    assert total_at(again, hour(101)) is True
    assert len(again.events) == 2


def test_a_withdrawal_leaves_an_earlier_real_one_alone() -> None:
    words = [
        said(DeclarationKind.TOTAL_FAILURE_CONFIRMED, hour(1)),
        said(DeclarationKind.TOTAL_FAILURE_ENDED, hour(9)),
        said(DeclarationKind.TOTAL_FAILURE_CONFIRMED, hour(100)),
        said(DeclarationKind.TOTAL_FAILURE_WITHDRAWN, hour(101)),
    ]
    assert [event.confirmed for event in Timeline.of(words).events] == [True, False]


def test_of_two_total_failures_the_named_one_is_meant() -> None:
    false = TOTAL | {"id": "K/2026/AWC/02", "eventId": 4}
    confirmed = Declaration(DeclarationKind.TOTAL_FAILURE_CONFIRMED, "radio", "kierownik", hour(2), event_id="3")
    withdrawn = Declaration(DeclarationKind.TOTAL_FAILURE_WITHDRAWN, "BIP", "kierownik", hour(2), event_id="4")
    timeline = heard(TOTAL, false).plus([Declared(confirmed), Declared(withdrawn)])
    assert {event.id: event.confirmed for event in timeline.events} == {"3": True, "4": False}


def test_total_failure_that_latarnia_takes_back() -> None:
    corrected = TOTAL | {"category": "FAILURE", "version": 2, "published": hour(4).isoformat()}
    confirmation = said(DeclarationKind.TOTAL_FAILURE_CONFIRMED, hour(2))
    timeline = poll(heard(TOTAL).plus([confirmation]), hour(5), "FAILURE", corrected)
    situation = timeline.at(hour(6))
    assert situation.total_failure is None
    assert situation.failure is not None
    assert total_at(timeline.plus([said(DeclarationKind.TOTAL_FAILURE_CONFIRMED, hour(7))]), hour(8)) is True


def test_failure_that_becomes_total() -> None:
    """LAT#7: nobody says how; the awaria stays announced as such, the total failure is announced later."""
    worse = START | {"category": "TOTAL_FAILURE", "version": 2, "published": hour(6).isoformat()}
    timeline = poll(heard(START), hour(7), "TOTAL_FAILURE", worse)
    assert [(event.category, event.announced) for event in timeline.events] == [
        (Category.FAILURE, hour(0.5)),
        (Category.TOTAL_FAILURE, hour(6)),
    ]
    situation = timeline.at(hour(8))
    assert situation.failure is not None
    assert situation.total_failure is not None


# --- declarations, storage --------------------------------------------------------------------------


def test_offline24_declared_and_withdrawn() -> None:
    declared = said(DeclarationKind.OFFLINE24_DECLARED, hour(1))
    timeline = Timeline.of([declared, said(DeclarationKind.OFFLINE24_WITHDRAWN, hour(3))])
    assert timeline.at(hour(0)).offline24 is None
    assert timeline.at(hour(2)).offline24 == declared.declaration
    assert timeline.at(hour(3)).offline24 is None


def test_facts_survive_storage() -> None:
    facts: list[TimelineFact] = list(heard(START, END, WORKS, TOTAL, message(category="METEOR", eventId=99)).facts)
    facts += [said(kind, hour(2), hour(1)) for kind in DeclarationKind]
    kinds = {AnnouncementSeen, StatusSeen, UnknownSeen, Declared}
    assert {type(fact) for fact in facts} == kinds
    for fact in facts:
        body = json.loads(json.dumps(fact_to_json(fact)))
        assert fact_from_json(body, fact.seen_at) == fact
        assert source_of(fact) == ("manager" if isinstance(fact, Declared) else "latarnia")


def test_a_foreign_fact_is_refused() -> None:
    with pytest.raises(ValueError, match="not a fact"):
        fact_from_json({"fact": "rumour"}, T0)


def test_the_fold_does_not_depend_on_the_order() -> None:
    messages = [START, END, WORKS, TOTAL]
    folds = {heard(*order).events for order in itertools.permutations(messages)}
    assert len(folds) == 1
