"""A till copies its log into the database between presses, not within them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.store import sqlite
from agent.store.sqlite import SqliteStore
from tests.fakes.agent_with_sandbox import DECLARED, agent_with_sandbox

PRESSES = 6
SECONDS = 20.0
"""For what takes a millisecond."""


async def test_no_press_waits_for_a_checkpoint_that_can_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit makes one due, and each press has two; all are made with no press under way."""
    monkeypatch.setattr(sqlite, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(sqlite, "CHECKPOINT_LATEST", 1000)
    really = SqliteStore._checkpoint
    made: asyncio.Queue[bool] = asyncio.Queue()

    async with agent_with_sandbox(tmp_path, extra=DECLARED) as place:

        async def noted(store: SqliteStore) -> None:
            made.put_nowait(place.agent.presses.any)
            await really(store)

        monkeypatch.setattr(SqliteStore, "_checkpoint", noted)
        for _ in range(PRESSES):
            await place.sell()
            assert not await asyncio.wait_for(made.get(), SECONDS), "a press was under way"
