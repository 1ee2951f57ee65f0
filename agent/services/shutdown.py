"""The end of the service: asked for by a signal, or forced by a defect."""

from __future__ import annotations

import asyncio
import logging

from agent.domain.errors import Unavailable

LOG = logging.getLogger("agent")


class Shutdown:
    """Known to everybody who has to do with it: who waits for it, who asks for it, who tells screens of it."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self.defect: BaseException | None = None
        """What a task died of, the first where several did."""

    @property
    def begun(self) -> bool:
        """Whether the service is about to end."""
        return self._asked.is_set()

    def begin(self) -> None:
        """End the service."""
        self._asked.set()

    async def wait(self) -> None:
        """Wait until somebody ends it."""
        await self._asked.wait()

    def fail(self, name: str, error: BaseException) -> None:
        """End it because of a defect: a dead task must not leave half an agent behind.

        What a full disk stops is none: the queue takes up what was left half done once there is room.
        """
        if isinstance(error, Unavailable):
            LOG.error("task %s: %s", name, error.detail)
            return
        LOG.critical("task %s died", name, exc_info=error)
        self.defect = self.defect or error
        self._asked.set()
