"""The whole program under a wall clock that is set while it runs (libfaketime), with KSeF on the right time.

Black box: a process, its HTTP, its CPU time and memory. The rules in detail: tests/unit/outages/test_clock_steps.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.domain.calendar import local_date
from agent.sandbox.ksef.routing import Exchange
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.sales import mixed_sale

LIBRARY = next(iter(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1")), None)
HOUR, DAY = 3600, 86_400
PATIENCE = 60.0
QUICK = "\n[watch]\nprobe_seconds = 1.0\nlatarnia_seconds = 10.0\n"
MOST_CPU_SECONDS = 30.0
"""Of the 75 that pass: the fault took them all, and went on."""
MOST_MEMORY = 200e6

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed"),
]


@dataclass
class Till:
    """An agent whose clock the test sets, and what KSeF heard from it."""

    running: AgentProcess
    clock: Path
    heard: list[Exchange]
    presses: int = 0

    def set_clock(self, seconds: float) -> None:
        """Let the clock differ from the right time by so much from now on."""
        self.clock.write_text(f"{seconds:+.0f}\n")

    async def press(self) -> tuple[int, dict[str, Any]]:
        self.presses += 1
        return await self.running.post("/v1/invoices", mixed_sale(1), f"press-{self.presses}")

    async def health(self) -> dict[str, Any]:
        async with self.running.http.get(f"{self.running.facts['health']}/health") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def goes_on(self) -> None:
        """Wait for the loops' next few questions to KSeF: they come a second apart, or never."""
        self.heard.clear()
        async with asyncio.timeout(PATIENCE):
            while sum(each.template == "/auth/challenge" for each in self.heard) < 3:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)

    async def until_in_ksef(self, many: int) -> None:
        """Wait until KSeF has so many: on a busy machine a press may not wait for its number, and be sent behind it."""
        async with asyncio.timeout(PATIENCE):
            while len(self.running.sandbox.ledger.entries()) < many:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)

    async def until_problems(self, expected: Mapping[str, str]) -> dict[str, Any]:
        """Wait until these problems, and no others, are told; return the report."""
        async with asyncio.timeout(PATIENCE):
            while codes(report := await self.health()) != expected:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
        return report

    def used(self) -> tuple[float, float]:
        """Return CPU seconds and resident bytes of the process."""
        assert self.running.process is not None
        process = Path(f"/proc/{self.running.process.pid}")
        fields = process.joinpath("stat").read_text("ascii").rsplit(")", 1)[1].split()
        memory = next(line for line in process.joinpath("status").read_text().splitlines() if line.startswith("VmRSS"))
        return (int(fields[11]) + int(fields[12])) / 100, int(memory.split()[1]) * 1024

    async def stop(self) -> None:
        """SIGTERM is heard."""
        async with asyncio.timeout(20):
            assert await self.running.stop() == 0, self.running.log()
        assert "Traceback" not in self.running.log(), self.running.log()


@asynccontextmanager
async def till(folder: Path, *, off: float = 0, state: str = "ready") -> AsyncIterator[Till]:
    clock = folder / "clock"
    environment: Mapping[str, str] = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }
    clock.write_text(f"{off:+.0f}\n")
    async with agent_process(folder, extra=QUICK, environment=environment, state=state) as place:
        found = Till(place, clock, [])
        place.sandbox.observers.append(found.heard.append)
        yield found


def codes(report: Mapping[str, Any]) -> dict[str, str]:
    return {each["code"]: each["severity"] for each in report["problems"]}


@pytest.mark.parametrize("step", [-HOUR, HOUR, -400 * DAY, 90 * DAY, -6 * 365 * DAY, -20 * 365 * DAY])
async def test_set_while_it_runs_and_set_right_again(tmp_path: Path, step: int) -> None:
    async with till(tmp_path) as place:
        assert (await place.press())[0] == 201
        await place.until_in_ksef(1)
        await place.goes_on()
        place.set_clock(step)
        status, answer = await place.press()
        assert (status, answer["code"]) == (503, "clock-wrong"), answer
        await place.goes_on()
        report = await place.until_problems({"clock-skew": "critical"})
        assert report["status"] == "critical"
        assert report["clock"]["skew_seconds"] == pytest.approx(-step, abs=5)
        assert len(place.running.sandbox.ledger.entries()) == 1
        place.set_clock(0)
        status, answer = await place.press()
        assert (status, answer["issued_on"]) == (201, local_date(datetime.now(UTC)).isoformat())
        await place.until_problems({})
        assert place.used()[1] < MOST_MEMORY
        await place.stop()


async def test_boots_in_1970_and_is_then_corrected(tmp_path: Path) -> None:
    async with till(tmp_path, off=300 - time.time(), state="live") as place:
        status, answer = await place.press()
        assert (status, answer["code"]) == (503, "clock-wrong"), answer
        await place.until_problems({"clock-skew": "critical"})
        before, _ = place.used()
        place.set_clock(0)
        status, answer = await place.press()
        assert (status, answer["issued_on"]) == (201, local_date(datetime.now(UTC)).isoformat())
        await asyncio.sleep(75)  # every calendar job is looked at once a minute
        cpu, memory = place.used()
        assert cpu - before < MOST_CPU_SECONDS
        assert memory < MOST_MEMORY
        await place.until_problems({})
        await place.stop()


@pytest.mark.parametrize("step", [-HOUR, 90 * DAY, -6 * 365 * DAY])
async def test_set_while_it_does_not_run_and_no_line(tmp_path: Path, step: int) -> None:
    """The time of KSeF is kept over a restart within one boot."""
    async with till(tmp_path) as place:
        assert (await place.press())[0] == 201
        await place.stop()
        await place.running.sandbox.plan("*", "refuse")
        place.set_clock(step)
        await place.running.start("live")
        status, answer = await place.press()
        assert (status, answer["code"]) == (503, "clock-wrong"), answer
        place.set_clock(0)
        status, answer = await place.press()
        assert (status, answer["mode"]) == (201, "offline24")
        await place.stop()
