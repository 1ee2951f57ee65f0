"""Certificates of another firm do not stop a start: the log and /health say whose they are."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agent.sandbox.server import NIP
from tests.fakes.agent_with_sandbox import SteppedClock, agent_with_sandbox

OTHER = "7777777777"


async def test_another_firm_s_certificates(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with agent_with_sandbox(
        tmp_path, edit=lambda text: text.replace(f'nip = "{NIP}"', f'nip = "{OTHER}"')
    ) as place:
        told = [record.getMessage() for record in caplog.records if record.name == "agent"]
        assert len(told) == 2
        assert all("ma inny podmiot" in line for line in told)
        problems = await place.problems()
        assert f"NIP {NIP}" in problems["certificate-of-another"]
        assert (await place.sell()).number.endswith("/000001")


async def test_a_clock_before_the_certificates(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with agent_with_sandbox(tmp_path, clock=clock) as place:
        assert "certificate-not-yet-valid" not in await place.problems()
        clock.step = timedelta(hours=-5)
        assert "certificate-not-yet-valid" in await place.problems()
