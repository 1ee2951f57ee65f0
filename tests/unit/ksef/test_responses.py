"""Answers of KSeF: tolerant of what is new, strict about what is needed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ksef.client import ksef_failure
from agent.ksef.responses import (
    EVIDENCE_BYTES,
    LONGEST_WORDS,
    MOST_DETAILS,
    Answer,
    parse_instant,
    problems,
    retry_after,
)
from agent.ksef.verdicts import read_verdict
from agent.ports import CallOutcome, KsefError, Rejected
from agent.ports.ksef import LONGEST_MESSAGE

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def answer(body: object, status: int = 200, content_type: str = "application/json", **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, data, {"content-type": content_type, **headers})


class TestFields:
    def test_known_fields_are_read_and_unknown_ones_ignored(self) -> None:
        fields = answer({"a": "x", "n": 3, "f": True, "o": {"b": "eA=="}, "l": [{}], "t": ["s"], "new": 1}).fields()
        assert (fields.text("a"), fields.number("n"), fields.flag("f")) == ("x", 3, True)
        assert fields.object("o").decoded("b") == b"x"
        assert len(fields.objects("l")) == 1
        assert fields.texts("t") == ("s",)
        assert fields.texts("none") == ()
        assert fields.optional_text("none") is None
        assert fields.optional_object("none") is None

    @pytest.mark.parametrize(
        ("getter", "value"),
        [
            ("text", None),
            ("text", 1),
            ("text", ""),
            ("reference", "../auth"),
            ("reference", "a b"),
            ("reference", "a\x1b"),
            ("reference", "ż"),
            ("reference", "a" * 101),
            ("number", "1"),
            ("number", True),
            ("number", 1.5),
            ("number", 2**31),
            ("number", -(10**30)),
            ("flag", 1),
            ("instant", "2026-11-24T09:00:00"),
            ("instant", "yesterday"),
            ("decoded", "%"),
            ("sha256", "c2hvcnQ="),
            ("amount", float("nan")),
            ("amount", float("inf")),
            ("amount", True),
            ("object", []),
            ("objects", {}),
            ("objects", [1]),
            ("texts", "x"),
            ("strings", {"x": 1}),
            ("optional_text", 1),
            ("optional_object", 1),
        ],
    )
    def test_a_field_of_another_kind_is_an_error_with_the_body_kept(self, getter: str, value: object) -> None:
        fields = answer({"field": value}).fields()
        with pytest.raises(KsefError) as caught:
            getattr(fields, getter)("field")
        assert caught.value.outcome is CallOutcome.UNKNOWN
        assert caught.value.body == json.dumps({"field": value})

    def test_evidence_is_bounded(self) -> None:
        with pytest.raises(KsefError) as caught:
            answer({"field": "x" * 2 * EVIDENCE_BYTES}).fields().text("other")
        assert len(caught.value.body) == EVIDENCE_BYTES

    @pytest.mark.parametrize("body", [b"[]", b'"x"', b"nul", b"", b"\xff"])
    def test_what_is_no_object(self, body: bytes) -> None:
        with pytest.raises(KsefError):
            answer(body).fields()

    def test_a_list(self) -> None:
        items = [{"a": "x"}, {"b": "y"}, 7, None, {"a": "z"}]
        assert answer(items).readable(lambda item: item.text("a")) == ["x", "z"], "what cannot be read costs itself"
        assert answer({"list": items}).fields().readable("list", lambda item: item.text("a")) == ["x", "z"]
        with pytest.raises(KsefError):
            answer({}).readable(lambda item: item.text("a"))
        with pytest.raises(KsefError):
            answer({"list": {}}).fields().readable("list", lambda item: item.text("a"))

    def test_what_does_not_call_itself_json_is_not_ksef(self) -> None:
        with pytest.raises(KsefError) as caught:
            answer({"a": 1}, content_type="text/plain").fields()
        assert caught.value.link_down


class TestInstants:
    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("2025-07-11T12:23:56.0154302+00:00", datetime(2025, 7, 11, 12, 23, 56, 15430, UTC)),
            ("2025-09-16T11:05:40.841+02:00", datetime(2025, 9, 16, 9, 5, 40, 841000, UTC)),
            ("2026-01-31T13:27:00Z", datetime(2026, 1, 31, 13, 27, tzinfo=UTC)),
            ("2026-01-31T13:27:00.1Z", datetime(2026, 1, 31, 13, 27, 0, 100000, UTC)),
        ],
    )
    def test_as_ksef_writes_them(self, text: str, instant: datetime) -> None:
        assert parse_instant(text) == instant

    @given(
        st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
    )
    def test_round_trip(self, instant: datetime) -> None:
        assert parse_instant(instant.isoformat()) == instant

    @pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T13:27:00", "2026-02-31T00:00:00Z", "", "x.y"])
    def test_without_offset_there_is_no_instant(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".*"):
            parse_instant(text)

    @pytest.mark.parametrize(
        "text",
        ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59Z", "9999-12-31T23:00:00-02:00"],
    )
    def test_what_no_minute_can_be_counted_from_is_none(self, text: str) -> None:
        """0001-01-01 is what .NET writes for an instant that nobody set."""
        with pytest.raises(ValueError, match="outside of time"):
            parse_instant(text)
        with pytest.raises(KsefError):
            answer({"at": text}).fields().instant("at")

    @pytest.mark.parametrize("text", ["9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59-02:00"])
    def test_what_has_no_end_ends_late_enough(self, text: str) -> None:
        end = answer({"until": text}).fields().end("until")
        assert end.year == 2999
        with pytest.raises(KsefError):
            answer({"until": "0001-01-01T00:00:00Z"}).fields().end("until")


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("raw", "seconds"), [("30", 30.0), ("1743", 1743.0), ("86400", 86400.0), ("0", 0.0), ("", None), ("soon", None)]
    )
    def test_seconds_exactly(self, raw: str, seconds: float | None) -> None:
        assert retry_after(answer({}, 429, **{"retry-after": raw}), NOW) == seconds

    @pytest.mark.parametrize(
        ("raw", "seconds"), [("2592000", 2592000.0), ("2592001", None), ("inf", None), ("nan", None), ("-1", 0.0)]
    )
    def test_thirty_days_at_most_and_never_before_now(self, raw: str, seconds: float | None) -> None:
        assert retry_after(answer({}, 429, **{"retry-after": raw}), NOW) == seconds

    def test_a_date(self) -> None:
        at = NOW + timedelta(minutes=5)
        raw = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert retry_after(answer({}, 429, **{"retry-after": raw}), NOW) == 300.0
        # by the server's own clock, whatever ours shows
        for wrong in (NOW - timedelta(days=400), NOW + timedelta(days=90)):
            told = {"retry-after": raw, "date": format_datetime(NOW, usegmt=True)}
            assert retry_after(answer({}, 429, **told), wrong) == 300.0


class TestProblems:
    def test_both_shapes_say_the_same(self) -> None:
        old = {
            "exception": {
                "exceptionDetailList": [
                    {"exceptionCode": 21470, "exceptionDescription": "Klucz.", "details": ["Klucz X."]}
                ]
            }
        }
        new = {"errors": [{"code": 21470, "description": "Klucz.", "details": ["Klucz X."]}], "status": 400}
        assert problems(answer(old, 400)) == problems(answer(new, 400, "application/problem+json"))
        assert str(problems(answer(old, 400))[0]) == "21470 Klucz. (Klucz X.)"

    def test_details_may_be_missing(self) -> None:
        (found,) = problems(answer({"errors": [{"code": 21405, "description": "Błąd.", "details": None}]}, 400))
        assert (found.code, found.details) == (21405, ())

    def test_the_old_shape_of_429(self) -> None:
        body = {"status": {"code": 429, "description": "Too Many Requests", "details": ["Limit 20"]}}
        assert problems(answer(body, 429))[0].details == ("Limit 20",)

    def test_problem_details_without_errors(self) -> None:
        body = {"title": "Forbidden", "detail": "Brak uprawnień.", "reasonCode": "missing-permissions", "status": 403}
        (found,) = problems(answer(body, 403))
        assert (found.code, found.description, found.details) == (403, "Brak uprawnień.", ("missing-permissions",))

    @pytest.mark.parametrize("body", [b"<html>", b"[1]", b"{}", b'{"errors": [{"code": "x"}]}', b'{"exception": {}}'])
    def test_no_error_of_ksef(self, body: bytes) -> None:
        assert problems(answer(body, 400)) == ()
        assert problems(answer(body, 400, "text/html")) == ()

    def test_what_ksef_says_is_kept_within_bounds(self) -> None:
        endless = "x" * 5000
        one = {"code": 21405, "description": endless, "details": [endless] * 30}
        found = problems(answer({"errors": [one] * 30}, 400))
        assert len(found) == MOST_DETAILS
        assert {len(each.details) for each in found} == {MOST_DETAILS}
        assert {len(words) for each in found for words in (each.description, *each.details)} == {LONGEST_WORDS + 1}
        failure = ksef_failure(answer({"errors": [one] * 30}, 400), datetime(2026, 11, 24, tzinfo=UTC))
        assert failure is not None
        assert len(failure.message) == LONGEST_MESSAGE + 1
        status = {"status": {"code": 450, "description": endless, "details": [endless] * 30}}
        verdict = read_verdict(answer(status).fields())
        assert isinstance(verdict, Rejected)
        assert (len(verdict.description), len(verdict.details)) == (LONGEST_WORDS + 1, MOST_DETAILS)

    def test_what_ksef_says_is_one_line(self) -> None:
        """It gets into the journal, where a line of its own could pass for another program's."""
        said = {
            "errors": [{"code": True, "description": "x"}, {"code": 1, "description": "a\nCRITICAL \u202eb\x1b[0m"}]
        }
        (found,) = problems(answer(said, 400))
        assert found.description == "a CRITICAL  b [0m"
