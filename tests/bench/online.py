"""An online press with paper: KSeF is 40 ms away and takes 300 ms to decide; against those times alone.

The least it can take: one round trip for the invoice, its processing, one round trip for the answer.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.bench import _results as results
from tests.bench.press import QUIET, milliseconds, percentile, sale
from tests.fakes.agent_process import agent_process

ROUND_TRIP = 0.04
PROCESSING = 0.3
"""Seconds, both."""
LEARNING = 12
"""Presses after which the till knows how long KSeF takes."""
ROUNDS = 60
LIMIT = 1.15


async def measure() -> None:
    """Print all."""
    with tempfile.TemporaryDirectory() as name:
        async with agent_process(Path(name), extra=QUIET) as place:
            place.sandbox.behaviour.number_delay = PROCESSING
            await place.sandbox.plan("*", "slow_before", seconds=ROUND_TRIP)
            presses = 0

            async def press() -> None:
                nonlocal presses
                presses += 1
                status, answer = await place.post("/v1/invoices", sale(5), f"online-{presses}")
                assert status == 201, answer
                assert (answer["state"], answer["mode"]) == ("accepted", "online"), answer
                assert answer["paper"]["state"] == "printed", answer

            first = [await milliseconds(press) for _ in range(LEARNING)]
            times = [await milliseconds(press) for _ in range(ROUNDS)]
    least = (2 * ROUND_TRIP + PROCESSING) * 1000
    print(f"the first one {first[0]:.0f} ms; of {ROUNDS}, the slowest {max(times):.0f} ms")
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        results.ratio(f"online: a press, {label}", percentile(times, share), least, limit=LIMIT, unit="ms")


def main() -> None:
    """Print all."""
    asyncio.run(measure())
