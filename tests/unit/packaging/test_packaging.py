"""What is installed on a till: the wheel's files, the Debian package and its scripts, shell completion.

The package itself is built by `make test-nightly` and lives its life in `make test-package`.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import schemas
from agent import __version__
from agent.store.migrate import migrations
from agent.web import page
from tests.unit.packaging.test_left_out import EVERYTHING

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"
SCRIPTS = [PACKAGING / name for name in ("build-deb", "build-deb-hub", "completion", "pip-check", "apt-repo", "bundle")]
MAINTAINER_SCRIPTS = [PACKAGING / "debian" / name for name in ("preinst", "postinst", "prerm", "postrm")]
MAINTAINER_SCRIPTS += [PACKAGING / "debian-hub" / name for name in ("postinst", "prerm", "postrm")]
PACKAGES = ("agent", "printers", "schemas")
BUILD_SECONDS = 600
LARGEST_PACKAGE = 15_000_000
LARGEST_INSTALLED = 60_000_000
"""Bytes; the modules that postinst compiles come on top."""


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


# --- the wheel ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="not a clone")
def test_the_wheel_leaves_out_nothing_but_what_git_ignores() -> None:
    """Hatchling packs what git does not ignore; what it ignores has to be named in the build settings."""
    files = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    ignored = subprocess.run(
        ("git", "check-ignore", "--stdin"),
        cwd=ROOT,
        input="\n".join(files),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    assert {Path(path).parent for path in ignored} <= {Path("schemas/fa3")}
    assert 'artifacts = ["schemas/fa3/*.xsd"]' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_what_the_program_reads_lies_in_its_packages() -> None:
    """Only files inside the packages come along; nothing is looked for beside them."""
    assert schemas.load(None)
    assert migrations()
    assert (Path(page.__file__).parent / "index.html").is_file()
    assert list((ROOT / "printers" / "fonts").glob("*.ttf"))


def test_there_is_one_version() -> None:
    (version,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version == __version__


# --- the Debian package -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [*SCRIPTS, *MAINTAINER_SCRIPTS], ids=lambda path: path.name)
def test_scripts_are_sound(script: Path) -> None:
    text = script.read_text("utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert re.search(r"^set -eu?$", text, re.MULTILINE)
    assert run("sh", "-n", script).returncode == 0
    if script in SCRIPTS:
        assert script.stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("script", MAINTAINER_SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_maintainer_script_touches_the_data(script: Path) -> None:
    text = script.read_text("utf-8")
    for command in re.findall(r"\brm\b.*(?:\\\n.*)*", text):
        assert "/var/lib" not in command
        assert "/var/backups" not in command
    assert "mkdir" not in text  # directories, users and rights: tmpfiles.d and sysusers.d
    assert "adduser" not in text
    for line in text.splitlines():
        if re.match(r"\s*systemctl ", line):
            before = text[: text.index(line)]
            assert "[ -d /run/systemd/system ]" in before, line


def test_the_package_holds_everything_of_the_unit() -> None:
    build = (PACKAGING / "build-deb").read_text("utf-8")
    for pattern in (
        "systemd/*.service",
        "systemd/*.timer",
        "systemd/*.rules",
        "systemd/growing-pauses.conf",
        "docs/*.md",
        "docs/hq/*",
    ):
        assert pattern in build
    for file in ("systemd/ksef-agent.sysusers.conf", "systemd/ksef-agent.tmpfiles.conf", "config.example.toml"):
        assert file in build
        assert (ROOT / file).is_file()
    assert not (PACKAGING / "debian" / "conffiles").exists()
    assert "/etc" not in build  # settings are the till's: postinst makes them once
    placeholders = set(re.findall(r"@[A-Z_]+@", (PACKAGING / "debian" / "control").read_text("utf-8")))
    assert placeholders == set(re.findall(r"@[A-Z_]+@", build))


def test_the_hubs_package_holds_everything_of_its_units() -> None:
    build = (PACKAGING / "build-deb-hub").read_text("utf-8")
    for file in (
        "systemd/ksef-agent-hub.sysusers.conf",
        "systemd/ksef-agent-hub.tmpfiles.conf",
        "config.hub.example.toml",
    ):
        assert file in build
        assert (ROOT / file).is_file()
    assert "systemd/ksef-agent-hub*.service" in build
    assert "/etc" not in build
    placeholders = set(re.findall(r"@[A-Z_]+@", (PACKAGING / "debian-hub" / "control").read_text("utf-8")))
    assert placeholders == set(re.findall(r"@[A-Z_]+@", build))
    both = [(PACKAGING / name).read_text("utf-8") for name in ("build-deb", "build-deb-hub")]
    assert re.findall('PYTHONS=".*"', both[0])[0] == re.findall('PYTHONS=".*"', both[1])[0]


@pytest.mark.parametrize("script", ["build-deb", "build-deb-hub"])
def test_no_folder_that_python_made_beside_a_file_ends_the_build(script: str) -> None:
    lines = re.findall(r"^install -D .*", (PACKAGING / script).read_text("utf-8"), re.MULTILINE)
    patterns = [word.rpartition("/")[2] for line in lines for word in line.split() if "*" in word]
    assert patterns
    assert not [each for each in patterns if fnmatch("__pycache__", each)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class Machine:
    """A machine of stand-ins for a maintainer script: paths moved into a folder, programs that note their call."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "log"
        for folder in ("usr/bin", "run/systemd/system", "var/lib/ksef-agent", "etc/ksef-agent", "usr/share/ksef-agent"):
            (root / folder).mkdir(parents=True)
        for name in ("systemd-sysusers", "systemd-tmpfiles"):
            self.program(name, "")
        self.unit("active")
        self.agent(0)

    def program(self, name: str, body: str) -> None:
        file = self.root / "usr/bin" / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.log}\n{body}\n')
        file.chmod(0o755)

    def unit(self, state: str) -> None:
        """What systemctl says of the service; is-active fails for a service that is not."""
        self.program("systemctl", f'[ "$1" != is-active ] || {{ echo {state}; [ {state} = active ]; }}')

    def agent(self, code: int, *, version: str = "new") -> None:
        """What a backup ends with; 0.1.0 has no --data-dir."""
        option = "--data-dir" if version == "new" else ""
        self.program("ksef-agent", f'[ "$2" != --help ] || {{ echo "{option}"; exit 0; }}\nexit {code}')

    def run(
        self, name: str, *arguments: str, package: str = "debian", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        text = (PACKAGING / package / name).read_text("utf-8")
        script = self.root / name
        script.write_text(re.sub(r"(?<=[ =\"-])/(?=run|usr|var|etc|opt|proc)", f"{self.root}/", text))
        self.log.write_text("")
        path = f"{self.root}/usr/bin:/usr/bin:/bin"
        return run("sh", script, *arguments, PATH=path, **environment)

    def calls(self) -> list[str]:
        """The calls of the last run, without questions."""
        lines = self.log.read_text().replace(str(self.root), "").splitlines()
        return [line for line in lines if "is-active" not in line and "--help" not in line]


PAUSES = "usr/lib/systemd/system/ksef-agent{}.service.d/growing-pauses.conf"


@pytest.mark.parametrize(("package", "suffix"), [("debian", ""), ("debian-hub", "-hub")])
def test_pauses_between_starts_grow_where_systemd_knows_how(machine: Machine, package: str, suffix: str) -> None:
    """Debian 12's would name both lines in the journal each time it looks at the unit."""
    own = PACKAGING.parent / "systemd/growing-pauses.conf"
    (machine.root / "usr/share/ksef-agent/growing-pauses.conf").write_text(own.read_text("utf-8"))
    (machine.root / f"etc/ksef-agent/{'hub' if suffix else 'config'}.toml").write_text("")
    pauses = machine.root / PAUSES.format(suffix)
    for version, known in (("252 (252.39-1~deb12u2)", False), ("257 (257.9-1~deb13u1)", True), ("252 (252.39)", False)):
        machine.program("systemctl", f'[ "$1" != --version ] || echo "systemd {version}"')
        done = machine.run("postinst", "configure", "0.0.9", package=package)
        assert done.returncode == 0, done.stderr
        assert pauses.exists() is known
    machine.program("systemctl", '[ "$1" != --version ] || echo "systemd 257 (257.9-1~deb13u1)"')
    machine.run("postinst", "configure", "0.0.9", package=package)
    assert "RestartSteps=6" in pauses.read_text("utf-8")
    done = machine.run("postrm", "remove", package=package)
    assert done.returncode == 0, done.stderr
    assert not pauses.parent.exists()


COPY = "/var/backups/ksef-agent/before-upgrade-from-0.0.9.db"


def test_an_upgrade_stops_and_copies_before_it_unpacks(machine: Machine) -> None:
    done = machine.run("preinst", "upgrade", "0.0.9")
    assert done.returncode == 0, done.stderr
    assert machine.calls() == [
        "systemctl stop ksef-agent.service",
        "systemctl stop ksef-agent-backup.service",
        f"ksef-agent backup --force --if-present {COPY}",
    ]
    assert (machine.root / "run/ksef-agent.was-active").exists()  # postinst starts it again
    machine.agent(1)
    refused = machine.run("preinst", "upgrade", "0.0.9")
    assert refused.returncode == 1
    assert "nothing was upgraded" in refused.stderr
    assert machine.run("preinst", "upgrade", "0.0.9", KSEF_AGENT_SKIP_BACKUP="1").returncode == 0
    assert machine.run("preinst", "install").returncode == 0


def test_a_hub_stops_and_is_copied_before_the_program_changes_under_it(machine: Machine) -> None:
    for file in ("usr/lib/systemd/system/ksef-agent-hub.service", "etc/ksef-agent/hub.toml"):
        (machine.root / file).parent.mkdir(parents=True, exist_ok=True)
        (machine.root / file).touch()
    done = machine.run("preinst", "upgrade", "0.0.9")
    assert done.returncode == 0, done.stderr
    assert machine.calls()[:3] == [
        "systemctl stop ksef-agent-hub.service",
        "systemctl stop ksef-agent-hub-backup.service",
        "ksef-agent hub backup --force --if-present /var/backups/ksef-agent-hub/before-upgrade-from-0.0.9.db",
    ]
    assert (machine.root / "run/ksef-agent-hub.was-active").exists()
    machine.agent(1)
    assert machine.run("preinst", "upgrade", "0.0.9").returncode == 1


@pytest.mark.parametrize("state", ["activating", "failed", "deactivating", "reloading"])
def test_a_service_between_two_starts_is_stopped_and_started_too(machine: Machine, state: str) -> None:
    machine.unit(state)
    assert machine.run("preinst", "upgrade", "0.0.9").returncode == 0
    assert (machine.root / "run/ksef-agent.was-active").exists()


def test_a_service_that_was_stopped_stays_stopped(machine: Machine) -> None:
    machine.unit("inactive")
    assert machine.run("preinst", "upgrade", "0.0.9").returncode == 0
    assert "systemctl stop ksef-agent.service" not in machine.calls()
    assert not (machine.root / "run/ksef-agent.was-active").exists()


def test_from_0_1_0_the_copy_is_that_of_the_database_in_the_settings(machine: Machine) -> None:
    machine.agent(0, version="0.1.0")
    assert machine.run("preinst", "upgrade", "0.1.0").returncode == 0
    assert not [call for call in machine.calls() if call.startswith("ksef-agent")]  # no database, no copy
    data = machine.root / "srv/till"
    data.mkdir(parents=True)
    (data / "agent.db").touch()
    settings = machine.root / "etc/ksef-agent/config.toml"
    settings.write_text(f'till = "1"\ndata_dir = "{data}"  # the second disk\n')
    assert machine.run("preinst", "upgrade", "0.0.9").returncode == 0
    assert machine.calls()[-1] == f"ksef-agent backup --force {COPY}"


def test_wrong_settings_stop_no_upgrade(machine: Machine) -> None:
    """The next version may mend them, and the way back from one that calls them wrong must stay open."""
    machine.agent(3)
    settings = machine.root / "etc/ksef-agent/config.toml"
    settings.write_text('data_dir = "/srv/till"\nnonsense\n')
    machine.run("preinst", "upgrade", "0.0.9")
    assert machine.calls()[-2:] == [
        f"ksef-agent backup --force --if-present {COPY}",
        f"ksef-agent backup --force --if-present --data-dir /srv/till {COPY}",
    ]


def test_wrong_settings_in_layers_stop_no_upgrade_either(machine: Machine) -> None:
    """The copy is that of the database of this till, not of a place where none is."""
    machine.agent(3)
    layers = machine.root / "etc/ksef-agent/config.d"
    layers.mkdir()
    (machine.root / "etc/ksef-agent/config.toml").write_text('data_dir = "/srv/image"\n')
    (layers / "10-hq.toml").write_text('data_dir = "/srv/till"\nnonsense\n')
    (layers / "50-till.toml").write_text('till = "7"\n')
    machine.run("preinst", "upgrade", "0.0.9")
    assert machine.calls()[-1] == f"ksef-agent backup --force --if-present --data-dir /srv/till {COPY}"


def test_settings_are_made_once_and_then_left_alone(machine: Machine) -> None:
    example = machine.root / "usr/share/ksef-agent/config.example.toml"
    settings = machine.root / "etc/ksef-agent/config.toml"
    example.write_text("first\n")
    done = machine.run("postinst", "configure", "")
    assert done.returncode == 0, done.stderr
    assert settings.read_text() == "first\n"
    assert stat.S_IMODE(settings.stat().st_mode) == 0o644
    settings.write_text("mine\n")
    example.write_text("second\n")
    assert machine.run("postinst", "configure", "0.0.9").returncode == 0
    assert settings.read_text() == "mine\n"


def test_a_service_that_does_not_start_leaves_no_package_half_installed(machine: Machine) -> None:
    (machine.root / "run/ksef-agent.was-active").touch()
    (machine.root / "usr/share/ksef-agent/config.example.toml").touch()
    machine.program("systemctl", '[ "$1" != start ]')
    done = machine.run("postinst", "configure", "0.0.9")
    assert done.returncode == 0
    assert "did not start" in done.stderr


@pytest.mark.parametrize(
    ("action", "hub", "starts"),
    [
        ("configure", "0.2.0 installed", True),
        ("configure", "0.2.0 unpacked", False),  # its own postinst comes yet
        ("configure", "0.1.0 installed", False),
        ("configure", "", False),
        ("abort-upgrade", "0.1.0 installed", True),
    ],
)
def test_a_hub_whose_package_stays_as_it_is_runs_again(machine: Machine, action: str, hub: str, starts: bool) -> None:
    mark = machine.root / "run/ksef-agent-hub.was-active"
    mark.touch()
    (machine.root / "usr/share/ksef-agent/config.example.toml").touch()
    answers = f'case "$4" in ksef-agent) printf 0.2.0 ;; *) printf "{hub}"; [ -n "{hub}" ] ;; esac'
    machine.program("dpkg-query", answers)
    done = machine.run("postinst", action, "0.2.0")
    assert done.returncode == 0, done.stderr
    assert ("systemctl start ksef-agent-hub.service" in machine.calls(), mark.exists()) == (starts, not starts)


def test_without_a_mark_no_hub_is_started(machine: Machine) -> None:
    (machine.root / "usr/share/ksef-agent/config.example.toml").touch()
    machine.program("dpkg-query", 'echo "0.2.0 installed"')
    assert machine.run("postinst", "configure", "0.2.0").returncode == 0
    assert "systemctl start ksef-agent-hub.service" not in machine.calls()


@pytest.mark.parametrize("gone", [(), ("ksef-agent",), ("ksef-agent-hub",), ("ksef-agent-hub", "ksef-agent")])
def test_what_runs_by_a_python_that_went_is_restarted(machine: Machine, gone: tuple[str, ...]) -> None:
    python = machine.root / "usr/bin/python3.11"
    python.touch()
    for process, name in (("7", "ksef-agent"), ("8", "ksef-agent-hub")):
        (machine.root / "proc" / process).mkdir(parents=True)
        program = machine.root / "usr/bin/python3.9 (deleted)" if name in gone else python
        (machine.root / "proc" / process / "exe").symlink_to(program)
    machine.program("systemctl", 'case "$*" in *--value\\ ksef-agent.service) echo 7 ;; show*) echo 8 ;; esac')
    done = machine.run("postinst", "triggered", "/usr/bin")
    assert done.returncode == 0, done.stderr
    restarts = [call for call in machine.calls() if "try-restart" in call]
    assert restarts == [f"systemctl try-restart {name}.service" for name in gone]


def test_what_a_role_wrote_is_taken_up_also_where_a_later_task_fails() -> None:
    """What the handlers do then is shown by tests/package/test_playbooks.py."""
    plays = (PACKAGING / "ansible/site.yml").read_text("utf-8").split("- name: ")[1:]
    assert [play.splitlines()[0] for play in plays if "\n  force_handlers: true\n" in play] == ["Tills", "Hubs"]


# --- completion -------------------------------------------------------------------------------------------------


def test_completion_of_three_shells(tmp_path: Path) -> None:
    done = run(PACKAGING / "completion", sys.executable, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"ksef-agent.bash", "_ksef-agent", "ksef-agent.fish"}
    for path in tmp_path.iterdir():
        assert "_KSEF_AGENT_COMPLETE" in path.read_text("utf-8")
    assert run("bash", "-n", tmp_path / "ksef-agent.bash").returncode == 0


# --- the real thing ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the package, built from this tree."""
    out = tmp_path_factory.mktemp("dist")
    backend = Path(sys.prefix) / "backend/bin/python"
    build = (backend, "-m", "hatchling", "build", "--target", "wheel", "--directory", out)
    subprocess.run(build, cwd=ROOT, check=True, timeout=BUILD_SECONDS)
    return out


@pytest.fixture(scope="module")
def package(built: Path) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("not on Debian")
    (wheel,) = built.glob("*.whl")
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run((PACKAGING / "build-deb", wheel, built), env=environment, check=True, timeout=BUILD_SECONDS)
    (found,) = built.glob("*.deb")
    return found


@pytest.mark.nightly
def test_the_wheel_works_alone(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    subprocess.run((sys.executable, "-m", "venv", tmp_path / "venv"), check=True)
    pip = (tmp_path / "venv/bin/python", "-m", "pip", "--quiet", "install", "--no-deps")
    subprocess.run((*pip, "--require-hashes", "-r", ROOT / "requirements.lock"), check=True, timeout=BUILD_SECONDS)
    subprocess.run((*pip, "--no-index", wheel), check=True)
    assert (tmp_path / "venv/share/ksef-agent/config.example.toml").is_file()
    assert (tmp_path / "venv/share/ksef-agent/systemd/ksef-agent.service").is_file()
    program = (tmp_path / "venv/bin/ksef-agent", "demo", "--out", tmp_path / "papers")
    subprocess.run(program, cwd=tmp_path, check=True, timeout=120)
    assert len(list((tmp_path / "papers").glob("*.png"))) >= 9


@pytest.mark.nightly
def test_the_package_runs_from_where_it_lies(package: Path, tmp_path: Path) -> None:
    subprocess.run(("dpkg-deb", "-x", package, tmp_path), check=True)
    script = (tmp_path / "opt/ksef-agent/bin/ksef-agent").read_text("utf-8")
    assert script.startswith("#!/usr/bin/python3 -BISXno_debug_ranges\n")
    launcher = tmp_path / "launcher"
    launcher.write_text(script.replace('"/opt/', f'"{tmp_path}/opt/'))
    program = (sys.executable, "-BISXno_debug_ranges", launcher)
    done = subprocess.run((*program, "--version"), cwd="/", capture_output=True, text=True, check=True, env={})
    assert __version__ in done.stdout
    subprocess.run((*program, "demo", "--out", tmp_path / "papers"), cwd="/", check=True, timeout=120, env={})
    assert len(list((tmp_path / "papers").glob("*.png"))) >= 9
    everything = launcher.with_name("everything")
    everything.write_text(launcher.read_text("utf-8").partition("from agent.cli")[0] + EVERYTHING)
    command = (sys.executable, "-BIS", everything)
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True, env={})
    assert done.stdout == "made\n"
    field = ("dpkg-deb", "--field", package, "Installed-Size")
    assert int(subprocess.run(field, capture_output=True, text=True, check=True).stdout) * 1024 <= LARGEST_INSTALLED
    assert package.stat().st_size <= LARGEST_PACKAGE
    listing = subprocess.run(("dpkg-deb", "-c", package), capture_output=True, text=True, check=True).stdout
    for path in (
        "./usr/share/ksef-agent/config.example.toml",
        "./usr/bin/ksef-agent -> ../../opt/ksef-agent/bin/ksef-agent",
        "./usr/lib/systemd/system/ksef-agent.service",
        "./usr/lib/sysusers.d/ksef-agent.conf",
        "./usr/lib/tmpfiles.d/ksef-agent.conf",
        "./usr/lib/udev/rules.d/60-ksef-agent-printers.rules",
        "./usr/share/bash-completion/completions/ksef-agent",
    ):
        assert f" {path}\n" in listing, path
    assert "/root/" not in listing
    assert "./etc" not in listing
    assert {line.split()[1] for line in listing.splitlines()} == {"root/root"}
