"""ksef-agent.service as systemd knows it, and a unit with the same rules for one command.

The rules are who the service is and what it may reach: user, devices, credentials, directories, system calls. They are
taken from the service with all its drop-ins. systemd-run could not: it takes each rule one by one, not every rule, and
waits for a command only where there is a D-Bus daemon.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from agent.domain.values import dataclass

SERVICE: Final = "ksef-agent.service"
BOOTED: Final = Path("/run/systemd/system")
"""There only where systemd runs (sd_booted(3)); units that last until the next boot lie in it."""
RUN: Final = Path("/run")
CGROUP: Final = Path("/proc/self/cgroup")
OURS: Final = re.compile(r"/(ksef-agent(?:-check-\d+)?\.service)$", re.MULTILINE)
LIFE: Final = re.compile(
    r"Type|NotifyAccess|Exec(Start|Stop|Reload|Condition)|Restart|SuccessExit|Timeout|Runtime|Watchdog|Kill|SendSIG"
    r"|PIDFile|BusName|RemainAfterExit|Standard(In|Out|Err)|TTY|FileDescriptorStore"
)
"""Beginnings of the settings that say how the service lives, not what it may do."""
LIMIT_SECONDS: Final = 300
POLL_SECONDS: Final = 0.1
EXEC_FAILURES: Final = 200
"""From here on an exit status is systemd's own (systemd.exec(5)): the command never ran."""


class Unstartable(Exception):
    """systemd could not start a command with the rules of the service; the text is what it says."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The service's lines, in their order: later ones add to earlier ones or reset them."""

    program: str
    lines: tuple[tuple[str, str], ...]

    @property
    def settings_file(self) -> Path | None:
        """Return the settings file that the service reads; None where its unit names none."""
        found = None
        for key, value in self.lines:
            if key == "Environment":
                for word in _words(value):
                    name, _, content = word.partition("=")
                    found = Path(content) if name == "KSEF_AGENT_CONFIG" else found
        return found

    def unit(
        self, arguments: list[str], output: Path, environment: Mapping[str, str], terminal: str | None = None
    ) -> str:
        """Return a unit that runs the service's program once, by the same rules, into ``output``.

        ``terminal``: the device of a person who is asked; he has as long as he wants.
        """
        lines = [f"{key}={value}" for key, value in self.lines]
        lines += [f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()]
        lines += ["Type=oneshot", f"StandardOutput=file:{output}"]
        if terminal is None:
            lines += [f"TimeoutStartSec={LIMIT_SECONDS}"]
        else:
            lines += ["TimeoutStartSec=infinity", f"StandardInput=file:{terminal}"]
        lines += ["StandardError=inherit", f"ExecStart={self.program} {' '.join(map(_quoted, arguments))}"]
        return "\n".join(("[Unit]", f"Description=One command by the rules of {SERVICE}", "[Service]", *lines, ""))


def inside() -> bool:
    """Tell whether this process is the service or a command by its rules."""
    try:
        return OURS.search(CGROUP.read_text("utf-8")) is not None
    except OSError:
        return False


def read_rules() -> Rules | None:
    """Ask systemd for the service; None where there is no systemd or no such service."""
    if not BOOTED.is_dir():
        return None
    shown = subprocess.run(("systemctl", "cat", SERVICE), capture_output=True, text=True, check=False)  # noqa: S603, S607
    return parse_rules(shown.stdout) if shown.returncode == 0 else None


def parse_rules(text: str) -> Rules | None:
    """Read the [Service] sections of a unit and its drop-ins; None where they name no program."""
    program = None
    lines = []
    for key, value in _service_lines(text):
        if key == "ExecStart" and value:
            program = next(iter(_words(value)), "").lstrip("-@:+!") or None
        if not LIFE.match(key):
            lines.append((key, value))
    return None if program is None else Rules(program, tuple(lines))


def _service_lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield key and value of each line; a line that ends with a backslash goes on, over comments too."""
    section, held = "", ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        line, held = held + line, ""
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line:
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def _words(value: str) -> list[str]:
    """Split a value into words; none where a quotation does not end: systemd leaves such a line out, too."""
    try:
        return shlex.split(value)
    except ValueError:
        return []


def _quoted(word: str) -> str:
    """Write a word as systemd reads it: in quotes, specifiers and variables taken literally."""
    for special in ("\\", '"'):
        word = word.replace(special, "\\" + special)
    return f'"{word.replace("%", "%%").replace("$", "$$")}"'


def run(rules: Rules, arguments: list[str], *, asks: bool = False) -> int:
    """Run the service's program with ``arguments`` by its rules, hand its output on, return its exit code. For root.

    ``asks``: it reads answers from the terminal of this process, where there is one.

    Raises Unstartable where systemd cannot start it: then the service could not start either.
    """
    name = f"ksef-agent-check-{os.getpid()}.service"
    unit = BOOTED / name
    folder = Path(tempfile.mkdtemp(prefix="ksef-agent-check-", dir=RUN))
    output = folder / "output"
    output.touch()
    terminal = os.ttyname(0) if asks and os.isatty(0) else None
    language = {key: os.environ[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if key in os.environ}
    try:
        unit.write_text(rules.unit(arguments, output, language, terminal), "utf-8")
        with subprocess.Popen(("systemctl", "start", name), stderr=subprocess.DEVNULL) as start:  # noqa: S603, S607
            _hand_on(start, output)
        status = int(_property(name, "ExecMainStatus") or 0)
        result = _property(name, "Result")
    finally:
        for command in ("stop", "reset-failed"):
            subprocess.run(("systemctl", command, name), capture_output=True, check=False)  # noqa: S603, S607
        unit.unlink(missing_ok=True)
        shutil.rmtree(folder)
    if status >= EXEC_FAILURES or (status == 0 and result != "success"):
        raise Unstartable(f"{result}, {status}")
    return status


def _hand_on(start: subprocess.Popen[bytes], output: Path) -> None:
    """Copy the output as it grows until the command has ended."""
    with output.open("rb") as written:
        ended = False
        while not ended:
            try:
                start.wait(POLL_SECONDS)
                ended = True
            except subprocess.TimeoutExpired:
                pass
            sys.stdout.buffer.write(written.read())
            sys.stdout.flush()


def properties(*names: str) -> Mapping[str, str]:
    """Return properties of the service as systemd has them, with drop-ins; none where it cannot be asked.

    What a list holds stands in one line.
    """
    if not BOOTED.is_dir():
        return {}
    chosen = [f"--property={name}" for name in names]
    shown = subprocess.run(("systemctl", "show", *chosen, SERVICE), capture_output=True, text=True, check=False)  # noqa: S603, S607
    found: dict[str, str] = {}
    for name, _, value in (line.partition("=") for line in shown.stdout.splitlines()):
        if name in names:
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def _property(name: str, which: str) -> str:
    shown = subprocess.run(  # noqa: S603
        ("systemctl", "show", f"--property={which}", "--value", name),  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout.strip()
