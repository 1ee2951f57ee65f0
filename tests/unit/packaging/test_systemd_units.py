"""The units in systemd/: understood by systemd, hardened, and true to the program."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.commands.ending import WRONG_SETTINGS

UNITS = Path(__file__).parents[3] / "systemd"
ADMINISTRATION = "ksef-agent-first-boot.service"
"""Once in a machine's life, before there is a till: it writes settings, runs check as root does and starts services."""
SERVICES = sorted(path.name for path in UNITS.glob("*.service") if path.name != ADMINISTRATION)
ANALYZE = shutil.which("systemd-analyze")
HIGHEST_EXPOSURE = 15
"""Tenths, as systemd-analyze wants its threshold."""

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run((ANALYZE, "--no-pager", *arguments), capture_output=True, text=True, timeout=30, check=False)


def exposure(unit: Path) -> subprocess.CompletedProcess[str]:
    return analyze("security", "--offline=true", f"--threshold={HIGHEST_EXPOSURE}", str(unit))


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_services_are_hardened(name: str) -> None:
    done = exposure(UNITS / name)
    assert done.returncode == 0, done.stdout


@needs_systemd
def test_the_threshold_sees_what_is_missing(tmp_path: Path) -> None:
    text = (UNITS / "ksef-agent.service").read_text("utf-8")
    assert "ProtectSystem=strict\n" in text
    weaker = tmp_path / "weaker.service"
    weaker.write_text(text.replace("ProtectSystem=strict\n", "").replace("SystemCallFilter=@system-service\n", ""))
    assert exposure(weaker).returncode != 0


@needs_systemd
@pytest.mark.parametrize(
    "name", sorted(path.name for path in UNITS.glob("ksef-agent*.[st]*r*") if "conf" not in path.name)
)
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        text = unit.read_text("utf-8").replace("/usr/bin/ksef-agent", "/bin/true")
        text = text.replace("/usr/sbin/ksef-agent-image", "/bin/true")
        (tmp_path / unit.name).write_text(text, "utf-8")
    if (
        ".service" in name
    ):  # also where systemd-analyze is too new to complain: Debian 12's names such lines at each look
        assert not re.search("^Restart(Steps|MaxDelaySec)=", (UNITS / name).read_text("utf-8"), re.MULTILINE)
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(tmp_path / name))
    assert name not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_the_service_is_what_the_program_expects() -> None:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment] # systemd's names keep their case
    parser.read(UNITS / "ksef-agent.service", "utf-8")
    service = parser["Service"]
    assert service["Type"] == "notify"
    assert service["ExecStart"] == "/usr/bin/ksef-agent run"
    assert service["ExecStartPre"] == "-/usr/bin/ksef-agent check --offline"  # tells, never prevents
    assert service["Restart"] == "on-failure"
    assert int(service["WatchdogSec"]) >= 10
    assert service["StateDirectory"] == "ksef-agent"
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["RestartPreventExitStatus"] == str(WRONG_SETTINGS)
