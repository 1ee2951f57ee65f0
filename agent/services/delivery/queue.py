"""The queue empties by itself: doubts first, then by deadline; presses go before backlog.

The queue is the store; this only decides what is next. It sleeps on an event, never on a timer of its own:
serving/schedule.py, a press, a number that arrived or a line that came back wake it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from agent.domain.errors import DocumentDamaged
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import Event, InvoiceChange, Json, KsefError, Outgoing, Sent, SessionKind, Transaction, Unsent
from agent.services.delivery.backoff import Pace
from agent.services.delivery.quota import Share, backlog_share
from agent.services.delivery.sender import ASKING_SECONDS, Courier
from agent.services.delivery.upo import CALLS_OF_A_SESSION
from agent.services.delivery.verdicts import evidence_of
from agent.services.desk import Desk
from agent.services.outages.watch import Watch

AT_ONCE = 4
"""Invoices of the backlog in flight at the same time."""
BATCH_CHUNK = 2000
"""Invoices per batch session."""
SLICE = 50
"""Invoices per transaction when a whole batch moves."""
SPLIT = 8
"""A batch that KSeF refused as a whole goes again in so many pieces, and so on, until the culprit is alone."""
BATCH_REFUSED = frozenset({405, 415, 420, 430, 435, 440, 445, 500, 21157, 21173, 21205, 21208})
"""Codes of a batch session of which KSeF took nothing: its status, or why it can not be closed (gateway)."""
SMALL_BATCH_SECONDS = 300.0
"""While single sends are used up, what waits goes in a batch so often: there are 60 batches an hour."""
BATCH_REST_SECONDS = 30.0
"""How long the invoices of a batch that could not be opened rest, where KSeF does not say."""
EVENTS_AT_ONCE = 500
MOST_EVENTS = 50_000
"""No more are read back at the start: a clock that was wrong may have dated all of them into the last hour."""
REST = 4.0
"""Times the reading of the queue took, rested before the next pass: every press wakes one, also behind ten thousand."""


@dataclass(frozen=True, slots=True)
class RecentCalls:
    """When what was asked of KSeF; ``last_at``: the newest event of all."""

    sends: list[datetime]
    documents: list[datetime]
    last_at: datetime | None


class Sync:
    """Brings everything unsent to KSeF."""

    def __init__(self, desk: Desk, watch: Watch, courier: Courier) -> None:
        self._desk = desk
        self._watch = watch
        self._courier = courier
        self._wake = desk.queue_wake
        self._asking = Pace(desk.clock)
        """By session where it is a batch or holds doubts, by invoice otherwise."""
        self._asking_seconds = 0.0 if desk.settings.ksef.route == "hub" else ASKING_SECONDS
        """How long whoever sends one of the backlog goes on asking. A hub takes its time, and tells by itself."""
        self._largest: dict[str, int] = {}
        """By invoice, the largest batch it may be part of, after KSeF refused one as a whole."""
        self._small_batch_at: float | None = None
        self._reading_took = 0.0
        self.pressing = 0
        """Presses waiting for their number: the backlog stands back while there are any."""

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    async def send_now(self) -> int:
        """Look at the queue now; return how many invoices KSeF does not have yet."""
        self.wake()
        return len(await self._desk.store.read(lambda tx: tx.invoices.queue()))

    async def ask_now(self, references: Collection[str]) -> None:
        """Ask for what somebody told of, by its references; the rest of the queue takes its turn."""
        told = [each for each in await self._queue() if each.invoice_ref in references]
        for record in told:
            if record.state is InvoiceState.SENT and not self._courier.busy(record.id):
                await self._courier.ask(record.id)
        self.wake()

    async def recover(self) -> None:
        """After a crash nobody knows what left: every SENDING becomes a doubt. Called once at start."""
        await self._doubt_orphans(await self._queue(), "restart")

    async def recent_calls(self) -> RecentCalls:
        """Return what was asked of KSeF in the last hour, an earlier run's included, for the rate budget.

        KSeF counts a call whose answer was lost, so the intents count, as late as their calls may have ended.
        """
        now = self._watch.clock.best()
        longest_call = timedelta(seconds=self._desk.settings.ksef.timeout_seconds)
        events = await self._desk.store.read(partial(_events_since, now - timedelta(hours=1) - longest_call))
        # a little ahead: the clock was set back, and it may have been just now; far ahead: it was wrong then
        events = [event for event in events if event.at <= now + timedelta(hours=1)]
        shown = self._desk.now() - now  # the budget takes instants of the wall clock
        return RecentCalls(
            sends=[min(now, event.at + longest_call) + shown for event in events if _is_single_send(event)],
            documents=[min(now, event.at) + shown for event in events for _ in range(_documents(event))],
            last_at=events[-1].at if events else None,
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.pass_once()
            await self._desk.clock.sleep(REST * self._reading_took)

    async def pass_once(self) -> None:
        """Go over the queue once. Trouble with KSeF ends the pass; the next wake goes on. One pass at a time."""
        if self._watch.sending_stopped():
            return
        queue = await self._queue()
        await self._doubt_orphans(queue, "its sender failed")
        doubts = self._due(queue, InvoiceState.IN_DOUBT)
        sent = self._due(queue, InvoiceState.SENT)
        sessions = {record.session_ref or "" for record in (*doubts, *sent)}
        self._asking.keep(sessions | {record.id for record in sent})
        self._courier.waits.keep({record.id for record in queue})
        await self._resolve_doubts(doubts)
        await self._ask_batches([record for record in sent if not record.invoice_ref])
        await self._ask_singly(sent)
        await self._send_waiting()

    async def _queue(self) -> list[Unsent]:
        begun = self._desk.clock.monotonic()
        queue = await self._desk.store.read(lambda tx: tx.invoices.queue())
        self._reading_took = self._desk.clock.monotonic() - begun
        if await self._watch.exempt_if_over(queue):
            queue = await self._desk.store.read(lambda tx: tx.invoices.queue())
        return queue

    async def _doubt_orphans(self, queue: list[Unsent], why: str) -> None:
        """A SENDING that nobody sends (crash, full disk) is a doubt."""
        orphans = [each.id for each in queue if each.state is InvoiceState.SENDING and not self._courier.busy(each.id)]
        if not orphans:
            return

        async def work(tx: Transaction) -> None:
            for invoice_id in orphans:
                record = await tx.invoices.get(invoice_id)
                if record.state is InvoiceState.SENDING and not self._courier.busy(invoice_id):
                    await tx.invoices.move(invoice_id, InvoiceState.IN_DOUBT)
                    await tx.events.append("in_doubt", {"why": why}, invoice_id)

        await self._desk.store.write(work)

    def _due(self, queue: list[Unsent], state: InvoiceState) -> list[Unsent]:
        now, waits = self._watch.clock.best(), self._courier.waits
        return [
            each for each in queue if each.state is state and not self._courier.busy(each.id) and waits.over(each, now)
        ]

    async def _resolve_doubts(self, doubts: list[Unsent]) -> None:
        """Ask by session: one list settles all doubts of a batch, and a session that can not be asked waits."""
        self._courier.forget_lists()
        for record in doubts:
            if not self._watch.may_send():
                return
            session = record.session_ref or ""
            if self._asking.due(session):
                after = await self._courier.resolve(record.id)
                if after.state is InvoiceState.IN_DOUBT:
                    self._asking.asked(session)

    async def _ask_singly(self, sent: list[Unsent]) -> None:
        for record in sent:
            if record.invoice_ref and self._asking.due(record.id) and self._watch.may_send():
                self._asking.asked(record.id)
                await self._courier.ask(record.id)

    async def _send_waiting(self) -> None:
        waiting = self._due(await self._queue(), InvoiceState.ISSUED)
        waiting = await self._desk.store.read(partial(_bases_first, waiting))
        if not waiting or not self._watch.may_send():
            return
        together = [record for record in waiting if self._fits_a_batch(record)]
        if self._batch_is_due(len(together)):
            for chunk in self._chunks(together):
                if not await self._send_batch(chunk):
                    return
            batched = {record.id for record in together}
            waiting = [record for record in waiting if record.id not in batched]
        together = [record for record in waiting if self._fits_a_batch(record)]
        alone = [record for record in waiting if not self._fits_a_batch(record)]
        if await self._send_singly(alone, kept_for_presses=False):
            await self._send_singly(together, kept_for_presses=True)

    async def _send_singly(self, waiting: list[Unsent], *, kept_for_presses: bool) -> bool:
        """Send one by one as long as KSeF's limits allow; False where that ended it.

        What can go no other way takes the last place; what a batch would take as well leaves some to presses.
        """
        while waiting:
            while self.pressing:
                await self._desk.clock.sleep(0.05)
            at_once = min(AT_ONCE, self._share(kept_for_presses=kept_for_presses).now)
            if at_once == 0 or not self._watch.may_send():
                return False
            asking = self._asking_seconds
            await asyncio.gather(*(self._courier.deliver(record.id, asking) for record in waiting[:at_once]))
            waiting = waiting[at_once:]
        return True

    def _share(self, *, kept_for_presses: bool) -> Share:
        """Return what is left of the limits; where no press would be tried online nothing is kept for presses."""
        presses_online = self._watch.decide(self._watch.clock.best()).attempt_online
        return backlog_share(self._desk.gateway.budget(), kept_for_presses=kept_for_presses and presses_online)

    def _fits_a_batch(self, record: Unsent) -> bool:
        """A technical correction is for interactive sessions only; a batch has one offline flag for all."""
        alone = record.version > 1 or record.mode is Mode.ONLINE
        return not alone and self._largest.get(record.id, BATCH_CHUNK) > 1

    def _batch_is_due(self, count: int) -> bool:
        """A backlog goes as a batch; so does the little that waits when single sends are used up for the hour."""
        if count >= self._desk.settings.ksef.batch_from:
            return True
        if count == 0 or self._share(kept_for_presses=True).this_hour > 0:
            return False
        now = self._desk.clock.monotonic()
        if self._small_batch_at is not None and now < self._small_batch_at + SMALL_BATCH_SECONDS:
            return False
        self._small_batch_at = now
        return True

    def _chunks(self, records: list[Unsent]) -> Iterator[list[Unsent]]:
        chunk: list[Unsent] = []
        largest = BATCH_CHUNK
        for record in records:
            largest = min(largest, self._largest.get(record.id, BATCH_CHUNK))
            if len(chunk) >= largest:
                yield chunk
                chunk, largest = [], self._largest.get(record.id, BATCH_CHUNK)
            chunk.append(record)
        yield chunk

    async def _send_batch(self, batch: list[Unsent]) -> bool:
        """Send many as one batch session; False where KSeF can not be reached now.

        SENDING is committed first and the session's reference before the first byte leaves, so that a crash
        leaves doubts that one list of the session settles. All this is written in slices: a press in between
        never waits for thousands of rows.
        """
        outgoing = [found for each in batch if (found := await self._outgoing(each.id)) is not None]
        intact = {each.invoice_id for each in outgoing}
        batch = [each for each in batch if each.id in intact]
        if not batch:
            return True
        attempt: dict[str, Json] = {"batch": True}
        await self._in_slices(batch, InvoiceState.SENDING, "sending", attempt, InvoiceChange(attempted=True))

        async def opened(session: str) -> None:
            await self._desk.store.write(lambda tx: tx.sessions.use(session, SessionKind.BATCH))
            data: dict[str, Json] = {"session": session}
            await self._in_slices(batch, None, "batch_opened", data, InvoiceChange(session_ref=session, invoice_ref=""))

        try:
            session = await self._desk.gateway.open_batch(outgoing, opened)
        except KsefError as error:
            await self._batch_failed(batch, error)
            return False
        self._watch.answered()
        change = InvoiceChange(session_ref=session, sent_at=self._watch.clock.best())
        await self._in_slices(batch, InvoiceState.SENT, "sent", {"session": session, "batch": True}, change)
        return True

    async def _outgoing(self, invoice_id: str) -> Outgoing | None:
        """Read what goes into a batch; None, and a word in the log, where the disk changed it."""
        record = await self._desk.store.read(lambda tx: tx.invoices.get(invoice_id))
        try:
            return await self._courier.outgoing(record)
        except DocumentDamaged as error:
            await self._courier.note_damage(record, error)
            return None

    async def _batch_failed(self, batch: list[Unsent], error: KsefError) -> None:
        self._watch.failed(error)
        to = InvoiceState.IN_DOUBT if error.sent is Sent.UNKNOWN else InvoiceState.ISSUED
        rest = BATCH_REST_SECONDS if error.retry_after is None else error.retry_after
        not_before = self._courier.waits.rest(rest, *(each.id for each in batch))
        change = InvoiceChange(not_before=not_before)
        await self._in_slices(batch, to, "send_failed", evidence_of(error, "batch"), change)

    async def _in_slices(
        self,
        batch: list[Unsent],
        to: InvoiceState | None,
        kind: str,
        data: Mapping[str, Json],
        change: InvoiceChange,
    ) -> None:
        for start in range(0, len(batch), SLICE):
            await self._desk.store.write(
                partial(_record_all, batch=batch[start : start + SLICE], to=to, kind=kind, data=data, change=change)
            )

    async def _ask_batches(self, records: list[Unsent]) -> None:
        """Invoices sent by batch have no reference of their own until the batch is done."""
        sessions = {record.session_ref for record in records if record.session_ref}
        for session in sorted(sessions):
            if not self._watch.may_send():
                return
            if not self._asking.due(session):
                continue
            self._asking.asked(session)
            members = [each for each in records if each.session_ref == session]
            try:
                verdicts = await self._desk.gateway.batch_verdicts(session)
            except KsefError as error:
                self._watch.failed(error)
                if error.sent is Sent.ANSWERED and error.code in BATCH_REFUSED:
                    for record in members:
                        self._largest[record.id] = len(members) // SPLIT
                        await self._lost_in_batch(record, error.message)
                continue
            self._watch.answered()
            if verdicts is None:
                continue
            for record in members:
                sha256 = (await self._desk.store.read(partial(_get, record.id))).sha256
                if sha256 not in verdicts:
                    await self._lost_in_batch(record, "KSeF nie ma tego pliku w paczce.")
                    continue
                reference, verdict = verdicts[sha256]
                await self._desk.store.write(partial(_note_reference, record.id, reference))
                await self._courier.apply(record.id, verdict)

    async def _lost_in_batch(self, record: Unsent, why: str) -> None:
        """The batch is done and KSeF did not take this file: it goes again."""
        data: dict[str, Json] = {"session": record.session_ref, "why": why}
        await self._in_slices([record], InvoiceState.ISSUED, "not_in_batch", data, InvoiceChange())


async def _record_all(
    tx: Transaction,
    *,
    batch: list[Unsent],
    to: InvoiceState | None,
    kind: str,
    data: Mapping[str, Json],
    change: InvoiceChange,
) -> None:
    for each in batch:
        if to is None:
            await tx.invoices.note(each.id, change)
        else:
            await tx.invoices.move(each.id, to, change)
        await tx.events.append(kind, data, each.id)


async def _events_since(instant: datetime, tx: Transaction) -> list[Event]:
    """Return the newest events back to that instant, page by page from the end, at most MOST_EVENTS."""
    found: list[Event] = []
    last = await tx.events.newest()
    while last > 0 and len(found) < MOST_EVENTS:
        first = max(0, last - EVENTS_AT_ONCE)
        page = await tx.events.after(first, last - first)
        found = page + found
        if not page or page[0].at < instant:
            break
        last = first
    return found


def _is_single_send(event: Event) -> bool:
    return event.kind == "sending" and not event.data.get("batch")


def _documents(event: Event) -> int:
    """Return how many calls for UPO an event stands for; what a page of a session told came with that page."""
    if event.kind in {"upo", "upo_mismatch"}:
        return 0 if "session" in event.data else 1
    return CALLS_OF_A_SESSION if event.kind in {"session_upo", "session_without_upo"} else 0


async def _get(invoice_id: str, tx: Transaction) -> InvoiceRecord:
    return await tx.invoices.get(invoice_id)


async def _note_reference(invoice_id: str, reference: str, tx: Transaction) -> None:
    await tx.invoices.note(invoice_id, InvoiceChange(invoice_ref=reference))


async def _bases_first(waiting: list[Unsent], tx: Transaction) -> list[Unsent]:
    """Leave out corrections whose base KSeF does not have yet (POD2 4.1.3)."""
    ready: list[Unsent] = []
    for record in waiting:
        base = None if record.base_id is None else await tx.invoices.get(record.base_id)
        if base is None or base.ksef_number is not None or base.state is InvoiceState.EXEMPT:
            ready.append(record)
    return ready
