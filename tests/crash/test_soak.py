"""A real process in real time under mixed faults: descriptors, threads and memory stay flat (reliability.md: I11)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.crash.test_kill import History, check
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.sales import mixed_sale
from tests.fakes.seeds import Note, drawn

SECONDS = 300.0
WARM_SECONDS = 90.0
"""Until then caches fill and connections open."""
FAULTS = (
    "none",
    "none",
    "refuse",
    "reset_before",
    "reset_after",
    "close",
    "html_502",
    "json_500",
    "broken_json",
    "429",
)
SETTINGS = "\n[watch]\nprobe_seconds = 1\n\n[issue]\nbudget_seconds = 1.0\n"
HEALED_SECONDS = 360.0
"""What failed three times while KSeF took others rests for five minutes (agent/services/delivery/backoff.py)."""
MORE_DESCRIPTORS, MORE_THREADS, MORE_BYTES = 8, 4, 25e6
"""What may come on top of the warm agent: connections of the moment, and what a database of more rows caches."""


@dataclass(frozen=True)
class Used:
    """Of a process, as the kernel counts it."""

    descriptors: int
    threads: int
    bytes: int


def used(place: AgentProcess) -> Used:
    assert place.process is not None
    process = Path(f"/proc/{place.process.pid}")
    lines = dict(line.split(":", 1) for line in process.joinpath("status").read_text("ascii").splitlines())
    descriptors = len(list(process.joinpath("fd").iterdir()))
    return Used(descriptors, int(lines["Threads"]), int(lines["VmRSS"].split()[0]) * 1024)


async def sell(place: AgentProcess, seed: int, history: History) -> tuple[Used, int]:
    """Sell under a fault that changes every few sales; return what the warm agent used, and how many sales."""
    draw = random.Random(seed)
    begun = time.monotonic()
    warm: Used | None = None
    number = 0
    while (passed := time.monotonic() - begun) < SECONDS:
        if warm is None and passed > WARM_SECONDS:
            warm = used(place)
        if number % 5 == 0:
            await place.sandbox.plan("*", draw.choice(FAULTS))
        key = f"sale-{number}"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            status, answer = await place.post("/v1/invoices", mixed_sale(number), key)
            assert status == 201, answer
            history.answers.setdefault(key, []).append(answer)
            number += 1
        await asyncio.sleep(draw.uniform(0.05, 0.5))
    assert warm is not None
    return warm, number


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(1)))
async def test_five_minutes(tmp_path: Path, seed: int, record_property: Note) -> None:
    async with agent_process(tmp_path, extra=SETTINGS) as place:
        history = History()
        warm, sales = await sell(place, seed, history)
        await place.sandbox.plan("*", "none")
        await place.empty_queue(HEALED_SECONDS)
        now = used(place)
        assert now.descriptors <= warm.descriptors + MORE_DESCRIPTORS, (warm, now)
        assert now.threads <= warm.threads + MORE_THREADS, (warm, now)
        assert now.bytes <= warm.bytes + MORE_BYTES, (warm, now)
        await check(place, history)
        record_property("sales", sales)
        assert await place.stop() == 0, place.log()
