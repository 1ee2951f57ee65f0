"""A command that may not do something says whose rights it has, where a person would not expect it."""

from __future__ import annotations

import errno
import os
import pwd
import sys
from pathlib import Path

import pytest

from agent.commands import ending, rights
from agent.commands.written import write_file

DENIED = PermissionError(errno.EACCES, "Permission denied", "/root/sale.json")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process be root's, and the data another user's."""
    owner = pwd.struct_passwd(("ksef-agent", "x", 995, 996, "", "/var/lib/ksef-agent", "/usr/sbin/nologin"))
    monkeypatch.setattr("agent.commands.rights.pwd.getpwuid", lambda _uid: owner)
    monkeypatch.setattr("agent.commands.rights.os.geteuid", lambda: 0)
    for name in ("initgroups", "setgid", "setuid"):
        monkeypatch.setattr(f"agent.commands.rights.os.{name}", lambda *_: None)


def told(error: Exception, data: Path | None, capsys: pytest.CaptureFixture[str]) -> str:
    """How a command ends on it that has become the owner of ``data``."""

    def run() -> int:
        if data is not None:
            rights.step_down(data)
        raise error

    assert ending.exit_code(run) == 1
    return capsys.readouterr().err


@pytest.mark.usefixtures("root")
def test_root_hears_that_the_command_is_another_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(DENIED, tmp_path, capsys)
    assert said.startswith("ksef-agent: /root/sale.json: brak uprawnień.")
    assert "użytkownika ksef-agent" in said
    assert "/var/tmp" in said
    assert "użytkownika" not in told(FileNotFoundError(errno.ENOENT, "", "x.json"), tmp_path, capsys)


@pytest.mark.usefixtures("root")
def test_so_it_is_where_a_file_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise DENIED

    monkeypatch.setattr("agent.commands.written.write_whole", denied)
    with pytest.raises(Exception, match="Nie można zapisać") as refused:
        write_file(tmp_path / "register.csv", b"")
    assert "użytkownika ksef-agent" in told(refused.value, tmp_path, capsys)


def test_who_is_not_root_hears_at_a_terminal_that_root_may(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service is nobody at a terminal: what it may not read needs other rights, not another user."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert told(DENIED, None, capsys) == "ksef-agent: /root/sale.json: brak uprawnień.\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "jako root (sudo)" in told(DENIED, None, capsys)


@pytest.mark.usefixtures("root")
def test_what_one_command_became_is_not_said_of_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(DENIED, tmp_path, capsys)
    assert "użytkownika" not in told(DENIED, None, capsys)
