"""Work that outlives the request that began it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final, TypeVar

T = TypeVar("T")

STOP_SECONDS: Final = 20.0
"""How long a stop waits for presses under way."""


class Shelter:
    """Runs work to its end whatever happens to the request that began it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self.stopping = asyncio.Event()

    async def run(self, work: Coroutine[object, object, T], name: str) -> T:
        """Await ``work``; a cancelled caller leaves it running."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def until_stop(self, work: Coroutine[object, object, T]) -> T | None:
        """Await work that may be thrown away; None when the server stops first."""
        task = asyncio.create_task(work, name="web-wait")
        stop = asyncio.create_task(self.stopping.wait(), name="web-stop")
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stop.cancel()
            task.cancel()
            await asyncio.gather(stop, task, return_exceptions=True)

    async def drain(self) -> None:
        """Wait for what is under way, at most STOP_SECONDS."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also where the caller is gone: the store's log holds the outcome
