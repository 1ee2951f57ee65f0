"""A command by the rules of the service: what of ksef-agent.service becomes part of the command's own unit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.system import service_unit
from agent.system.service_unit import Rules, Unstartable, parse_rules

ROOT = Path(__file__).parents[3]
UNIT = (ROOT / "systemd" / "ksef-agent.service").read_text("utf-8")
DROP_IN = """
# /etc/systemd/system/ksef-agent.service.d/override.conf
[Unit]
RequiresMountsFor=/srv/till
[Service]
; the second disk
ReadWritePaths=/srv/till \\
    # a comment in the middle
    /mnt/archive
DeviceAllow=/dev/printer0 rw
LoadCredential=auth.key:/etc/ksef-agent/secrets/auth.key
ExecStartPre=/bin/sleep 1
Environment="KSEF_AGENT_CONFIG=/srv/till/my config.toml" LANG=pl_PL.UTF-8
"""


def rules(text: str) -> Rules:
    found = parse_rules(text)
    assert found is not None
    return found


def test_what_the_service_may_do_is_kept_and_how_it_lives_is_not() -> None:
    known = rules(UNIT)
    keys = {key for key, _ in known.lines}
    assert known.program == "/usr/bin/ksef-agent"
    assert known.settings_file == Path("/etc/ksef-agent/config.toml")
    assert {"User", "Group", "UMask", "DevicePolicy", "DeviceAllow", "ProtectSystem", "SystemCallFilter"} <= keys
    assert {"StateDirectory", "RestrictAddressFamilies", "MemoryMax", "CapabilityBoundingSet"} <= keys
    written = {line.partition("=")[0] for line in UNIT.splitlines() if "=" in line and line[0].isupper()}
    lives = {"Type", "NotifyAccess", "ExecStartPre", "ExecStart", "WatchdogSec", "TimeoutStartSec", "TimeoutStopSec"}
    lives |= {"KillMode", "Restart", "RestartPreventExitStatus", "RestartSec"}
    other_sections = {"Description", "Documentation", "After", "ConditionPathExists", "WantedBy"}
    other_sections |= {"StartLimitIntervalSec"}
    assert written - keys == lives | other_sections


def test_drop_ins_count_in_their_order() -> None:
    known = rules(UNIT + DROP_IN)
    assert known.lines[-4:] == (
        ("ReadWritePaths", "/srv/till  /mnt/archive"),
        ("DeviceAllow", "/dev/printer0 rw"),
        ("LoadCredential", "auth.key:/etc/ksef-agent/secrets/auth.key"),
        ("Environment", '"KSEF_AGENT_CONFIG=/srv/till/my config.toml" LANG=pl_PL.UTF-8'),
    )
    assert known.settings_file == Path("/srv/till/my config.toml")
    assert rules(UNIT + "[Service]\nDeviceAllow=\n").lines[-1] == ("DeviceAllow", "")  # a reset
    assert parse_rules("[Unit]\nDescription=no service\n") is None


def test_rules_that_only_begin_like_how_a_service_lives_are_kept() -> None:
    text = "[Service]\nExecStart=-/bin/x run\nExecPaths=/opt\nNoExecPaths=/\nExecSearchPath=/opt\nKeyringMode=shared\n"
    known = rules(text)
    assert known.program == "/bin/x"
    assert [key for key, _ in known.lines] == ["ExecPaths", "NoExecPaths", "ExecSearchPath", "KeyringMode"]


def test_the_unit_of_a_command(tmp_path: Path) -> None:
    arguments = ["print-test", "--printer", 'Kasa "1" 50% $HOME\\']
    lines = rules(UNIT).unit(arguments, tmp_path / "out", {"LANG": "pl_PL.UTF-8"}).splitlines()
    assert lines[-1] == 'ExecStart=/usr/bin/ksef-agent "print-test" "--printer" "Kasa \\"1\\" 50%% $$HOME\\\\"'
    assert 'Environment="LANG=pl_PL.UTF-8"' in lines
    assert f"StandardOutput=file:{tmp_path}/out" in lines
    assert lines.count("[Service]") == 1
    assert "Type=oneshot" in lines
    assert "DeviceAllow=char-180 rw" in lines


@pytest.mark.parametrize(
    ("cgroup", "inside"),
    [
        ("0::/system.slice/ksef-agent.service\n", True),
        ("12:devices:/system.slice/ksef-agent-check-4711.service\n0::/x\n", True),
        ("0::/user.slice/user-0.slice/session-1.scope\n", False),
        ("0::/system.slice/ksef-agent-backup.service\n", False),
    ],
)
def test_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: str, inside: bool) -> None:
    file = tmp_path / "cgroup"
    file.write_text(cgroup)
    monkeypatch.setattr(service_unit, "CGROUP", file)
    assert service_unit.inside() is inside


# --- systemd, played by a script ---------------------------------------------------------------------------


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of units and a systemctl that runs their ExecStart; status and result as a file says."""
    units = tmp_path / "units"
    units.mkdir()
    script = tmp_path / "bin" / "systemctl"
    script.parent.mkdir()
    (tmp_path / "fate").write_text("")
    script.write_text(f"""#!{sys.executable} -IS
import re, subprocess, sys
from pathlib import Path
here = Path("{tmp_path}")
fate = here.joinpath("fate").read_text()
command, name = sys.argv[1], sys.argv[-1]
unit = here / "units" / name
with here.joinpath("log").open("a") as log:
    print(*sys.argv[1:], file=log)
if command == "cat":
    print(here.joinpath("cat").read_text())
elif command == "start":
    if fate:
        sys.exit(1)
    text = unit.read_text()
    program = re.search("^ExecStart=(.*)$", text, re.M)[1]
    output = re.search("^StandardOutput=file:(.*)$", text, re.M)[1]
    code = subprocess.call(program, shell=True, stdout=open(output, "wb"))
    here.joinpath("status").write_text(str(code))
    sys.exit(code)
elif command == "show" and "--property=ExecMainStatus" in sys.argv:
    print(fate.partition(" ")[0] or here.joinpath("status").read_text())
elif command == "show":
    print(fate.partition(" ")[2] or "success")
""")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(service_unit, "BOOTED", units)
    monkeypatch.setattr(service_unit, "RUN", tmp_path)
    return tmp_path


def command(program: str) -> Rules:
    return Rules(program, (("User", "ksef-agent"),))


def test_output_and_exit_code_come_through(systemd: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code = service_unit.run(command("/bin/sh"), ["-c", "echo Wszystko gra; exit 1"])
    assert code == 1
    assert capfdbinary.readouterr().out == b"Wszystko gra\n"
    assert list((systemd / "units").iterdir()) == []  # nothing is left
    assert "reset-failed" in (systemd / "log").read_text()


@pytest.mark.parametrize("fate", ["243 exit-code", "0 timeout", "217 exit-code"])
def test_rules_with_which_nothing_starts(systemd: Path, fate: str) -> None:
    """A credential that is not there, a user that is none: the service would not start either."""
    (systemd / "fate").write_text(fate)
    with pytest.raises(Unstartable, match=fate.partition(" ")[0]):
        service_unit.run(command("/bin/true"), [])
    assert list((systemd / "units").iterdir()) == []


def test_the_service_is_asked_for_where_systemd_runs(systemd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (systemd / "cat").write_text(UNIT)
    assert service_unit.read_rules() == rules(UNIT)
    monkeypatch.setattr(service_unit, "BOOTED", systemd / "none")
    assert service_unit.read_rules() is None
    assert subprocess.run(("systemctl", "--version"), check=False).returncode == 0
