"""A really full disk: a press is refused, nothing is stored, no number burnt; it works again once there is room."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNSHARE = shutil.which("unshare")


def in_small_disk(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a tmpfs of 12 MB on ``folder``, in namespaces of its own (needs no root)."""
    assert UNSHARE is not None
    script = 'mount -t tmpfs -o size=12m none "$0" && exec "$@"'
    return subprocess.run(
        (UNSHARE, "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder), *command),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("room", [(), ("100000",), ("300000",)], ids=["a press", "a checkpoint", "half a checkpoint"])
def test_a_full_disk_burns_no_number(tmp_path: Path, room: tuple[str, ...]) -> None:
    """Where the log has room and the checkpoint has none, some of its pages are in the database already."""
    if UNSHARE is None or in_small_disk(tmp_path, "true").returncode != 0:
        pytest.skip("no user namespaces here")
    done = in_small_disk(tmp_path, sys.executable, "-m", "tests.crash.store_full_disk", str(tmp_path), *room)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["before"], "the disk was too small from the start"
    assert facts["after"], "it did not recover"
    serials = facts["before"] + facts["after"]
    assert serials == list(range(1, len(serials) + 1))
    assert facts["problem"] is None
