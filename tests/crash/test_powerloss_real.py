"""Power cuts on a real file system: ext4 and xfs on a loop device, shut down in the middle of presses.

The shutdown ioctl forgets what the file system has not written, as a power cut does: no log is flushed. What it cannot
show: a disk that loses what it has confirmed. Invariants I1, I4, I7, I9 of docs/reliability.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.test_store_kill import ROOT, WRITER, acknowledged, assert_sound
from tests.fakes.seeds import Note, drawn

SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN of linux/fs.h: ext4 and xfs know it by this number."""
WITHOUT_LOG = struct.pack("I", 2)
SIZES = {"ext4": 64 << 20, "xfs": 320 << 20}
"""Bytes; mkfs.xfs makes nothing smaller than 300 MiB."""

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(
        os.geteuid() != 0 or not Path("/dev/loop-control").exists(), reason="only root mounts a loop device"
    ),
]


@contextlib.contextmanager
def mounted(image: Path, place: Path) -> Iterator[None]:
    """Mount; refused while a container that started meanwhile holds a copy of the mount: it would be the old one."""
    held = subprocess.run(("losetup", "--associated", image), check=True, capture_output=True, text=True).stdout
    assert not held, f"another mount namespace holds {held}"
    subprocess.run(("mount", "-o", "loop", image, place), check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(("umount", place), check=True, capture_output=True)


def made(folder: Path, kind: str) -> tuple[Path, Path]:
    """Make a file system; return its image and where it is to be mounted."""
    tool = shutil.which(f"mkfs.{kind}")
    if tool is None:
        pytest.skip(f"mkfs.{kind} is not installed")
    image, place = folder / "disk", folder / "mounted"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZES[kind])
    subprocess.run((tool, "-q", image), check=True, capture_output=True)
    return image, place


def cut(place: Path, database: Path, commits: int, delay: float, weakness: str) -> dict[int, str]:
    """Run the writer, shut the file system down ``delay`` seconds after so many commits; return what was promised.

    The writer is stopped first: a sync that is under way would end well on a disk that is gone.
    """
    command = (*WRITER, str(database), "100000", weakness)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        output = b"".join(process.stdout.readline() for _ in range(commits))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=delay)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        folder = os.open(place, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, WITHOUT_LOG)
        finally:
            os.close(folder)
        process.kill()
        output += process.stdout.read()
    return acknowledged(output)


def cut_repeatedly(folder: Path, kind: str, seed: int, cuts: int = 3, weakness: str = "none") -> None:
    draw = random.Random(seed)
    image, place = made(folder, kind)
    database = place / "till" / "agent.db"
    promised: dict[int, str] = {}
    with mounted(image, place):
        database.parent.mkdir()
        os.sync()
    for _ in range(cuts):
        with mounted(image, place):
            promised |= cut(place, database, draw.randrange(1, 30), draw.random() * 0.05, weakness)
        with mounted(image, place):
            assert_sound(database, promised)


@pytest.mark.parametrize("seed", drawn(range(3)))
def test_ext4(tmp_path: Path, seed: int, record_property: Note) -> None:
    record_property("cuts", 3)
    cut_repeatedly(tmp_path, "ext4", seed)


@pytest.mark.parametrize("seed", drawn(range(2)))
def test_xfs(tmp_path: Path, seed: int, record_property: Note) -> None:
    record_property("cuts", 3)
    cut_repeatedly(tmp_path, "xfs", seed)


@pytest.mark.parametrize("kind", list(SIZES))
def test_weaker_settings_are_caught(tmp_path: Path, kind: str) -> None:
    """synchronous=NORMAL loses acknowledged invoices: without this the cuts above would prove nothing."""
    with pytest.raises(AssertionError, match="lost or changed"):
        cut_repeatedly(tmp_path, kind, 1, weakness="normal")


def test_a_file_system_that_a_container_holds_is_not_taken_for_a_fresh_one(tmp_path: Path) -> None:
    image, place = made(tmp_path, "ext4")
    command = ("unshare", "--mount", "sh", "-c", "echo && exec sleep infinity")
    with contextlib.ExitStack() as stack:
        with mounted(image, place):
            container = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(container.kill)
            assert container.stdout is not None
            container.stdout.readline()
        with pytest.raises(AssertionError, match="another mount namespace"), mounted(image, place):
            pass
