"""ksef-agent deadline: by when an invoice must be in KSeF, and why, out of given announcements.

Reads neither settings nor the database nor a clock: the same question always has the same answer.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path

import click

from agent.domain.calendar import BusinessCalendar
from agent.domain.errors import Refused
from agent.domain.invoice import Mode
from agent.domain.json_io.canonical import Json
from agent.domain.outages.deadlines import Deadline, deadline
from agent.domain.outages.latarnia import BadAnswer, Unknown, parse_instant, parse_messages
from agent.domain.outages.news import facts_of
from agent.domain.outages.timeline import Timeline
from agent.domain.values import dataclass
from agent.system.os_errors import polish_reason

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ](?!24)\d{2}:\d{2}.*")
"""Not 24:00: an invoice of that moment bears one of two dates, and only who asks knows which."""

_NO_MESSAGES = "Komunikaty mają być listą albo obiektem z polem messages."

# When an announcement without any date of its own was seen: no question depends on it.
_UNDATED = parse_instant("1970-01-01T00:00:00Z")


class BadQuestion(ValueError):
    """The question itself is wrong; the sentence says what."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The deadline, and what in the announcements was not understood and so changed nothing."""

    limit: Deadline
    ignored: tuple[Unknown, ...]

    def to_json(self) -> dict[str, Json]:
        """Return the contract's four fields, and ``ignored`` where there is something."""
        answer: dict[str, Json] = {
            "deadline": self.limit.date.isoformat() if self.limit.date else None,
            "state": self.limit.state.value,
            "reason": self.limit.reason,
            "legal_basis": self.limit.legal_basis,
        }
        if self.ignored:
            answer["ignored"] = [f"{unknown.where}: {unknown.value}" for unknown in self.ignored]
        return answer


@click.command(
    epilog="Exit codes: 0 answered, 1 FILE or a question of the batch was refused, 2 wrong use.",
    short_help="Explain the deadline for sending an invoice.",
)
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="How the invoice was issued.")
@click.option("--issued", metavar="DATE-OR-INSTANT", help="P_1, or the instant; without offset it is Polish time.")
@click.option(
    "--events",
    metavar="FILE.json",
    type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
    help="Messages as Latarnia gives them: a list, or an object with messages. - reads stdin.",
)
@click.option(
    "--batch", is_flag=True, help="Questions (mode, issued, events) as JSON lines on stdin, a line each back."
)
@click.option("--day-off", "days_off", multiple=True, metavar="DATE", help="A further day off; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def command(
    *, mode: str | None, issued: str | None, events: Path | None, batch: bool, days_off: tuple[str, ...], as_json: bool
) -> None:
    """Explain by when an invoice must be in KSeF."""
    calendar = BusinessCalendar(_days_off(days_off))
    if batch:
        if mode or issued or events:
            raise click.UsageError("--batch reads mode, issued and events from stdin, not from options.")
        answer_all(calendar)
        return
    if mode is None or issued is None:
        raise click.UsageError("--mode and --issued are needed, or --batch.")
    try:
        when = parse_issued(issued)
    except BadQuestion as error:
        raise click.BadParameter(str(error), param_hint="'--issued'") from error
    try:
        answer = answer_one(Mode(mode), when, _read(events) if events else None, calendar)
    except BadQuestion as error:
        raise Refused(str(error)) from error
    if as_json:
        _echo_json(answer.to_json())
    else:
        click.echo(f"{answer.limit.reason} ({answer.limit.legal_basis})")
        for unknown in answer.ignored:
            click.echo(f"Pominięto niezrozumiały komunikat {unknown.where}: {unknown.value}", err=True)


def answer_one(mode: Mode, issued: date | datetime, messages: object, calendar: BusinessCalendar) -> Answer:
    """Answer one question. ``messages``: decoded JSON as Latarnia gives it. BadQuestion where it is none."""
    if isinstance(messages, Mapping):
        if not {"status", "messages"} & set(messages):
            raise BadQuestion(_NO_MESSAGES)  # a single message, say: to pass over it could give a wrong date
        messages = messages.get("messages")
    try:
        parsed = parse_messages(messages)
        timeline = Timeline.of(facts_of(Timeline(), parsed, _UNDATED))
        limit = deadline(mode, issued, timeline, calendar, unconfirmed_total_lifts=True)
    except BadAnswer as error:
        raise BadQuestion(_NO_MESSAGES) from error
    except OverflowError as error:
        raise BadQuestion("Data leży poza zakresem kalendarza.") from error
    return Answer(limit, parsed.unknown)


def parse_issued(text: object) -> date | datetime:
    """Read YYYY-MM-DD, or an ISO 8601 instant (without offset: Europe/Warsaw). BadQuestion otherwise."""
    try:
        if isinstance(text, str) and _DATE.fullmatch(text.strip()):
            return date.fromisoformat(text.strip())
        if isinstance(text, str) and _INSTANT.fullmatch(text.strip()):
            return parse_instant(text.strip())
    except ValueError:
        pass
    raise BadQuestion(f"Data wystawienia ma mieć postać 2026-11-23 albo 2026-11-23T14:05:00+01:00, a jest: {text}")


def answer_all(calendar: BusinessCalendar) -> None:
    """Answer JSON lines from stdin; a bad one gets {"error": ...} in its place and exit code 1 at the end."""
    refused = False
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        try:
            answer = _answer_line(line, calendar)
        except BadQuestion as error:
            refused = True
            answer = {"error": str(error)}
        _echo_json(answer)
    if refused:
        raise click.exceptions.Exit(1)


def _answer_line(line: bytes, calendar: BusinessCalendar) -> dict[str, Json]:
    try:
        question = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadQuestion("Wiersz nie jest poprawnym JSON.") from error
    if not isinstance(question, dict):
        raise BadQuestion("Pytanie ma być obiektem z polami mode, issued i events.")
    try:
        mode = Mode(str(question.get("mode")))
    except ValueError as error:
        raise BadQuestion(f"Nieznany tryb: {question.get('mode')}") from error
    return answer_one(mode, parse_issued(question.get("issued")), question.get("events"), calendar).to_json()


def _read(path: Path) -> object:
    try:
        messages: object = json.loads(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes())
    except OSError as error:
        raise BadQuestion(f"Nie można odczytać komunikatów z {path}: {polish_reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise BadQuestion(f"Nie można odczytać komunikatów z {path}: to nie jest JSON.") from error
    return messages


def _echo_json(answer: Mapping[str, Json]) -> None:
    """Write a line of UTF-8 whatever the locale (RFC 8259), and flush it: a program may wait for it."""
    click.echo(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))


def _days_off(texts: Iterable[str]) -> frozenset[date]:
    try:
        return frozenset(date.fromisoformat(text) for text in texts)
    except ValueError as error:
        raise click.BadParameter("potrzeba daty RRRR-MM-DD", param_hint="'--day-off'") from error
