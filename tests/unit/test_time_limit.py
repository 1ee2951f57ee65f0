"""The limit of a test's time."""

from __future__ import annotations

import asyncio

import pytest

from tests.time_limit import CHANGE, ends_within, has_limit


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


def test_a_limit_inside_another_one_leaves_it_running() -> None:
    def hang_after_one_that_ends() -> None:
        with ends_within(60.0, "the inner one"):
            """It ends in time."""
        asyncio.run(asyncio.Event().wait())

    with pytest.raises(TimeoutError, match="the outer one"), ends_within(0.1, "the outer one"):
        hang_after_one_that_ends()


def test_a_search_as_long_as_a_nights_has_its_time() -> None:
    """A campaign gives a property of a change thousands of examples: twice the limit on a loaded machine."""
    assert has_limit(CHANGE, nightly=False)
    assert not has_limit(CHANGE, nightly=True)
    assert not has_limit("nightly", nightly=False)
