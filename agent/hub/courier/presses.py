"""Invoices somebody waits for at a counter: at once, within KSeF's limits, no till before the others."""

from __future__ import annotations

import asyncio

from agent.hub.courier.link import Link
from agent.hub.courier.sender import Sender
from agent.hub.domain.press_order import press_order
from agent.hub.ports import HubStore
from agent.ports import Clock, KsefGateway
from agent.services.heartbeats import Beat, unheard

AT_ONCE = 8
"""Presses in flight at the same time."""
LOOKED_AT = 200
"""Of all that wait, so many are ranked."""
TICK_SECONDS = 0.5
"""A press that waits for a place in KSeF's limits is looked at so often."""
IDLE_SECONDS = 60.0
"""Also without a word of a hand-over there is a look so often."""


class Presses:
    """Sends presses. The queue is the store; a hand-over wakes it."""

    def __init__(
        self,
        nip: str,
        store: HubStore,
        gateway: KsefGateway,
        *,
        sender: Sender,
        link: Link,
        clock: Clock,
        beat: Beat = unheard,
    ) -> None:
        self._nip = nip
        self._store = store
        self._gateway = gateway
        self._sender = sender
        self._link = link
        self._clock = clock
        self._beat = beat
        self._flying: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> bool:
        """Whether a press is under way: what can wait lets it go first."""
        return bool(self._flying)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                woken = self._store.changed(f"nip:{self._nip}")
                left = await self._start(group)
                self._beat()
                try:
                    await self._clock.within(TICK_SECONDS if left else IDLE_SECONDS, woken)
                except TimeoutError:
                    continue

    async def _start(self, group: asyncio.TaskGroup) -> bool:
        """Start what can start now; return whether something is left that may start soon."""
        found = await self._store.read(lambda tx: tx.invoices.urgent(self._nip, LOOKED_AT))
        waiting = [each for each in found if each.sha256 not in self._sender.busy]
        if not waiting or not self._link.up:
            return bool(waiting)
        budget = self._gateway.budget()
        left = min(budget.sends_left_minute, budget.sends_left_hour) - self._sender.unsent if budget.wait <= 0 else 0
        room = max(0, min(AT_ONCE - len(self._flying), left))
        for invoice in press_order(waiting, self._sender.sent_lately())[:room]:
            task = group.create_task(self._sender.deliver(invoice), name=f"press-{invoice.number}")
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
        return True
