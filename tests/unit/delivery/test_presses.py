"""The backlog stands back for presses, and is not stopped by them."""

from __future__ import annotations

import asyncio
from datetime import date
from functools import partial
from pathlib import Path

from agent.services.presses import LONGEST_SECONDS, ROWS_AT_ONCE, Presses
from agent.services.records.register import RegisterReports
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import add_next


async def test_whoever_can_wait_waits_for_the_press() -> None:
    clock = FakeClock()
    presses = Presses(clock)
    await presses.pass_by()  # none: at once
    with presses.under_way():
        waiting = asyncio.create_task(presses.pass_by())
        await clock.advance(LONGEST_SECONDS / 2)
        assert not waiting.done()
    await clock.advance(LONGEST_SECONDS / 4)
    assert waiting.done()


async def test_a_press_without_end_stops_nobody() -> None:
    clock = FakeClock()
    presses = Presses(clock)
    with presses.under_way():
        waiting = asyncio.create_task(presses.pass_by())
        await clock.advance(LONGEST_SECONDS + 0.1)
        assert waiting.done()


async def test_a_press_that_comes_while_a_page_of_a_report_is_written_does_not_wait_for_its_end(tmp_path: Path) -> None:
    clock = FakeClock()
    presses = Presses(clock)
    store = await SqliteStore.open(tmp_path / "agent.db", clock, threaded=False)
    for number in range(5 * ROWS_AT_ONCE):
        await store.write(partial(add_next, name=str(number)))
    written: list[object] = []
    over = asyncio.Event()

    async def report() -> None:
        async for row in RegisterReports(store, clock, presses).rows("2026-11", date(2026, 11, 24)):
            if not written:
                pressing.append(asyncio.create_task(press()))
            written.append(row)

    async def press() -> None:
        with presses.under_way():
            await over.wait()

    pressing: list[asyncio.Task[None]] = []
    writing = asyncio.create_task(report())
    await clock.advance(LONGEST_SECONDS / 2)
    assert len(written) == ROWS_AT_ONCE
    over.set()
    await clock.advance(LONGEST_SECONDS)
    await asyncio.gather(writing, *pressing)
    assert len(written) == 5 * ROWS_AT_ONCE
    await store.close()


async def test_whoever_waits_for_the_last_press_is_told_once() -> None:
    presses = Presses(FakeClock())
    told: list[bool] = []
    presses.when_over(lambda: told.append(presses.any))
    with presses.under_way(), presses.under_way():
        assert presses.any
    assert told == [False]
