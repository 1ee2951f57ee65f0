"""An offline press against the least it can cost (_floor.py), both over HTTP with a printed paper, in one run.

The agent is a process of its own, as on a till, and so is the floor; presses of the two alternate.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.bench import _results as results
from tests.fakes.agent_process import AgentProcess, agent_process

QUIET = "\n[watch]\nprobe_seconds = 3600\n"
"""Settings: no look at the line falls into a press."""
ROUNDS = 200
WARM_UP = 10
STARTS = 9
"""One start alone is chance: what else the machine does falls into a single press."""
NEXT = 20
"""Presses after the first, of which the median counts."""
LIMITS = {5: 2.0, 100: 3.0}
"""Lines of the sale, and how many times the floor its median should be at most."""


def sale(lines: int) -> dict[str, Any]:
    """A sale to a domestic firm."""
    prices = [Decimal(number % 90 + 1) + Decimal("0.99") for number in range(lines)]
    return {
        "buyer": {
            "nip": "1111111111",
            "name": "Odbiorca Próbny sp. z o.o.",
            "address": {"line1": "ul. Szeroka 7", "line2": "00-950 Warszawa"},
        },
        "prices": "gross",
        "lines": [
            {
                "name": f"Śruba M{number % 20 + 4} ocynkowana, opakowanie",
                "quantity": "2",
                "unit": "szt.",
                "unit_price": str(price),
                "vat": "23",
            }
            for number, price in enumerate(prices)
        ],
        "payments": [{"method": "cash", "amount": str(2 * sum(prices))}],
    }


@asynccontextmanager
async def floor(place: AgentProcess, folder: Path) -> AsyncIterator[str]:
    """Start the floor beside an agent, on the same printer; its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench._floor", str(folder), str(place.sandbox.printer.port)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        await process.wait()


async def milliseconds(press: Callable[[], Awaitable[object]]) -> float:
    """How long one took."""
    begun = time.perf_counter()
    await press()
    return (time.perf_counter() - begun) * 1000


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure(lines: int) -> None:
    """Print what a press of so many lines costs, and the floor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with agent_process(folder, extra=QUIET) as place:
            await place.sandbox.plan("*", "refuse")
            number = 0

            async def press() -> None:
                nonlocal number
                number += 1
                status, answer = await place.post("/v1/invoices", sale(lines), f"bench-{number}")
                assert status == 201, answer
                assert answer["paper"]["state"] == "printed", answer
                last.update(answer)

            last: dict[str, Any] = {}
            while not last or last["mode"] != "offline24" or number < WARM_UP:
                await press()
            base = f"/v1/invoices/{last['id']}"
            (folder / "invoice.xml").write_bytes(await place.get(f"{base}/xml"))
            (folder / "slip.bin").write_bytes(await place.get(f"{base}/receipt.escpos"))
            shutil.copy(place.facts["offline"]["key"], folder / "key.pem")
            async with floor(place, folder) as address:

                async def least() -> None:
                    async with place.http.post(address, json=sale(lines)) as response:
                        assert response.status == 201
                        await response.json()

                for _ in range(WARM_UP):
                    await least()
                ours, floors = [], []
                for _ in range(ROUNDS):
                    ours.append(await milliseconds(press))
                    floors.append(await milliseconds(least))
            firsts = [await first_press(place, press) for _ in range(STARTS)]
    for label, share, limit in (("p50", 0.5, LIMITS[lines]), ("p99", 0.99, 4.0)):
        pair = percentile(ours, share), percentile(floors, share)
        results.ratio(f"press: {lines} lines {label} against the floor", *pair, limit=limit, unit="ms")
    name = f"press: {lines} lines, first after a start against the next"
    results.ratio(name, statistics.median(firsts), 1.0, limit=1.5)
    print(f"{STARTS} starts: {', '.join(f'{each:.2f}' for each in sorted(firsts))}")


async def first_press(place: AgentProcess, press: Callable[[], Awaitable[None]]) -> float:
    """Return the first press after a start, as a multiple of the median of the next ones.

    It comes as soon as the agent says that it is ready, among the first rounds of its loops, over a new connection.
    """
    await place.stop()
    await place.start()
    times = [await milliseconds(press) for _ in range(1 + NEXT)]
    return times[0] / statistics.median(times[1:])


def main() -> None:
    """Print all."""
    for lines in LIMITS:
        asyncio.run(measure(lines))
