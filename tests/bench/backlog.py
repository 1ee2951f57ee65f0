"""A backlog goes out under KSeF's production limits: presses beside it, requests, CPU, memory, by its size.

The agent is a process of its own. While it sends, a till presses now and then; before that the same presses are timed
with the line down and nothing to send, which is the idle till they are measured against.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.bench import _results as results
from tests.bench.footprint import cpu_seconds, environment, megabytes
from tests.bench.growth import Till
from tests.bench.press import QUIET, milliseconds, percentile
from tests.fakes.agent_process import agent_process

SIZES = {100: 4, 1_000: 1, 10_000: 1}
"""Backlogs, and how many of each: some 170 presses come beside one of 100, and the second slowest of them is chance."""
SURVIVED = 50_000
"""Of `python -m tests.bench.backlog`: an hour and more."""
IDLE_PRESSES = 300
"""Of all backlogs of a size together."""
PAUSE = 0.2
"""Seconds between two presses of a busy counter of several tills."""
LONGEST_SECONDS = 600.0
"""Of 10,000; a larger one has as much more."""
SETTINGS = f'{QUIET}\n[issue]\nprefer = "offline24"\n'
"""A press that waits for KSeF would be timed with KSeF: these shops send in the background."""


async def measure(count: int, times: int = 1) -> None:
    """Print what a backlog of so many costs, ``times`` times, and how long the presses beside took in all of them."""
    idle, beside = [], []
    for _ in range(times):
        found = await _one(count, IDLE_PRESSES // times)
        idle += found[0]
        beside += found[1]
    label = f"backlog: a press beside {count} going out, p99 against idle"
    results.ratio(label, percentile(beside, 0.99), percentile(idle, 0.99), limit=2.0, unit="ms")


async def _one(count: int, idle_presses: int) -> tuple[list[float], list[float]]:
    """Return how long presses took before it and beside it."""
    with tempfile.TemporaryDirectory() as name:
        async with agent_process(Path(name), limits="production", extra=SETTINGS, environment=environment()) as place:
            till = Till(place)
            await till.prepare(1, count)
            await place.start()
            idle = [await _press(till) for _ in range(idle_presses)]
            before, cpu = len(place.sandbox.ledger), cpu_seconds(place)
            calls = Counter(place.sandbox.limits.answered)
            highest = 0.0
            await place.sandbox.plan("*", "none")
            begun = time.perf_counter()
            longest = LONGEST_SECONDS * max(1, count / 10_000)
            beside = []
            while len(place.sandbox.ledger) < before + count and time.perf_counter() < begun + longest:
                beside.append(await _press(till))
                highest = max(highest, megabytes(place))
            took, sent = time.perf_counter() - begun, len(place.sandbox.ledger) - before
            cpu = cpu_seconds(place) - cpu
            asked = place.sandbox.limits.answered - calls
    print(
        f"{count:6}: {sent} in {took:.0f} s, {took / max(1, sent) * 1000:.1f} ms each; CPU {cpu:.1f} s, "
        f"{cpu / max(1, sent) * 1000:.2f} ms each, with {len(beside)} presses; RSS at most {highest:.0f} MiB",
        flush=True,
    )
    requests = asked.pop("global", 0)
    groups = ", ".join(f"{group} {number}" for group, number in asked.most_common())
    print(
        f"        {requests} requests, {requests / max(1, sent):.3f} an invoice ({groups}); "
        f"{place.sandbox.limits.refused} answers 429",
        flush=True,
    )
    return idle, beside


async def _press(till: Till) -> float:
    taken = await milliseconds(till.press)
    await asyncio.sleep(PAUSE)
    return taken


def main() -> None:
    """Print all."""
    for count, times in SIZES.items():
        asyncio.run(measure(count, times))


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else SURVIVED))
