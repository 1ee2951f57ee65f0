"""At which pace a backlog goes as batches: full ones at once, the others seldom, nothing too late (decision 139)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.domain.calendar import end_of_day, local_date
from agent.hub.courier import batches as module
from agent.hub.courier.backlog import READ_SECONDS, Backlog
from agent.hub.courier.batches import Batches
from agent.hub.courier.link import Link
from agent.hub.courier.presses import Presses
from agent.hub.courier.sender import Sender
from agent.hub.domain.backlog_plan import BATCH_SECONDS, LAST_BATCH_SECONDS, LAST_MINUTES
from agent.hub.domain.records import BacklogSize, HubInvoice
from agent.hub.domain.states import HubState
from agent.hub.ports import HubStore
from agent.hub.store.database import Row
from agent.hub.store.repositories import invoices as repository
from agent.ports import CallOutcome, KsefError, Outgoing
from agent.services.delivery.batch_breaker import REST_SECONDS
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_stores import NIP
from tests.fakes.hub_world import HubWorld, hub_world
from tests.unit.hub.test_domain import waiting
from tests.unit.sandbox.sandbox_client import invoice as fa3

LARGEST = 12
TODAY = date(2026, 11, 24)
MORNING = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LOOK = 5.0
"""Seconds within which the courier looks at what waits, and sends it."""


@dataclass
class Sent:
    """A batch that went."""

    at: float
    wall: datetime
    hashes: tuple[bytes, ...]
    size: int


@dataclass
class Watched:
    """A hub, and the batches it sent."""

    hub: HubWorld
    batches: list[Sent] = field(default_factory=list)

    @property
    def sizes(self) -> list[int]:
        return [len(each.hashes) for each in self.batches]

    async def offer(self, *names: int, **claims: Any) -> list[HubInvoice]:
        return [await self.hub.offer(f"FV-1/{name}", **claims) for name in names]

    async def states(self, offered: Sequence[HubInvoice]) -> set[HubState]:
        return {(await self.hub.find(each)).state for each in offered}


@asynccontextmanager
async def watched(folder: Path, start: datetime = MORNING, *, singles: int = 0) -> AsyncIterator[Watched]:
    """A hub before a KSeF whose batches hold LARGEST, with so many single sends left."""
    async with hub_world(folder, clock=FakeClock(start)) as hub:
        hub.gateway.largest_batch, hub.gateway.sends_left = LARGEST, singles
        if not singles:
            hub.gateway.wait = 3600.0
        found, opened = Watched(hub), hub.gateway.open_batch

        async def open_batch(invoices: Sequence[Outgoing], heard: Callable[[str], Awaitable[None]]) -> str:
            hashes, size = tuple(each.sha256 for each in invoices), sum(len(each.xml) for each in invoices)
            found.batches.append(Sent(hub.clock.monotonic(), hub.clock.now(), hashes, size))
            return await opened(invoices, heard)

        hub.gateway.open_batch = open_batch  # type: ignore[method-assign, assignment]
        yield found


@pytest.fixture
async def the(tmp_path: Path) -> AsyncIterator[Watched]:
    async with watched(tmp_path) as found:
        yield found


async def test_what_a_full_batch_leaves_behind_waits_for_the_next_one(the: Watched) -> None:
    offered = await the.offer(*range(2 * LARGEST + 3))
    the.hub.start()
    await the.hub.clock.advance(60)
    assert the.sizes == [LARGEST, LARGEST]
    offered += await the.offer(*range(100, 104))
    await the.hub.clock.advance(BATCH_SECONDS)
    assert the.sizes == [LARGEST, LARGEST, 3 + 4], "the backlog does not grow any more"
    assert await the.states(offered) == {HubState.ACCEPTED}


async def test_it_goes_singly_at_once_where_the_limits_leave_enough_to_presses(tmp_path: Path) -> None:
    async with watched(tmp_path, singles=180) as the:
        offered = await the.offer(*range(LARGEST + 3))
        the.hub.start()
        await the.hub.clock.advance(30)
        assert the.sizes == [LARGEST]
        assert await the.states(offered) == {HubState.ACCEPTED}


async def test_it_goes_first_in_the_next_one_however_much_comes_that_is_more_pressing(the: Watched) -> None:
    """By deadline alone what has none would stay as long as others come."""
    patient = await the.offer(1, deadline=None)
    await the.offer(*range(100, 100 + LARGEST))
    the.hub.start()
    await the.hub.clock.advance(5)
    assert await the.states(patient) == {HubState.WAITING}
    await the.offer(*range(200, 200 + LARGEST))
    await the.hub.clock.advance(5)
    assert the.sizes == [LARGEST, LARGEST]
    assert await the.states(patient) == {HubState.ACCEPTED}


async def test_nothing_waits_for_the_next_batch_beyond_the_end_of_its_day(tmp_path: Path) -> None:
    late = end_of_day(TODAY) - timedelta(seconds=70)
    async with watched(tmp_path, late) as the:
        await the.offer(*range(LARGEST + 3), deadline=TODAY)
        the.hub.start()
        await the.hub.clock.advance(LAST_BATCH_SECONDS + LOOK)
        assert the.sizes == [LARGEST, 3]


async def test_what_is_late_already_does_not_use_up_the_batches(tmp_path: Path) -> None:
    late = end_of_day(TODAY) - timedelta(seconds=120)
    async with watched(tmp_path, late) as the:
        await the.offer(*range(LARGEST + 3), deadline=TODAY - timedelta(days=1))
        the.hub.start()
        await the.hub.clock.advance(60)
        assert the.sizes == [LARGEST]


async def test_a_batch_that_is_full_by_its_bytes_leaves_room_for_the_next_at_once(
    the: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = len(fa3("FV-1/10"))
    monkeypatch.setattr(module, "MOST_BYTES", 4 * each + each // 2)
    await the.offer(*range(10, 10 + LARGEST - 1))
    the.hub.start()
    await the.hub.clock.advance(5)
    assert the.sizes == [4, 4]
    await the.hub.clock.advance(BATCH_SECONDS)
    assert the.sizes == [4, 4, 3]


async def test_the_pieces_of_a_batch_that_ksef_refused_whole_go_after_a_rest_and_together(
    the: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    the.hub.gateway.largest_batch = 1000
    await the.offer(*range(50))
    asked = the.hub.gateway.batch_verdicts

    async def batch_verdicts(session: str) -> object:
        if len(the.batches) == 1:
            raise KsefError("odrzucona", outcome=CallOutcome.REFUSED, code=430)
        return await asked(session)

    monkeypatch.setattr(the.hub.gateway, "batch_verdicts", batch_verdicts)
    the.hub.start()
    await the.hub.clock.advance(REST_SECONDS - 1)
    assert the.sizes == [50]
    await the.hub.clock.advance(READ_SECONDS + LOOK)
    assert the.sizes == [50, *[6] * 8], "the last two wait, they are less than a piece"
    await the.hub.clock.advance(BATCH_SECONDS)
    assert the.sizes == [50, *[6] * 8, 2]


async def test_what_only_waits_is_counted_and_seldom_read(the: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for KSeF's verdict, and for the next batch: of thousands each round would read every row."""
    read, built = list[str](), repository.invoice_of

    def invoice_of(row: Row) -> HubInvoice:
        read.append(row.text("state"))
        return built(row)

    async def no_verdicts(_: str) -> None:
        return None

    monkeypatch.setattr(the.hub.gateway, "batch_verdicts", no_verdicts)
    await the.offer(*range(2 * LARGEST - 1))
    the.hub.start()
    await the.hub.clock.advance(10)
    assert the.sizes == [LARGEST]
    monkeypatch.setattr(repository, "invoice_of", invoice_of)
    await the.hub.clock.advance(60)
    assert read.count("waiting") <= 7 * (LARGEST - 1), "every ten seconds"
    assert read.count("sent") <= 6 * LARGEST, "when KSeF is asked"


# --- whatever comes, whenever -----------------------------------------------------------------------------------------

Come = tuple[int, int, int, int]
"""Looks before they come, how many, kilobytes of each, day of their deadline counted from today (3: none)."""
COMING = st.lists(
    st.tuples(st.integers(0, 25), st.integers(1, 2 * LARGEST + 2), st.integers(1, 6), st.integers(-1, 3)),
    min_size=1,
    max_size=8,
)
MOST_KILOBYTES = 30


class Queue:
    """What waits, as a store that holds nothing else: a real one would take minutes for so many examples."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, HubInvoice] = {}
        self.kilobytes: dict[bytes, int] = {}
        self.invoices = self

    async def read(self, work: Callable[[Queue], Awaitable[object]]) -> object:
        return await work(self)

    async def undecided_sessions(self, _: str) -> list[str]:
        return []

    async def backlog_size(self, _: str, today: date, limit: int) -> BacklogSize:
        return BacklogSize(
            min(limit, len(self.waiting)), [each.deadline for each in self.waiting.values()].count(today)
        )

    async def backlog(self, _: str, limit: int) -> list[HubInvoice]:
        return sorted(self.waiting.values(), key=lambda each: (each.deadline or date.max, each.received_at))[:limit]


class SentBatches(Batches):
    """Cuts what waits as ever, and notes what goes."""

    def watch(self, queue: Queue, clock: FakeClock) -> list[Sent]:
        self.queue, self.clock, self.sent = queue, clock, list[Sent]()
        return self.sent

    async def send(self, chunk: Sequence[HubInvoice]) -> int:
        room, taken = MOST_KILOBYTES, list[bytes]()
        for each in chunk:
            room -= self.queue.kilobytes[each.sha256]
            if room < 0:
                break
            taken.append(each.sha256)
            del self.queue.waiting[each.sha256]
        self.sent.append(Sent(self.clock.monotonic(), self.clock.now(), tuple(taken), MOST_KILOBYTES - room))
        return len(taken)


@given(coming=COMING, before_midnight=st.integers(1, 400))
@example(coming=[(0, 13, 1, 0), (12, 1, 1, 0)], before_midnight=90)
@example(coming=[(0, 13, 1, 3), *[(6, 12, 1, 0)] * 5], before_midnight=400)
@example(coming=[(0, 24, 6, 1), (0, 23, 6, 1)], before_midnight=400)
def test_everything_leaves_in_time_and_in_no_more_batches_than_needed(coming: list[Come], before_midnight: int) -> None:
    asyncio.run(live_through(coming, before_midnight))


async def live_through(coming: list[Come], before_midnight: int) -> None:
    clock, queue = FakeClock(end_of_day(TODAY) - timedelta(seconds=before_midnight)), Queue()
    gateway, no = FakeGateway(clock), cast("Any", None)
    gateway.largest_batch, gateway.wait = LARGEST, 3600.0
    link, store = Link(gateway, clock, NIP), cast("HubStore", queue)
    batches = SentBatches(NIP, no, store, gateway, link=link, verdicts=no, clock=clock)
    sender = Sender(no, store, gateway, link=link, verdicts=no, clock=clock)
    backlog = Backlog(
        NIP,
        store,
        gateway,
        sender=sender,
        batches=batches,
        verdicts=no,
        presses=Presses(NIP, store, gateway, sender=sender, link=link, clock=clock),
        link=link,
        clock=clock,
        batch_from=10,
    )
    sent, offered = batches.watch(queue, clock), list[HubInvoice]()
    for gap, count, kilobytes, days in [*coming, (int(2 * BATCH_SECONDS / LOOK) + 3, 0, 1, 3)]:
        for _ in range(gap):
            await backlog.round()
            clock.slept(timedelta(seconds=LOOK))
        for _ in range(count):
            one = waiting(1, len(offered))
            deadline = None if days == 3 else TODAY + timedelta(days=days)
            one = replace(one, received_at=clock.now(), deadline=deadline)
            queue.waiting[one.sha256], queue.kilobytes[one.sha256] = one, kilobytes
            offered.append(one)
    check(sent, offered, largest=max(queue.kilobytes.values()))


def check(sent: Sequence[Sent], offered: Sequence[HubInvoice], *, largest: int) -> None:
    left, by_hash = [sha256 for batch in sent for sha256 in batch.hashes], {each.sha256: each for each in offered}
    assert (len(left), set(left)) == (len(offered), set(by_hash)), "each left, once"
    for batch in sent:
        for invoice in (by_hash[sha256] for sha256 in batch.hashes):
            waited = (batch.wall - invoice.received_at).total_seconds()
            assert waited <= 2 * (BATCH_SECONDS + LOOK), "what a batch had no room for goes in the next"
            if invoice.deadline is not None:
                end = end_of_day(invoice.deadline)
                in_time = end - invoice.received_at > timedelta(seconds=2 * (LAST_BATCH_SECONDS + LOOK))
                assert batch.wall < end or not in_time, "late, though it came in time"
    for before, batch in pairwise(sent):
        likely = before.size > MOST_KILOBYTES - largest and len(batch.hashes) >= len(before.hashes)
        full = len(batch.hashes) == LARGEST or batch.size > MOST_KILOBYTES - largest or likely
        end = end_of_day(local_date(batch.wall))
        days = [end_of_day(day) for sha256 in batch.hashes if (day := by_hash[sha256].deadline) is not None]
        rest = LAST_BATCH_SECONDS if end in days and end - batch.wall <= LAST_MINUTES else BATCH_SECONDS
        assert full or batch.at - before.at >= rest, "a batch of few right behind another one"
