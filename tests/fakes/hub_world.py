"""A hub without servers: real store and use cases, fake clock and KSeF. Tills are what tests hand over."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from agent.hub.courier.courier import NipCourier
from agent.hub.domain.offers import read_offer
from agent.hub.domain.records import Cursor, HubInvoice, Outcome, Till
from agent.hub.domain.states import OPEN
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.hub.services.intake import Intake
from agent.hub.services.outcomes import Outcomes
from agent.hub.settings.model import CourierSettings
from agent.hub_contract.offers import Claims
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_stores import NIP, sqlite_hub, token
from tests.unit.sandbox.sandbox_client import invoice as fa3

DEADLINE = date(2026, 11, 25)


@dataclass
class HubWorld:
    """All parts, for tests to look into."""

    clock: FakeClock
    store: HubStore
    gateway: FakeGateway
    lead: Leadership
    courier: NipCourier
    intake: Intake
    outcomes: Outcomes
    tills: dict[str, Till] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None

    async def till(self, name: str = "1", *, nip: str = NIP) -> Till:
        """Return the till of that name, added where it is new; its series is FV-name."""
        if name not in self.tills:

            async def work(tx: HubTransaction) -> Till:
                if nip not in {each.nip for each in await tx.parties.sellers()}:
                    await tx.parties.add_seller(nip, "Sklep", {})
                series = (f"FV-{name}", f"FK-{name}")
                return await tx.parties.add_till(nip, name, f"Sklep {name}", series, token(name))

            self.tills[name] = await self.store.write(work)
        return self.tills[name]

    async def offer(self, number: str, *, till: str | None = None, urgent: float = 0.0, **claims: Any) -> HubInvoice:
        """Hand an invoice over; its till is the one its number names (FV-2/1: till 2)."""
        name = till or number.removeprefix("FV-").removeprefix("FK-").split("/")[0]
        more = {key: claims.pop(key) for key in ("issued_on", "seller") if key in claims}
        xml = claims.pop("xml", None) or fa3(number, **more)
        given = Claims(**{"offline": urgent <= 0, "group": "g", "deadline": DEADLINE, "urgent": urgent, **claims})
        place = await self.till(name)
        read = read_offer(place, hashlib.sha256(xml).digest(), xml, given, self.clock.now())
        return await self.intake.take(place, read)

    async def find(self, invoice: HubInvoice) -> HubInvoice:
        return await self.store.read(lambda tx: tx.invoices.get(invoice.sha256))

    async def told(self, name: str = "1") -> list[Outcome]:
        """Return everything a till was told, oldest first."""
        till = await self.till(name)
        return (await self.store.read(lambda tx: tx.outcomes.after(till.id, Cursor(), 100_000)))[0]

    async def kinds(self, name: str = "1") -> list[str]:
        return [each.kind.value for each in await self.told(name)]

    def start(self) -> None:
        """Let the courier work."""
        self.task = asyncio.create_task(self.courier.run(), name="courier")

    async def stop(self) -> None:
        """Let it die where it is, as a killed process would."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def take_over(self) -> None:
        """Let another process lead: a new courier with nothing in memory."""
        await self.stop()
        await self.lead.release()
        await self.begin()
        self.start()

    async def begin(self) -> None:
        """Take the lead with a new courier."""
        lead = await self.store.lead(NIP)
        assert lead is not None
        self.lead = lead
        self.courier = NipCourier(
            NIP, lead, self.store, self.gateway, clock=self.clock, settings=CourierSettings(batch_from=10)
        )

    async def catch_up(self, minutes: int = 240) -> None:
        """Let time pass until nothing is open."""
        end = self.clock.now() + timedelta(minutes=minutes)
        while self.clock.now() < end:
            await self.clock.advance(2.0)
            if not await self.open():
                return
        raise AssertionError(f"still open: {(await self.open())[:3]}")

    async def open(self) -> list[HubInvoice]:
        async def work(tx: HubTransaction) -> list[HubInvoice]:
            return [each for state in OPEN for each in await tx.invoices.in_state(NIP, state, 100_000)]

        return await self.store.read(work)


@asynccontextmanager
async def hub_world(folder: Path, *, clock: FakeClock | None = None) -> AsyncIterator[HubWorld]:
    """Assemble; the courier stands until start()."""
    clock = clock or FakeClock()
    async with sqlite_hub(folder, clock, threaded=False) as store, world_over(store, clock) as world:
        yield world


@asynccontextmanager
async def world_over(store: HubStore, clock: FakeClock, *, batch_from: int = 10) -> AsyncIterator[HubWorld]:
    """Assemble over a store that is open."""
    gateway = FakeGateway(clock)
    lead = await store.lead(NIP)
    assert lead is not None
    courier = NipCourier(NIP, lead, store, gateway, clock=clock, settings=CourierSettings(batch_from=batch_from))
    world = HubWorld(clock, store, gateway, lead, courier, Intake(store), Outcomes(store, clock))
    try:
        yield world
    finally:
        await world.stop()
