"""ksef-agent-rollback, by stand-ins for the programs it calls; on a till: tests/package/test_fleet.py."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROLLBACK = Path(__file__).parents[3] / "packaging" / "rollback"
DATA, ADDRESS = "/var/lib/ksef-agent", "http://127.0.0.1:8781"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("rollback", str(ROLLBACK))
    module = module_from_spec(ModuleSpec("rollback", loader))
    loader.exec_module(module)
    return module


Says = Callable[..., None]


@pytest.fixture
def says(script: Any, monkeypatch: pytest.MonkeyPatch) -> Says:
    """What a program answers, by its name; every other one ends with 1."""
    answers: dict[str, str] = {}

    def run(command: tuple[str, ...], **_more: object) -> subprocess.CompletedProcess[str]:
        said = answers.get(command[0])
        return subprocess.CompletedProcess(command, said is None, said or "", "")

    def answer(name: str, text: str) -> None:
        answers[name] = text

    monkeypatch.setattr(script.subprocess, "run", run)
    return answer


def explained(**values: object) -> str:
    return json.dumps(
        [{"setting": name.replace("__", "."), "value": value} for name, value in values.items()], indent=2
    )


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", ADDRESS),
        ("::", "http://[::1]:8781"),
        ("10.8.0.7", "http://10.8.0.7:8781"),
        ("fd00::7", "http://[fd00::7]:8781"),
    ],
)
def test_a_till_is_asked_where_it_listens(script: Any, says: Says, host: str, address: str) -> None:
    says("ksef-agent", explained(data_dir=DATA, health__host=host, health__port=8781, till="7"))
    assert script.settings() == (DATA, address)


def test_settings_that_the_new_version_calls_wrong_say_where_the_data_are(script: Any, says: Says) -> None:
    said = explained(data_dir="/srv/till", health__host="0.0.0.0", health__port=8791)
    says("ksef-agent", said + "\nksef-agent: config.toml, wiersz 7: nieznane ustawienie\n")
    assert script.settings() == ("/srv/till", "http://127.0.0.1:8791")


def test_of_a_program_that_does_not_run_the_files_are_read(
    script: Any, says: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says("ksef-agent", "")
    monkeypatch.setattr(script, "SETTINGS", str(tmp_path / "config.toml"))
    monkeypatch.setattr(script, "LAYERS", str(tmp_path / "config.d" / "*.toml"))
    assert script.settings() == (DATA, ADDRESS)
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.toml").write_text('data_dir = "/srv/image"\n[health]\nport = 8791\n')
    (tmp_path / "config.d/10-hq.toml").write_text('data_dir = "/srv/till"\n[health]\nhost = "10.8.0.7"\n')
    (tmp_path / "config.d/50-till.toml").write_text("no TOML\n")
    assert script.settings() == ("/srv/till", "http://10.8.0.7:8791")


def test_a_hub_on_the_same_machine_is_not_taken_away(script: Any, says: Says) -> None:
    says("dpkg-query", "installed")
    with pytest.raises(script.Stopped, match="ksef-agent-hub"):
        script.go_back(
            SimpleNamespace(to="0.1.0", package=None, send_seconds=0, leave_unsent=False), "/nonexistent", ran=True
        )
    text = ROLLBACK.read_text("utf-8")
    assert "--no-remove" in text


@pytest.fixture
def machine(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A till with its service, whose old version needs no copy; ``killed_at``: the program after which power is cut."""
    told: list[tuple[str, ...]] = []
    here = SimpleNamespace(state="active", told=told, killed_at="", starts=lambda: ("systemctl", "start") in told)

    def run(*command: str, check: bool = True, **_more: object) -> str:
        told.append(command[:2])
        if command[:2] in {("systemctl", "stop"), ("systemctl", "start")}:
            here.state = "active" if command[1] == "start" else "inactive"
        if command[0] == here.killed_at:
            raise KeyboardInterrupt
        return here.state + "\n" if command[:2] == ("systemctl", "is-active") else ""

    monkeypatch.setattr(script, "run", run)
    monkeypatch.setattr(script, "RAN", str(tmp_path / "was-active"))
    monkeypatch.setattr(script, "settings", lambda: (str(tmp_path), ADDRESS))
    monkeypatch.setattr(script, "schema_of_package", lambda _: 7)
    monkeypatch.setattr(script, "ready", lambda _: here.state == "active")
    monkeypatch.setattr(script.os, "geteuid", lambda: 0)
    monkeypatch.setattr(sys, "argv", ["ksef-agent-rollback", "--package", "ksef-agent_0.1.0.deb"])
    return here


@pytest.mark.parametrize("state", ["active", "activating", "failed"])
def test_a_service_that_ran_or_gave_up_is_started(script: Any, machine: Any, state: str) -> None:
    machine.state = state
    script.main()
    assert machine.starts()


def test_a_service_that_was_stopped_stays_stopped(
    script: Any, machine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.state = "inactive"
    script.main()
    assert not machine.starts()
    assert json.loads(capsys.readouterr().out)["started"] is False


def test_a_service_that_a_killed_try_stopped_is_started_by_the_next(script: Any, machine: Any) -> None:
    machine.killed_at = "apt-get"
    with pytest.raises(KeyboardInterrupt):
        script.main()
    assert machine.state == "inactive"
    machine.killed_at = ""
    script.main()
    assert machine.starts()
    machine.told.clear()
    machine.state = "inactive"
    script.main()
    assert not machine.starts(), "what an earlier try knew is forgotten"


def test_a_service_that_was_stopped_stays_so_where_nothing_is_done(
    script: Any, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> int:
        raise script.Stopped("no package")

    monkeypatch.setattr(script, "schema_of_package", refuse)
    for state, starts in (("inactive", False), ("active", True)):
        machine.state = state
        with pytest.raises(SystemExit):
            script.main()
        assert machine.starts() is starts
