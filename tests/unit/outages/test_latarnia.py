"""Latarnia's answers, well-formed and strange."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.json_io.canonical import Json
from agent.domain.outages.latarnia import (
    LONGEST_TEXT,
    MOST_MESSAGES,
    Announcement,
    BadAnswer,
    Category,
    MessageType,
    NotUnderstood,
    Status,
    announcement_from_json,
    announcement_to_json,
    parse,
    parse_instant,
    parse_messages,
)

MESSAGE: dict[str, Json] = {
    "id": "K/2026/AWR/02",
    "eventId": 7,
    "category": "FAILURE",
    "type": "FAILURE_START",
    "title": "Awaria KSeF",
    "text": "Od godziny 13:27 trwa awaria.",
    "start": "2026-12-09T12:27:00Z",
    "end": None,
    "version": 1,
    "published": "2026-12-09T12:40:00+00:00",
}


def status(word: object = "AVAILABLE", messages: object = None) -> str:
    return json.dumps({"status": word, "messages": messages})


def test_reads_a_message() -> None:
    parsed = parse(status("FAILURE"), json.dumps([MESSAGE]))
    assert parsed.status is Status.FAILURE
    assert parsed.unknown == ()
    assert parsed.announcements == (
        Announcement(
            id="K/2026/AWR/02",
            event_id="7",
            category=Category.FAILURE,
            type=MessageType.FAILURE_START,
            version=1,
            title="Awaria KSeF",
            text="Od godziny 13:27 trwa awaria.",
            start=datetime(2026, 12, 9, 12, 27, tzinfo=UTC),
            end=None,
            published=datetime(2026, 12, 9, 12, 40, tzinfo=UTC),
        ),
    )


@pytest.mark.parametrize("messages", ["null", "[]", '{"messages": null}', "{}", '{"messages": []}'])
def test_no_messages(messages: str) -> None:
    assert parse('{"status": "AVAILABLE"}', messages).announcements == ()


def test_messages_of_the_status_answer_count_once() -> None:
    parsed = parse(status("FAILURE", [MESSAGE]), json.dumps([MESSAGE]))
    assert len(parsed.announcements) == 1


@pytest.mark.parametrize("word", ["available", "DOWN", "", None, 500, "UNKNOWN"])
def test_an_unknown_status_is_listed_and_is_no_status(word: object) -> None:
    parsed = parse(status(word), "[]")
    assert parsed.status is None
    assert [unknown.where for unknown in parsed.unknown] == ["status"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("category", "CATASTROPHE"),
        ("category", None),
        ("type", "FAILURE_PAUSE"),
        ("type", "MAINTENANCE_ANNOUNCEMENT"),
        ("eventId", None),
        ("eventId", True),
        ("id", ""),
        ("version", "two"),
        ("version", 10**400),
        ("id", "K" * 201),
        ("eventId", "7" * 201),
        ("version", 1.5),
        ("start", "yesterday"),
        ("start", 1733750000),
        ("end", "2026-12-09T11:00:00Z"),
        ("published", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_strange_message_is_listed_and_the_others_still_count(field: str, value: Json) -> None:
    parsed = parse(status(), json.dumps([MESSAGE | {field: value}, MESSAGE | {"eventId": 8}]))
    assert [announcement.event_id for announcement in parsed.announcements] == ["8"]
    assert len(parsed.unknown) == 1
    assert json.loads(parsed.unknown[0].raw)["title"] == "Awaria KSeF"


def test_what_is_not_even_an_object_is_listed() -> None:
    parsed = parse(status(), '["FAILURE", 3]')
    assert [unknown.where for unknown in parsed.unknown] == ["messages[0]", "messages[1]"]


@pytest.mark.parametrize("text", ["", "<html>502</html>", "[", '"FAILURE"', "[1]", "null", "[" * 100_000])
def test_an_answer_that_is_no_status_is_out_of_reach_not_an_outage(text: str) -> None:
    with pytest.raises(BadAnswer):
        parse(text, "[]")


@pytest.mark.parametrize("text", ["", "<html>403</html>", '"x"', "3", '{"messages": {}}'])
def test_an_answer_that_is_no_list_of_messages(text: str) -> None:
    with pytest.raises(BadAnswer):
        parse(status(), text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-12-09T11:27:00Z", "2026-12-09T11:27:00+00:00"),
        ("2026-12-09T13:27:00+02:00", "2026-12-09T11:27:00+00:00"),
        ("2026-12-09T13:27:00", "2026-12-09T12:27:00+00:00"),
        ("2026-07-09T13:27:00", "2026-07-09T11:27:00+00:00"),
        ("2026-12-09T11:27:00.1234567Z", "2026-12-09T11:27:00.123456+00:00"),
        ("2026-12-09", "2026-12-08T23:00:00+00:00"),
        ("2026-12-09T24:00:00", "2026-12-09T23:00:00+00:00"),
        ("2026-12-09 24:00", "2026-12-09T23:00:00+00:00"),
        ("2026-12-09T24:00:00.000+01:00", "2026-12-09T23:00:00+00:00"),
        ("2026-12-09T24:00:00Z", "2026-12-10T00:00:00+00:00"),
        ("2026-12-31T24:00", "2026-12-31T23:00:00+00:00"),
        ("2026-10-25T24:00", "2026-10-25T23:00:00+00:00"),
        ("2026-03-29T24:00", "2026-03-29T22:00:00+00:00"),
    ],
)
def test_offsets_are_trusted_and_missing_ones_are_polish(text: str, instant: str) -> None:
    assert parse_instant(text) == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    "text", ["2026-12-09T24:00:01", "2026-12-09T24:01", "2026-12-09T25:00", "9999-12-31T24:00:00Z"]
)
def test_no_other_time_beyond_the_day(text: str) -> None:
    with pytest.raises(ValueError, match=r"hour|out of range"):
        parse_instant(text)


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31", "3000-01-01T00:00:00Z", "1899-01-01T00:00:00Z"])
def test_an_instant_beyond_all_calendars_is_not_understood(end: str) -> None:
    """Some systems write "no end" so; nobody told us that the Ministry does."""
    parsed = parse_messages([{**MESSAGE, "end": end, "start": "1899-01-01T00:00:00Z"}])
    assert parsed.announcements == ()
    assert len(parsed.unknown) == 1


def test_an_end_without_a_time_of_day_is_the_end_of_its_day() -> None:
    (announcement,) = parse_messages([{**MESSAGE, "end": "2026-12-10"}]).announcements
    assert announcement.end == datetime.fromisoformat("2026-12-10T23:00:00+00:00")


def test_back_and_forth() -> None:
    announcement = announcement_from_json(MESSAGE)
    assert announcement_from_json(announcement_to_json(announcement)) == announcement


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*MESSAGE, "x"]), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(list(MESSAGE)), JSON))
def test_any_change_is_read_or_listed_but_never_breaks(changes: dict[str, Json]) -> None:
    parsed = parse(status(), json.dumps([MESSAGE | changes]))
    assert len(parsed.announcements) + len(parsed.unknown) == 1


@given(st.text() | JSON.map(json.dumps), st.text() | JSON.map(json.dumps))
def test_any_text_is_parsed_or_refused(status_text: str, messages_text: str) -> None:
    try:
        parsed = parse(status_text, messages_text)
    except BadAnswer:
        return
    assert parsed.status is None or parsed.status in Status


def test_the_name_of_the_field_is_told() -> None:
    with pytest.raises(NotUnderstood, match="category: CATASTROPHE"):
        announcement_from_json(MESSAGE | {"category": "CATASTROPHE"})


def test_an_answer_of_latarnia_is_bounded() -> None:
    (found,) = parse(status(), json.dumps([MESSAGE | {"text": "x" * 1_000_000, "title": "y" * 20_000}])).announcements
    assert (len(found.text), len(found.title)) == (LONGEST_TEXT, LONGEST_TEXT)
    (strange,) = parse(status(), json.dumps([{"id": "z" * 1_000_000}])).unknown
    assert max(map(len, (strange.where, strange.value, strange.raw))) <= 4096
    with pytest.raises(BadAnswer):
        parse(status(), json.dumps([MESSAGE | {"id": str(number)} for number in range(MOST_MESSAGES + 1)]))
    kept = announcement_from_json(MESSAGE | {"id": "K" * 300, "version": 10**12})
    assert len(kept.id) == 300, "a fact that an earlier version stored is read back"
