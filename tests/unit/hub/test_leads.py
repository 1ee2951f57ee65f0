"""Who leads a NIP once a process can no longer sign in for it, over both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.domain.errors import ConfigError
from agent.hub.courier.couriers import ENDED_SECONDS, WRONG_SECONDS, Couriers
from agent.hub.ports import HubStore
from agent.hub.services.fleet import Fleet
from agent.hub.settings.model import FleetSettings
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_stores import NIP, postgresql_hub, seller_and_till, sqlite_hub

LOOKS = 500


class Process:
    """What a process of the hub leads, with a certificate that may end; files can hold a newer one."""

    def __init__(self, store: HubStore, clock: FakeClock, ends: datetime | None) -> None:
        self.clock = clock
        self.in_files = ends
        self.gateways: list[FakeGateway] = []
        self.couriers = Couriers(store, clock, lambda _: self._open())

    def _open(self) -> FakeGateway:
        if self.in_files is not None and self.in_files <= self.clock.now():
            raise ConfigError(("Certyfikat stracił ważność.",))
        gateway = FakeGateway(self.clock)
        gateway.works_until = self.in_files
        self.gateways.append(gateway)
        return gateway

    @property
    def leads(self) -> bool:
        return NIP in self.couriers.couriers

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.couriers.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[HubStore]:
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            yield await stack.enter_async_context(sqlite_hub(tmp_path, clock))
        else:
            dsn = await request.getfixturevalue("postgres").database()
            yield await stack.enter_async_context(postgresql_hub(dsn, clock))


async def passes(clock: FakeClock, seconds: float) -> None:
    """Let time pass by steps, each with time for the database."""
    for _ in range(int(seconds)):
        await clock.advance(1)
        await asyncio.sleep(0.002)


async def until(clock: FakeClock, seen: Callable[[], bool]) -> None:
    """Let time pass until something is so."""
    for _ in range(LOOKS):
        if seen():
            return
        await passes(clock, 1)
    raise AssertionError("it never came")


async def test_a_leader_whose_certificate_ends_gives_the_lead_to_one_whose_holds(
    store: HubStore, clock: FakeClock
) -> None:
    await seller_and_till(store)
    ends = clock.now() + timedelta(minutes=2)
    first, second = Process(store, clock, ends), Process(store, clock, None)
    async with first.running():
        await until(clock, lambda: first.leads)
        async with second.running():
            await until(clock, lambda: second.leads)
            assert clock.now() >= ends
            await until(clock, lambda: first.gateways[0].closed and not first.leads)
            await passes(clock, WRONG_SECONDS)
            assert second.leads
            assert len(first.gateways) == 1, "it did not lead again"


async def test_alone_it_says_what_is_wrong_and_leads_again_with_a_new_pair(store: HubStore, clock: FakeClock) -> None:
    await seller_and_till(store)
    alone = Process(store, clock, clock.now() + timedelta(seconds=ENDED_SECONDS))
    async with alone.running():
        await until(clock, lambda: alone.leads)
        await until(clock, lambda: NIP in alone.couriers.wrong and not alone.leads)
        view = await Fleet(store, clock, FleetSettings(), "1.0").look()
        said = {each.code: each.text for each in view.troubles}
        assert "stracił ważność" in said["ksef-down"]
        alone.in_files = clock.now() + timedelta(days=700)
        await until(clock, lambda: alone.leads)
        assert alone.couriers.wrong == {}
