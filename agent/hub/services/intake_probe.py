"""Does a till's unit of work still get through the store? For systemd's watchdog; a restart mends what hangs.

And for the fleet page: what a full disk refuses every till, nothing that is written could tell.
"""

from __future__ import annotations

from agent.domain.errors import Unavailable
from agent.hub.ports import BUSY, HubStore, HubTransaction
from agent.ports import Clock
from agent.services.heartbeats import Beat

PROBE_SECONDS = 10.0
NOTE = "intake-probe"
"""In the notebook: when the newest probe was stored."""


class IntakeProbe:
    """Waits for the store as a till does, with a unit that writes a note, and tells when it was through.

    A database that is away or a full disk is nothing that a restart mends: that counts as an answer. Being told again
    and again that the store has too much work does not; units that never end look like that.
    """

    def __init__(self, store: HubStore, clock: Clock, beat: Beat) -> None:
        """``store``: the one that tills use, not that of the couriers."""
        self._store = store
        self._clock = clock
        self._beat = beat
        self.refused: str | None = None
        """Why the newest unit was refused, a Polish sentence; None where it was stored."""

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self.probe()
            await self._clock.sleep(PROBE_SECONDS)

    async def probe(self) -> None:
        """Wait once."""
        try:
            await self._store.write(self._note)
        except Unavailable as error:
            if error.code == BUSY:
                return
            self.refused = error.detail
        else:
            self.refused = None
        self._beat()

    async def _note(self, tx: HubTransaction) -> None:
        await tx.log.put(NOTE, self._clock.now().isoformat())
