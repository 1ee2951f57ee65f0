"""How parts of the agent wake each other, within the event loop."""

from __future__ import annotations

import asyncio


class Signal:
    """Wakes everybody who waits, each time it is set; nobody who waits misses it."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wake all who wait now."""
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    def next(self) -> asyncio.Future[None]:
        """Return what the next set() fulfils: take it before you look, so nothing in between is missed."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._next)

    async def wait(self) -> None:
        """Wait for the next set()."""
        await self.next()
