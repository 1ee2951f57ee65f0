"""What the journal says of an outage: one line at its beginning and at its end, whatever the number of invoices."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.fakes.world import world


async def test_an_outage_is_four_lines_and_not_one_an_invoice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="agent")
    async with world(tmp_path) as place:
        await place.sell()
        await place.lose_the_line()
        for _ in range(3):
            await place.sell()
        place.gateway.up = True
        for _ in range(3):
            await place.connection.probe()
        for _ in range(2):
            await place.sell()
    lines = [each for each in caplog.records if each.name in {"agent.line", "agent.issue"}]
    assert [(each.levelname, each.message.split(":")[0]) for each in lines] == [
        ("WARNING", "the line to KSeF is lost, presses go offline"),
        ("WARNING", "invoices are issued as offline24 from here on (before"),
        ("INFO", "the line to KSeF is back, presses go online"),
        ("INFO", "invoices are issued as online from here on (before"),
    ]
