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
        script.go_back(SimpleNamespace(to="0.1.0", package=None, send_seconds=0, leave_unsent=False), "/nonexistent")
    text = ROLLBACK.read_text("utf-8")
    assert "--no-remove" in text
