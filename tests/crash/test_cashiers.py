"""Eight cashiers at one till's agent: repeated keys, broken connections, a line that flaps (docs/reliability.md).

The checker is that of test_kill.py: it reads the cashiers' answers, KSeF's ledger, the papers and the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

import aiohttp
import pytest

from tests.crash.test_kill import History, check
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.sales import mixed_sale
from tests.fakes.seeds import Note, drawn

CASHIERS = 8
PRESSES = 50
"""Of each cashier."""
BROKEN, REPEATED = 0.2, 0.3
MOST_WAIT = 0.2
"""Seconds after which a connection breaks, at most: before, during and after the press."""
SETTINGS = "\n[watch]\nprobe_seconds = 1\n\n[issue]\nbudget_seconds = 1.0\n"


async def press(place: AgentProcess, number: int, history: History) -> None:
    """Press until it is done, as till software does where it hears that a repetition is safe."""
    key = f"sale-{number}"
    for _ in range(600):
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            status, answer = await place.post("/v1/invoices", mixed_sale(number), key)
            if status in {200, 201}:
                history.answers.setdefault(key, []).append(answer)
                return
            assert answer["retry_safe"], answer
        await asyncio.sleep(0.05)
    raise AssertionError(f"{key} was never answered: {place.log()}")


async def cashier(place: AgentProcess, name: int, seed: int, history: History) -> None:
    draw = random.Random(seed * CASHIERS + name)
    for number in range(name, CASHIERS * PRESSES, CASHIERS):
        if draw.random() < BROKEN:
            unheard = asyncio.ensure_future(place.post("/v1/invoices", mixed_sale(number), f"sale-{number}"))
            await asyncio.wait({unheard}, timeout=draw.uniform(0, MOST_WAIT))
            unheard.cancel()
            await asyncio.gather(unheard, return_exceptions=True)
        presses = 2 if draw.random() < REPEATED else 1
        await asyncio.gather(*(press(place, number, history) for _ in range(presses)))
        if name == 0 and number % 80 == 40:
            await place.sandbox.plan("*", draw.choice(("refuse", "reset_after", "html_502", "none")))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(2)))
async def test_eight_cashiers(tmp_path: Path, seed: int, record_property: Note) -> None:
    """I1, I4, I6: one invoice a key, no gap, every answer the same."""
    async with agent_process(tmp_path, extra=SETTINGS) as place:
        history = History()
        await asyncio.gather(*(cashier(place, name, seed, history) for name in range(CASHIERS)))
        await place.sandbox.plan("*", "none")
        await place.empty_queue()
        await check(place, history)
        assert len(history.answers) == CASHIERS * PRESSES
        record_property("presses", sum(len(answers) for answers in history.answers.values()))
        assert await place.stop() == 0, place.log()
