"""Whose rights `check` and `print-test` have, and that they say so."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agent.commands import as_service
from agent.domain.errors import AgentError
from agent.system import service_unit
from agent.system.service_unit import Rules, Unstartable

SETTINGS = Path("/etc/ksef-agent/config.toml")
SERVICE = Rules("/usr/bin/ksef-agent", (("Environment", f"KSEF_AGENT_CONFIG={SETTINGS}"),))


@click.command()
@click.option("--config", "config_file", type=click.Path(path_type=Path))
@as_service.as_the_service
def probe(config_file: Path | None) -> None:
    """Say by whose rights it runs."""
    click.echo(json.dumps([str(config_file), as_service.standing()]))


Place = Callable[..., None]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    def put(*, rules: Rules | None = SERVICE, user: int = 0, inside: bool = False) -> None:
        monkeypatch.setattr(service_unit, "read_rules", lambda: rules)
        monkeypatch.setattr(service_unit, "inside", lambda: inside)
        monkeypatch.setattr("os.geteuid", lambda: user)

    monkeypatch.setattr("getpass.getuser", lambda: "ksef-agent")
    return put


def run(*arguments: str) -> str:
    done = CliRunner().invoke(probe, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    standing: str = json.loads(done.stdout)[1]
    return standing


def test_root_asks_by_the_rules_of_the_service(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place()
    seen: list[list[str]] = []

    def started(rules: Rules, arguments: list[str], *, asks: bool) -> int:
        assert (rules, asks) == (SERVICE, False)
        seen.append(arguments)
        return 1

    monkeypatch.setattr(service_unit, "run", started)
    monkeypatch.setattr(sys, "argv", ["ksef-agent", "check", "--json"])
    done = CliRunner().invoke(probe, ["--config", str(SETTINGS)])
    assert (done.exit_code, done.stdout, seen) == (1, "", [["check", "--json"]])


def test_rules_with_which_nothing_starts_are_a_finding(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place()

    def started(_rules: Rules, _arguments: list[str], *, asks: bool) -> int:
        raise Unstartable("exit-code, 243")

    monkeypatch.setattr(service_unit, "run", started)
    error = CliRunner().invoke(probe, ["--config", str(SETTINGS)]).exception
    assert isinstance(error, AgentError)
    assert "243" in str(error)


def test_inside_it_says_what_the_service_has(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place(inside=True, user=997)
    (tmp_path / "auth.key").touch()
    (tmp_path / "offline.key").touch()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    said = run()
    assert said.startswith("jak usługa ksef-agent.service: użytkownik ksef-agent")
    assert said.endswith("poświadczenia auth.key, offline.key")


def test_outside_it_says_why(place: Place) -> None:
    place(rules=None)
    assert "(tu jej nie ma)" in run("--config", str(SETTINGS))
    place()
    assert "(ma inne ustawienia)" in run("--config", "/tmp/other.toml")
    place(user=1000)
    assert "(jej regułami może sprawdzić root)" in run("--config", str(SETTINGS))
