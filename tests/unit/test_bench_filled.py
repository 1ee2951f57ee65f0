"""A store that a bench filled is one that an agent could have written: the daily check has nothing to say of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.domain import ksef_number
from agent.domain.lifecycle import InvoiceState
from agent.store import soundness
from tests.bench._filled import fill
from tests.fakes.world import world

COPIES = 3


@pytest.mark.parametrize("state", [InvoiceState.ACCEPTED, InvoiceState.ISSUED])
async def test_the_daily_check_passes_what_was_filled(tmp_path: Path, state: InvoiceState) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = state is InvoiceState.ACCEPTED
        first = await place.sell()
        await place.catch_up()
        assert (await place.record(first.id)).state is state
        database = place.store.path
    fill(database, first.id, COPIES)
    report = soundness.check(database)
    assert (report.sentence(), report.complete) == (None, True)
    with closing(sqlite3.connect(database)) as connection:
        numbers = [number for (number,) in connection.execute("SELECT ksef_number FROM invoices")]
    assert len(numbers) == COPIES + 1
    assert all(number is None or ksef_number.check(number) for number in numbers)
