"""A backlog: a press beside it, the way to KSeF, memory. A small one and one eight times as large, to compare."""

from __future__ import annotations

import asyncio
import logging
import resource
import statistics
import tempfile
import time
from pathlib import Path

from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import World, world

SMALL, LARGE = 250, 2000
BESIDE = 40
"""Presses timed beside each backlog."""


async def timed_press(place: World) -> float:
    """Return the milliseconds of one offline press, paper included (no time passes, so nobody waits for KSeF)."""
    begun = time.perf_counter()
    await place.sell()
    return (time.perf_counter() - begun) * 1000


async def measure(folder: Path, count: int) -> None:
    """Print what a backlog of ``count`` costs."""
    clock = FakeClock()
    gateway = FakeGateway(clock)
    async with world(folder, clock=clock, gateway=gateway) as place:
        gateway.up = False
        for _ in range(3):
            await place.connection.probe()
        begun = time.perf_counter()
        for _ in range(count):
            await place.sell()
        issued = time.perf_counter() - begun
        beside = [await timed_press(place) for _ in range(BESIDE)]
        gateway.up = True
        await clock.advance(60)
        begun = time.perf_counter()
        for _ in range(20):
            await place.connection.probe()
            await place.queue.pass_once()
            await clock.advance(10)
            if not await place.store.read(lambda tx: tx.invoices.queue()):
                break
        sent = time.perf_counter() - begun
        assert len(gateway.ledger) == count + BESIDE
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each, way = issued / count * 1000, sent / count * 1000
    print(f"{count:6} invoices: {each:6.1f} ms to issue one, {way:6.1f} ms to bring one to KSeF")
    print(f"{'':7}a press beside them {statistics.median(beside):6.1f} ms median, {max(beside):6.1f} ms max")
    print(f"{'':7}peak of the process {megabytes:6.0f} MB")


def main() -> None:
    """Print all."""
    logging.disable(logging.CRITICAL)
    for count in (SMALL, LARGE):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(Path(folder), count))
