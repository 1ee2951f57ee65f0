"""Five tills of one NIP under KSeF's production limits, 20 presses a minute in all: the hour is shared live.

KSeF's side is counted by the sandbox's own limits, which share no code with the budget that is tested.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from agent.hub.courier.courier import NipCourier
from agent.hub.domain.records import HubInvoice
from agent.hub.domain.states import HubState
from agent.hub.settings.model import CourierSettings
from agent.ksef.limits import Group, RateBudget
from agent.ports import Outgoing, SendBudget, SessionRef, Upo, UpoPage, Verdict
from agent.sandbox.ksef.limits import PRODUCTION, RateLimits
from agent.sandbox.ksef.state import Behaviour
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_stores import NIP
from tests.fakes.hub_world import HubWorld, hub_world

TILLS, PER_MINUTE, BUDGET_SECONDS, STEP = 5, 20, 3.0, 0.25
MINUTES = 11
"""More presses than an hour's sends."""
HOURLY = 180
"""Single sends that KSeF allows in an hour."""


class LimitedGateway(FakeGateway):
    """KSeF with its limits: our budget holds calls back, KSeF's count refuses what comes all the same."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self._budget = RateBudget(clock)
        self.judge = RateLimits(cast(Any, clock), Behaviour(), cast(Any, None), PRODUCTION)

    async def _counted(self, group: Group, call: Callable[[], Awaitable[Any]]) -> Any:
        async with self._budget.place(group):
            self.judge.count(group, NIP)
            self.judge.count("global", NIP)
            await self.clock.sleep(0.1)
            return await call()

    def budget(self) -> SendBudget:
        return self._budget.sends()

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        sent: str = await self._counted(Group.INVOICE_SEND, lambda: FakeGateway.send(self, session, invoice))
        return sent

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        found: Verdict = await self._counted(
            Group.INVOICE_STATUS, lambda: FakeGateway.status(self, session_ref, invoice_ref)
        )
        return found

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        opened_as: str = await self._counted(
            Group.BATCH_SESSION, lambda: FakeGateway.open_batch(self, invoices, opened)
        )
        return opened_as

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        found: Upo = await self._counted(
            Group.SESSION_MISC, lambda: FakeGateway.upo(self, session_ref, invoice_ref, ksef_number)
        )
        return found

    async def session_upo(self, session_ref: str, *, close: bool) -> tuple[UpoPage, ...] | None:
        found: tuple[UpoPage, ...] | None = await self._counted(
            Group.SESSION_MISC, lambda: FakeGateway.session_upo(self, session_ref, close=close)
        )
        return found


async def sell(world: HubWorld, minutes: int, seed: int) -> list[HubInvoice]:
    """Press at random moments, the busy desk twice as often as the others, then let everything arrive."""
    chance = random.Random(seed)
    desks = ["1", *(str(till) for till in range(1, TILLS + 1))]
    presses = sorted(chance.uniform(0, minutes * 60) for _ in range(minutes * PER_MINUTE))
    counts: Counter[str] = Counter()
    made: list[HubInvoice] = []
    passed = 0.0
    for at in presses:
        while passed < at:
            await world.clock.advance(STEP)
            passed += STEP
        till = chance.choice(desks)
        counts[till] += 1
        made.append(await world.offer(f"FV-{till}/{counts[till]}", urgent=BUDGET_SECONDS))
    await world.catch_up()
    return [await world.find(each) for each in made]


def online(invoice: HubInvoice) -> bool:
    """Whether the number was there while the customer waited."""
    accepted, until = invoice.accepted_at, invoice.urgent_until
    return accepted is not None and until is not None and accepted <= until


@pytest.mark.nightly
async def test_the_hour_is_used_by_whoever_presses_and_ksef_refuses_nothing(tmp_path: Path) -> None:
    async with hub_world(tmp_path) as world:
        gateway = LimitedGateway(world.clock)
        world.gateway = gateway
        settings = CourierSettings(batch_from=10)
        world.courier = NipCourier(NIP, world.lead, world.store, gateway, clock=world.clock, settings=settings)
        world.start()
        await world.clock.advance(1.0)
        made = await sell(world, MINUTES, seed=17)
        assert gateway.judge.refused == 0, "no 429"
        assert {each.state for each in made} == {HubState.ACCEPTED}
        assert len(gateway.ledger) == len(made) == len(gateway.sent), "each once"
        numbered = [each for each in made if online(each)]
        assert len(numbered) >= 0.95 * HOURLY, (len(numbered), len(made))
        shares: dict[int, list[bool]] = defaultdict(list)
        for each in made:
            shares[each.till_id].append(online(each))
        least, most = sorted(sum(each) / len(each) for each in shares.values())[:: len(shares) - 1]
        assert least >= 0.5 * most, f"starved: {shares}"
