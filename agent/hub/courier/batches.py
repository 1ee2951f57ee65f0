"""Many invoices of many tills as one session of KSeF.

SENDING is committed first, and the session's reference before the first byte leaves, so that a crash leaves doubts
that one list of the session decides. All of it is written in slices: a press in between never waits for thousands of
rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from agent.hub.courier.link import Link
from agent.hub.courier.sender import outgoing
from agent.hub.courier.verdicts import SLICE, VerdictRecorder, moved_meanwhile
from agent.hub.domain.records import HubInvoice, InvoiceFacts, OutcomeKind
from agent.hub.domain.states import HubState
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.ports import TOO_MANY, CallOutcome, Clock, KsefError, KsefGateway, Outgoing, SessionKind
from agent.services.delivery.batch_breaker import (
    LARGEST,
    MOST_BYTES,
    REST_SECONDS,
    SPLIT,
    BatchBreaker,
    is_refused_whole,
)

NOWHERE_YET = InvoiceFacts(session_ref="", invoice_ref="", attempted=True)
"""Of what is claimed: a crash before KSeF gave a session must not ask the session of an earlier attempt."""


class Batches:
    """Sends and asks batches of one NIP."""

    def __init__(
        self,
        nip: str,
        lead: Leadership,
        store: HubStore,
        gateway: KsefGateway,
        *,
        link: Link,
        verdicts: VerdictRecorder,
        clock: Clock,
    ) -> None:
        self._nip = nip
        self._lead = lead
        self._store = store
        self._gateway = gateway
        self._link = link
        self._verdicts = verdicts
        self._clock = clock
        self._breaker = BatchBreaker(clock, link.batch_trouble)
        self._largest: dict[bytes, int] = {}
        """By invoice, the largest batch it may be part of, after KSeF refused one as a whole."""

    def rest(self) -> bool:
        """Tell whether no batch is tried now: single sends may go on meanwhile."""
        return self._breaker.is_open

    def fits(self, invoice: HubInvoice) -> bool:
        """Whether it may go in a batch: a technical correction is for interactive sessions only."""
        return invoice.version == 1 and self._may_be_of(invoice) > 1

    @property
    def largest(self) -> int:
        """How many invoices a batch takes now."""
        return min(LARGEST, self._breaker.largest, self._gateway.largest_batch)

    def next(self, invoices: Sequence[HubInvoice]) -> tuple[list[HubInvoice], bool]:
        """Return those that the next batch may hold, and whether it is full by their number."""
        chunk: list[HubInvoice] = []
        largest = LARGEST
        for invoice in invoices:
            largest = min(largest, self._may_be_of(invoice))
            if len(chunk) >= largest:
                return chunk, True
            chunk.append(invoice)
        return chunk, len(chunk) >= largest

    def _may_be_of(self, invoice: HubInvoice) -> int:
        """Return how large a batch may be that it goes in."""
        return min(self.largest, self._largest.get(invoice.sha256, LARGEST))

    async def send(self, chunk: Sequence[HubInvoice]) -> int:
        """Send as one batch, or the first of it where it is too large; return how many that were.

        0 where KSeF cannot be reached now. Those that somebody took meanwhile count: they wait no longer.
        """
        loaded = await self._load(chunk)
        hashes = await self._claim(chunk[: len(loaded)])
        claimed = set(hashes)
        batch = [each for each in loaded if each.sha256 in claimed]
        if not batch:
            return len(loaded)

        sessions: list[str] = []

        async def opened(session: str) -> None:
            sessions.append(session)
            for start in range(0, len(hashes), SLICE):
                await self._lead.write(partial(_opened, self._nip, session, hashes[start : start + SLICE]))

        try:
            session = await self._gateway.open_batch(batch, opened)
        except KsefError as error:
            await self._failed(hashes, error, opened=bool(sessions))
            return 0
        self._breaker.went()
        self._link.taken()
        facts = InvoiceFacts(sent_at=self._clock.now())
        await self._move(hashes, HubState.SENDING, HubState.SENT, facts, tell=OutcomeKind.SENT, session=session)
        return len(loaded)

    async def ask(self, session: str, members: Sequence[HubInvoice]) -> None:
        """Ask a batch session and record what KSeF decided about its invoices, SENT or DOUBT."""
        try:
            verdicts = await self._gateway.batch_verdicts(session)
        except KsefError as error:
            self._link.question_failed(error)
            if is_refused_whole(error):
                await self._refused(members, error.message)
            return
        self._link.answered()
        if verdicts is None:
            return
        doubts = [each for each in members if each.state is HubState.DOUBT]
        await self._verdicts.resolve(doubts, verdicts)
        sent = [each for each in members if each.state is HubState.SENT]
        lost = [each for each in sent if each.sha256 not in verdicts]
        for invoice in lost:
            await self._verdicts.move(
                invoice, HubState.WAITING, InvoiceFacts(trouble="KSeF nie ma tego pliku w paczce.")
            )
        here = [each for each in sent if each.sha256 in verdicts]
        await self._verdicts.apply_all([(each, verdicts[each.sha256][1]) for each in here])

    async def _claim(self, chunk: Sequence[HubInvoice]) -> list[bytes]:
        """Commit that they are being sent; return those that still waited: a press or its till took the others."""
        claimed: list[bytes] = []
        for start in range(0, len(chunk), SLICE):

            async def work(
                tx: HubTransaction, these: Sequence[HubInvoice] = chunk[start : start + SLICE]
            ) -> list[bytes]:
                waiting = [each.sha256 for each in these if await moved_meanwhile(tx, each) is None]
                await tx.invoices.move_all(waiting, HubState.WAITING, HubState.SENDING, NOWHERE_YET)
                return waiting

            claimed += await self._lead.write(work)
        return claimed

    async def _load(self, chunk: Sequence[HubInvoice]) -> list[Outgoing]:
        batch: list[Outgoing] = []
        size = 0
        for start in range(0, len(chunk), SLICE):
            slice_ = chunk[start : start + SLICE]

            async def work(tx: HubTransaction, these: Sequence[HubInvoice] = slice_) -> list[Outgoing]:
                return [outgoing(each, await tx.invoices.xml(each.sha256), self._clock) for each in these]

            for each in await self._store.read(work):
                size += len(each.xml)
                if batch and size > MOST_BYTES:
                    return batch
                batch.append(each)
        return batch

    async def _refused(self, members: Sequence[HubInvoice], why: str) -> None:
        for invoice in members:
            self._largest[invoice.sha256] = max(1, len(members) // SPLIT)
        facts = InvoiceFacts(not_before=self._clock.now() + timedelta(seconds=REST_SECONDS), trouble=why)
        for state in (HubState.SENT, HubState.DOUBT):
            hashes = [each.sha256 for each in members if each.state is state]
            await self._move(hashes, state, HubState.WAITING, facts)

    async def _failed(self, hashes: Sequence[bytes], error: KsefError, *, opened: bool) -> None:
        """``opened``: KSeF gave a session; it is the way of the parts that failed, and says nothing of other calls.

        Nor does a line that breaks where it carries other calls.
        """
        line_carries = error.link_down and await self._link.probe()
        of_batches = opened or line_carries
        if not line_carries:
            self._link.failed(error)
        if error.code != TOO_MANY and not of_batches:
            self._link.no_session(error)
        rest = self._breaker.failed(error, of_batches=of_batches)
        until = None if rest is None else self._clock.now() + timedelta(seconds=rest)
        facts = InvoiceFacts(not_before=until, trouble=error.message)
        if error.outcome is CallOutcome.UNKNOWN:
            await self._move(hashes, HubState.SENDING, HubState.DOUBT, facts, tell=OutcomeKind.DOUBT)
        else:
            await self._move(hashes, HubState.SENDING, HubState.WAITING, facts)

    async def _move(
        self,
        hashes: Sequence[bytes],
        old: HubState,
        to: HubState,
        facts: InvoiceFacts,
        *,
        tell: OutcomeKind | None = None,
        session: str | None = None,
    ) -> None:
        for start in range(0, len(hashes), SLICE):

            async def work(tx: HubTransaction, these: Sequence[bytes] = hashes[start : start + SLICE]) -> None:
                await tx.invoices.move_all(these, old, to, facts)
                if tell is not None:
                    moved = [await tx.invoices.get(sha256) for sha256 in these]
                    await tx.outcomes.add([(each, tell, {"session": session}) for each in moved])

            await self._lead.write(work)


async def _opened(nip: str, session: str, hashes: Sequence[bytes], tx: HubTransaction) -> None:
    """Note a session together with some of what it holds: with nothing on its way it would be asked for its UPO."""
    await tx.sessions.use(nip, session, SessionKind.BATCH)
    await tx.invoices.note_all(hashes, InvoiceFacts(session_ref=session, invoice_ref=""))
