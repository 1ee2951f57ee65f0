"""Set-up with a Debian's own Python and pip, and nothing to resolve from: no network, only the files the locks name."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.package.conftest import ROOT, SUITES
from tests.package.machine import Machine

SOURCES = re.compile(r"^forbiddenfruit==(?:.*\\\n)*.*\n", re.MULTILINE)
"""The one package that is published as sources only."""
LOCKS = ("requirements-build.lock", "requirements.lock", "requirements-dev.lock")
NEWEST_LIBC = 36
"""Minor version of Debian 12's C library, 2.36."""
PIP = {"bookworm": "23.0.1", "trixie": "25.1.1"}
NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/root/wheels"}


@pytest.fixture(scope="module")
def wheels(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the lock files name for that Python."""
    folder = tmp_path_factory.mktemp("wheels")
    backend = Path(sys.prefix, "backend/bin/python")  # its setuptools reads what sources say of themselves
    pip = (sys.executable, "-m", "pip", "--quiet", "--python", backend, "download", "--no-deps", "--require-hashes")
    platforms = [f"--platform=manylinux_2_{minor}_{platform.machine()}" for minor in range(5, NEWEST_LIBC + 1)]
    platforms.append(f"--platform=manylinux2014_{platform.machine()}")
    wheels = ("--only-binary", ":all:", "--python-version", SUITES[suite], *platforms)
    wanted = folder / "wanted.lock"
    for lock in LOCKS:
        wanted.write_text(SOURCES.sub("", (ROOT / lock).read_text("utf-8")))
        subprocess.run((*pip, *wheels, "--dest", folder, "--requirement", wanted), check=True)
    wanted.write_text("".join(SOURCES.findall((ROOT / LOCKS[-1]).read_text("utf-8"))))
    sources = ("--no-binary", ":all:", "--no-build-isolation")
    subprocess.run((*pip, *sources, "--dest", folder, "--requirement", wanted), check=True)
    return folder


@pytest.fixture
def clone(machine: Machine, wheels: Path) -> str:
    """The sources on the machine, and the wheels."""
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = machine.path(f"/root/clone/{name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    shutil.copytree(wheels, machine.path("/root/wheels"))
    return "/root/clone"


def test_nothing_is_resolved(machine: Machine, clone: str) -> None:
    machine.run("make", f"--directory={clone}", ".venv/.dev", more=NO_INDEX)
    seen = machine.run(f"{clone}/.venv/bin/pip", "--version").stdout
    assert seen.startswith(f"pip {PIP[machine.suite]} ")
    assert f"(python {SUITES[machine.suite]})" in seen
    pytest_ = (f"{clone}/.venv/bin/pytest", f"--rootdir={clone}", "-q", "-n0")
    machine.run("env", f"--chdir={clone}", *pytest_, "tests/unit/packaging/test_set_up.py", "tests/unit/json_io")
