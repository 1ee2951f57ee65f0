"""Work that outlives its request: what the end of the service does about what is still under way."""

from __future__ import annotations

import asyncio

from agent.services.background import BackgroundTasks


async def test_what_does_not_end_in_time_is_cancelled_and_named() -> None:
    """The end goes on: files are closed after it, whatever became of the work."""
    defects: list[str] = []
    tasks = BackgroundTasks(lambda name, _: defects.append(name))
    done: list[str] = []

    async def quick() -> None:
        done.append("quick")

    tasks.start("quick", quick())
    endless = tasks.start("print-7", asyncio.Event().wait())
    tasks.start("ask-3", asyncio.Event().wait())
    assert await tasks.drain(0.01) == ("ask-3", "print-7")
    assert endless.cancelled()
    assert (done, defects) == (["quick"], [])
    assert await tasks.drain(0.01) == ()
