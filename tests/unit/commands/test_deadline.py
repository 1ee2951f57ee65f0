"""What other programs rely on: options, files, JSON lines, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands.deadline import command
from agent.domain.errors import Refused
from agent.domain.json_io.canonical import Json

START: dict[str, Json] = {
    "id": "K/2026/AWR/01",
    "eventId": 1,
    "category": "FAILURE",
    "type": "FAILURE_START",
    "title": "Awaria",
    "text": "Trwa awaria",
    "start": "2026-12-09T09:00:00Z",
    "end": None,
    "version": 1,
    "published": "2026-12-09T09:10:00Z",
}
END = START | {
    "id": "K/2026/AWR/02",
    "type": "FAILURE_END",
    "end": "2026-12-09T19:00:00Z",
    "published": "2026-12-09T19:05:00Z",
}
TOTAL = START | {"id": "K/2026/AWC/01", "eventId": 2, "category": "TOTAL_FAILURE", "published": "2026-12-17T09:00:00Z"}


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=stdin)


def answer(*arguments: str) -> dict[str, Json]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    reply: dict[str, Json] = json.loads(result.stdout)
    return reply


def batch(*questions: object) -> tuple[list[dict[str, Json]], int]:
    result = run("--batch", "--json", stdin="".join(json.dumps(question) + "\n" for question in questions))
    return [json.loads(line) for line in result.stdout.splitlines()], result.exit_code


@pytest.mark.parametrize(
    "issued",
    [
        "2026-12-23",
        "2026-12-23T22:59:59Z",
        "2026-12-22T23:00:00Z",
        "2026-12-23T23:59:59+01:00",
        "2026-12-23T00:00:00",
        "2026-12-23 23:59",
        "2026-12-23T12:00:00.1234567Z",
    ],
)
def test_all_forms_of_the_issue_day(issued: str) -> None:
    reply = answer("--mode", "offline24", "--issued", issued)
    assert set(reply) == {"deadline", "state", "reason", "legal_basis"}
    assert (reply["deadline"], reply["state"], reply["legal_basis"]) == ("2026-12-28", "due", "art. 106nda ust. 2")


@pytest.mark.parametrize("form", ["list", "object"])
@pytest.mark.parametrize(
    ("mode", "issued", "messages", "due", "state"),
    [
        ("offline24", "2026-12-08", [START, END], "2026-12-18", "due"),
        ("offline24", "2026-12-08", [START], None, "open"),
        ("offline24", "2026-12-08", [START, END, TOTAL], None, "lifted"),
        ("failure", "2026-12-09T10:00:00Z", [START, END], "2026-12-18", "due"),
        ("failure", "2026-12-09T10:00:00Z", [START], None, "open"),
        ("failure", "2026-12-09", [END], "2026-12-18", "due"),
        ("offline24", "2026-12-08", [], "2026-12-09", "due"),
    ],
)
def test_events_file(
    tmp_path: Path, form: str, mode: str, issued: str, messages: list[Json], due: str | None, state: str
) -> None:
    file = tmp_path / "events.json"
    content: Json = messages if form == "list" else {"status": "FAILURE", "messages": messages}
    file.write_text(json.dumps(content), encoding="utf-8")
    reply = answer("--mode", mode, "--issued", issued, "--events", str(file))
    assert (reply["deadline"], reply["state"]) == (due, state)


MAINTENANCE = START | {
    "id": "K/2026/NI/01",
    "eventId": 3,
    "category": "MAINTENANCE",
    "type": "MAINTENANCE_ANNOUNCEMENT",
    "start": "2026-11-25T18:00:00+01:00",
    "end": "2026-11-26T00:00:00+01:00",
    "published": "2026-11-20T10:00:00Z",
}


@pytest.mark.parametrize(
    "end",
    [
        "2026-11-26T00:00:00+01:00",
        "2026-11-25T23:00:00Z",
        "2026-11-26T00:00:00",
        "2026-11-25T23:00:00.0000000Z",
        "2026-11-26T01:00:00+02:00",
        "2026-11-25T24:00:00+01:00",
        "2026-11-25T24:00:00",
        "2026-11-25T22:59:59Z",
        "2026-11-25",
    ],
)
@pytest.mark.parametrize("issued", ["2026-11-25", "2026-11-25T19:00:00+01:00"])
def test_an_end_at_midnight_belongs_to_the_day_that_ends(tmp_path: Path, issued: str, end: str) -> None:
    file = tmp_path / "events.json"
    file.write_text(json.dumps([MAINTENANCE | {"end": end}]), encoding="utf-8")
    reply = answer("--mode", "unavailability", "--issued", issued, "--events", str(file))
    assert (reply["deadline"], reply["legal_basis"]) == ("2026-11-26", "art. 106nh ust. 2")
    failure = [START | {"start": "2026-11-25T17:00:00Z", "published": "2026-11-25T17:00:00Z"}]
    failure += [END | {"start": "2026-11-25T17:00:00Z", "end": end, "published": "2026-11-25T23:30:00Z"}]
    file.write_text(json.dumps(failure), encoding="utf-8")
    reply = answer("--mode", "failure", "--issued", issued, "--events", str(file))
    assert (reply["deadline"], reply["legal_basis"]) == ("2026-12-04", "art. 106nf ust. 4")


def test_a_minute_after_midnight_is_the_next_day() -> None:
    later = MAINTENANCE | {"end": "2026-11-25T23:01:00Z"}
    replies, code = batch({"mode": "unavailability", "issued": "2026-11-25", "events": [later]})
    assert ([reply["deadline"] for reply in replies], code) == (["2026-11-27"], 0)


def test_a_status_alone_is_no_awaria(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_text('{"status": "TOTAL_FAILURE", "messages": null}', encoding="utf-8")
    assert answer("--mode", "offline24", "--issued", "2026-12-08", "--events", str(file))["deadline"] == "2026-12-09"


def test_events_from_stdin() -> None:
    result = run("--mode", "offline24", "--issued", "2026-12-08", "--events", "-", "--json", stdin=json.dumps([START]))
    assert json.loads(result.stdout)["state"] == "open"


def test_for_people() -> None:
    result = run("--mode", "offline24", "--issued", "2026-12-08")
    assert result.stdout == (
        "Faktura offline24 wystawiona 08.12.2026: najpóźniej w następnym dniu roboczym, "
        "czyli środa 09.12.2026. (art. 106nda ust. 2)\n"
    )


def test_a_further_day_off() -> None:
    reply = answer("--mode", "offline24", "--issued", "2026-12-08", "--day-off", "2026-12-09")
    assert reply["deadline"] == "2026-12-10"


def test_batch_answers_line_by_line_in_order() -> None:
    replies, code = batch(
        {"mode": "offline24", "issued": "2026-12-08"},
        {"mode": "offline24", "issued": "2026-12-08", "events": [START, END]},
        {"mode": "offline24", "issued": "2026-12-08", "events": {"status": "AVAILABLE", "messages": None}},
        {"mode": "failure", "issued": "2026-12-09T11:00:00+01:00", "events": [START]},
    )
    assert code == 0
    assert [reply["deadline"] for reply in replies] == ["2026-12-09", "2026-12-18", "2026-12-09", None]
    assert [reply["state"] for reply in replies] == ["due", "due", "due", "open"]


def test_batch_goes_on_after_a_bad_question() -> None:
    good = {"mode": "offline24", "issued": "2026-12-08"}
    bad: list[object] = [
        {},
        [],
        "offline24",
        None,
        good | {"mode": "awaria"},
        good | {"mode": ["failure"]},
        good | {"issued": "8.12.2026"},
        good | {"issued": None},
        good | {"issued": 20261208},
        good | {"issued": "2026-02-30"},
        good | {"issued": "2026-12-08T24:00:00"},
        good | {"issued": "9999-12-31"},
        good | {"events": "none"},
        good | {"events": START},
        good | {"events": {}},
        good | {"events": {"messages": 3}},
    ]
    replies, code = batch(*bad, good)
    assert code == 1
    assert [list(reply) for reply in replies[:-1]] == [["error"]] * len(bad)
    assert replies[-1]["deadline"] == "2026-12-09"


def test_batch_survives_broken_lines() -> None:
    good = b'{"mode": "offline24", "issued": "2026-12-08"}'
    lines = [good, b"", b"   ", b"nonsense", b"\xff\xfe\x00", b"[" * 100_000, b'{"mode": NaN}', b'"\\ud800"', good]
    result = run("--batch", stdin=b"\n".join(lines))
    replies = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [("error" in reply) for reply in replies] == [False, *[True] * 5, False]


def test_unknown_words_are_named_and_change_nothing() -> None:
    strange = START | {"category": "METEOR", "eventId": 9}
    replies, code = batch({"mode": "offline24", "issued": "2026-12-08", "events": [strange, {"id": 3}, 7]})
    assert code == 0
    assert replies[0]["deadline"] == "2026-12-09"
    assert replies[0]["ignored"] == [
        "K/2026/AWR/01: category: METEOR",
        "3: category: None",
        "messages[2]: not an object",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--mode", "offline24"],
        ["--issued", "2026-12-08"],
        ["--mode", "nightly", "--issued", "2026-12-08"],
        ["--mode", "offline24", "--issued", "tomorrow"],
        ["--mode", "offline24", "--issued", "20261208"],
        ["--mode", "offline24", "--issued", "2026-12-08", "--events", "missing.json"],
        ["--mode", "offline24", "--issued", "2026-12-08", "--day-off", "x"],
        ["--batch", "--mode", "offline24"],
    ],
)
def test_wrong_use(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr


@pytest.mark.parametrize("content", ["", "nonsense", "3", '{"messages": "x"}'])
def test_a_refused_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "events.json"
    file.write_text(content, encoding="utf-8")
    result = run("--mode", "offline24", "--issued", "2026-12-08", "--events", str(file))
    assert isinstance(result.exception, Refused)  # cli.main turns it into one sentence and exit code 1


def test_reads_a_file_with_bom(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_bytes(b"\xef\xbb\xbf[]")
    assert answer("--mode", "offline24", "--issued", "2026-12-08", "--events", str(file))["state"] == "due"


def test_answers_are_utf8_whatever_the_locale() -> None:
    result = run("--batch", stdin='{"mode": "offline24", "issued": "2026-12-08"}\n')
    assert "czyli środa" in io.TextIOWrapper(io.BytesIO(result.stdout_bytes), encoding="utf-8").read()
