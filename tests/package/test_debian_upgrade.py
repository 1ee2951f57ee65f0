"""Debian 12 becomes Debian 13 under an installed agent: it stays, and runs with the Python that came."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.package.conftest import ROOTS
from tests.package.machine import MIRROR, Machine, debian_root

UPGRADE_SECONDS = 1800


@pytest.fixture
def root() -> Iterator[Path]:
    """A root of Debian 12 with this machine's network; no systemd runs in it."""
    with TemporaryDirectory(prefix="ksef-agent-upgrade-", dir="/var/tmp") as folder:
        machine = Machine("bookworm", debian_root("bookworm", ROOTS), Path(folder))
        try:
            yield machine.root
        finally:
            machine.close()


def inside(root: Path, *command: str) -> str:
    program = ("unshare", "--mount", "--pid", "--fork", "--mount-proc=" + str(root / "proc"), "chroot", root)
    environment = ("env", "DEBIAN_FRONTEND=noninteractive", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
    done = subprocess.run(
        (*program, *environment, *command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=UPGRADE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_debians_own_upgrade_keeps_the_agent(root: Path, package: Path) -> None:
    for file in ("resolv.conf", "hosts"):
        (root / "etc" / file).write_bytes(Path("/etc", file).read_bytes())
    (root / "root/package.deb").write_bytes(package.read_bytes())
    inside(root, "dpkg", "--install", "/root/package.deb")
    before = inside(root, "ksef-agent", "--version")
    settings = root / "etc/ksef-agent/config.toml"
    settings.write_text(settings.read_text("utf-8") + "# mine\n", "utf-8")
    sources = root / "etc/apt/sources.list"
    sources.write_text(f"deb {MIRROR} trixie main\n")
    inside(root, "apt-get", "update")
    inside(root, "apt-get", "--yes", "--no-install-recommends", "full-upgrade")
    inside(root, "apt-get", "--yes", "autoremove", "--purge")
    assert inside(root, "python3", "--version").startswith("Python 3.13")
    assert inside(root, "ksef-agent", "--version") == before
    assert settings.read_text("utf-8").endswith("# mine\n")
    compiled = [path.name for path in (root / "opt/ksef-agent/lib/common/agent/__pycache__").iterdir()]
    assert "cli.cpython-313.pyc" in compiled
    inside(root, "ksef-agent", "demo", "--out", "/root/papers")
    assert list((root / "root/papers").glob("*.png"))
