"""The limit of a test's time."""

from __future__ import annotations

import asyncio

import pytest

from tests.time_limit import ends_within


def test_a_hang_ends_and_tells_what_waits(capsys: pytest.CaptureFixture[str]) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def hang() -> None:
        await asyncio.create_task(never(), name="the one that hangs")

    with pytest.raises(TimeoutError, match="a test: no end within"), ends_within(0.05, "a test"):
        asyncio.run(hang())
    told = capsys.readouterr().err
    assert "the one that hangs" in told
    assert "never" in told
