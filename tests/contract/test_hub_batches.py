"""Batches that KSeF loses, refuses or never ends, and hubs that die beside them, over SQLite and a real PostgreSQL.

Whatever happens, each invoice is in KSeF once, and its till is told of its number once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

import pytest

from agent.domain import ksef_number
from agent.hub.domain.records import HubInvoice, Outcome, OutcomeKind
from agent.hub.domain.states import HubState
from agent.hub.ports import HubStore
from agent.ports import CallOutcome, KsefError, Outgoing, Verdict
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_stores import NIP, Postgres, postgresql_hub, sqlite_hub
from tests.fakes.hub_world import HubWorld, world_over

COUNT = 12
NO_SUCH_SESSION, PARTS_MISSING, FAILED = 21173, 21157, 500
LOOKS = 500
"""Seconds within which everything is told: a rest, the next batch, its verdict, the UPO. Many more than that takes: a
server answers in its own time, not in that of the tests."""


class Step(StrEnum):
    """How far the sending of a batch came."""

    GIVEN = "KSeF gave a session, the hub has not noted it"
    NOTED = "the hub noted the session, no part has left"
    ARRIVED = "all parts arrived, the session is open"
    CLOSED = "the session is closed, the hub has not heard of it"


class BatchKsef(FakeGateway):
    """Batch sessions as agent.ksef.gateway tells of them: opened, filled, closed; decided, refused, lost, at work."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.stops_at: Step | None = None
        """There the next batch stays, for good."""
        self.stopped = asyncio.Event()
        self.refuses: int | None = None
        """With this code KSeF refuses each batch that it would decide."""
        self.works = False
        """KSeF goes on working on what is closed (150)."""
        self.parts: dict[str, tuple[Outgoing, ...]] = {}
        self.closed_sessions: set[str] = set()
        self._names = itertools.count(1)

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        session = f"SB-{next(self._names)}"
        self.parts[session] = ()
        await self._step(Step.GIVEN)
        await opened(session)
        await self._step(Step.NOTED)
        self.parts[session] = tuple(invoices)
        await self._step(Step.ARRIVED)
        self.closed_sessions.add(session)
        await self._step(Step.CLOSED)
        return session

    async def _step(self, step: Step) -> None:
        if self.stops_at is step:
            self.stops_at = None
            self.stopped.set()
            await asyncio.Event().wait()

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        if session_ref not in self.parts:
            raise KsefError("nie ma takiej sesji", outcome=CallOutcome.REFUSED, code=NO_SUCH_SESSION)
        if session_ref not in self.closed_sessions:
            if not self.parts[session_ref]:
                raise KsefError("brakuje części", outcome=CallOutcome.REFUSED, code=PARTS_MISSING)
            self.closed_sessions.add(session_ref)
            return None
        if self.works:
            return None
        if session_ref not in self._sessions:
            if self.refuses is not None:
                raise KsefError("KSeF odrzucił całą paczkę", outcome=CallOutcome.REFUSED, code=self.refuses)
            self._sessions[session_ref] = []
            for each in self.parts[session_ref]:
                self.sent.append(each)
                self._take(session_ref, each)
        return await super().batch_verdicts(session_ref)


@pytest.fixture(params=["sqlite", "postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HubWorld]:
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            store: HubStore = await stack.enter_async_context(sqlite_hub(tmp_path, clock, threaded=False))
        else:
            postgres: Postgres = request.getfixturevalue("postgres")
            store = await stack.enter_async_context(postgresql_hub(await postgres.database(), clock))
        world = await stack.enter_async_context(world_over(store, clock))
        world.gateway = BatchKsef(clock)
        await world.lead.release()
        await world.begin()
        yield world


@pytest.fixture
def ksef(hub: HubWorld) -> BatchKsef:
    assert isinstance(hub.gateway, BatchKsef)
    return hub.gateway


async def hand_over(hub: HubWorld) -> list[HubInvoice]:
    return [await hub.offer(f"FV-{1 + number % 2}/{number}") for number in range(COUNT)]


async def until(hub: HubWorld, condition: Callable[[], Awaitable[bool]]) -> None:
    """Let time pass until it holds."""
    for _ in range(LOOKS):
        if await condition():
            return
        await hub.clock.advance(1)
    raise AssertionError(f"not within {LOOKS} s")


async def until_all_are(hub: HubWorld, offered: Sequence[HubInvoice], state: HubState) -> None:
    async def reached() -> bool:
        return {(await hub.find(each)).state for each in offered} == {state}

    await until(hub, reached)


async def told(hub: HubWorld) -> list[Outcome]:
    return [*await hub.told("1"), *await hub.told("2")]


async def check(hub: HubWorld, offered: Sequence[HubInvoice]) -> None:
    """In the end each is in KSeF once, as it was handed over, and its till was told so once."""

    async def confirmed() -> bool:
        return len({each.sha256 for each in await told(hub) if each.kind is OutcomeKind.UPO}) == len(offered)

    await until(hub, confirmed)
    await hub.clock.advance(10)
    held = Counter(sha256 for _, sha256 in hub.gateway.ledger.values())
    assert held == Counter({each.sha256: 1 for each in offered})
    assert len(hub.gateway.sent) == len(offered), "nothing went twice"
    assert {(await hub.find(each)).state for each in offered} == {HubState.ACCEPTED}
    lines = await told(hub)
    for kind in (OutcomeKind.ACCEPTED, OutcomeKind.UPO):
        assert Counter(each.sha256 for each in lines if each.kind is kind) == held, kind
    assert {each.kind for each in lines} <= {OutcomeKind.SENT, OutcomeKind.DOUBT, OutcomeKind.ACCEPTED, OutcomeKind.UPO}


@pytest.mark.parametrize("step", Step)
async def test_a_hub_that_dies_while_it_sends_a_batch(hub: HubWorld, ksef: BatchKsef, step: Step) -> None:
    offered = await hand_over(hub)
    ksef.stops_at = step
    hub.start()

    async def stopped() -> bool:
        return ksef.stopped.is_set()

    await until(hub, stopped)
    await hub.take_over()
    await check(hub, offered)
    sessions = {(await hub.find(each)).session_ref for each in offered}
    assert (sessions == {"SB-1"}) is (step in {Step.ARRIVED, Step.CLOSED})


@pytest.mark.parametrize("taken_over", [False, True], ids=["the hub goes on", "another one takes over"])
@pytest.mark.parametrize("code", [FAILED, NO_SUCH_SESSION])
async def test_a_batch_that_ksef_refuses_whole_or_lost(
    hub: HubWorld, ksef: BatchKsef, code: int, *, taken_over: bool
) -> None:
    """It took nothing of it, so all of it goes again."""
    offered = await hand_over(hub)
    ksef.works = True
    hub.start()
    await until_all_are(hub, offered, HubState.SENT)
    if taken_over:
        await hub.take_over()
    ksef.works = False
    if code == NO_SUCH_SESSION:
        ksef.parts.clear()
    else:
        ksef.refuses = code
    await until_all_are(hub, offered, HubState.WAITING)
    ksef.refuses = None
    await check(hub, offered)


@pytest.mark.parametrize("taken_over", [False, True], ids=["the hub goes on", "another one takes over"])
async def test_a_batch_of_which_ksef_has_some_already(hub: HubWorld, ksef: BatchKsef, *, taken_over: bool) -> None:
    """The till sent some itself, or a hub did before it was restored from a copy: 440 with our bytes."""
    offered = await hand_over(hub)
    known = offered[::3]
    for serial, each in enumerate(known, start=901):
        number = ksef_number.make(NIP, date(2026, 11, 24), serial)
        ksef.ledger[NIP, "VAT", each.number] = number, each.sha256
    ksef.works = True
    hub.start()
    await until_all_are(hub, offered, HubState.SENT)
    if taken_over:
        await hub.take_over()
    ksef.works = False
    await check(hub, offered)
    for each in known:
        assert (await hub.find(each)).ksef_number == ksef.ledger[NIP, "VAT", each.number][0]


async def test_a_number_that_another_document_holds_stops_none_of_its_batch(hub: HubWorld, ksef: BatchKsef) -> None:
    offered = await hand_over(hub)
    taken = offered.pop(5)
    ksef.ledger[NIP, "VAT", taken.number] = ksef_number.make(NIP, date(2026, 11, 24), 901), bytes(32)
    hub.start()
    await until_all_are(hub, offered, HubState.ACCEPTED)
    await until_all_are(hub, [taken], HubState.REJECTED)
    lines = [each.kind for each in await told(hub) if each.sha256 == taken.sha256]
    assert lines == [OutcomeKind.SENT, OutcomeKind.DUPLICATE]


async def test_a_batch_that_ksef_works_on_for_hours_is_waited_for(hub: HubWorld, ksef: BatchKsef) -> None:
    """Also by the next hub; what comes meanwhile goes on, and nothing of it goes again."""
    offered = await hand_over(hub)
    ksef.works = True
    hub.start()
    await until_all_are(hub, offered, HubState.SENT)
    hub.clock.slept(timedelta(hours=3))
    await hub.clock.advance(10)
    await hub.take_over()
    press = await hub.offer("FV-1/press", urgent=3.0)
    await until_all_are(hub, [press], HubState.ACCEPTED)
    hub.clock.slept(timedelta(hours=3))
    await hub.clock.advance(10)
    await until_all_are(hub, offered, HubState.SENT)
    ksef.works = False
    await check(hub, [*offered, press])
    assert list(ksef.parts) == ["SB-1"]
