"""Requests that wait for news end when the server begins to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final, TypeVar

from aiohttp import web

T = TypeVar("T")

STOPPING: Final = web.AppKey("stopping", asyncio.Event)
"""Set when the server begins to stop."""


async def until_stop(request: web.Request, work: Coroutine[object, object, T]) -> T | None:
    """Await work that may be thrown away; None when the server stops first."""
    task = asyncio.create_task(work, name="web-wait")
    stop = asyncio.create_task(request.app[STOPPING].wait(), name="web-stop")
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        stop.cancel()
        task.cancel()
        await asyncio.gather(stop, task, return_exceptions=True)
