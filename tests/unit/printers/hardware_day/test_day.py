"""The hardware day against the sandbox's printer: what it does is written down, judged, and gone on with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from agent.ports import Clock, Outcome
from agent.sandbox.printer import Fault, NetworkPrinter
from agent.settings.model import PrinterSettings
from agent.system.clock import SystemClock
from printers.hardware_day import protocol as written
from printers.hardware_day.judgement import findings
from printers.hardware_day.protocol import Attempt, Finding, Job, Protocol, Setup, State, Wire
from printers.hardware_day.run import HardwareDay, Wiretap
from printers.hardware_day.slips import Slip, slip
from printers.hardware_day.steps import STEPS, Kind, Question, Step, steps_for
from printers.preview import plaintext
from printers.printer_set import build
from printers.profiles.models import PROFILES, Answers
from printers.transports.open import transport_for
from printers.transports.recording import RecordingTransport
from tests.fakes.swift_clock import SwiftClock

ROOT = Path(__file__).parents[4]
SCHEMA = json.loads((ROOT / "schemas" / "print-test.schema.json").read_text("utf-8"))
BEFORE = {
    "cover-open": Fault.COVER_OPEN,
    "paper-removed": Fault.PAPER_OUT,
    "power-off": Fault.REFUSED,
}
MIDDLE = {
    "cover-middle": (Fault.COVER_OPEN, 3000),
    "paper-middle": (Fault.PAPER_OUT, 3000),
    "paper-abandoned": (Fault.PAPER_OUT, 3000),
    "cable-middle": (Fault.RESET, 3000),
    "power-middle": (Fault.POWER_CYCLE, 3000),
    "pictures-middle": (Fault.RESET, 3000),
}
STAYS = ("paper-abandoned", "paper-again")
"""Steps after which the fault goes on."""


class Stopped(Exception):
    """The person went home, or the till lost power."""


@dataclass
class Shop:
    """A person who does as told, with a sandbox printer, and says what lies there."""

    device: NetworkPrinter
    stop_at: str | None = None
    skip: tuple[str, ...] = ()
    say: dict[tuple[str, str], str] = field(default_factory=dict)
    """Other answers, by step and question."""
    again: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _papers: int = 0
    _step: str = ""

    async def begin(self, step: Step, place: int, of: int) -> bool:
        self._step = step.name
        self.asked.append(step.name)
        if step.name in self.skip:
            return False
        if step.name != "paper-again":
            await self.device.heal()
        self._papers = len(self.device.papers)
        if step.name in BEFORE:
            await self.device.plan(BEFORE[step.name])
        elif step.name in MIDDLE:
            fault, at = MIDDLE[step.name]
            await self.device.plan(fault, at=at)
        return True

    async def printing(self, step: Step) -> None:
        if step.name in ("cover-middle", "paper-middle"):
            self._mending = asyncio.create_task(self._mend())
        if self.stop_at == step.name:
            raise Stopped

    async def _mend(self) -> None:
        for _ in range(1_000_000):
            if self.device.offline:
                break
            await asyncio.sleep(0)
        await self.device.heal()

    async def outcome(self, step: Step, job: Job, problem: str | None) -> None:
        """Looks at the screen."""

    async def answer(self, question: Question) -> str:
        if (self._step, question.name) in self.say:
            return self.say[self._step, question.name]
        new = self.device.papers[self._papers :]
        whole = sum(f"KONIEC {self._step}" in " ".join(paper.text.split()) for paper in new)
        match question.name:
            case "papers":
                return ("none" if not new else "part") if not whole else "one" if whole == 1 else "more"
            case "count":
                return str(whole)
            case "clean" | "middle" | "cut":
                return "yes"
            case "old":
                return "no"
            case "when":
                return "after"
        return "0" if question.kind is Kind.NUMBER else "uwaga"

    async def satisfied(self, step: Step, attempt: Attempt) -> bool:
        if step.name in self.again:
            self.again.remove(step.name)
            return False
        return True


@pytest.fixture
async def clock() -> AsyncIterator[SwiftClock]:
    async with SwiftClock().running() as clock:
        yield clock


@pytest.fixture
async def device(clock: SwiftClock) -> AsyncIterator[NetworkPrinter]:
    printer = NetworkPrinter(PROFILES["epson-tm-t20"], clock=clock)
    await printer.start()
    yield printer
    await printer.stop()
    assert printer.refused_bytes == []


def setup_of(settings: PrinterSettings) -> Setup:
    profile = PROFILES[settings.profile]
    answers = profile.answers if settings.answers is not False else Answers.NONE
    return Setup(
        settings.name, settings.connection, profile.name, profile.title, profile.dots, profile.columns_a,
        profile.code_page, profile.encoding, profile.qr.value, answers.value, profile.clears_buffer,
        profile.cutter, 20_000,
    )  # fmt: skip


def day_of(
    settings: PrinterSettings,
    person: Shop,
    clock: Clock,
    store: Callable[[Protocol], None],
    begun: Protocol | None,
) -> HardwareDay:
    tap = Wiretap(clock)
    transport = RecordingTransport(transport_for(settings), tap.tell)
    fleet = build([settings], clock, over=lambda _settings: transport)
    fresh = Protocol(written.FORMAT, written.VERSION, "00", "0.1.0", "6.1", clock.now())
    profile = fleet.profile(settings.name)
    printer = fleet.individual[settings.name]
    return HardwareDay(begun or fresh, setup_of(settings), profile, printer, transport, tap, person, clock, store)


def over_tcp(device: NetworkPrinter, profile: str = "epson-tm-t20") -> PrinterSettings:
    return PrinterSettings(name="paragon", profile=profile, port=device.port)


def nowhere(_protocol: Protocol) -> None:
    """Not kept."""


async def test_a_whole_day_is_as_expected_and_written_as_the_schema_says(
    device: NetworkPrinter, clock: SwiftClock
) -> None:
    files: list[bytes] = []
    day = day_of(over_tcp(device), Shop(device), clock, lambda p: files.append(written.to_json(p)), None)
    ended = await day.run()
    assert [(one.step, one.findings) for one in ended.attempts if one.findings] == []
    assert [one.step for one in ended.attempts] == [step.name for step in STEPS]
    assert ended.finished_at is not None
    for file in (files[1], files[-2], files[-1]):  # begun, in the last step, ended
        assert list(Draft202012Validator(SCHEMA).iter_errors(json.loads(file))) == []
        assert written.to_json(written.from_json(file)) == file
    jobs = {one.step: [job.outcome for job in one.jobs] for one in ended.attempts}
    assert jobs["ten"] == ["done"] * 10
    assert (jobs["cover-open"], jobs["cover-middle"], jobs["power-middle"]) == (["not_sent"], ["done"], ["unknown"])
    assert (jobs["paper-abandoned"], jobs["paper-again"], jobs["paper-after"]) == (["unknown"], ["not_sent"], ["done"])


async def test_status_bytes_are_kept_as_received(device: NetworkPrinter, clock: SwiftClock) -> None:
    skip = tuple(step.name for step in STEPS if step.name not in ("probe", "slip", "cover-open"))
    ended = await day_of(over_tcp(device), Shop(device, skip=skip), clock, nowhere, None).run()
    wire = {one.step: [(event.what, event.hex) for event in one.wire] for one in ended.attempts}
    asked = [pair for number in (1, 2, 3, 4) for pair in (("sent", f"10040{number}"), ("received", "12"))]
    assert wire["probe"] == [
        ("opened", ""), *asked, ("sent", "1d7201"), ("received", "00"),
        ("sent", "1d280600303030303031".replace("1d28", "1d2848")), ("received", "37223030303100"), ("closed", ""),
    ]  # fmt: skip
    assert ("received", "1a") in wire["cover-open"]
    assert ("received", "16") in wire["cover-open"]
    sent = [event for one in ended.attempts if one.step == "slip" for event in one.wire if event.size > 100]
    assert len(sent) == 1
    assert sent[0].hex.startswith("1b40")
    assert all(event.at >= 0 for one in ended.attempts for event in one.wire)


async def test_stopped_in_the_middle_of_a_step_it_goes_on_with_that_step(
    device: NetworkPrinter, clock: SwiftClock
) -> None:
    kept: list[Protocol] = []
    person = Shop(device, stop_at="cover-middle", again=["slip"])
    with pytest.raises(Stopped):
        await day_of(over_tcp(device), person, clock, kept.append, None).run()
    begun = written.from_json(written.to_json(kept[-1]))
    assert (begun.attempts[-1].step, begun.attempts[-1].state) == ("cover-middle", State.BEGUN)
    assert [one.state for one in begun.attempts if one.step == "slip"] == [State.REPEATED, State.DONE]
    person = Shop(device)
    changed = replace(over_tcp(device), answers=True, timeout_seconds=19.0)
    ended = await day_of(changed, person, clock, kept.append, begun).run()
    assert person.asked[0] == "cover-middle"
    assert [one.state for one in ended.attempts if one.step == "cover-middle"] == [State.BEGUN, State.DONE]
    assert [one.number for one in ended.attempts if one.step == "cover-middle"] == [1, 2]
    assert ended.started_at == begun.started_at
    again = Shop(device)
    assert await day_of(changed, again, clock, nowhere, ended).run() == ended
    assert again.asked == []


async def test_what_cannot_be_stored_is_not_printed(device: NetworkPrinter, clock: SwiftClock) -> None:
    def full(protocol: Protocol) -> None:
        if any(one.step == "calibration" for one in protocol.attempts):
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await day_of(over_tcp(device), Shop(device), clock, full, None).run()
    assert device.papers == []


async def test_a_printer_that_cannot_answer_is_only_looked_at(tmp_path: Path) -> None:
    clock = SystemClock()  # no wait: a device has a thread of its own, which a moved clock would not wait for
    (tmp_path / "lp0").touch()
    settings = PrinterSettings(name="paragon", profile="pos-58", connection="file", device=str(tmp_path / "lp0"))
    nobody = NetworkPrinter(clock=clock)
    await nobody.start()
    say = {(step.name, "papers"): "one" for step in STEPS} | {("ten", "count"): "10"}
    ended = await day_of(settings, Shop(nobody, say=say, skip=("probe",)), clock, nowhere, None).run()
    await nobody.stop()
    assert [(one.step, one.findings) for one in ended.attempts if one.findings] == []
    assert all(not job.confirmed for one in ended.attempts for job in one.jobs)
    assert b"KONIEC power-after 1" in (tmp_path / "lp0").read_bytes()


# --- judgement: what the agent believes against what lies there ---------------------------------------------

EPSON = setup_of(PrinterSettings(name="p", profile="epson-tm-t20"))
CLONE = setup_of(PrinterSettings(name="p", profile="generic-80"))
MUTE = setup_of(PrinterSettings(name="p", profile="pos-58"))
BY_NAME = {step.name: step for step in STEPS}


def job(outcome: Outcome, *, code: str | None = None, confirmed: bool = True) -> Job:
    return Job("00", 1, outcome.value, confirmed, code, 1)


@pytest.mark.parametrize(
    ("step", "setup", "jobs", "answers", "expected"),
    [
        ("slip", EPSON, [job(Outcome.DONE)], {"papers": "one"}, ()),
        ("slip", EPSON, [job(Outcome.DONE)], {"papers": "none"}, (Finding.DONE_WITHOUT_PAPER,)),
        ("slip", EPSON, [job(Outcome.DONE)], {"papers": "part"}, (Finding.DONE_WITHOUT_PAPER,)),
        ("slip", MUTE, [job(Outcome.DONE, confirmed=False)], {"papers": "none"}, ()),
        ("slip", EPSON, [job(Outcome.DONE)], {"papers": "more"}, (Finding.TOO_MANY_PAPERS,)),
        ("slip", EPSON, [job(Outcome.DONE)], {"papers": "one", "clean": "no"}, (Finding.GARBLED,)),
        ("slip", EPSON, [job(Outcome.DONE)], {"papers": "one", "when": "moving"}, (Finding.TOO_EARLY,)),
        ("slip", CLONE, [job(Outcome.DONE)], {"papers": "one", "when": "moving"}, ()),
        ("ten", EPSON, [job(Outcome.DONE)] * 10, {"count": "10"}, ()),
        ("ten", EPSON, [job(Outcome.DONE)] * 10, {"count": "9"}, (Finding.DONE_WITHOUT_PAPER,)),
        ("ten", EPSON, [job(Outcome.DONE)] * 10, {"count": "11"}, (Finding.TOO_MANY_PAPERS,)),
        ("cover-open", EPSON, [job(Outcome.NOT_SENT, code="cover-open")], {"papers": "none"}, ()),
        (
            "cover-open",
            EPSON,
            [job(Outcome.NOT_SENT, code="cover-open")],
            {"papers": "one"},
            (Finding.PAPER_THOUGH_NOT_SENT,),
        ),
        ("cover-open", EPSON, [job(Outcome.NOT_SENT, code="offline")], {"papers": "none"}, (Finding.TROUBLE,)),
        ("cover-open", EPSON, [job(Outcome.UNKNOWN, code="cover-open")], {"papers": "none"}, (Finding.OUTCOME,)),
        ("power-middle", EPSON, [job(Outcome.UNKNOWN, code="connection-lost")], {"papers": "part"}, ()),
        (
            "power-middle",
            EPSON,
            [job(Outcome.DONE)],
            {"papers": "part"},
            (Finding.DONE_WITHOUT_PAPER, Finding.OUTCOME),
        ),
        ("paper-after", EPSON, [job(Outcome.DONE)], {"papers": "one", "old": "yes"}, (Finding.OLD_PAPER,)),
        ("paper-after", CLONE, [job(Outcome.DONE)], {"papers": "one", "old": "yes"}, ()),
        ("cover-middle", EPSON, [job(Outcome.DONE)], {"papers": "one", "middle": "no"}, (Finding.MISSING_LINES,)),
    ],
)
def test_judgement(
    step: str, setup: Setup, jobs: list[Job], answers: dict[str, str], expected: tuple[Finding, ...]
) -> None:
    assert findings(BY_NAME[step], setup, jobs, answers, []) == expected


def test_a_profile_that_is_wrong_about_answers_is_told() -> None:
    silent, talking = [Wire(0, "opened")], [Wire(0, "opened"), Wire(1, "received", 1, "12")]
    assert findings(BY_NAME["probe"], EPSON, [], {}, silent) == (Finding.ANSWERS,)
    assert findings(BY_NAME["probe"], EPSON, [], {}, talking) == ()
    assert findings(BY_NAME["probe"], MUTE, [], {}, talking) == (Finding.ANSWERS,)
    assert findings(BY_NAME["probe"], MUTE, [], {}, [Wire(0, "refused")]) == ()


# --- slips, file, page --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("kind", list(Slip))
def test_every_slip_is_one_on_every_printer_and_says_what_it_is(name: str, kind: Slip) -> None:
    text = plaintext.decode(slip(kind, "cover-middle 2", "paragon", PROFILES[name]), PROFILES[name])
    flat = " ".join(text.split())
    assert "cover-middle 2" in flat
    assert ("KONIEC cover-middle 2" in flat) is (kind is not Slip.CALIBRATION)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff", b'{"format": "other"}', b'{"format": "ksef-agent-print-test", "version": 2}',
             b'{"format": "ksef-agent-print-test", "version": 1}', b"[" * 100_000]
)  # fmt: skip
def test_a_file_that_is_no_protocol_is_refused(data: bytes) -> None:
    with pytest.raises(written.Unreadable):
        written.from_json(data)


def test_the_page_tells_every_step_and_the_schema_every_word() -> None:
    page = (ROOT / "docs" / "hardware-day.md").read_text("utf-8")
    told = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert told[: len(STEPS)] == [step.name for step in STEPS]
    for step in STEPS:
        assert step.title in page, step.name
    found = SCHEMA["$defs"]["Attempt"]["properties"]["findings"]["items"]["enum"]
    assert found == [finding.value for finding in Finding]
    assert set(told[len(STEPS) :]) == set(found)


def test_steps_that_need_a_cable_are_not_asked_of_a_queue() -> None:
    assert "cable-middle" not in {step.name for step in steps_for("cups")}
    assert [step.name for step in steps_for("usb")] == [step.name for step in STEPS]
