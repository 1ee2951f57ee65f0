"""A KSeF that answers and takes nothing for half an hour: service work (21184; docs/protocol.md), errors of its own.

Nothing that is tried meanwhile may use up what the limits of the hour hold for its end. Production limits, real
gateway, sandbox and store; only time is not real.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import InvoiceFilter
from agent.sandbox.ksef.state import Mood
from tests.fakes.world import MANAGER, World
from tests.integration.test_backlog import Shop, owed, shop, work

HOUR = 3600.0


async def is_online_soon_after_its_end(the: Shop, place: World, seconds: float) -> None:
    await work(place, seconds)
    while len(the.pressed) % 3 == 0:  # a consumer's is offline24 at any time
        await the.press(place)
    pressed = await the.press(place)
    assert (pressed.mode, pressed.state) == (Mode.ONLINE, InvoiceState.ACCEPTED)


@pytest.mark.slow
@pytest.mark.parametrize("sharing", [1, 4])
async def test_a_busy_counter_is_online_again_soon_after_its_end(tmp_path: Path, sharing: int) -> None:
    async with shop(tmp_path, tills_sharing_address=sharing) as the, the.till() as place:
        the.sandbox.behaviour.maintenance = True
        for _ in range(90):
            assert (await the.press(place)).mode is Mode.OFFLINE24
            await work(place, 20.0)
        the.sandbox.behaviour.maintenance = False
        await is_online_soon_after_its_end(the, place, 60.0 * (sharing + 1))
        assert not await owed(place)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("open", "json_500"),
        ("open", "401"),
        ("send", "json_500"),
        ("send", "html_403"),
        ("send", "401"),
        ("send", "hang"),
    ],
)
async def test_it_is_online_again_soon_after_half_an_hour_of_errors(tmp_path: Path, call: str, fault: str) -> None:
    async with shop(tmp_path) as the, the.till() as place:
        await the.sandbox.plan(call, fault)
        for _ in range(90):
            await the.press(place)
            await work(place, 20.0)
        await the.sandbox.plan(call, "none")
        await is_online_soon_after_its_end(the, place, 120.0)
        await work(place, 300.0)
        assert not await owed(place)


@pytest.mark.slow
@pytest.mark.parametrize("sharing", [1, 4])
async def test_what_no_batch_takes_goes_soon_after_its_end(tmp_path: Path, sharing: int) -> None:
    async with shop(tmp_path, tills_sharing_address=sharing) as the, the.till() as place:
        await the.sandbox.plan("*", "refuse")
        for _ in range(8):
            await the.press(place)
        the.sandbox.sessions.moods.extend([Mood("450")] * 8)
        await the.sandbox.plan("*", "none")
        await work(place, HOUR)
        refused = InvoiceFilter(states=frozenset({InvoiceState.REJECTED}), limit=10)
        the.sandbox.behaviour.maintenance = True
        for record in await place.store.read(lambda tx: tx.invoices.find(refused)):
            await place.rejected.correct_technically(record.id, MANAGER)
        assert len(await owed(place)) == 8
        await work(place, 2 * HOUR)
        await place.problems.refresh()
        assert "ksef-sign-in-failing" in codes(place)
        the.sandbox.behaviour.maintenance = False
        await is_online_soon_after_its_end(the, place, 60.0 * (sharing + 1))
        assert not await owed(place)
        await place.problems.refresh()
        assert "ksef-sign-in-failing" not in codes(place)


def codes(place: World) -> set[str]:
    return {problem.code for problem in place.health.report().problems}
