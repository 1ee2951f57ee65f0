"""`print-test --full` at the terminal: it asks, goes on where it was stopped, and refuses what it cannot use."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands import print_test_full
from agent.commands.print_test import command
from agent.domain.errors import ConfigError, Refused
from agent.system import service_unit
from printers.hardware_day import run as hardware_day
from printers.hardware_day.protocol import Finding
from printers.hardware_day.steps import DEVICE, STEPS, Kind, Question


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain file never answers the first step's questions."""
    monkeypatch.setattr(hardware_day, "PROBE_SECONDS", 0.001)


def ask(config: Path, lines: list[str], *arguments: str) -> Result:
    return CliRunner().invoke(command, ["--config", str(config), "--full", *arguments], input="\n".join([*lines, ""]))


def right(question: Question) -> str:
    """The answer of somebody whose printer prints."""
    match question.kind:
        case Kind.WORDS:
            return "Bixolon"
        case Kind.NUMBER:
            return "10"
    return {"papers": "3", "old": "2"}.get(question.name, "1")


ABOUT = [right(question) for question in DEVICE]
BY_STEP = [["", *(right(question) for question in step.questions), ""] for step in STEPS]


def protocol(path: Path) -> dict[str, object]:
    found = json.loads(path.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_a_day_in_two_sittings(printing_config: Path) -> None:
    place = printing_config.parent / "data" / "print-test" / "paragon.json"
    first = ask(printing_config, [*ABOUT, *(line for step in BY_STEP[:4] for line in step), "", "3"])
    assert first.exit_code == 1
    assert "[5/23] long" in first.output
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    attempts = protocol(place)["attempts"]
    assert isinstance(attempts, list)
    assert [(one["step"], one["state"]) for one in attempts[-2:]] == [("ten", "done"), ("long", "begun")]
    assert attempts[-1]["jobs"]
    second = ask(printing_config, [line for step in BY_STEP[4:] for line in step])
    assert "(dalszy ciąg)" in second.output
    assert "[5/23] long" in second.output
    assert "[4/23]" not in second.output
    assert "Prześlij nam plik" in second.output
    assert second.exit_code == 0, second.output
    assert protocol(place)["finished_at"] is not None
    assert "Bixolon" in place.read_text("utf-8")


def test_wrong_answers_are_asked_again_and_a_step_can_be_skipped_or_repeated(printing_config: Path) -> None:
    place = printing_config.parent / "p.json"
    slip = ["x", "", "9", "²", "3", "0", "1", "1", "", "x", "r", "", "1", "1", "1", "", ""]
    said = ask(printing_config, [*ABOUT, "p", "p", *slip], "--protocol", str(place))
    assert said.output.count("Wpisz liczbę od 1 do 4.") == 2
    assert said.output.count("Naciśnij Enter albo wpisz p.") == 1
    attempts = protocol(place)["attempts"]
    assert isinstance(attempts, list)
    assert [(one["step"], one["number"], one["state"]) for one in attempts] == [
        ("probe", 1, "skipped"),
        ("calibration", 1, "skipped"),
        ("slip", 1, "repeated"),
        ("slip", 2, "done"),
    ]


def test_what_cannot_be_gone_on_with_is_refused_and_left_alone(printing_config: Path) -> None:
    place = printing_config.parent / "p.json"
    place.write_text("{}")
    refused = ask(printing_config, [], "--protocol", str(place))
    assert isinstance(refused.exception, Refused)
    assert place.read_text("utf-8") == "{}"
    place.unlink()
    ask(printing_config, [*ABOUT, "p"], "--protocol", str(place))
    before = place.read_bytes()
    printing_config.write_text(printing_config.read_text("utf-8").replace('name = "paragon"', 'name = "bar"'), "utf-8")
    other = ask(printing_config, [], "--protocol", str(place))
    assert isinstance(other.exception, Refused)
    assert "paragon" in str(other.exception)
    assert place.read_bytes() == before


def test_one_printer_at_a_time_and_no_other_json(printing_config: Path) -> None:
    text = printing_config.read_text("utf-8")
    assert CliRunner().invoke(command, ["--config", str(printing_config), "--protocol", "x"]).exit_code == 2
    assert ask(printing_config, [], "--json").exit_code == 2
    second = text.replace("[api]", '[[printer]]\nname = "bar"\nconnection = "file"\ndevice = "/dev/null"\n[api]')
    printing_config.write_text(second, "utf-8")
    assert ask(printing_config, []).exit_code == 2
    assert "[1/23]" in ask(printing_config, ABOUT, "--printer", "paragon").output
    printing_config.write_text(text.split("[[printer]]")[0], "utf-8")
    assert isinstance(ask(printing_config, []).exception, ConfigError)


def test_every_finding_has_its_sentence() -> None:
    assert set(print_test_full.FINDINGS) == set(Finding)


def test_by_the_rules_of_the_service_it_hears_the_terminal(tmp_path: Path) -> None:
    rules = service_unit.Rules("/usr/bin/ksef-agent", (("User", "ksef-agent"),))
    asked = rules.unit(["print-test", "--full"], tmp_path, {}, "/dev/pts/3")
    assert "StandardInput=file:/dev/pts/3\n" in asked
    assert "TimeoutStartSec=infinity\n" in asked
    alone = rules.unit(["check"], tmp_path, {})
    assert "StandardInput" not in alone
    assert f"TimeoutStartSec={service_unit.LIMIT_SECONDS}\n" in alone
