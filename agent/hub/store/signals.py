"""Who waits for what: one process's waiters by channel."""

from __future__ import annotations

import asyncio


class Signals:
    """Wakes everybody who waits for a channel; nobody who waits misses it."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def next(self, channel: str) -> asyncio.Future[None]:
        """Return what the next set() of this channel fulfils."""
        future = self._waiting.get(channel)
        if future is None:
            future = self._waiting[channel] = asyncio.get_running_loop().create_future()
        return asyncio.shield(future)

    def set(self, channel: str) -> None:
        """Wake all who wait for this channel now."""
        future = self._waiting.pop(channel, None)
        if future is not None and not future.done():
            future.set_result(None)

    def set_all(self) -> None:
        """Wake everybody."""
        for channel in list(self._waiting):
            self.set(channel)
