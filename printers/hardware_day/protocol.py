"""What the hardware day writes down. As JSON: schemas/print-test.schema.json, explained in docs/hardware-day.md.

Times of day are UTC, ISO 8601; durations whole milliseconds by a clock that never goes back. Bytes are hexadecimal.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum

from agent.domain.json_io.codec import PlainError, from_plain, to_plain
from agent.domain.values import dataclass

FORMAT = "ksef-agent-print-test"
VERSION = 1


class Unreadable(ValueError):
    """The file is no protocol that this program can go on with."""


class State(StrEnum):
    """What became of one attempt at a step."""

    BEGUN = "begun"
    """Stored before the printer is touched. In a finished file: the attempt was cut short (power, kill, Ctrl+C)."""
    DONE = "done"
    REPEATED = "repeated"
    """The person did something else than asked, and did the step again."""
    SKIPPED = "skipped"


class Finding(StrEnum):
    """What was not as expected. The first four mean that a shop could be told something untrue."""

    DONE_WITHOUT_PAPER = "done-without-paper"
    """The agent holds the job for printed and confirmed, and no whole slip lies there."""
    PAPER_THOUGH_NOT_SENT = "paper-though-not-sent"
    """The agent would print it again by itself, and something had come out."""
    TOO_MANY_PAPERS = "too-many-papers"
    OLD_PAPER = "old-paper"
    """With a later job came what had waited in the printer, though this kind is told to forget it."""
    OUTCOME = "outcome"
    """Another outcome than the step expects."""
    TROUBLE = "trouble"
    """Another cause named than the step expects."""
    GARBLED = "garbled"
    """Strange characters on the slip."""
    MISSING_LINES = "missing-lines"
    """A slip that goes on after paper or cover lacks lines in its middle."""
    TOO_EARLY = "too-early"
    """The proof came while paper was still moving."""
    ANSWERS = "answers"
    """The printer answers and the profile says it cannot, or the other way round."""


SERIOUS = frozenset(
    {Finding.DONE_WITHOUT_PAPER, Finding.PAPER_THOUGH_NOT_SENT, Finding.TOO_MANY_PAPERS, Finding.OLD_PAPER}
)


@dataclass(frozen=True, slots=True)
class Setup:
    """The printer as configured; a new one where settings changed between two sittings."""

    name: str
    connection: str
    profile: str
    title: str
    dots: int
    columns: int
    code_page: int
    encoding: str
    qr: str
    answers: str
    clears_buffer: bool
    cutter: bool
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Wire:
    """Something that happened on the way to the printer, ``at`` ms after the step began; ``hex``: its first bytes."""

    at: int
    what: str
    size: int = 0
    hex: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One slip: how it ended by the agent's judgement, and how long it took from the first question to the proof."""

    sha256: str
    size: int
    outcome: str
    confirmed: bool
    code: str | None
    took: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person said: the name of the question, and the code of the choice, a number or words."""

    question: str
    value: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a step. ``setup``: its place in Protocol.setups."""

    step: str
    number: int
    setup: int
    begun_at: datetime
    state: State = State.BEGUN
    jobs: tuple[Job, ...] = ()
    wire: tuple[Wire, ...] = ()
    wire_left_out: int = 0
    answers: tuple[Answer, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Protocol:
    """A whole day, or as much of it as was done."""

    format: str
    version: int
    id: str
    agent_version: str
    kernel: str
    started_at: datetime
    finished_at: datetime | None = None
    setups: tuple[Setup, ...] = ()
    device: tuple[Answer, ...] = ()
    """Maker, model, firmware, as the person read them."""
    attempts: tuple[Attempt, ...] = ()

    def ended(self, step: str) -> Attempt | None:
        """Return the attempt at a step that counts, None while there is none."""
        return next(
            (one for one in self.attempts if one.step == step and one.state in (State.DONE, State.SKIPPED)), None
        )

    def tried(self, step: str) -> int:
        """Return how often a step was begun."""
        return sum(one.step == step for one in self.attempts)


def to_json(protocol: Protocol) -> bytes:
    """Return the file."""
    return (json.dumps(to_plain(protocol), ensure_ascii=False, indent=1) + "\n").encode()


def from_json(data: bytes) -> Protocol:
    """Read the file. Raises Unreadable."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable("to nie jest JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise Unreadable("to nie jest protokół próby drukarki")
    if document.get("version") != VERSION:
        raise Unreadable(f"to protokół w wersji {document.get('version')!r}, a program zna wersję {VERSION}")
    try:
        return from_plain(Protocol, document)
    except PlainError as error:
        raise Unreadable("protokół jest uszkodzony") from error
