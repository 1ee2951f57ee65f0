"""The command line as a person and a program meet it: help, exit codes, one sentence per mistake, completion, start."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from agent import cli, command_line
from agent.commands import ending, help_pl, rights
from agent.domain.errors import AgentError, ConfigError
from agent.settings.model import PrinterSettings
from agent.store.lock import DataLock
from agent.system.clock import SystemClock
from printers.printer_set import build
from printers.transports import permissions
from tests.fakes.command_line import Ran, Run, subcommands

ROOT = Path(__file__).parents[3]
POLISH = re.compile("[ąćęłńóśźżĄĆĘŁŃÓŚŹŻ]")


def sentence(ran: Ran, code: int = 1) -> str:
    """The only line on stderr of a refused command."""
    assert ran.code == code, ran
    assert ran.out == ""
    lines = [line for line in ran.error.splitlines() if " agent.alerts: alert " not in line]
    assert len(lines) == 1, ran.error
    assert lines[0].startswith("ksef-agent: ")
    assert "Traceback" not in ran.error
    return lines[0].removeprefix("ksef-agent: ")


# --- help -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", subcommands(), ids=" ".join)
def test_every_command_explains_itself(run: Run, words: tuple[str, ...]) -> None:
    ran = run(*words, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: ksef-agent {' '.join(words)} ")
    command = subcommands()[words]
    assert command.help is not None
    assert command.help.partition("\n")[0].endswith((".", ":")) or ". " in command.help
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_list_of_commands_is_the_contract(run: Run) -> None:
    contract = """run demo sandbox check issue status queue sync mode deadline register evidence reprint print-test
        enroll token backup"""
    ran = run("--help")
    assert set(contract.split()) <= set(command_line.COMMANDS)
    listed = re.findall(r"^  ([a-z-]+)  +\S", ran.out.partition("Commands:\n")[2], re.MULTILINE)
    assert listed == list(command_line.COMMANDS)


def test_a_polish_terminal_gets_polish_lines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "pl_PL.UTF-8")
    assert "Wystaw fakturę do sprzedaży z pliku." in run("--help").out
    said = run("mode", "declare", "--help").out
    assert "Ogłoś offline24" in said
    assert re.search("Opcje:.*--reason TEXT  Zostaje w dzienniku i w dowodach.  .wymagane.", said, re.DOTALL)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for words in ((), ("mode", "declare")):
        assert not POLISH.search(run(*words, "--help").out)


def test_every_help_text_has_its_polish_and_no_polish_is_left_over(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed English text is a text without its Polish."""
    known = subcommands()
    options = {each.help for command in known.values() for each in command.params if isinstance(each, click.Option)}
    clicks_own = {"Show this message and exit.", "Show the version and exit."}
    assert options | clicks_own == set(help_pl.OPTIONS)
    assert {" ".join(words) for words in known} | {ending.NAME} == set(help_pl.COMMANDS)
    monkeypatch.setenv("LANG", "pl_PL.UTF-8")
    for words in ((), *known):
        said = run(*words, "--help").out
        left = {"Usage:", "Options:", "Commands:", "default:", "required", "Exit codes", *options} & set(
            re.findall(r"Usage:|Options:|Commands:|default:|required|Exit codes", said)
        )
        assert not left, words


def test_every_command_has_its_line_in_both_languages() -> None:
    for name, entry in command_line.COMMANDS.items():
        assert entry.english.endswith("."), name
        assert entry.polish.endswith("."), name
        assert not POLISH.search(entry.english), name
    assert sum(bool(POLISH.search(entry.polish)) for entry in command_line.COMMANDS.values()) > 15


@pytest.mark.parametrize(
    "arguments", [("--bad",), ("nonsense",), ("run", "--bad"), ("issue",), ("issue", "no-such-file"), ("deadline",)]
)
def test_wrong_use_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert "Error: " in ran.error


# --- exit codes -------------------------------------------------------------------------------------------


def _raiser(error: BaseException) -> click.Command:
    def command() -> None:
        raise error

    return click.command("x")(command)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (click.exceptions.Exit(1), 1, ""),
        (click.exceptions.Exit(0), 0, ""),
        (click.Abort(), 1, ""),
        (KeyboardInterrupt(), 130, "\n"),
        (AgentError("Nie da się."), 1, "ksef-agent: Nie da się.\n"),
        (ConfigError(("Wiersz 3.", "Wiersz 5.")), 3, "ksef-agent: Wiersz 3.\nWiersz 5.\n"),
        (PermissionError(13, "Permission denied", "/plik"), 1, "ksef-agent: /plik: brak uprawnień.\n"),
    ],
)
def test_what_a_command_raises_becomes_its_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    monkeypatch.setattr(command_line.cli, "get_command", lambda _context, _name: _raiser(error))
    ran = run("x")
    assert (ran.code, ran.error) == (code, text)


def test_exit_codes_of_commands_come_through(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"mode": "x", "issued": "2026-11-20"}\n')))
    ran = run("deadline", "--batch")
    assert (ran.code, json.loads(ran.out)) == (1, {"error": "Nieznany tryb: x"})


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ksef-agent", "x"])
    monkeypatch.setattr(command_line.cli, "get_command", lambda _context, _name: _raiser(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main()


# --- one sentence per mistake -----------------------------------------------------------------------------


def test_no_settings(run: Run, tmp_path: Path) -> None:
    assert "nie ma takiego pliku" in sentence(
        run("run", "--config", str(tmp_path / "brak.toml")), ending.WRONG_SETTINGS
    )


def test_several_mistakes_in_the_settings_come_together(run: Run, config: Path) -> None:
    text = config.read_text("utf-8").replace('nip = "5261040828"', 'nip = "5261040827"').replace("[api]", "[apii]")
    config.write_text(text, "utf-8")
    ran = run("run", "--config", str(config))
    assert ran.code == ending.WRONG_SETTINGS
    assert "wiersz 3" in ran.error
    assert "czy chodziło o „api”?" in ran.error
    assert len(ran.error.splitlines()) == 2
    assert not (config.parent / "data").exists()


def test_a_missing_certificate_and_an_open_key(run: Run, config: Path) -> None:
    key = config.parent / "offline.key"
    key.write_text("x")
    key.chmod(0o644)
    offline = '[offline]\ncertificate_file = "offline.crt"\nkey_file = "offline.key"\n'
    config.write_text(config.read_text("utf-8") + offline, "utf-8")
    ran = run("run", "--config", str(config))
    assert ran.code == ending.WRONG_SETTINGS
    missing, readable = ran.error.splitlines()
    assert "offline.crt: nie ma takiego pliku" in missing
    assert "chmod o-rwx" in readable


def test_a_data_directory_that_can_not_be_written(run: Run, config: Path) -> None:
    (config.parent / "data").write_text("a file")
    assert "Nie można pisać w katalogu danych" in sentence(run("run", "--config", str(config)))


@pytest.mark.parametrize("which", [0, 1], ids=["api", "health"])
def test_a_taken_port(run: Run, config: Path, free_ports: tuple[int, int], which: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_ports[which]))
        other.listen()
        said = sentence(run("run", "--config", str(config)))
    assert f"portu {free_ports[which]}" in said
    assert "zajmuje go inny program" in said
    with socket.socket() as released:  # nothing half started: the other port is free again
        released.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        released.bind(("127.0.0.1", free_ports[1 - which]))


@pytest.mark.parametrize("command", [("run",), ("status",), ("queue",)])
def test_a_second_agent_on_the_same_data(run: Run, config: Path, command: tuple[str, ...]) -> None:
    data = config.parent / "data"
    data.mkdir()
    lock = DataLock(data / "agent.db")
    lock.take()
    said = sentence(run(*command, "--config", str(config)))
    lock.release()
    assert f"Inny program ksef-agent (proces {os.getpid()})" in said


def test_a_printer_that_is_not_there(run: Run, config: Path) -> None:
    ran = run("print-test", "--config", str(config))
    assert (ran.code, ran.error) == (1, "")
    rights, outcome = ran.out.splitlines()
    assert rights.startswith("Uprawnienia: poza usługą")
    assert outcome == "Drukarka „paragon”: Brak połączenia z drukarką. Sprawdź zasilanie i kabel."


def close_to_us(monkeypatch: pytest.MonkeyPatch, node: Path, group: str = "lp", reason: int = errno.EACCES) -> None:
    """Take the rights to ``node`` away; root would have them whatever its mode."""
    may, open_file = os.access, os.open

    def access(path: str | Path, mode: int, **more: Any) -> bool:
        return Path(path) != node and may(path, mode, **more)

    def opened(path: str | Path, flags: int, *more: Any, **named: Any) -> int:
        if Path(path) == node:
            raise PermissionError(reason, "Permission denied", str(path))
        return open_file(path, flags, *more, **named)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr("getpass.getuser", lambda: "ksef-agent")
    monkeypatch.setattr(Path, "group", lambda _: group)


@pytest.fixture
def closed_printer(config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The device of the settings' printer is there, and this user may not open it."""
    node = config.parent / "lp0"
    node.touch()
    config.write_text(config.read_text("utf-8").replace("/dev/nie-ma-takiej", str(node)), "utf-8")
    close_to_us(monkeypatch, node)
    return node


@pytest.mark.parametrize("command", ["print-test", "check"])
def test_no_rights_to_the_printer(run: Run, config: Path, closed_printer: Path, command: str) -> None:
    ran = run(command, "--config", str(config))
    assert ran.code == 1
    (line,) = [line for line in ran.out.splitlines() if "paragon" in line]
    assert f"Użytkownik ksef-agent nie ma uprawnień do urządzenia {closed_printer}" in line
    assert "usermod -aG lp ksef-agent" in line


async def test_the_printers_status_names_missing_rights(closed_printer: Path) -> None:
    """/health, the page and `status` show what the printer says of itself."""
    settings = PrinterSettings(name="paragon", connection="file", device=str(closed_printer))
    (status,) = await build((settings,), SystemClock()).printer.status()
    assert status.code == "no-rights"
    assert str(closed_printer) in str(status.problem)


def test_a_device_of_group_root_needs_the_udev_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told to join group root."""
    node = tmp_path / "lp0"
    node.touch()
    close_to_us(monkeypatch, node, group="root")
    said = str(permissions.refusal(PrinterSettings(connection="file", device=str(node))))
    assert "udev" in said
    assert "usermod" not in said


def test_a_user_and_a_group_without_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container they may be numbers only; the sentence is made in the middle of a job."""

    def nameless(*_: object) -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    node = tmp_path / "lp0"
    node.touch()
    close_to_us(monkeypatch, node)
    monkeypatch.setattr(Path, "group", nameless)
    monkeypatch.setattr("getpass.getuser", nameless)
    said = str(permissions.refusal(PrinterSettings(connection="file", device=str(node))))
    assert f"Użytkownik {os.getuid()} nie ma uprawnień" in said
    assert f"usermod -aG {node.stat().st_gid} {os.getuid()}" in said


def test_a_device_that_the_unit_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No group helps where systemd's device policy says no."""
    node = tmp_path / "printer0"
    node.touch()
    close_to_us(monkeypatch, node, reason=errno.EPERM)
    said = str(permissions.refusal(PrinterSettings(connection="file", device=str(node))))
    assert f"DeviceAllow={node} rw" in said
    assert "usermod" not in said


def test_rights_to_a_usb_printer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "USB_DEVICES", tmp_path / "sys")
    monkeypatch.setattr(permissions, "USB_NODES", tmp_path / "dev")
    for name, vendor, number in (("1-1", "1d6b", "1"), ("1-4", "04b8", "7"), ("broken", "", "")):
        folder = tmp_path / "sys" / name
        folder.mkdir(parents=True)
        for file, word in (("idVendor", vendor), ("idProduct", "0e15"), ("busnum", "1"), ("devnum", number)):
            (folder / file).write_text(f"{word}\n")
    node = tmp_path / "dev" / "001" / "007"
    node.parent.mkdir(parents=True)
    node.touch()
    printer = PrinterSettings(connection="usb", device="04B8:0E15")
    assert permissions.refusal(printer) is None
    close_to_us(monkeypatch, node)
    assert str(node) in str(permissions.refusal(printer))
    assert permissions.refusal(replace(printer, device="04b8:ffff")) is None
    assert str(node) in str(permissions.refusal(replace(printer, device="04b8:0e15@1-4")))
    assert permissions.refusal(replace(printer, device="04b8:0e15@1-3")) is None
    assert permissions.refusal(PrinterSettings()) is None


def test_check_answers_programs_too(run: Run, config: Path) -> None:
    ran = run("check", "--offline", "--json", "--config", str(config))
    assert ran.code == 1
    findings = json.loads(ran.out)
    assert [finding["name"] for finding in findings if not finding["ok"]] == ["certyfikat Offline"]


def test_check_names_every_problem_at_once(run: Run, config: Path) -> None:
    ran = run("check", "--config", str(config))
    assert ran.code == 1
    problems = re.findall(r"^PROBLEM  ([^:]+):", ran.out, re.MULTILINE)
    assert problems == ["certyfikat Offline", "KSeF i zegar", "logowanie do KSeF", "Latarnia", "drukarki"]
    assert "  OK    katalog danych" in ran.out


def test_check_looks_into_the_drop_folder_and_leaves_nothing(run: Run, config: Path) -> None:
    folder = config.parent / "kasa"
    config.write_text(config.read_text("utf-8") + f'[drop_folder]\npath = "{folder}"\n', "utf-8")
    missing = run("check", "--offline", "--config", str(config))
    assert f"PROBLEM  katalog wymiany: {folder}: nie ma takiego pliku ani katalogu." in missing.out
    assert "ReadWritePaths=" in missing.out
    folder.mkdir()
    assert f"  OK    katalog wymiany: {folder}" in run("check", "--offline", "--config", str(config)).out
    assert list(folder.iterdir()) == []


def test_commands_for_the_running_agent_leave_its_keys_alone(run: Run, config: Path) -> None:
    """systemd hands keys to the service only: `ksef-agent status` must work without them where an agent runs."""
    text = config.read_text("utf-8") + '[offline]\ncertificate_file = "brak.crt"\nkey_file = "brak.key"\n'
    config.write_text(text, "utf-8")
    said = sentence(run("queue", "--config", str(config)), ending.WRONG_SETTINGS)
    assert "brak." in said  # no agent runs, so this command is one and needs them
    assert "wiersz" not in said  # but the settings themselves were accepted


def test_what_is_asked_for_and_not_there(run: Run, config: Path) -> None:
    assert "Nie ma bazy danych" in sentence(run("backup", "--config", str(config), str(config.parent / "x.db")))
    assert "Nie ma kodu dostępu" in sentence(run("token", "revoke", "nikt", "--config", str(config)))


# --- whose rights -----------------------------------------------------------------------------------------


def test_root_becomes_the_owner_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[Any, ...]] = []
    owner = SimpleNamespace(pw_uid=995, pw_gid=996, pw_name="ksef-agent")
    monkeypatch.setattr("agent.commands.rights.pwd.getpwuid", lambda _uid: owner)
    monkeypatch.setattr("agent.commands.rights.os.geteuid", lambda: 0)
    for name in ("initgroups", "setgid", "setuid"):
        monkeypatch.setattr(
            f"agent.commands.rights.os.{name}", lambda *arguments, name=name: done.append((name, *arguments))
        )
    rights.step_down(tmp_path)
    assert done == [("initgroups", "ksef-agent", 996), ("setgid", 996), ("setuid", 995)]
    done.clear()
    rights.step_down(tmp_path / "not there yet")
    monkeypatch.setattr("agent.commands.rights.os.geteuid", lambda: 1000)
    rights.step_down(tmp_path)
    assert done == []


# --- completion and start -----------------------------------------------------------------------------------


def test_completion_knows_commands_and_options(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("_KSEF_AGENT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_CWORD", "1")
    monkeypatch.setenv("COMP_WORDS", "ksef-agent re")
    assert run().out.split() == [
        "plain,register",
        "plain,retention",
        "plain,reprint",
        "plain,rejected",
        "plain,restore",
    ]
    monkeypatch.setenv("COMP_WORDS", "ksef-agent deadline --mo")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run().out.split() == ["plain,--mode"]
    monkeypatch.setenv("COMP_WORDS", "ksef-agent deadline --mode off")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert run().out.split() == ["plain,offline24"]


HEAVY = {"aiohttp", "lxml", "cryptography", "aiosqlite", "PIL", "reportlab", "apscheduler", "escpos", "holidays"}


@pytest.mark.parametrize(
    "arguments", [["deadline", "--mode", "offline24", "--issued", "2026-11-20", "--json"], ["--help"]]
)
def test_light_commands_load_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import sys
sys.argv = ["ksef-agent", *{arguments!r}]
from agent.cli import main
try:
    main()
finally:
    print(sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr)
"""
    done = subprocess.run(
        (sys.executable, "-c", program), capture_output=True, text=True, cwd=ROOT, check=True, env={**os.environ}
    )
    assert done.stderr.strip() == "[]"
    assert done.stdout


NOT_OF_A_SERVICE = {"click", "prometheus_client", "PIL", "reportlab", "escpos", "qrcode", "agent.command_line"}
"""What a till holds for good if its service loads it once: a command line, a web server for metrics, pictures, PDF."""


@pytest.mark.parametrize("words", [["run"], ["run", "--config", "brak.toml"]])
def test_a_service_loads_no_command_line(words: list[str], tmp_path: Path) -> None:
    program = f"""
import sys
sys.argv = ["ksef-agent", *{words!r}]
from agent import cli
import agent.serving.serve
try:
    cli.main()
finally:
    print(sorted({NOT_OF_A_SERVICE!r} & sys.modules.keys()))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KSEF_AGENT_CONFIG": "brak.toml"}
    done = subprocess.run(
        (sys.executable, "-c", program), capture_output=True, text=True, cwd=tmp_path, check=False, env=environment
    )
    assert (done.returncode, done.stdout.strip()) == (ending.WRONG_SETTINGS, "[]")
    assert "nie ma takiego pliku" in done.stderr


@pytest.mark.parametrize("words", [["run", "--config", "."], ["run", "--help"], ["run", "now"]])
def test_whatever_else_is_asked_of_run_is_the_command_lines(words: list[str], run: Run) -> None:
    ran = run(*words)
    assert (ran.code, "Usage" in ran.out + ran.error) == (0 if words[-1] == "--help" else 2, True)
