"""Room in memory for what tills hand over many at a time: one body of each till, a few of all.

A body may be 32 MB, and takes more while it is read. So one that hands over without end, or stalls, holds up its own
only, and all together stay far below the service's MemoryMax. Who waits is not read: its bytes stay in its socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from agent.domain.errors import Unavailable
from agent.hub.ports import BUSY

MOST_BULKS: Final = 8
"""Bodies of many invoices that are in memory at a time."""
PATIENCE_SECONDS: Final = 30.0
"""A till waits so long for its turn; it gives up an exchange after two minutes itself."""


class BulkRoom:
    """Who may be read now."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(MOST_BULKS)
        self._tills: dict[int, tuple[asyncio.Lock, int]] = {}
        """Of each till that has something here: its turn, and how many have or want it."""

    @property
    def held(self) -> int:
        """How many tills have, or wait for, a place."""
        return len(self._tills)

    @asynccontextmanager
    async def place(self, till_id: int) -> AsyncIterator[None]:
        """Hold a place while the block runs; Unavailable "hub-busy", and nothing is read, where none comes free."""
        own, wanted = self._tills.get(till_id, (asyncio.Lock(), 0))
        self._tills[till_id] = (own, wanted + 1)
        reading = False
        try:
            async with asyncio.timeout(PATIENCE_SECONDS) as patience, own, self._room:
                patience.reschedule(None)
                reading = True
                yield
        except TimeoutError as error:
            if reading:
                raise
            raise Unavailable("Centrala czyta teraz za dużo naraz. Ponów za chwilę.", code=BUSY) from error
        finally:
            own, wanted = self._tills.pop(till_id)
            if wanted > 1:
                self._tills[till_id] = (own, wanted - 1)


BULK_ROOM: Final = web.AppKey("bulk-room", BulkRoom)
