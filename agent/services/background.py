"""Work that outlives the request that began it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundTasks:
    """Tasks that go on whatever becomes of the request that began them. Every one has a name.

    An exception nobody awaits is reported through ``on_defect``: it stops the service.
    """

    def __init__(self, on_defect: Callable[[str, BaseException], None]) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._on_defect = on_defect

    def start(self, name: str, work: Coroutine[Any, Any, T], *, awaited: bool = False) -> asyncio.Task[T]:
        """Run ``work``; with ``awaited`` the caller collects its exception."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(done, awaited))
        return task

    async def run(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end even when the caller is cancelled; return its result."""
        return await asyncio.shield(self.start(name, work, awaited=True))

    def _finished(self, task: asyncio.Task[Any], awaited: bool) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not awaited:
            self._on_defect(task.get_name(), error)

    async def drain(self, seconds: float) -> tuple[str, ...]:
        """Wait for all at most so long, cancel the rest; return the names of the stragglers."""
        if not self._tasks:
            return ()
        _, late = await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return tuple(sorted(task.get_name() for task in late))
