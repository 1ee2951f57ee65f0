"""Ten thousand unsent invoices: looking at them must not take the event loop from a press."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.domain.calendar import BusinessCalendar
from agent.domain.lifecycle import InvoiceState
from agent.domain.monitoring import opening_hours
from agent.domain.monitoring.alerts import alerts
from agent.domain.monitoring.facts import AlertFacts, InvoiceFacts
from agent.domain.monitoring.policy import Policy
from tests.fakes.world import World, world

NOW = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
SECOND = 1.0


def test_the_opening_time_to_a_deadline_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def count(*given: Any) -> Any:
        counted.append(given)
        return opening_time_left(*given)

    opening_time_left = opening_hours.opening_time_left
    monkeypatch.setattr(opening_hours, "opening_time_left", count)
    one = InvoiceFacts("0", "FV-1/2026/11/000000", InvoiceState.ISSUED, date(2026, 11, 25), NOW)
    many = tuple(replace(one, id=str(each)) for each in range(500))
    late = replace(one, id="late", deadline=date(2026, 11, 26))
    assert alerts(AlertFacts(NOW, (*many, late)), Policy(), BusinessCalendar()) == frozenset()
    assert len(counted) == 2


async def passes(place: World, loop: Callable[[], Any], seconds: int) -> None:
    """Let a loop run that something wakes all the time."""
    running = asyncio.ensure_future(loop())
    for _ in range(seconds * 10):
        place.changed.set()
        place.queue.wake()
        await place.clock.advance(0.1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_long_look_is_followed_by_a_longer_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as place:
        looks: list[float] = []

        async def long() -> None:
            looks.append(place.clock.monotonic())
            await place.clock.sleep(SECOND)

        monkeypatch.setattr(place.problems, "refresh", long)
        await passes(place, place.problems.run, 21)
        assert [round(after - before) for before, after in pairwise(looks)] == [5, 5, 5, 5]


async def test_presses_do_not_make_the_sync_read_a_long_queue_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as place:
        read = place.store.read
        looks = 0

        async def long(work: Any) -> Any:
            nonlocal looks
            looks += 1
            await place.clock.sleep(SECOND)
            return await read(work)

        place.gateway.up = False
        for _ in range(3):
            await place.connection.probe()
        monkeypatch.setattr(place.store, "read", long)
        await passes(place, place.queue.run, 21)
        assert 3 <= looks <= 12, looks
