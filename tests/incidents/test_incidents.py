"""Each incident happens once more to the agents of today, and wakes the same people."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.incidents.__main__ import record, seen
from tests.incidents.incidents import INCIDENTS
from tests.incidents.recording import RULES


@pytest.mark.nightly
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Debian's prometheus")
@pytest.mark.parametrize("name", INCIDENTS)
async def test_an_incident_of_today_wakes_whom_it_should(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "incidents"
    folder.mkdir()
    shutil.copy(RULES, tmp_path)
    done = seen(await record(name, folder))
    assert done.returncode == 0, done.stdout + done.stderr
