"""Blocking calls beside the loop, in one daemon thread that a hung driver or network share may keep for ever.

Not a ThreadPoolExecutor: its threads are joined at exit, so a call that hangs in the kernel would keep the process
from ending, and the loop's own pool would run out of threads.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class DaemonThread:
    """Runs calls one after the other in its own thread, which starts with the first call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, call: Callable[[], T], *, undo: Callable[[T], None] | None = None) -> asyncio.Future[T]:
        """Queue a call; its future ends as the call does.

        Cancelling the future skips a call that has not begun; ``undo`` gets the result of one that had.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def deliver(result: T) -> None:
            if not future.done():
                future.set_result(result)
            elif undo is not None:
                self._calls.put(partial(undo, result))

        def fail(error: BaseException) -> None:
            if not future.done():
                future.set_exception(error)

        def work() -> None:
            if future.cancelled():
                return
            report: Callable[[], None]
            try:
                report = partial(deliver, call())
            except BaseException as error:  # noqa: BLE001 - handed to whoever awaits
                report = partial(fail, error)
            if not loop.is_closed():
                loop.call_soon_threadsafe(report)

        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._calls.put(work)
        return future

    def close(self) -> None:
        """Let the thread end behind the calls that wait; none may follow."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
