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
