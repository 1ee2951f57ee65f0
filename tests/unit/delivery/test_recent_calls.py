"""Calls of the last hour, read back at a start: in order over all pages, and nothing held but what counts."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.domain.event_kinds import EventKind
from agent.ports import SessionKind, Transaction
from agent.services.delivery import recent_calls as module
from agent.services.delivery.recent_calls import RecentCalls, recent_calls
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock

CALL = 15.0


async def test_of_an_hour_of_events_only_calls_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVENTS_AT_ONCE", 4)
    clock = FakeClock()
    store = await SqliteStore.open(tmp_path / "agent.db", clock, threaded=False)

    async def note(kind: EventKind, **data: Any) -> None:
        async def work(tx: Transaction) -> None:
            await tx.events.append(kind, data)

        await store.write(work)

    await note(EventKind.SENDING)
    for _ in range(8):
        await note(EventKind.SENDING, batch=True)
    await clock.advance(2 * 3600)  # of this hour is what follows
    begun = clock.now()
    for number in range(6):
        await note(EventKind.SENDING)
        for _ in range(3):
            await note(EventKind.SENDING, batch=True)
        if number % 2:
            await note(EventKind.UPO)
            await note(EventKind.UPO, session="S")
        await clock.advance(60)
    for _ in range(5):
        await note(EventKind.SENDING, batch=True)
    newest = clock.now()
    await clock.advance(60)
    held: list[int] = []
    read = store.read

    async def reading(work: Any) -> Any:
        found = await read(work)
        if isinstance(found, tuple):
            held.append(len(found[0]))
        return found

    monkeypatch.setattr(store, "read", reading)
    found = await recent_calls(store, now=clock.now(), wall=clock.now(), timeout_seconds=CALL)
    minutes = [timedelta(minutes=number) for number in range(6)]
    sent = [begun + each + timedelta(seconds=CALL) for each in minutes]
    assert found == RecentCalls(sent, [begun + each for each in minutes[1::2]], [], [], newest)
    assert held == [6 + 3]
    await store.close()


async def test_sessions_of_the_last_hour_are_known(tmp_path: Path) -> None:
    clock = FakeClock()
    store = await SqliteStore.open(tmp_path / "agent.db", clock, threaded=False)
    begun = clock.now()
    for name, kind in (("SO-1", SessionKind.ONLINE), ("SB-1", SessionKind.BATCH), ("SO-2", SessionKind.ONLINE)):
        await store.write(partial(_use, name, kind))
        await clock.advance(1500)
    await store.write(partial(_use, "SO-1", SessionKind.ONLINE))
    found = await recent_calls(store, now=clock.now(), wall=clock.now(), timeout_seconds=CALL)
    assert found.sessions == [begun + timedelta(seconds=3000)]
    assert found.batches == [begun + timedelta(seconds=1500)]
    await store.close()


async def test_sessions_that_a_wrong_clock_dated_later_count_from_now(tmp_path: Path) -> None:
    clock = FakeClock()
    store = await SqliteStore.open(tmp_path / "agent.db", clock, threaded=False)
    await store.write(partial(_use, "SO-1", SessionKind.ONLINE))
    await clock.advance(2 * 3600)
    await store.write(partial(_use, "SO-2", SessionKind.ONLINE))
    set_back = clock.now() - timedelta(minutes=30)
    found = await recent_calls(store, now=set_back, wall=set_back, timeout_seconds=CALL)
    assert found.sessions == [set_back]
    long_before = set_back - timedelta(hours=1)
    assert (await recent_calls(store, now=long_before, wall=long_before, timeout_seconds=CALL)).sessions == [
        clock.now() - timedelta(hours=2)
    ]
    await store.close()


async def _use(name: str, kind: SessionKind, tx: Transaction) -> None:
    await tx.sessions.use(name, kind)
