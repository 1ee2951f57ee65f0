"""Many invoices as one batch session: its intents durable first, its verdicts as one list later.

Crash windows: docs/flows.md, "Batch".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from agent.domain.errors import DocumentDamaged
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import (
    TOO_MANY,
    CallOutcome,
    Clock,
    InvoiceChange,
    Json,
    KsefError,
    KsefGateway,
    Outgoing,
    Pending,
    SessionKind,
    Store,
    Transaction,
    Unsent,
    Verdict,
)
from agent.services.delivery.batch_breaker import LARGEST, MOST_BYTES, SPLIT, BatchBreaker, is_refused_whole
from agent.services.delivery.records import DeliveryRecords, evidence_of
from agent.services.delivery.sender import InvoiceSender
from agent.services.delivery.verdicts import VerdictRecorder
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.presses import Presses

SLICE = 25
"""Invoices per transaction when a whole batch moves."""


class BatchSender:
    """Sends batches, and asks what became of them."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        clock_check: ClockCheck,
        gateway: KsefGateway,
        connection: Connection,
        sender: InvoiceSender,
        records: DeliveryRecords,
        verdicts: VerdictRecorder,
        presses: Presses,
    ) -> None:
        self._store = store
        self._clock = clock
        self._clock_check = clock_check
        self._gateway = gateway
        self._connection = connection
        self._sender = sender
        self._records = records
        self._verdicts = verdicts
        self._presses = presses
        self._breaker = BatchBreaker(clock, connection.batch_trouble)
        self._largest: dict[str, int] = {}
        """By invoice, the largest batch it may be part of, after KSeF refused one as a whole."""

    def rest(self) -> bool:
        """Tell whether no batch is tried now: single sends may go on meanwhile."""
        return self._breaker.is_open

    def takes(self, record: Unsent) -> bool:
        """A technical correction is for interactive sessions only; a batch has one offline flag for all."""
        alone = record.version > 1 or record.mode is Mode.ONLINE
        return not alone and self._may_be_of(record) > 1

    async def send(self, waiting: Sequence[Unsent]) -> bool:
        """Send them as so many batches as they need; False where KSeF cannot be reached now."""
        for batch in self._divided(waiting):
            left = batch
            while left:
                outgoing, looked_at = await self._load(left)
                if not await self._send(left[:looked_at], outgoing):
                    return False
                left = left[looked_at:]
        return True

    async def _load(self, batch: Sequence[Unsent]) -> tuple[list[Outgoing], int]:
        """Read what goes into one batch, as much as memory bears; return it, and how many were looked at."""
        found: list[Outgoing] = []
        size = 0
        for number, record in enumerate(batch):
            outgoing = await self._outgoing(record.id)
            if outgoing is None:
                continue
            size += len(outgoing.xml)
            if found and size > MOST_BYTES:
                return found, number
            found.append(outgoing)
        return found, len(batch)

    def _divided(self, records: Sequence[Unsent]) -> Iterator[list[Unsent]]:
        batch: list[Unsent] = []
        largest = LARGEST
        for record in records:
            largest = min(largest, self._may_be_of(record))
            if len(batch) >= largest:
                yield batch
                batch, largest = [], self._may_be_of(record)
            batch.append(record)
        yield batch

    def _may_be_of(self, record: Unsent) -> int:
        """Return how large a batch may be that it goes in."""
        return min(self._breaker.largest, self._gateway.largest_batch, self._largest.get(record.id, LARGEST))

    async def _send(self, batch: Sequence[Unsent], read: Sequence[Outgoing]) -> bool:
        """Send many as one batch session; False where KSeF cannot be reached now.

        SENDING is committed first, without the session of an earlier attempt, and this one's reference before the first
        byte leaves: a crash leaves doubts that one list of the right session ends, or of which nothing left. All this
        is written in slices: a press in between never waits for thousands of rows.
        """
        intact = {each.invoice_id for each in read}
        claimed_now = await self._claim([each for each in batch if each.id in intact])
        if not claimed_now:
            return True
        batch = claimed_now
        claimed = {each.id for each in batch}
        outgoing = [each for each in read if each.invoice_id in claimed]
        opened: list[str] = []

        async def noted(session: str) -> None:
            opened.append(session)
            await self._opened(batch, session)

        try:
            session = await self._gateway.open_batch(outgoing, noted)
        except KsefError as error:
            await self._failed(batch, error, opened=bool(opened))
            return False
        self._breaker.went()
        self._connection.taken()
        self._records.waits.taken()
        change = InvoiceChange(session_ref=session, sent_at=self._clock_check.best())
        await self._in_slices(batch, InvoiceState.SENT, EventKind.SENT, {"session": session, "batch": True}, change)
        return True

    async def _claim(self, batch: list[Unsent]) -> list[Unsent]:
        """Commit that they are being sent; return those that still waited.

        A press brings its invoice to KSeF by itself, and a total failure exempts; either may have come since these
        were read.
        """
        claimed: list[Unsent] = []
        for start in range(0, len(batch), SLICE):
            await self._presses.pass_by()
            claimed += await self._store.write(partial(self._claim_slice, batch[start : start + SLICE]))
        return claimed

    async def _claim_slice(self, these: list[Unsent], tx: Transaction) -> list[Unsent]:
        now = await tx.invoices.unsent_of([each.id for each in these])
        free = {each.id for each in now if each.state is InvoiceState.ISSUED and not self._sender.busy(each.id)}
        waiting = [each for each in these if each.id in free]
        nowhere_yet = InvoiceChange(attempted=True, session_ref="", invoice_ref="")
        await _record_all(
            tx,
            batch=waiting,
            to=InvoiceState.SENDING,
            kind=EventKind.SENDING,
            data={"batch": True},
            change=nowhere_yet,
        )
        return waiting

    async def _opened(self, batch: list[Unsent], session: str) -> None:
        await self._store.write(lambda tx: tx.sessions.use(session, SessionKind.BATCH))
        data: dict[str, Json] = {"session": session}
        await self._in_slices(
            batch, None, EventKind.BATCH_OPENED, data, InvoiceChange(session_ref=session, invoice_ref="")
        )

    async def _outgoing(self, invoice_id: str) -> Outgoing | None:
        """Read what goes into a batch; None, and a word in the log, where the disk changed it."""
        await self._presses.pass_by()
        record = await self._store.read(partial(_get, invoice_id))
        try:
            return await self._sender.outgoing(record)
        except DocumentDamaged as error:
            await self._records.note_damage(record, error)
            return None

    async def _failed(self, batch: list[Unsent], error: KsefError, *, opened: bool) -> None:
        """``opened``: KSeF gave a session; it is the way of the parts that failed, and says nothing of other calls.

        Nor does a line that breaks where it carries other calls: a proxy may let all through but what is long.
        """
        line_carries = error.link_down and await self._connection.answers()
        of_batches = opened or line_carries
        if not line_carries:
            self._connection.failed(error)
        if error.code != TOO_MANY and not of_batches:
            self._connection.no_session(error)
        rest = self._breaker.failed(error, of_batches=of_batches)
        to = InvoiceState.IN_DOUBT if error.outcome is CallOutcome.UNKNOWN else InvoiceState.ISSUED
        change = InvoiceChange()
        if rest is not None:
            change = InvoiceChange(not_before=self._records.waits.rest(rest, *(each.id for each in batch)))
        await self._in_slices(batch, to, EventKind.SEND_FAILED, evidence_of(error, "batch"), change)

    async def _in_slices(
        self,
        batch: list[Unsent],
        to: InvoiceState | None,
        kind: EventKind,
        data: Mapping[str, Json],
        change: InvoiceChange,
    ) -> None:
        for start in range(0, len(batch), SLICE):
            await self._presses.pass_by()
            await self._store.write(
                partial(_record_all, batch=batch[start : start + SLICE], to=to, kind=kind, data=data, change=change)
            )

    async def ask(self, session: str, members: Sequence[Unsent]) -> None:
        """Ask what became of a batch: its invoices have no reference of their own until it is done."""
        try:
            verdicts = await self._gateway.batch_verdicts(session)
        except KsefError as error:
            self._connection.question_failed(error)
            if is_refused_whole(error):
                await self._take_apart(members, error.message)
            return
        self._connection.answered()
        if verdicts is None:
            return
        undecided = frozenset(
            sha256 for sha256, (own, verdict) in verdicts.items() if isinstance(verdict, Pending) and not own
        )
        for start in range(0, len(members), SLICE):
            await self._presses.pass_by()
            page = members[start : start + SLICE]
            if undecided:
                page = await self._store.read(partial(_without, page, undecided))
            if not page:
                continue
            accepted = await self._verdicts.accept_listed([each.id for each in page], verdicts)
            for record in page:
                if record.id not in accepted:
                    await self._apply(record, verdicts)

    async def _apply(self, record: Unsent, verdicts: Mapping[bytes, tuple[str, Verdict]]) -> None:
        """Record what is no plain acceptance: it may need a call of its own."""
        await self._presses.pass_by()
        sha256 = (await self._store.read(partial(_get, record.id))).sha256
        if sha256 not in verdicts:
            await self._not_in_batch(record, "KSeF nie ma tego pliku w paczce.")
            return
        reference, verdict = verdicts[sha256]
        await self._store.write(partial(_note_reference, record.id, reference))
        await self._verdicts.apply(record.id, verdict)

    async def _take_apart(self, members: Sequence[Unsent], why: str) -> None:
        """KSeF took nothing of the whole batch: all go again, in smaller ones."""
        for record in members:
            self._largest[record.id] = len(members) // SPLIT
            await self._not_in_batch(record, why)

    async def _not_in_batch(self, record: Unsent, why: str) -> None:
        """The batch is done and KSeF did not take this file: it goes again, unless somebody decided it meanwhile."""
        data: dict[str, Json] = {"session": record.session_ref, "why": why}
        await self._store.write(partial(_free, record, data))


async def _free(record: Unsent, data: Mapping[str, Json], tx: Transaction) -> None:
    now = await tx.invoices.unsent_of([record.id])
    if [each.state for each in now] == [InvoiceState.SENT]:
        await _record_all(
            tx, batch=now, to=InvoiceState.ISSUED, kind=EventKind.NOT_IN_BATCH, data=data, change=InvoiceChange()
        )


async def _record_all(
    tx: Transaction,
    *,
    batch: list[Unsent],
    to: InvoiceState | None,
    kind: EventKind,
    data: Mapping[str, Json],
    change: InvoiceChange,
) -> None:
    await tx.invoices.change_all([each.id for each in batch], to, change)
    for each in batch:
        await tx.events.append(kind, data, each.id)


async def _get(invoice_id: str, tx: Transaction) -> InvoiceRecord:
    return await tx.invoices.get(invoice_id)


async def _without(members: Sequence[Unsent], hashes: Collection[bytes], tx: Transaction) -> list[Unsent]:
    return [each for each in members if (await tx.invoices.get(each.id)).sha256 not in hashes]


async def _note_reference(invoice_id: str, reference: str, tx: Transaction) -> None:
    await tx.invoices.note(invoice_id, InvoiceChange(invoice_ref=reference))
