"""Faults of KSeF in mixtures, under its production limits: how soon all is well after the last one (I6).

A seed draws one to three troubles: which calls fail, how, for how long, how busy the counter is. Then nothing fails any
more: within minutes a press is online, and nothing waits. Real gateway, sandbox and store; only time is not real.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.domain.invoice import Mode
from tests.fakes.seeds import Note, drawn
from tests.integration.test_backlog import owed, shop, work

FAULTS = ("html_403", "html_502", "html_503", "json_500", "410", "429", "401", "reset_before", "reset_after", "close",
          "truncated", "broken_json", "garbage", "redirect", "hang", "slow_before")  # fmt: skip
CALLS = ("auth", "keys", "open", "send", "status", "upo", "close", "batch", "original", "query", "limits", "ksef", "*")
PRESSES = (3, 30, 90)
"""While one trouble lasts."""
BETWEEN = (10.0, 20.0, 60.0)
"""Seconds between two of them."""
ONLINE_WITHIN = 120.0
"""Seconds: twice the longest rest between two tries of a till that shares no limit."""
EMPTY_WITHIN = 420.0
"""The same, and a batch whose verdict was asked for just before, which is five minutes."""


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(5)))
async def test_all_is_well_soon_after_the_last_fault(tmp_path: Path, seed: int, record_property: Note) -> None:
    draw = random.Random(seed)
    troubles: list[str] = []
    async with shop(tmp_path) as the, the.till() as place:
        for _ in range(draw.randrange(1, 4)):
            calls = draw.sample(CALLS, draw.randrange(1, 4))
            faults = [draw.choice(FAULTS) for _ in calls]
            for call, fault in zip(calls, faults, strict=True):
                await the.sandbox.plan(call, fault)
            the.sandbox.behaviour.maintenance = draw.random() < 0.2
            presses, seconds = draw.choice(PRESSES), draw.choice(BETWEEN)
            troubles.append(f"{presses} x {seconds:g} s {list(zip(calls, faults, strict=True))}")
            for _ in range(presses):
                await the.press(place)
                await work(place, seconds)
            for call in calls:
                await the.sandbox.plan(call, "none")
            the.sandbox.behaviour.maintenance = False
        end = the.clock.monotonic()
        online: float | None = None
        empty: float | None = None
        while (online is None or empty is None) and the.clock.monotonic() < end + EMPTY_WITHIN:
            await work(place, 30.0)
            after = the.clock.monotonic() - end
            if empty is None and not await owed(place):
                empty = after
            while len(the.pressed) % 3 == 0:  # a consumer's is offline24 at any time
                await the.press(place)
            if (await the.press(place)).mode is Mode.ONLINE:
                online = online or after
        story = "; ".join(troubles)
        assert online is not None, story
        assert online <= ONLINE_WITHIN, story
        assert empty is not None, story
        assert the.longest_press < 4.0, story
    record_property("presses", len(the.pressed))
    record_property("troubles", len(troubles))
