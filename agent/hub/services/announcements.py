"""Latarnia, asked once for the whole chain: tills get what it said as received, and read it by their own rules."""

from __future__ import annotations

import logging

from agent.domain.errors import Unavailable
from agent.domain.json_io.canonical import Json
from agent.hub.errors import LeadershipLost
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.hub.services.heartbeats import LATARNIA
from agent.ports import Clock, KsefError, LatarniaReading, StatusSource
from agent.services.heartbeats import Beat, unheard

LOG = logging.getLogger("agent.hub")
POLL_SECONDS = 60.0
RETRY_SECONDS = 5.0
"""Between attempts to become the one that asks."""


class Announcements:
    """One process of the hub asks Latarnia every minute and writes down what it said."""

    def __init__(self, store: HubStore, source: StatusSource, clock: Clock, beat: Beat = unheard) -> None:
        """``beat``: told after each round, about every POLL_SECONDS."""
        self._store = store
        self._source = source
        self._clock = clock
        self._beat = beat
        self._silent = False

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            try:
                lead = await self._store.lead(LATARNIA)
            except Unavailable:
                lead = None
            if lead is not None:
                try:
                    await self._poll(lead)
                except (LeadershipLost, Unavailable) as error:
                    LOG.warning("this process no longer asks Latarnia: %s", error)
                finally:
                    await lead.release()
            self._beat()
            await self._clock.sleep(RETRY_SECONDS)

    async def _poll(self, lead: Leadership) -> None:
        while True:
            reading = await self._read()
            if reading is not None:
                value: Json = {
                    "status": reading.status,
                    "messages": reading.messages,
                    "seen_at": reading.seen_at.isoformat(),
                }

                async def work(tx: HubTransaction, heard: Json = value) -> None:
                    await tx.log.put(LATARNIA, heard)

                await lead.write(work)
            self._beat()
            await self._clock.sleep(POLL_SECONDS)

    async def _read(self) -> LatarniaReading | None:
        try:
            reading = await self._source.read()
        except KsefError as error:
            if not self._silent:
                LOG.warning("Latarnia does not answer: %s", error)
            self._silent = True
            return None
        if self._silent:
            LOG.warning("Latarnia answers again")
        self._silent = False
        return reading
