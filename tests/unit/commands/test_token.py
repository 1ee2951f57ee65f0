"""`ksef-agent token`: shown once, listed without secrets, revoked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands import token as module
from agent.domain.callers import Caller, Role
from agent.domain.errors import Conflict, NotFound
from agent.services.tokens import Tokens

SETTINGS = """
data_dir = "{data}"
[seller]
nip = "5261040828"
name = "Sklep"
[seller.address]
line1 = "ul. Polna 1"
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """The command with a settings file of its own, whose certificates need not exist yet."""
    file = tmp_path / "config.toml"
    file.write_text(SETTINGS.format(data=tmp_path / "data"))

    def invoke(name: str, *words: str) -> Result:
        return CliRunner().invoke(module.command, [name, "--config", str(file), *words])

    return invoke


async def test_add_prints_the_token_once(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run("add", "kasa 1")
    token = done.stdout.strip()
    assert done.exit_code == 0
    assert f"#token={token}" in done.stderr
    assert await Tokens.in_directory(tmp_path / "data").caller(token) == Caller("kasa 1", Role.CASHIER)
    listed = run("list").stdout
    assert listed.split(maxsplit=1) == ["cashier", "kasa 1\n"]
    assert token not in listed


def test_json_and_roles(run: Callable[..., Result]) -> None:
    made = json.loads(run("add", "szef", "--role", "manager", "--json").stdout)
    assert (made["name"], made["role"]) == ("szef", "manager")
    assert json.loads(run("list", "--json").stdout) == [{"name": "szef", "role": "manager"}]
    assert run("add", "x", "--role", "owner").exit_code == 2


def test_revoke_and_refusals(run: Callable[..., Result]) -> None:
    run("add", "kasa 1")
    assert isinstance(run("add", "kasa 1").exception, Conflict)
    assert run("revoke", "kasa 1").exit_code == 0
    assert isinstance(run("revoke", "kasa 1").exception, NotFound)
    assert run("list").stdout == ""


TOKEN = "ab" * 16


async def test_headquarters_gives_the_token_and_may_repeat_it(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    for changed in (True, False):
        done = run("add", "centrala", "--role", "auditor", "--from-file", str(file), "--json")
        assert json.loads(done.stdout) == {"name": "centrala", "role": "auditor", "changed": changed}
    tokens = Tokens.in_directory(tmp_path / "data")
    assert await tokens.caller(TOKEN) == Caller("centrala", Role.AUDITOR)
    assert TOKEN not in (tmp_path / "data/tokens.json").read_text()

    assert run("add", "centrala", "--from-file", str(file)).exit_code == 0
    assert await tokens.caller(TOKEN) == Caller("centrala", Role.CASHIER), "the role follows too"
    file.write_text(TOKEN[::-1])
    assert run("add", "centrala", "--from-file", str(file)).exit_code == 0
    assert await tokens.caller(TOKEN) is None, "what the name had before is refused"
    assert isinstance(run("add", "inna", "--from-file", str(file)).exception, Conflict)


@pytest.mark.parametrize("text", ["", "short", "ab " * 20, "ąę" * 20, "\x00" * 40])
def test_what_is_no_token_is_not_taken(run: Callable[..., Result], tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    done = run("add", "centrala", "--from-file", str(file))
    assert done.exit_code == 2
    assert "co najmniej 32" in done.stderr
    assert not (tmp_path / "data/tokens.json").exists()
