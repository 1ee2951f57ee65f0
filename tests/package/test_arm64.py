"""The arm64 package on another processor: its libraries are those of that processor, and the agent imports.

Only by `make test-arm`: needs root, debootstrap and qemu-user-static. Debian's arm64 files are unpacked, not set up,
and its Python runs by qemu; what that does not run is the service.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.package.conftest import ROOTS
from tests.package.machine import MIRROR

EMULATOR = "qemu-aarch64-static"
PYTHON = "3.11"
PROGRAM = """
import platform, sys
home = sys.argv[1] + "/opt/ksef-agent/lib"
sys.path = [path for path in sys.path if "dist-packages" not in path] + [home + "/common", home + "/3.11"]
import aiohttp, aiosqlite, lxml.etree, PIL.Image, usb.core
import cryptography.hazmat.primitives.asymmetric.ec
import agent.app, agent.cli, agent.serving.serve
print(platform.machine())
"""


@pytest.fixture(scope="module")
def package() -> Path:
    found = os.environ.get("KSEF_AGENT_DEB_ARM64")
    if not found:
        pytest.skip("only by make test-arm")
    return Path(found).resolve()


@pytest.fixture(scope="module")
def root() -> Path:
    """Debian 12 for arm64, unpacked; made once."""
    made = ROOTS / "bookworm-arm64"
    if not made.is_dir():
        partial = ROOTS / "bookworm-arm64.partial"
        shutil.rmtree(partial, ignore_errors=True)
        options = ("--arch=arm64", "--foreign", "--variant=minbase", "--include=python3,libusb-1.0-0")
        subprocess.run(("debootstrap", *options, "bookworm", partial, MIRROR), check=True, stdout=subprocess.DEVNULL)
        for each in (partial / "var/cache/apt/archives").glob("*.deb"):
            subprocess.run(("dpkg-deb", "--extract", each, partial), check=True)
        partial.rename(made)
    return made


def test_the_agent_imports(package: Path, root: Path, tmp_path: Path) -> None:
    subprocess.run(("dpkg-deb", "--extract", package, tmp_path), check=True)
    libraries = list((tmp_path / "opt/ksef-agent/lib").rglob("*.so"))
    assert len(libraries) > 20
    for each in libraries:
        assert each.read_bytes()[18:20] == b"\xb7\x00", f"{each.name} is of no arm64"  # e_machine: EM_AARCH64
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = (EMULATOR, "-L", root, root / f"usr/bin/python{PYTHON}", "-BIS", program, tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "aarch64"
