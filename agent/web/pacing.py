"""How fast a listener answers: the health port is open to a network, and its event loop is the till's."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Pace:
    """A bound for requests, whoever asks: ``burst`` at once, then ``per_second``, in the order of asking."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1.0 / per_second
        self._burst = burst * self._interval
        self._last = float("-inf")

    def turn(self, now: float) -> float:
        """Take the next turn; return how many seconds away it is. ``now``: monotonic."""
        self._last = max(self._last, now - self._burst) + self._interval
        return max(0.0, self._last - now)


def paced_middleware(pace: Pace) -> Middleware:
    """Let every request wait for its turn. Outermost: who waits is not at work, and may be pushed out by a newcomer."""

    @web.middleware
    async def paced(request: web.Request, handler: Handler) -> web.StreamResponse:
        seconds = pace.turn(asyncio.get_running_loop().time())
        if seconds > 0:
            await asyncio.sleep(seconds)
        return await handler(request)

    return paced
