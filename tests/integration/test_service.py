"""The agent as systemd's service: what it notifies, and what a stop finishes."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.serving.watched import EXTENSION
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.sales import mixed_sale

SLOW_SECONDS = 1.5


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end of the socket, with a watchdog of 0.4 seconds."""
    name = f"ksef-agent-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield listener


async def heard(listener: socket.socket) -> list[str]:
    """Everything said so far."""
    found: list[str] = []
    while True:
        try:
            found.append(listener.recv(4096).decode())
        except BlockingIOError:
            return found


async def until_sending(place: AgentProcess) -> None:
    """Wait until the press is committed and its bytes are on their way."""
    for _ in range(400):
        with closing(sqlite3.connect(f"file:{place.database}?mode=ro", uri=True)) as database:
            if database.execute("SELECT count(*) FROM invoices WHERE state = 'sending'").fetchone()[0]:
                return
        await asyncio.sleep(0.01)
    raise AssertionError(place.log())


async def test_a_stop_finishes_the_press_under_way(tmp_path: Path, notified: socket.socket) -> None:
    async with agent_process(tmp_path) as place:
        await place.sandbox.plan("send", "slow", times=1, seconds=SLOW_SECONDS)
        press = asyncio.create_task(place.post("/v1/invoices", mixed_sale(1), "sale-1"))
        await until_sending(place)
        code, (status, answer) = await asyncio.gather(place.stop(), press)
        said = [each for each in await heard(notified) if each != EXTENSION]  # said while it starts
        assert (code, status) == (0, 201), place.log()
        assert answer["state"] == "accepted"
        assert answer["paper"]["state"] == "printed"
        assert said[0] == "READY=1\nSTATUS=Kasa 1: gotowa"
        assert said[-1] == "STOPPING=1"
        assert set(said[1:-1]) == {"WATCHDOG=1"}
        assert "Traceback" not in place.log(), place.log()
        with pytest.raises(OSError, match="Connect call failed"):
            await place.http.get(f"{place.facts['health']}/health/live")


@pytest.mark.nightly
async def test_an_idle_agent_stops_at_once_and_starts_again(tmp_path: Path) -> None:
    async with agent_process(tmp_path) as place:
        begun = asyncio.get_running_loop().time()
        assert await place.stop() == 0, place.log()
        assert asyncio.get_running_loop().time() - begun < 5
        assert "Traceback" not in place.log(), place.log()
        await place.start()
        assert (await place.post("/v1/invoices", mixed_sale(1), "sale-1"))[0] == 201
