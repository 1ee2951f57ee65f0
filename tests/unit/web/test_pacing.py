"""The health port cannot take the event loop from the presses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent.web import health
from agent.web.pacing import Pace
from tests.fakes.served import health_http
from tests.fakes.world import world


def test_a_burst_is_free_then_turns_are_spaced() -> None:
    pace = Pace(per_second=10, burst=3)
    assert [round(pace.turn(100.0), 3) for _ in range(6)] == [0, 0, 0, 0.1, 0.2, 0.3]
    assert round(pace.turn(100.35), 3) == 0.05, "a later one waits behind those before it"
    assert [round(pace.turn(200.0), 3) for _ in range(5)] == [0, 0, 0, 0.1, 0.2], "pauses save up no more than a burst"


async def test_every_answer_of_the_health_listener_waits_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a pace that no machine is too slow for."""
    monkeypatch.setattr(health, "PER_SECOND", 0.001)
    monkeypatch.setattr(health, "BURST", 3)
    waited: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    async with world(tmp_path) as place, TestClient(TestServer(health_http(place))) as client:
        monkeypatch.setattr("agent.web.pacing.asyncio.sleep", noted)
        for path in ("/health", "/health/live", "/health/ready", "/metrics", "/nothing") * 2:
            await (await client.get(path)).read()
        monkeypatch.undo()
    assert len([seconds for seconds in waited if seconds > 100]) == 7
