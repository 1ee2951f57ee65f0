"""Thousands of idle connections to the port that is open to the network: the till goes on selling, its log stays small.

The agent is a process with the descriptors its unit gives it (LimitNOFILE).
"""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.world import sale

LARGEST_LOG = 20_000  # bytes
BATCH = 32
"""Fewer than a listener's queue holds: a connection that finds it full is tried again after a second."""


async def live(pair: AgentProcess) -> int:
    """Ask as HQ does; return the status."""
    async with pair.http.get(f"{pair.facts['health']}/health/live", headers={"Connection": "close"}) as response:
        return response.status


@pytest.mark.parametrize(
    ("descriptors", "flood"),
    [
        pytest.param(512, 600, marks=pytest.mark.slow),
        pytest.param(4096, 4200, marks=pytest.mark.nightly),
    ],
)
async def test_presses_are_answered_through_a_flood_of_the_health_port(
    tmp_path: Path, descriptors: int, flood: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, flood + 400), hard))
    try:
        async with agent_process(tmp_path) as pair:
            assert pair.process is not None
            resource.prlimit(pair.process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
            address = urlsplit(str(pair.facts["health"]))
            with ExitStack() as stack:
                for number in range(flood):
                    idle = socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30)
                    stack.callback(idle.close)
                    if number % BATCH == 0:  # behind it in the listener's queue: all before it have been accepted
                        assert await live(pair) == 200
                for number in range(3):
                    status, body = await pair.post("/v1/invoices", sale(), key=f"key-{number}")
                    assert (status, body["paper"]["state"]) == (201, "printed"), body
                assert await live(pair) == 200
            assert (tmp_path / "agent.log").stat().st_size < LARGEST_LOG
            assert await pair.stop() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
