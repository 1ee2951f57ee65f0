"""How what waits is sent: as a batch or one by one, within KSeF's limits, behind presses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from agent.ports import Clock, KsefGateway, Unsent
from agent.services.delivery.batches import BatchSender
from agent.services.delivery.quota import Share, backlog_share
from agent.services.delivery.sender import ASKING_SECONDS, InvoiceSender
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.mode import CurrentMode

AT_ONCE = 4
"""Invoices of the backlog in flight at the same time."""
SMALL_BATCH_SECONDS = 300.0
"""While single sends are used up, what waits goes in a batch so often: there are 60 batches an hour."""


class Dispatcher:
    """Sends invoices of the backlog."""

    def __init__(
        self,
        *,
        clock: Clock,
        clock_check: ClockCheck,
        gateway: KsefGateway,
        mode: CurrentMode,
        sender: InvoiceSender,
        batches: BatchSender,
        batch_from: int,
        outcomes_announced: bool,
    ) -> None:
        """``batch_from``: so many go as a batch.

        ``outcomes_announced``: whoever takes the invoices says by itself what became of them, as a hub does.
        """
        self._clock = clock
        self._clock_check = clock_check
        self._gateway = gateway
        self._mode = mode
        self._sender = sender
        self._batches = batches
        self._batch_from = batch_from
        self._asking_seconds = 0.0 if outcomes_announced else ASKING_SECONDS
        """How long whoever sends one of the backlog goes on asking."""
        self._small_batch_at: float | None = None
        self._sending_presses = 0
        """Presses waiting for their number: the backlog stands back while there are any."""

    @contextmanager
    def press_under_way(self) -> Iterator[None]:
        """Let the backlog stand back."""
        self._sending_presses += 1
        try:
            yield
        finally:
            self._sending_presses -= 1

    def something_may_leave(self) -> bool:
        """Tell whether KSeF's limits leave room for anything: else nobody reads what waits."""
        return not self._batches.rest() or self._share(kept_for_presses=False).now > 0

    async def send(self, waiting: list[Unsent]) -> bool:
        """Send these, as a batch where one is due; False where KSeF or its limits end the pass."""
        together = [record for record in waiting if self._batches.takes(record)]
        if self._batch_is_due(len(together)):
            if not await self._batches.send(together):
                return False
            batched = {record.id for record in together}
            waiting = [record for record in waiting if record.id not in batched]
        waiting = self._sender.due(waiting)
        together = [record for record in waiting if self._batches.takes(record)]
        alone = [record for record in waiting if not self._batches.takes(record)]
        return await self._send_singly(alone, kept_for_presses=False) and await self._send_singly(
            together, kept_for_presses=True
        )

    async def _send_singly(self, waiting: list[Unsent], *, kept_for_presses: bool) -> bool:
        """Send one by one as long as KSeF's limits allow; False where that ended it.

        What can go no other way takes the last place; what a batch would take as well leaves some to presses.
        """
        while waiting:
            while self._sending_presses:
                await self._clock.sleep(0.05)
            at_once = min(AT_ONCE, self._share(kept_for_presses=kept_for_presses).now)
            if at_once == 0 or not self._mode.may_send():
                return False
            waiting = [record for record in waiting if self._sender.may_try(record.id)]
            asking = self._asking_seconds
            await asyncio.gather(*(self._sender.deliver(record.id, asking) for record in waiting[:at_once]))
            waiting = waiting[at_once:]
        return True

    def _share(self, *, kept_for_presses: bool) -> Share:
        """Return what is left of the limits; where no press would be tried online nothing is kept for presses."""
        presses_online = self._mode.decide(self._clock_check.best()).attempt_online
        return backlog_share(self._gateway.budget(), kept_for_presses=kept_for_presses and presses_online)

    def _batch_is_due(self, count: int) -> bool:
        """A backlog goes as a batch; so does the little that waits when single sends are used up for the hour."""
        if self._batches.rest():
            return False
        if count >= self._batch_from:
            return True
        if count == 0 or self._share(kept_for_presses=True).this_hour > 0:
            return False
        now = self._clock.monotonic()
        if self._small_batch_at is not None and now < self._small_batch_at + SMALL_BATCH_SECONDS:
            return False
        self._small_batch_at = now
        return True
