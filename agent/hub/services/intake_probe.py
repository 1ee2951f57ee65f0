"""Does a till's unit of work still get through the store? For systemd's watchdog; a restart mends what hangs."""

from __future__ import annotations

from agent.domain.errors import Unavailable
from agent.hub.ports import BUSY, HubStore, HubTransaction
from agent.ports import Clock
from agent.services.heartbeats import Beat

PROBE_SECONDS = 10.0


class IntakeProbe:
    """Waits for the store as a till does, with an empty unit, and tells when it was through.

    A database that is away or a full disk is nothing that a restart mends: that counts as an answer. Being told again
    and again that the store has too much work does not; units that never end look like that.
    """

    def __init__(self, store: HubStore, clock: Clock, beat: Beat) -> None:
        """``store``: the one that tills use, not that of the couriers."""
        self._store = store
        self._clock = clock
        self._beat = beat

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self.probe()
            await self._clock.sleep(PROBE_SECONDS)

    async def probe(self) -> None:
        """Wait once."""
        try:
            await self._store.write(_nothing)
        except Unavailable as error:
            if error.code == BUSY:
                return
        self._beat()


async def _nothing(tx: HubTransaction) -> None:
    """Write nothing; the store only begins and commits."""
