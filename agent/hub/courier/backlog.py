"""Everything nobody waits for: doubts first, then what KSeF has not decided, then what waits, by deadline.

One round at a time. Presses go before it: it keeps half of the single sends of each minute and hour for them, and
sends many together instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from agent.domain.calendar import local_date
from agent.hub.courier.batches import Batches
from agent.hub.courier.link import Link
from agent.hub.courier.presses import Presses
from agent.hub.courier.sender import Sender
from agent.hub.courier.verdicts import VerdictRecorder
from agent.hub.domain.backlog_plan import Way, left_for_backlog, rest_after_batch, way_for
from agent.hub.domain.records import HubInvoice
from agent.hub.domain.states import HubState
from agent.hub.ports import HubStore
from agent.ports import Clock, KsefError, KsefGateway
from agent.services.delivery.backoff import Backoff
from agent.services.delivery.batch_breaker import LARGEST
from agent.services.heartbeats import Beat, unheard

LOOKED_AT = 5000
"""Invoices of a round, in each state."""
AT_ONCE = 4
"""Invoices of the backlog in flight at the same time, one by one."""
LISTED_FROM = 5
"""So many undecided invoices of one interactive session are asked by one list."""
READ_SECONDS = 10.0
"""What waits is read so often, though counting it says that none of it may go: technical corrections, and what KSeF
refused in a batch."""
PRESS_PAUSE_SECONDS = 0.05


class Backlog:
    """Brings to KSeF what can wait."""

    def __init__(
        self,
        nip: str,
        store: HubStore,
        gateway: KsefGateway,
        *,
        sender: Sender,
        batches: Batches,
        verdicts: VerdictRecorder,
        presses: Presses,
        link: Link,
        clock: Clock,
        batch_from: int,
        beat: Beat = unheard,
    ) -> None:
        self._nip = nip
        self._store = store
        self._gateway = gateway
        self._sender = sender
        self._batches = batches
        self._verdicts = verdicts
        self._presses = presses
        self._link = link
        self._clock = clock
        self._batch_from = batch_from
        self._beat = beat
        self._asking = Backoff(clock)
        """By session."""
        self._batched_at: float | None = None
        self._read_at: float | None = None
        self._left_behind: set[bytes] = set()
        """What the last batch had no room for goes first in the next: by deadline alone it might stay for ever."""

    async def round(self) -> None:
        """Go over everything once. Trouble with KSeF ends the round; the next one goes on."""
        sessions = await self._store.read(lambda tx: tx.invoices.undecided_sessions(self._nip))
        self._asking.keep(set(sessions))
        if "" in sessions:
            await self._without_session(await self._undecided(""))
        for session in sessions:
            self._beat()
            if not self._link.may_send:
                return
            if session and self._asking.due(session) and (members := await self._undecided(session)):
                self._asking.asked(session)
                await self._ask(session, members)
        await self._send_waiting()

    async def _undecided(self, session: str) -> list[HubInvoice]:
        found = await self._store.read(lambda tx: tx.invoices.undecided(self._nip, session, LOOKED_AT))
        return [each for each in found if each.sha256 not in self._sender.busy]

    async def _without_session(self, doubts: Iterable[HubInvoice]) -> None:
        """Nothing can have left in no session: it goes again."""
        await self._verdicts.resolve([each for each in doubts if each.state is HubState.DOUBT], {})

    async def _ask(self, session: str, members: list[HubInvoice]) -> None:
        if await self._store.read(lambda tx: tx.sessions.is_batch(session)):
            await self._batches.ask(session, members)
            return
        doubts = [each for each in members if each.state is HubState.DOUBT]
        undecided = [each for each in members if each.state is HubState.SENT]
        if not doubts and len(undecided) < LISTED_FROM:
            for invoice in undecided:
                await self._sender.ask(invoice)
            return
        try:
            found = await self._verdicts.session_list(session)
        except KsefError as error:
            self._link.question_failed(error)
            for invoice in doubts:
                await self._verdicts.trouble(invoice, error)
            return
        self._link.answered()
        await self._verdicts.resolve(doubts, found)
        await self._verdicts.apply_all([(each, found[each.sha256][1]) for each in undecided if each.sha256 in found])
        for invoice in undecided:
            if invoice.sha256 not in found:
                await self._sender.ask(invoice)

    async def _send_waiting(self) -> None:
        if not self._link.may_send or not await self._is_worth_reading():
            return
        waiting = await self._store.read(lambda tx: tx.invoices.backlog(self._nip, LOOKED_AT))
        self._read_at = self._clock.monotonic()
        waiting = [each for each in waiting if each.sha256 not in self._sender.busy]
        alone = [each for each in waiting if not self._batches.fits(each)]
        together = [each for each in waiting if self._batches.fits(each)]
        if not self._batches.rest():
            left = await self._in_batches(together)
            if left is None:
                return
            together = left
        if await self._singly(alone, kept_for_presses=False):
            await self._singly(together, kept_for_presses=True)

    async def _is_worth_reading(self) -> bool:
        """Whether some of what waits may go now, as far as counting it tells; what that misses is seen a little later.

        While a batch fills, thousands of rows would be read in every round to find that they wait.
        """
        now, today = self._clock.monotonic(), local_date(self._clock.now())
        waiting = await self._store.read(lambda tx: tx.invoices.backlog_size(self._nip, today, LOOKED_AT))
        if self._batches.rest() or self._read_at is None or now - self._read_at >= READ_SECONDS:
            return waiting.size > 0
        full, due_today = waiting.size >= self._batches.largest, waiting.due_today > 0
        return self._way(waiting.size, full=full, due_today=due_today) is not Way.WAIT

    def _way(self, count: int, *, full: bool, due_today: bool) -> Way:
        return way_for(
            count,
            self._gateway.budget(),
            batch_from=self._batch_from,
            full=full,
            since_batch=None if self._batched_at is None else self._clock.monotonic() - self._batched_at,
            rest=rest_after_batch(self._clock.now(), due_today=due_today),
        )

    async def _in_batches(self, waiting: list[HubInvoice]) -> list[HubInvoice] | None:
        """Send what goes as batches now; return what goes one by one, None where KSeF cannot be reached."""
        waiting.sort(key=lambda each: each.sha256 not in self._left_behind)
        due_today = local_date(self._clock.now()) in {each.deadline for each in waiting}
        most = LARGEST
        while True:
            chunk, full = self._batches.next(waiting)
            way = self._way(len(waiting), full=full or len(chunk) >= most, due_today=due_today)
            if way is not Way.BATCH:
                return waiting if way is Way.SINGLY else []
            self._beat()
            self._batched_at = self._clock.monotonic()
            sent = await self._batches.send(chunk)
            if not sent:
                return None
            if sent < len(chunk):
                most = sent  # full by its bytes: so many are likely to fill another one
            waiting = waiting[sent:]
            self._left_behind = {each.sha256 for each in waiting}

    async def _singly(self, waiting: list[HubInvoice], *, kept_for_presses: bool) -> bool:
        """Send one by one as long as KSeF's limits allow; False where that ended it.

        What can go no other way takes the last place; what a batch would take as well leaves some to presses.
        """
        while waiting:
            while self._presses.waiting:
                self._beat()
                await self._clock.sleep(PRESS_PAUSE_SECONDS)
            left = left_for_backlog(self._gateway.budget(), kept_for_presses=kept_for_presses)
            room = min(AT_ONCE, left - self._sender.unsent)
            if room <= 0 or not self._link.may_send:
                return False
            await asyncio.gather(*(self._sender.deliver(each) for each in waiting[:room]))
            self._beat()
            waiting = waiting[room:]
        return True
