"""systemd's watchdog of the hub: fed while couriers, the way to the lead, and the tills' way into the store go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import pytest

from agent.domain.errors import Unavailable
from agent.hub.courier import courier, couriers, presses
from agent.hub.courier.couriers import Couriers
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.hub.services import announcements, intake_probe
from agent.hub.services.announcements import Announcements
from agent.hub.services.intake_probe import IntakeProbe
from agent.ports import LatarniaReading
from agent.services import heartbeats
from agent.services.heartbeats import Heartbeats
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_stores import NIP, seller_and_till, sqlite_hub

T = TypeVar("T")
ROUND = 5.0
"""Seconds of every loop here, so that little time has to pass."""
LONG = 40.0
"""More than any of them may take."""


class Hanging:
    """What never ends: names of calls."""

    def __init__(self) -> None:
        self.hangs: set[str] = set()
        self.refusal: Unavailable | None = None

    async def go(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        if self.refusal is not None:
            raise self.refusal
        if name in self.hangs:
            await asyncio.Event().wait()
        return await work()


class HangingGateway(FakeGateway):
    """A KSeF whose sign of life may never come, also where the adapter should have given up."""

    def __init__(self, clock: FakeClock, hanging: Hanging) -> None:
        super().__init__(clock)
        self._hanging = hanging

    async def probe(self) -> float:
        return await self._hanging.go("probe", super().probe)


class HangingStore:
    """A store whose units may never end."""

    def __init__(self, store: HubStore, hanging: Hanging) -> None:
        self._store = store
        self._hanging = hanging

    async def read(self, work: Callable[[HubTransaction], Awaitable[T]]) -> T:
        return await self._hanging.go("read", lambda: self._store.read(work))

    async def write(self, work: Callable[[HubTransaction], Awaitable[T]]) -> T:
        return await self._hanging.go("write", lambda: self._store.write(work))

    async def lead(self, name: str) -> Leadership | None:
        lead = await self._hanging.go("lead", lambda: self._store.lead(name))
        return lead and cast(Leadership, HangingLeadership(lead, self._hanging))

    def changed(self, channel: str) -> asyncio.Future[None]:
        return self._store.changed(channel)


class HangingLeadership:
    """The right to talk to KSeF, whose units may never end."""

    def __init__(self, lead: Leadership, hanging: Hanging) -> None:
        self._hanging = hanging
        self._lead = lead
        self.lost, self.release = lead.lost, lead.release

    async def write(self, work: Callable[[HubTransaction], Awaitable[T]]) -> T:
        return await self._hanging.go("write", lambda: self._lead.write(work))


class Latarnia:
    async def read(self) -> LatarniaReading:
        return LatarniaReading("{}", "[]", FakeClock().now())


class Watched:
    """The loops of a hub with one NIP, over a store and a KSeF that may hang."""

    def __init__(self, store: HubStore, clock: FakeClock) -> None:
        self.clock = clock
        self.hanging = Hanging()
        self.gateway = HangingGateway(clock, self.hanging)
        self.heartbeats = Heartbeats(clock)
        used = cast(HubStore, HangingStore(store, self.hanging))
        self.couriers = Couriers(used, clock, lambda _: self.gateway, heartbeats=self.heartbeats)
        self.latarnia = Announcements(used, Latarnia(), clock, partial(self.heartbeats.beat, "latarnia"))
        self.probe = IntakeProbe(used, clock, partial(self.heartbeats.beat, "intake"))
        self.heartbeats.expect("latarnia", ROUND)
        self.heartbeats.expect("intake", ROUND)

    async def led(self) -> None:
        while NIP not in self.couriers.couriers:
            await self.clock.advance(2)

    async def standing(self) -> set[str]:
        """Let time pass; return what stands still then."""
        await self.clock.advance(LONG)
        return set(self.heartbeats.silent())


@asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    monkeypatch.setattr(heartbeats, "LEAST_SECONDS", ROUND)
    monkeypatch.setattr(presses, "IDLE_SECONDS", ROUND)
    monkeypatch.setattr(courier, "PROBE_SECONDS", ROUND)
    monkeypatch.setattr(courier, "ROUND_SECONDS", dict.fromkeys(courier.ROUND_SECONDS, ROUND))
    monkeypatch.setattr(couriers, "WRONG_SECONDS", ROUND)
    monkeypatch.setattr(announcements, "POLL_SECONDS", ROUND)
    monkeypatch.setattr(intake_probe, "PROBE_SECONDS", ROUND)
    clock = FakeClock()
    async with sqlite_hub(tmp_path, clock, threaded=False) as store:
        await seller_and_till(store)
        yield Watched(store, clock)


async def test_at_rest_and_without_a_line_to_ksef_it_is_alive(hub: Watched) -> None:
    async with running(hub.couriers.run, hub.latarnia.run, hub.probe.run):
        await hub.led()
        assert await hub.standing() == set()
        hub.gateway.up = False
        assert await hub.standing() == set()


@pytest.mark.parametrize(
    ("call", "standing"),
    [
        ("probe", {f"{NIP} link"}),
        ("read", {"couriers", f"{NIP} presses", f"{NIP} backlog", f"{NIP} upo"}),
        ("write", {"intake", "latarnia", f"{NIP} news"}),
    ],
)
async def test_what_never_ends_is_found_by_the_loops_that_stand(hub: Watched, call: str, standing: set[str]) -> None:
    async with running(hub.couriers.run, hub.latarnia.run, hub.probe.run):
        await hub.led()
        hub.hanging.hangs.add(call)
        hub.gateway.sends_left -= 1  # so that the till's news have something to write down
        assert await hub.standing() == standing


async def test_a_lead_that_is_neither_given_nor_refused_is_found(hub: Watched) -> None:
    hub.hanging.hangs.add("lead")
    async with running(hub.couriers.run, hub.latarnia.run, hub.probe.run):
        assert await hub.standing() == {f"{NIP} lead", "latarnia"}


async def test_a_process_that_does_not_lead_has_no_courier_that_could_stand(hub: Watched) -> None:
    async with running(hub.latarnia.run, hub.probe.run):
        async with running(hub.couriers.run):
            await hub.led()
        assert await hub.standing() == {"couriers"}, "that loop itself has ended, and ends the service"


@pytest.mark.parametrize(
    ("code", "alive"), [("store-unreachable", True), ("disk-full", True), ("hub-busy", False), ("", True)]
)
async def test_a_database_that_is_away_is_waited_for_one_that_is_always_busy_is_not(
    hub: Watched, code: str, alive: bool
) -> None:
    hub.hanging.refusal = Unavailable("nie teraz", code=code) if code else None
    async with running(hub.couriers.run, hub.latarnia.run, hub.probe.run):
        assert await hub.standing() == (set() if alive else {"intake"})
