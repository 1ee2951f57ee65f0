"""Does a till's unit of work still get through the store? For systemd's watchdog; a restart mends what hangs.

And for the fleet page: what a full disk refuses every till, nothing that is written could tell.
"""

from __future__ import annotations

from agent.domain.errors import Unavailable
from agent.hub.ports import BUSY, HubStore, HubTransaction
from agent.ports import Clock
from agent.services.heartbeats import Beat

PROBE_SECONDS = 10.0
REMEMBERED_SECONDS = 600.0
"""A till that was refused asks again sooner; one that does not is gone, and nobody is refused any more."""
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
        self._probe_refused: str | None = None
        self._till_refused: tuple[str, float] | None = None
        """Why, and when by the monotonic clock."""

    @property
    def refused(self) -> str | None:
        """Why units are refused, a Polish sentence; None where they are stored."""
        if self._till_refused is not None and self._clock.monotonic() - self._till_refused[1] < REMEMBERED_SECONDS:
            return self._till_refused[0]
        return self._probe_refused

    def told(self, refusal: str | None) -> None:
        """Hear from the intake what a full disk refused a till, or that it stored something.

        On a full disk PostgreSQL still finds room for a note, and refuses what a table has to grow for.
        """
        self._till_refused = None if refusal is None else (refusal, self._clock.monotonic())

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
            self._probe_refused = error.detail
        else:
            self._probe_refused = None
        self._beat()

    async def _note(self, tx: HubTransaction) -> None:
        await tx.log.put(NOTE, self._clock.now().isoformat())
