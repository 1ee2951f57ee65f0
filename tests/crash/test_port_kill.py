"""A real process that dies at every call of its ports, before and after its effect (docs/reliability.md: I1-I4, I6-I9).

What tests/crash/test_port_points.py does within one process, with SIGKILL: nothing of the old run is tidied up, the
line and the printer see a connection that ends, and the next process starts on what the disk has. A seed draws which
call of each name it is, in which order, and in which order a till's day goes on meanwhile. The checker is that of
tests/crash/test_kill.py: it reads answers, KSeF's ledger, papers and the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.crash.test_kill import History, check
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.port_death import POINTS, SAID, WHERE
from tests.fakes.sales import mixed_sale
from tests.fakes.seeds import Note, drawn

ROOT = Path(__file__).parents[2]
SETTINGS = "\n[watch]\nprobe_seconds = 1\n\n[issue]\nbudget_seconds = 1.0\n"
DEEPEST = {"write": 40, "send": 3, "status": 3, "session": 3, "reserve": 4, "print_reserved": 4}
"""Up to which call of a name the process dies, 1 where nothing is said."""
LEAST_REACHED = 0.75
"""Of the points: a seed may draw a call that its day does not come to."""
A_SCENE = 15.0
"""Seconds that the queue may take to empty within a scene; then the day goes on."""


@dataclass
class Till:
    """One seed: a shop, its processes one after the other, and what the cashier saw."""

    place: AgentProcess
    draw: random.Random
    history: History = field(default_factory=History)
    pressed: int = 0
    reached: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def said(self) -> Path:
        """What the process leaves when it dies at its point."""
        return self.place.folder / "died"

    def points(self) -> list[str]:
        """Draw the call of each name, before and after, in a drawn order."""
        found = [
            f"{name}:{self.draw.randrange(1, DEEPEST.get(name, 1) + 1)}:{when}"
            for name in sorted(POINTS)
            for when in ("before", "after")
        ]
        self.draw.shuffle(found)
        return found

    async def die_at(self, point: str) -> None:
        """Live a day in a process that dies at a point; one that does not come to it is killed at the end."""
        self.said.unlink(missing_ok=True)
        self.place.environment = {**self.place.environment, WHERE: point, SAID: str(self.said)}
        await self.restart()
        scenes: list[Callable[[], Awaitable[None]]] = [self.online, self.outage, self.lost_answer, self.duplicate]
        self.draw.shuffle(scenes)
        for scene in scenes:
            if self.died:
                break
            await scene()
        (self.reached if self.said.exists() else self.missed).append(point)

    async def restart(self) -> None:
        """Kill what runs; start the next process, which may die while it starts."""
        assert self.place.process is not None
        if self.place.process.returncode is None:
            await self.place.kill()
        try:
            await self.place.start()
        except AssertionError:
            if not self.said.exists():
                raise

    @property
    def died(self) -> bool:
        """Whether the process is gone, or about to be."""
        assert self.place.process is not None
        return self.said.exists() or self.place.process.returncode is not None

    # --- a till's day -----------------------------------------------------------------------------

    async def online(self) -> None:
        """Two cashiers at once, then one."""
        await asyncio.gather(self.press(), self.press())
        await self.press()
        await self.empty_queue()

    async def outage(self) -> None:
        """A backlog that goes out as a batch."""
        await self.place.sandbox.plan("*", "refuse")
        for _ in range(3):
            await self.press()
        await self.place.sandbox.plan("*", "none")
        await self.empty_queue()

    async def lost_answer(self) -> None:
        """KSeF took it, and nobody heard so."""
        await self.place.sandbox.plan("send", "reset_after", 1)
        await self.press()
        await self.empty_queue()

    async def duplicate(self) -> None:
        """KSeF says that it has it already: whose bytes are those?"""
        self.place.sandbox.mood("440_own")
        await self.press()
        await self.empty_queue()

    async def press(self) -> None:
        """Press; where no answer comes the same key is pressed again after the restart."""
        number = self.pressed
        self.pressed += 1
        await self.press_key(number)

    async def press_key(self, number: int) -> None:
        key = f"sale-{number}"
        self.history.unanswered.add(key)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            status, answer = await self.place.post("/v1/invoices", mixed_sale(number), key)
            assert status in {200, 201}, answer
            self.history.answers.setdefault(key, []).append(answer)
            self.history.unanswered.discard(key)

    async def empty_queue(self) -> None:
        """Let the queue empty, and the UPOs come, as long as the process lives."""
        end = asyncio.get_running_loop().time() + A_SCENE
        with contextlib.suppress(aiohttp.ClientError):
            while not self.died and asyncio.get_running_loop().time() < end:
                await self.place.post("/v1/sync", {})
                if not (await self.place.get("/v1/queue"))["invoices"]:
                    return
                await asyncio.sleep(0.1)

    async def end(self) -> None:
        """A process that lives: what had no answer is pressed again, and KSeF gets everything."""
        self.said.unlink(missing_ok=True)
        self.place.environment = {name: value for name, value in self.place.environment.items() if name != WHERE}
        await self.restart()
        self.place.sandbox.mood("none")
        await self.place.sandbox.plan("*", "none")
        for key in sorted(self.history.unanswered):
            await self.press_key(int(key.removeprefix("sale-")))
        assert not self.history.unanswered
        await self.place.empty_queue()
        await check(self.place, self.history)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(1)))
async def test_a_process_dies_at_every_call_of_its_ports(tmp_path: Path, seed: int, record_property: Note) -> None:
    async with agent_process(
        tmp_path,
        extra=SETTINGS,
        environment={"PYTHONPATH": str(ROOT)},
        program=(sys.executable, "-m", "tests.fakes.port_death"),
    ) as place:
        config = tmp_path / "agent.toml"
        config.write_text(config.read_text("utf-8").replace("[ksef]\n", "[ksef]\nbatch_from = 2\n"), "utf-8")
        till = Till(place, random.Random(seed))
        for point in till.points():
            await till.die_at(point)
        await till.end()
    record_property("kills", len(till.reached))
    record_property("points not reached", len(till.missed))
    record_property("presses", len(till.history.answers))
    assert len(till.reached) >= LEAST_REACHED * 2 * len(POINTS), till.missed
