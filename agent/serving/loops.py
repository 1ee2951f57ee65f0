"""The loops of a service while it runs: one that dies ends the service, one that has to wait goes on afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from agent.domain.errors import Unavailable
from agent.ports import Clock
from agent.services.shutdown import Shutdown

LOG = logging.getLogger("agent")
Loop = Callable[[], Awaitable[None]]


@asynccontextmanager
async def running(
    loops: Mapping[str, Loop], shutdown: Shutdown, clock: Clock, *, rest_seconds: float
) -> AsyncIterator[None]:
    """Run loops beside the block, by name, and end them with it. One that raises begins the shutdown.

    ``rest_seconds``: how long one waits that was Unavailable, by a full disk or a database that is away.
    """
    tasks = [
        asyncio.create_task(_kept_up(name, loop, shutdown, clock, rest_seconds), name=name)
        for name, loop in loops.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept_up(name: str, loop: Loop, shutdown: Shutdown, clock: Clock, rest_seconds: float) -> None:
    try:
        while True:
            try:
                await loop()
            except Unavailable as error:
                LOG.error("loop %s waits: %s", name, error.detail)  # noqa: TRY400 - the sentence says it all
                await clock.sleep(rest_seconds)
            else:
                return
    except Exception as error:  # noqa: BLE001 - whatever it is, the service stops with it
        shutdown.fail(name, error)
