"""How many calls a loop has given to its threads that are not back: clocks of tests wait for them."""

from __future__ import annotations

import asyncio
from asyncio import BaseEventLoop
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
T = TypeVar("T")
_under_way: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()


def calls_under_way() -> int:
    """Return how many calls into other threads the running loop waits for: a file, a name's address."""
    return _under_way.get(asyncio.get_running_loop(), 0)


def counted(call: Callable[P, Awaitable[T]]) -> Callable[P, asyncio.Future[T]]:
    """Return a call into another thread that calls_under_way() counts until the loop has its result."""

    def count(*args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        working = asyncio.ensure_future(call(*args, **kwargs))
        _under_way[loop] = _under_way.get(loop, 0) + 1
        working.add_done_callback(lambda _: _back(loop))
        return working

    return count


def _back(loop: asyncio.AbstractEventLoop) -> None:
    _under_way[loop] -= 1


# For good, not while a test runs: a call that began before a clock looked has to be counted too.
BaseEventLoop.run_in_executor = counted(BaseEventLoop.run_in_executor)  # type: ignore[method-assign]
