"""A loop that a full disk stopped goes on when there is room; any other death stops the agent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

from agent.app import Agent
from agent.domain.errors import Unavailable
from agent.services.shutdown import Shutdown
from agent.serving.serve import _loop
from tests.fakes.clock import FakeClock


@dataclass
class Supervised:
    """The part of an agent that a loop's death concerns."""

    clock: FakeClock = field(default_factory=FakeClock)
    shutdown: Shutdown = field(default_factory=Shutdown)


async def test_a_full_disk_stops_no_loop_for_good() -> None:
    agent = Supervised()
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise Unavailable("Brak miejsca na dysku.", code="disk-full")

    loop = asyncio.create_task(_loop(cast(Agent, agent), "sync", run))
    await agent.clock.advance(4)
    assert runs == 1
    await agent.clock.advance(6)
    await loop
    assert (runs, agent.shutdown.begun) == (3, False)


async def test_any_other_death_stops_the_agent() -> None:
    agent = Supervised()
    defect = ValueError("defect")

    async def run() -> None:
        raise defect

    await _loop(cast(Agent, agent), "sync", run)
    assert (agent.shutdown.begun, agent.shutdown.defect) == (True, defect)
