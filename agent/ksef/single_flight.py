"""One attempt at a time, shared by whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from agent.ports import CallOutcome, KsefError

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Several presses that need a session, or a token, at once cost KSeF one call, and fail together after one.

    A waiter that is cancelled (its press ran out of time) leaves the attempt running for the next one.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[T] | None = None

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Join the attempt under way, or start ``work`` as a new one. KsefError NOT_SENT when it is stopped."""
        attempt = self.begin(work)
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            waiter = asyncio.current_task()
            if attempt.cancelled() and waiter is not None and not waiter.cancelling():
                raise KsefError("Agent kończy pracę.", outcome=CallOutcome.NOT_SENT) from None
            raise

    def begin(self, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Start ``work`` without waiting for it, unless an attempt is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(work(), name=self._name)
            self._task.add_done_callback(_retrieve)
        return self._task

    async def stop(self) -> None:
        """Cancel the attempt under way and wait for its end."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Take the exception of an attempt nobody waits for any more; whoever waited has it already."""
    if not task.cancelled():
        task.exception()
