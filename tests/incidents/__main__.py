"""`python -m tests.incidents [NAME…]`: make incidents happen and write their recordings into docs/hq/incidents."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from inspect import getdoc
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.incidents.incidents import INCIDENTS
from tests.incidents.recording import FOLDER


async def record(name: str, out: Path) -> Path:
    """Let an incident happen; return its recording."""
    happen = INCIDENTS[name]
    with TemporaryDirectory() as folder:
        place = await happen(Path(folder))
    file = out / f"{name}.test.yml"
    file.write_text(place.recording.test(getdoc(happen) or name), "utf-8")
    return file


def seen(file: Path) -> subprocess.CompletedProcess[str]:
    """Let promtool hold the rules against a recording."""
    return subprocess.run(("promtool", "test", "rules", file), capture_output=True, text=True, check=False)


def main() -> None:
    """Record those that are named, or all; exit code 1 where an alert was not seen, or one too many."""
    missed = 0
    for name in sys.argv[1:] or INCIDENTS:
        done = seen(asyncio.run(record(name, FOLDER)))
        missed += done.returncode != 0
        sys.stdout.write(f"{name}: {'seen' if done.returncode == 0 else done.stdout + done.stderr}\n")
    sys.exit(min(1, missed))


if __name__ == "__main__":
    main()
