"""Settings that only the service's unit gives count for commands too: none works on another till's data or series."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.commands import service_layers
from agent.commands.service_layers import environment_for
from agent.system import service_unit
from agent.system.service_unit import Rules
from tests.fakes.command_line import Run

Unit = Callable[..., None]


@pytest.fixture
def unit(config: Path, monkeypatch: pytest.MonkeyPatch) -> Unit:
    """What systemd says of the service, which reads ``config``."""
    monkeypatch.setattr(service_unit, "inside", lambda: False)
    monkeypatch.setattr(service_layers, "PLACE", config.parent / "no-credentials")

    def say(environment: str = "", *lines: tuple[str, str], **more: str) -> None:
        told = {"Environment": f"KSEF_AGENT_CONFIG={config} {environment}", **more}
        monkeypatch.setattr(service_unit, "read_rules", lambda: Rules("/usr/bin/ksef-agent", lines))
        monkeypatch.setattr(service_unit, "properties", lambda *names: {name: told.get(name, "") for name in names})

    say()
    return say


def test_a_command_sees_the_variables_of_the_service(unit: Unit, run: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    unit(f'"KSEF_AGENT__DATA_DIR={tmp_path}/elsewhere" LANG=pl_PL.UTF-8')
    assert run("token", "add", "kasa", "--config", str(config)).code == 0
    assert (tmp_path / "elsewhere/tokens.json").exists()
    explained = json.loads(run("check", "--explain", "--json", "--config", str(config)).out)
    (source,) = (each["source"] for each in explained if each["setting"] == "data_dir")
    assert source == "zmienna KSEF_AGENT__DATA_DIR"


def test_the_nightly_copy_does_not_and_check_says_so(unit: Unit, run: Run, config: Path, tmp_path: Path) -> None:
    said = run("check", "--offline", "--config", str(config)).out
    assert "nocna kopia" not in said
    unit(f"KSEF_AGENT__DATA_DIR={tmp_path}/data KSEF_AGENT__BACKUP__DIR={tmp_path}")
    checked = run("check", "--offline", "--config", str(config))
    assert checked.code == 1
    assert "PROBLEM  nocna kopia: nie zna ustawień samej usługi (data_dir: zmienna KSEF_AGENT__DATA_DIR" in checked.out


def test_the_callers_own_variable_wins(unit: Unit, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit("KSEF_AGENT__TILL=7 KSEF_AGENT__API__PORT=8790 PYTHONUNBUFFERED=1")
    monkeypatch.setenv("KSEF_AGENT__TILL", "8")
    found = environment_for(config)
    assert (found["KSEF_AGENT__TILL"], found["KSEF_AGENT__API__PORT"]) == ("8", "8790")
    assert found.get("PYTHONUNBUFFERED") == os.environ.get("PYTHONUNBUFFERED")


def test_of_other_settings_the_unit_says_nothing(unit: Unit, config: Path) -> None:
    unit("KSEF_AGENT__TILL=7")
    assert "KSEF_AGENT__TILL" not in environment_for(config.with_name("test.toml"))


def test_the_service_itself_has_them_already(unit: Unit, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit("KSEF_AGENT__TILL=7")
    monkeypatch.setattr(service_unit, "inside", lambda: True)
    assert environment_for(config) is os.environ


def test_files_of_variables_count(unit: Unit, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "default"
    file.write_text('# of headquarters\nKSEF_AGENT__TILL="7"\nKSEF_AGENT__API__PORT=8790\nthe "end\n')
    unit(EnvironmentFiles=f"{tmp_path}/none (ignore_errors=yes) {file} (ignore_errors=no)")
    found = environment_for(config)
    assert (found["KSEF_AGENT__TILL"], found["KSEF_AGENT__API__PORT"]) == ("7", "8790")


def test_credentials_count_while_the_service_runs(
    unit: Unit, run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hq, key = "hq.toml:/etc/ksef-agent/hq.toml", "auth.key:/etc/ksef-agent/secrets/auth.key"
    unit("", ("LoadCredential", hq), ("LoadCredential", "ksef-agent.toml"), ("LoadCredentialEncrypted", key))
    stopped = run("check", "--explain", "--config", str(config))
    assert "poświadczeń usługi (hq.toml, ksef-agent.toml) to polecenie nie widzi" in stopped.error
    place = tmp_path / "credentials"
    place.mkdir()
    (place / "hq.toml").write_text('till = "7"\n')
    monkeypatch.setattr(service_layers, "PLACE", place)
    running = run("check", "--explain", "--config", str(config))
    assert 'till = "7"  (poświadczenie hq.toml, wiersz 1' in running.out
    assert running.error == ""


@pytest.mark.parametrize("booted", [True, False])
def test_systemd_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, booted: bool) -> None:
    script = tmp_path / "bin/systemctl"
    script.parent.mkdir()
    answer = (
        "Environment=A=1 B=2\nEnvironmentFiles=/x (ignore_errors=no)\nEnvironmentFiles=/y (ignore_errors=yes)\nOther=1"
    )
    script.write_text(f"#!{sys.executable} -IS\nprint({answer!r})\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(service_unit, "BOOTED", tmp_path if booted else tmp_path / "none")
    told = {"Environment": "A=1 B=2", "EnvironmentFiles": "/x (ignore_errors=no) /y (ignore_errors=yes)"}
    assert service_unit.properties("Environment", "EnvironmentFiles") == (told if booted else {})
