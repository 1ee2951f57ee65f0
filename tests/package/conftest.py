"""Machines and packages for the tests of a package's life: only for `make test-package`, which names the package."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.package import debs
from tests.package.headquarters import Headquarters
from tests.package.machine import Machine, debian_root

collect_ignore_glob = [] if {"KSEF_AGENT_DEB", "KSEF_AGENT_DEB_ARM64"} & os.environ.keys() else ["test_*.py"]

collect_ignore = [] if "KSEF_AGENT_DEB_BEFORE" in os.environ else ["test_version_before.py"]

ROOT = Path(__file__).parents[2]
ROOTS = Path(os.environ.get("DEBIAN_ROOTS", ROOT / "build" / "debian"))
SUITES = {"bookworm": "3.11", "trixie": "3.13"}
"""Debian 12 and 13, and the Python they bring."""


@pytest.fixture(autouse=True)
def _ends() -> None:
    """Let whole machines take their time, in place of the limit of a change: each command has a limit of its own."""


@pytest.fixture(scope="session")
def package() -> Path:
    return Path(os.environ["KSEF_AGENT_DEB"]).resolve()


@pytest.fixture(scope="session")
def packages(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The release, the next one, and one of the kind of 0.1.0."""
    out = tmp_path_factory.mktemp("packages")
    return {"release": package, "later": debs.later(package, out), "0.1.0": debs.with_conffile(package, out, "0.0.1")}


@pytest.fixture(scope="session")
def hub_package() -> Path:
    return Path(os.environ["KSEF_AGENT_HUB_DEB"]).resolve()


@pytest.fixture(scope="module")
def headquarters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headquarters]:
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    os.environ["GNUPGHOME"] = str(home)
    yield Headquarters(tmp_path_factory.mktemp("hq"))
    subprocess.run(("gpgconf", "--kill", "all"), check=False)


@pytest.fixture(scope="session", params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def base(suite: str) -> Path:
    return debian_root(suite, ROOTS)


@pytest.fixture(scope="module")
def machine(suite: str, base: Path) -> Iterator[Machine]:
    """A machine that all tests of a module use one after the other."""
    with running(suite, base) as made:
        yield made


@contextmanager
def running(suite: str, base: Path, name: str = "") -> Iterator[Machine]:
    """A machine that has started; ``name`` where there are several of a suite."""
    with TemporaryDirectory(prefix=f"ksef-agent-{suite}-", dir="/var/tmp") as folder:
        made = Machine(suite, base, Path(folder), name)
        try:
            made.boot()
            yield made
        finally:
            made.close()
