"""What is installed on a till: the wheel's files, the Debian package and its scripts, shell completion.

The package itself is built and tried out only by `make test-nightly`: that takes a minute and needs a package index.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import schemas
from agent import __version__
from agent.store.migrate import migrations
from agent.web import page

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"
SCRIPTS = [PACKAGING / name for name in ("build-deb", "try-deb", "completion")]
MAINTAINER_SCRIPTS = [PACKAGING / "debian" / name for name in ("preinst", "postinst", "prerm", "postrm")]
PACKAGES = ("agent", "printers", "schemas")
BUILD_SECONDS = 600


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


@pytest.mark.parametrize("script", MAINTAINER_SCRIPTS, ids=lambda path: path.name)
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
    for pattern in ("systemd/*.service", "systemd/*.timer", "systemd/*.rules", "docs/*.md", "docs/hq/*"):
        assert pattern in build
    for file in ("systemd/ksef-agent.sysusers.conf", "systemd/ksef-agent.tmpfiles.conf", "config.example.toml"):
        assert file in build
        assert (ROOT / file).is_file()
    assert (PACKAGING / "debian" / "conffiles").read_text("utf-8") == "/etc/ksef-agent/config.toml\n"
    placeholders = set(re.findall(r"@[A-Z_]+@", (PACKAGING / "debian" / "control").read_text("utf-8")))
    assert placeholders == set(re.findall(r"@[A-Z_]+@", build))


def test_an_upgrade_stops_and_copies_before_it_unpacks(tmp_path: Path) -> None:
    """preinst on a machine of stand-ins: every path moved into a folder, every program a note in a log."""
    log = tmp_path / "log"
    for name, code in (("systemctl", 0), ("ksef-agent", 0), ("ksef-agent-full-disk", 1)):
        program = tmp_path / "usr" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name.partition("-full")[0]} $*" >>{log}\nexit {code}\n')
        program.chmod(0o755)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "var/lib/ksef-agent").mkdir(parents=True)
    (tmp_path / "var/lib/ksef-agent/agent.db").touch()
    text = (PACKAGING / "debian" / "preinst").read_text("utf-8")
    script = tmp_path / "preinst"
    script.write_text(re.sub(r"(?<=[ =])/(?=run|usr|var)", f"{tmp_path}/", text))
    path = f"{tmp_path}/usr/bin:/usr/bin:/bin"

    def upgrade(**environment: str) -> subprocess.CompletedProcess[str]:
        log.write_text("")
        return run("sh", script, "upgrade", "0.0.9", PATH=path, **environment)

    done = upgrade()
    assert done.returncode == 0, done.stderr
    *_, stop, copy = log.read_text().splitlines()
    assert stop == "systemctl stop ksef-agent.service"
    assert copy == f"ksef-agent backup --force {tmp_path}/var/backups/ksef-agent/before-upgrade-from-0.0.9.db"
    assert (tmp_path / "run/ksef-agent.was-active").exists()  # postinst starts it again
    shutil.copy(tmp_path / "usr/bin/ksef-agent-full-disk", tmp_path / "usr/bin/ksef-agent")
    refused = upgrade()
    assert refused.returncode == 1
    assert "nothing was upgraded" in refused.stderr
    assert upgrade(KSEF_AGENT_SKIP_BACKUP="1").returncode == 0
    assert run("sh", script, "install", PATH=path).returncode == 0


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
    pip = (sys.executable, "-m", "pip", "--quiet")
    subprocess.run((*pip, "wheel", "--no-deps", "--wheel-dir", out, ROOT), check=True, timeout=BUILD_SECONDS)
    return out


@pytest.fixture(scope="module")
def package(built: Path) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("not on Debian")
    (wheel,) = built.glob("*.whl")
    environment = {**os.environ, "PIP": f"{sys.executable} -m pip"}
    subprocess.run((PACKAGING / "build-deb", wheel, built), env=environment, check=True, timeout=BUILD_SECONDS)
    (found,) = built.glob("*.deb")
    return found


@pytest.mark.nightly
def test_the_wheel_works_alone(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    subprocess.run((sys.executable, "-m", "venv", tmp_path / "venv"), check=True)
    pip = (tmp_path / "venv/bin/python", "-m", "pip", "--quiet", "install")
    subprocess.run((*pip, "--require-hashes", "-r", ROOT / "requirements.lock"), check=True, timeout=BUILD_SECONDS)
    subprocess.run((*pip, "--no-deps", wheel), check=True)
    assert (tmp_path / "venv/share/ksef-agent/config.example.toml").is_file()
    assert (tmp_path / "venv/share/ksef-agent/systemd/ksef-agent.service").is_file()
    program = (tmp_path / "venv/bin/ksef-agent", "demo", "--out", tmp_path / "papers")
    subprocess.run(program, cwd=tmp_path, check=True, timeout=120)
    assert len(list((tmp_path / "papers").glob("*.png"))) >= 9


@pytest.mark.nightly
def test_the_package_runs_from_where_it_lies(package: Path, tmp_path: Path) -> None:
    subprocess.run(("dpkg-deb", "-x", package, tmp_path), check=True)
    script = (tmp_path / "opt/ksef-agent/bin/ksef-agent").read_text("utf-8")
    assert script.startswith("#!/opt/ksef-agent/bin/python -I\n")
    program = "from agent.cli import main; import sys; sys.argv[1:] = ['--version']; main()"
    command = (tmp_path / "opt/ksef-agent/bin/python", "-I", "-c", program)
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True, env={})
    assert __version__ in done.stdout
    listing = subprocess.run(("dpkg-deb", "-c", package), capture_output=True, text=True, check=True).stdout
    for path in (
        "./etc/ksef-agent/config.toml",
        "./usr/bin/ksef-agent -> ../../opt/ksef-agent/bin/ksef-agent",
        "./usr/lib/systemd/system/ksef-agent.service",
        "./usr/lib/sysusers.d/ksef-agent.conf",
        "./usr/lib/tmpfiles.d/ksef-agent.conf",
        "./usr/lib/udev/rules.d/60-ksef-agent-printers.rules",
        "./usr/share/bash-completion/completions/ksef-agent",
    ):
        assert f" {path}\n" in listing, path
    assert "/root/" not in listing
    assert {line.split()[1] for line in listing.splitlines()} == {"root/root"}


@pytest.mark.nightly
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for an overlay of this machine")
def test_install_upgrade_remove_and_purge(package: Path) -> None:
    done = run(PACKAGING / "try-deb", package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "== all well" in done.stdout
