"""The life of the package on Debian 12 and 13, by a real systemd: each test goes on where the one before it ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from printers.hardware_day.steps import STEPS
from tests.package.machine import Machine
from tests.package.till import SERVICE, SETTINGS, Till

BACKUPS = "/var/backups/ksef-agent"
EXAMPLE = "/usr/share/ksef-agent/config.example.toml"
OVER_THE_OLD_LIMIT = 6
"""Starts in a row: five within ten minutes were too many for the unit of 0.1.0."""


@pytest.fixture(scope="module")
def till(machine: Machine) -> Till:
    return Till(machine)


def test_install(till: Till, packages: dict[str, Path]) -> None:
    said = till.install(packages["release"])
    assert "technician.md" in said
    assert till.version().endswith(" installed")
    assert till.settings == till.machine.path(EXAMPLE).read_text("utf-8")
    assert (till.show("ActiveState"), till.show("UnitFileState")) == ("inactive", "disabled")
    modes = till.machine.run("stat", "-c", "%A %U %G", "/etc/ksef-agent", "/var/lib/ksef-agent", BACKUPS).stdout
    assert modes == "drwxr-x--- root ksef-agent\n" + "drwx------ ksef-agent ksef-agent\n" * 2
    assert till.machine.run("dpkg-query", "--show", "--showformat=${Conffiles}", "ksef-agent").stdout == ""
    assert list(till.machine.path("/opt/ksef-agent/lib/common/agent/__pycache__").glob("cli.*.pyc"))


def test_wrong_settings_need_a_person_and_nothing_more(till: Till) -> None:
    """The example's seller is no seller. The corrected file starts at once, however often it was tried before."""
    for _ in range(OVER_THE_OLD_LIMIT):
        assert till.systemctl("start", SERVICE, check=False) != 0
    assert (till.show("ActiveState"), till.show("ExecMainStatus"), till.show("NRestarts")) == ("failed", "3", "0")
    assert "config.toml, wiersz" in till.journal()
    assert till.machine.run("ksef-agent", "check", check=False).returncode == 3
    till.open_sandbox()
    till.systemctl("enable", "--now", SERVICE)
    assert till.show("ActiveState") == "active"


def test_a_wrong_line_in_a_till_that_ran(till: Till) -> None:
    right = till.settings
    till.settings = right.replace("[ksef]\n", "[ksef]\ntimeout_second = 5\n")
    assert till.systemctl("restart", SERVICE, check=False) != 0
    assert (till.show("ExecMainStatus"), till.show("NRestarts")) == ("3", "0")
    till.settings = right
    till.systemctl("start", SERVICE)
    assert till.issue().endswith("/000001")


def test_a_service_that_is_killed_again_and_again_comes_back(till: Till) -> None:
    before = int(till.show("NRestarts"))
    for number in range(1, OVER_THE_OLD_LIMIT + 1):
        till.systemctl("kill", "--signal=KILL", SERVICE)
        till.until(lambda wanted=before + number: int(till.show("NRestarts")) >= wanted)  # type: ignore[misc]
        till.until(lambda: till.show("ActiveState") == "active")
    if till.machine.suite != "bookworm":  # systemd 254 and later
        assert till.show("RestartUSecNext") not in {"", "3s"}
    assert "Unknown key" not in till.journal()
    till.systemctl("restart", SERVICE)


# --- devices ------------------------------------------------------------------------------------------------

PRINTERS = (
    *(("usb/lp0", 180, 0), ("lp0", 6, 0), ("bus/usb/001/002", 189, 1)),
    *(("ttyUSB0", 188, 0), ("ttyACM0", 166, 0), ("ttyS63", 4, 127), ("rfcomm0", 216, 0)),
    *(("ttyAMA0", 204, 64), ("ttymxc0", 207, 16)),
)
OTHERS = (("fb0", 29, 0), ("sda", 8, 0))
OPEN = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)"


def node(till: Till, name: str, major: int, minor: int) -> str:
    """Make a device of that number; no driver is behind it, so who may open it hears ENXIO, who may not EPERM."""
    path = f"/dev/{name}"
    till.machine.run("mkdir", "-p", str(Path(path).parent))
    till.machine.run("mknod", "--mode=660", path, "c", str(major), str(minor))
    till.machine.run("chgrp", "lp", path)
    return path


def by_device(till: Till, path: str) -> str:
    """What print-test says of a printer behind that device file."""
    text = till.settings
    section = f'[[printer]]\nname = "probe"\nconnection = "file"\ndevice = "{path}"\n'
    till.settings = text + section
    said = till.machine.run("ksef-agent", "print-test", "--printer", "probe", check=False).stdout
    till.settings = text
    return said


def test_the_service_may_open_printers_and_nothing_else(till: Till) -> None:
    """Also those that appear while it runs, of drivers that the kernel had not loaded when it started."""
    for name, major, minor in PRINTERS:
        said = by_device(till, node(till, name, major, minor))
        assert "jak usługa ksef-agent.service: użytkownik ksef-agent, grupy dialout, lp" in said
        assert "Brak połączenia z drukarką" in said, (name, said)
    for name, major, minor in OTHERS:
        assert f"DeviceAllow=/dev/{name} rw" in by_device(till, node(till, name, major, minor))


def test_a_check_without_the_rules_would_not_see_it(till: Till) -> None:
    """Root opens what the service may not: that is why the commands run by its rules."""
    opened = till.machine.run("python3", "-c", OPEN, "/dev/fb0", check=False).stderr
    assert "No such device" in opened
    assert "Operation not permitted" not in opened


def test_a_drop_in_counts_for_the_commands_too(till: Till) -> None:
    drop_in = till.machine.path("/etc/systemd/system/ksef-agent.service.d/override.conf")
    drop_in.parent.mkdir(parents=True)
    secret = till.machine.path("/etc/ksef-agent/secrets/auth.key")
    secret.write_text("secret")
    lines = ("[Service]", "DeviceAllow=/dev/fb0 rw", "LoadCredential=auth.key:/etc/ksef-agent/secrets/auth.key")
    drop_in.write_text("\n".join((*lines, "")))
    till.systemctl("daemon-reload")
    assert "Brak połączenia z drukarką" in by_device(till, "/dev/fb0")
    assert "poświadczenia auth.key" in till.machine.run("ksef-agent", "check", "--offline", check=False).stdout
    secret.unlink()
    said = till.machine.run("ksef-agent", "check", "--offline", check=False)
    assert (said.returncode, "nie uruchomi się z takimi regułami" in said.stderr) == (1, True)
    drop_in.unlink()
    till.systemctl("daemon-reload")
    assert till.machine.run("systemctl", "list-units", "--failed", "--no-legend").stdout == ""


def test_a_setting_of_the_unit_counts_for_the_commands_too(till: Till) -> None:
    """Also where no service runs: the number of an invoice is of the till that the service is."""
    drop_in = till.machine.path("/etc/systemd/system/ksef-agent.service.d/series.conf")
    file = till.machine.path("/etc/default/ksef-agent")
    file.write_text("KSEF_AGENT__HEALTH__SHOP='Sklep 7'\n")
    lines = ("[Service]", "Environment=KSEF_AGENT__ISSUE__SERIES=%p", "EnvironmentFile=/etc/default/ksef-agent")
    drop_in.write_text("\n".join((*lines, "LoadCredential=hq.toml:/etc/ksef-agent/hq.toml", "")))
    till.machine.path("/etc/ksef-agent/hq.toml").write_text("[page]\nscreen_keyboard = true\n")
    till.systemctl("daemon-reload")
    till.systemctl("stop", SERVICE)
    assert till.issue().startswith("ksef-agent/")
    said = till.machine.run("ksef-agent", "queue")
    assert "(hq.toml) to polecenie nie widzi" in said.stderr
    till.systemctl("start", SERVICE)
    assert till.machine.run("ksef-agent", "queue").stderr == ""
    assert till.issue().startswith("ksef-agent/")
    assert 'shop="Sklep 7"' in till.get(f"{till.address}/metrics")
    for each in (drop_in, file, till.machine.path("/etc/ksef-agent/hq.toml")):
        each.unlink()
    till.systemctl("daemon-reload")
    till.systemctl("restart", SERVICE)


PERSON = r"""
import os, pty, re, sys

said = b""


def answer(terminal):
    global said
    told = os.read(terminal, 65536)
    said += told
    if re.search(rb"(zaczynaj; p: pomi.{1,4} ten krok|dalej; r: powt.{1,4}rz ten krok) ?$", said):
        os.write(terminal, b"\r")
        said = b""
    elif said.endswith(b"  > "):
        os.write(terminal, b"1\r")
        said = b""
    return told


sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], answer)))
"""
"""A person at a terminal who is quick, and answers each question by its first choice: nothing came out."""


def test_a_hardware_day_by_the_services_rules(till: Till) -> None:
    """From the first step to the last: the terminal reaches a command that runs as the service."""
    till.systemctl("stop", SERVICE)
    command = ("ksef-agent", "print-test", "--full", "--printer", "paragon")
    day = till.machine.run("python3", "-c", PERSON, *command, check=False)
    protocol = till.machine.path("/var/lib/ksef-agent/print-test/paragon.json")
    owner = till.machine.run("stat", "-c", "%A %U", "/var/lib/ksef-agent/print-test/paragon.json").stdout
    assert (day.returncode, owner) == (1, "-rw------- ksef-agent\n"), day.stdout[-2000:]
    written = json.loads(protocol.read_text("utf-8"))
    assert written["finished_at"] is not None
    assert {each["step"] for each in written["attempts"]} == {step.name for step in STEPS}
    assert "program uznał wydruk za pewny, a całego papieru nie ma" in day.stdout
    till.systemctl("start", SERVICE)


# --- upgrade, and the way back, with live data ------------------------------------------------------------------


def test_an_upgrade_asks_nothing_and_loses_nothing(till: Till, packages: dict[str, Path]) -> None:
    mine, invoices, old = till.settings, till.invoices(), till.version().split()[0]
    till.install(packages["later"])
    assert till.version() == "9.0.0 installed"
    assert till.settings == mine
    assert "A new first line" in till.machine.path(EXAMPLE).read_text("utf-8")
    assert till.show("ActiveState") == "active"
    assert till.invoices(f"{BACKUPS}/before-upgrade-from-{old}.db") == invoices
    till.issue()
    assert till.invoices() == invoices + 1


def test_the_way_back_is_the_same(till: Till, packages: dict[str, Path]) -> None:
    mine, invoices = till.settings, till.invoices()
    till.install(packages["release"])
    assert till.settings == mine
    assert till.show("ActiveState") == "active"
    assert till.invoices(f"{BACKUPS}/before-upgrade-from-9.0.0.db") == invoices
    till.issue()


def test_wrong_settings_stop_no_upgrade(till: Till, packages: dict[str, Path]) -> None:
    """The copy is made all the same; the service waits for the person who corrects them."""
    right, invoices = till.settings, till.invoices()
    till.settings = right.replace("[ksef]\n", "[ksef]\ntimeout_second = 5\n")
    till.machine.run("sh", "-c", f"rm {BACKUPS}/before-upgrade-*")
    assert "did not start" in till.install(packages["later"])
    (copy,) = till.machine.run("sh", "-c", f"ls {BACKUPS}/before-upgrade-*").stdout.split()
    assert till.invoices(copy) == invoices
    assert till.install(packages["release"])
    assert till.version().endswith(" installed")
    till.settings = right
    till.systemctl("start", SERVICE)


def test_without_a_copy_nothing_is_upgraded(till: Till, packages: dict[str, Path]) -> None:
    version = till.version()
    till.machine.run("mv", BACKUPS, f"{BACKUPS}.elsewhere")
    assert "nothing was upgraded" in till.install(packages["later"], check=False)
    till.machine.run("mv", f"{BACKUPS}.elsewhere", BACKUPS)
    assert till.version() == version
    assert till.show("ActiveState") == "active"  # what was stopped for it runs again
    till.issue()


def test_a_till_that_was_stopped_stays_stopped(till: Till, packages: dict[str, Path]) -> None:
    till.systemctl("stop", SERVICE)
    till.install(packages["later"])
    assert till.show("ActiveState") == "inactive"
    till.install(packages["release"])
    till.systemctl("start", SERVICE)


# --- data elsewhere, copies ----------------------------------------------------------------------------------


def test_data_elsewhere(till: Till, packages: dict[str, Path]) -> None:
    """Copies by the timer, and before an upgrade, are those of the database that the settings name."""
    till.systemctl("stop", SERVICE)
    till.machine.run("cp", "--archive", "/var/lib/ksef-agent", "/srv/till")
    till.settings = 'data_dir = "/srv/till"\n' + till.settings
    said = till.machine.run("ksef-agent", "check", "--offline", check=False).stdout
    assert "ReadWritePaths=/srv/till" in said  # the service may not write there yet
    drop_in = till.machine.path("/etc/systemd/system/ksef-agent.service.d/data.conf")
    drop_in.write_text("[Service]\nReadWritePaths=/srv/till\n")
    till.systemctl("daemon-reload")
    till.systemctl("start", SERVICE)
    till.issue()
    invoices = till.invoices("/srv/till/agent.db")
    assert invoices == till.invoices() + 1
    till.install(packages["later"])
    assert till.invoices(f"{BACKUPS}/before-upgrade-from-{packages_version(packages)}.db") == invoices
    assert till.show("ActiveState") == "active"


def packages_version(packages: dict[str, Path]) -> str:
    return packages["release"].name.split("_")[1]


def test_copies_and_what_hq_hears_of_them(till: Till) -> None:
    till.systemctl("start", "ksef-agent-backup.service")
    (copy,) = till.machine.run("sh", "-c", f"ls {BACKUPS}/agent-*.db").stdout.split()
    assert till.invoices(copy) == till.invoices("/srv/till/agent.db")
    till.until(lambda: till.health()["backup"]["file"] == copy)
    till.machine.run("mv", BACKUPS, f"{BACKUPS}.elsewhere")
    assert till.systemctl("start", "ksef-agent-backup.service", check=False) != 0
    till.until(lambda: "backup-failed" in till.problems())
    till.machine.run("mv", f"{BACKUPS}.elsewhere", BACKUPS)
    till.systemctl("start", "ksef-agent-backup.service")
    till.until(lambda: "backup-failed" not in till.problems())


# --- the end ----------------------------------------------------------------------------------------------------


def test_remove_and_purge_keep_the_data(till: Till) -> None:
    till.systemctl("enable", "ksef-agent-backup.timer")
    till.machine.run("dpkg", "--remove", "ksef-agent")
    assert till.show("ActiveState") == "inactive"
    assert not till.machine.path("/opt/ksef-agent").exists()
    assert till.machine.path(SETTINGS).exists()
    till.machine.run("dpkg", "--purge", "ksef-agent")
    assert not till.machine.path(SETTINGS).exists()
    assert till.invoices("/srv/till/agent.db")
    assert till.invoices()
    assert till.machine.path(BACKUPS).is_dir()
    left = till.machine.run("find", "/etc/systemd/system", "-xtype", "l", "-name", "ksef-agent*").stdout
    assert left == ""


# --- from 0.1.0, whose settings were a conffile -------------------------------------------------------------------


def test_from_a_conffile_and_back_nobody_is_asked(till: Till, packages: dict[str, Path]) -> None:
    till.install(packages["0.1.0"])
    mine = till.settings + "# mine\n"
    till.settings = mine
    till.install(packages["release"])
    assert till.settings == mine
    till.install(packages["later"])
    assert till.settings == mine
    till.install(packages["0.1.0"])
    assert (till.settings, till.version()) == (mine, "0.0.1 installed")
    till.install(packages["release"])
    till.machine.run("dpkg", "--purge", "ksef-agent")
    assert not till.machine.path(SETTINGS).exists()
