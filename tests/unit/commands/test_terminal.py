"""Terminals that cannot show Polish letters."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import cli, command_line
from tests.fakes.command_line import subcommands
from tests.fakes.world import sale

SAID = "Zażółć gęślą jaźń – „gotowe” ✂"
PROGRAM = f"import click; from agent import cli; cli._command = lambda: click.echo({SAID!a}); cli.main()"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("latin-1", 'Zazólc gesla jazn - "gotowe" ?'),
        ("cp1250", "Zażółć gęślą jaźń – „gotowe” ?"),
        ("utf-8", SAID),
    ],
)
def test_a_command_ends_well(encoding: str, shown: str) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | plain, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding).strip() == shown


class Terminal:
    """Standard output and errors of an encoding, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        self.out = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(self.out, encoding, write_through=True))
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding, write_through=True))
        self._monkeypatch = monkeypatch

    def run(self, *words: str) -> bytes:
        """Run a command to its good end; the bytes it wrote."""
        self.out.seek(0)
        self.out.truncate()
        self._monkeypatch.setattr(sys, "argv", ["ksef-agent", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert stopped.value.code == 0, words
        return self.out.getvalue()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    return lambda encoding: Terminal(monkeypatch, encoding)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_every_command_explains_itself_on_any_terminal(
    terminal: Callable[[str], Terminal], monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """The hub's commands, too."""
    monkeypatch.setenv("LC_ALL", "pl_PL.ISO-8859-1")
    shown = terminal(encoding)
    for words in ((), *subcommands()):
        assert shown.run(*words, "--help").startswith(b"U"), words


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_an_invoice_is_issued_and_told_whole_to_programs(
    terminal: Callable[[str], Terminal], printing_config: Path, encoding: str
) -> None:
    shown = terminal(encoding)
    basket = printing_config.parent / "sale.json"
    basket.write_text(json.dumps(sale(external_ref="zamówienie Łódź")), "utf-8")
    settings = ("--config", str(printing_config))
    made = json.loads(shown.run("issue", str(basket), "--json", *settings))  # bytes: JSON is UTF-8
    assert made["external_ref"] == "zamówienie Łódź"
    assert shown.run("issue", str(basket), *settings)
    month = made["issued_on"][:7]
    assert "zamówienie Łódź".encode() in shown.run("register", "--month", month, "--format", "csv", *settings)
    assert shown.run("register", "--month", month, *settings)


def test_no_room_for_the_answer_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "argv", ["ksef-agent", "queue"])
    monkeypatch.setattr(command_line.cli, "main", full)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith("ksef-agent: Nie ma miejsca na wynik polecenia")
