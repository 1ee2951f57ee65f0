"""The same till with a small and with a large store: start, press, lists, /health. Both run, and take turns.

Small is what fills every screen; large is 100,000 invoices of which 10,000 are unsent. The line is down meanwhile.
Both are what a till has that was looked at yesterday and stopped in an orderly way; the books have read everything.
Presses beside the look that the large one makes soon after its start are told apart from those after it.
A till has a moment between two presses: what it does then (a checkpoint every 25 presses) belongs to no press.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from agent.store.sqlite import SqliteStore
from agent.system.clock import SystemClock
from tests.bench import _results as results
from tests.bench._filled import fill
from tests.bench.footprint import megabytes
from tests.bench.press import QUIET, milliseconds, percentile, sale
from tests.fakes.agent_process import AgentProcess, agent_process

SIZES = {"small": (500, 500), "large": (90_000, 10_000)}
"""Accepted, unsent."""
ROUNDS = 1_000
"""So that p99 is the tenth slowest and not the second: a single press is chance."""
PRESS_PAUSE = 0.05
"""Seconds after each; the next customer of a real counter takes longer."""
STARTS = 5
LIMIT = 1.2
HEALTH_PAUSE = 0.05
"""Seconds; the listener answers 20 a second (agent/web/health.py)."""
LONGEST_LOOK = timedelta(minutes=3)
CHORE = "chore:check-database"
NOTED = f"SELECT value FROM notebook WHERE name = '{CHORE}'"


class Till:
    """An agent with a store of some size."""

    def __init__(self, place: AgentProcess) -> None:
        self.place = place
        self.presses = 0
        self.times: dict[str, list[float]] = {}
        self.started_at = datetime.now(UTC)

    async def press(self) -> str:
        self.presses += 1
        status, answer = await self.place.post("/v1/invoices", sale(5), f"growth-{self.presses}")
        assert status == 201, answer
        assert answer["paper"]["state"] == "printed", answer
        return str(answer["id"])

    async def prepare(self, accepted: int, unsent: int) -> None:
        """Issue one invoice that KSeF takes and one that it does not, and copy both."""
        first = await self.press()
        await self.place.empty_queue()
        for _ in range(200):
            if (await self.place.get(f"/v1/invoices/{first}"))["state"] == "accepted":
                break
            await asyncio.sleep(0.1)
        await self.place.sandbox.plan("*", "refuse")
        second = await self.press()
        while (await self.place.get(f"/v1/invoices/{second}"))["mode"] != "offline24":
            second = await self.press()
        month = (await self.place.get(f"/v1/invoices/{second}"))["issued_on"][:7]
        await self.place.get(f"/v1/register?month={month}&format=jpk")  # the books read both; copies are read with them
        await self.place.stop()
        await asyncio.to_thread(fill, self.place.database, first, accepted)
        await asyncio.to_thread(fill, self.place.database, second, unsent)
        await look_at(self.place.database)

    def looked_at(self) -> datetime:
        """When the whole database was last looked at."""
        with closing(sqlite3.connect(f"{self.place.database.as_uri()}?mode=ro", uri=True)) as connection:
            return datetime.fromisoformat(json.loads(connection.execute(NOTED).fetchone()[0]))

    async def timed_press(self, name: str = "press") -> None:
        self.times.setdefault(name, []).append(await milliseconds(self.press))
        await asyncio.sleep(PRESS_PAUSE)

    async def lists(self) -> None:
        await self.timed("list", "/v1/invoices?limit=50")
        await self.timed("queue", "/v1/queue")
        await self.timed("search", "/v1/invoices?text=fv&limit=50")

    async def timed(self, name: str, path: str) -> None:
        self.times.setdefault(name, []).append(await milliseconds(lambda: self.place.get(path)))

    async def health(self) -> None:
        async def look() -> None:
            async with self.place.http.get(f"{self.place.facts['health']}/health") as response:
                await response.read()

        await asyncio.sleep(HEALTH_PAUSE)
        self.times.setdefault("/health", []).append(await milliseconds(look))

    async def start(self) -> None:
        self.started_at = datetime.now(UTC)
        self.times.setdefault("start", []).append(await milliseconds(self.place.start))


async def look_at(database: Path) -> None:
    """Look at all of a stopped till's database, as its daily look does, and stop in an orderly way."""
    store = await SqliteStore.open(database, SystemClock())
    assert await store.check() is None
    at = datetime.now(UTC).isoformat()
    await store.write(lambda tx: tx.key_values.put(CHORE, at))
    await store.close()


async def in_turns(tills: Sequence[Till], rounds: int, work: Callable[[Till], Awaitable[object]]) -> None:
    """Do something with each, so many times; who is first changes, since the second finds the processor warm."""
    for number in range(rounds):
        for till in tills[:: -1 if number % 2 else 1]:
            await work(till)


async def measure() -> None:
    """Print all."""
    async with AsyncExitStack() as stack:
        tills: dict[str, Till] = {}
        for name, (accepted, unsent) in SIZES.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            tills[name] = till = Till(await stack.enter_async_context(agent_process(folder, extra=QUIET)))
            begun = time.perf_counter()
            await till.prepare(accepted, unsent)
            size = till.place.database.stat().st_size / 1024 / 1024
            print(f"{name}: {accepted} accepted, {unsent} unsent, {size:.0f} MB, {time.perf_counter() - begun:.0f} s")
        for _ in range(STARTS):
            for till in tills.values():
                await till.start()
                if len(till.times["start"]) < STARTS:
                    await till.place.stop()
        both = list(tills.values())
        await in_turns(both, 10, Till.press)
        large = tills["large"]
        beside = partial(Till.timed_press, name="press, the start's look beside it,")
        while large.looked_at() < large.started_at and datetime.now(UTC) - large.started_at < LONGEST_LOOK:
            await in_turns(both, 2, beside)
        print(f"the look of the large one ended {datetime.now(UTC) - large.started_at} after its start")
        await in_turns(both, ROUNDS, Till.timed_press)
        await in_turns(both, 30, Till.lists)
        await in_turns(both, 100, Till.health)
        small = tills["small"]
        for name in small.times:
            for label, share in (("p50", 0.5), ("p99", 0.99)) if "press" in name else (("p50", 0.5),):
                pair = [percentile(each.times[name], share) for each in (small, large)]
                results.ratio(f"growth: {name} {label}", pair[1], pair[0], limit=LIMIT, unit="ms")
        sizes = [megabytes(each.place) for each in (small, large)]
        print(f"RSS {sizes[0]:.0f} and {sizes[1]:.0f} MB; medians of {ROUNDS} presses, {STARTS} starts")


def main() -> None:
    """Print all."""
    asyncio.run(measure())
