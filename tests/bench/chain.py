"""A large chain, simulated: 3,000 tills x 30 invoices an hour, KSeF's production limits, the clock of the tests.

The hub's use cases and its store are the real ones; KSeF is a fake whose calls are counted by the sandbox's limits. A
batch is decided a minute after it was sent. Nothing goes over HTTP, and signs of life are not in it (``hub`` measures
them). ``CHAIN_MINUTES`` is how long tills press: 5, or 60 for the figures of docs/hub.md.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agent.hub.courier.courier import NipCourier
from agent.hub.domain.records import HubInvoice
from agent.hub.domain.states import HubState
from agent.hub.settings.model import CourierSettings
from agent.ksef.limits import Group
from agent.ports import Verdict
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import NIP
from tests.fakes.hub_world import HubWorld, hub_world
from tests.unit.hub.test_fair_shares import LimitedGateway

TILLS, HOURLY = 3000, 30
PRESS_SHARE = 0.1
"""Of the invoices, those for which somebody waits at the counter; the others come from tills that prefer offline24."""
BUDGET_SECONDS = 3.0
DECIDED_AFTER = 60.0
STEP = 1.0
SETTLING_STEP = 10.0
"""Seconds between two looks at what is open, once nobody presses any more."""


class CountingGateway(LimitedGateway):
    """Counts calls by their group, and takes a minute to decide a batch."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.calls: Counter[str] = Counter()
        self._opened: dict[str, float] = {}

    async def _counted(self, group: Group, call: Callable[[], Awaitable[Any]]) -> Any:
        self.calls[group.value] += 1
        return await super()._counted(group, call)

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        self.calls["batch status"] += 1
        opened = self._opened.setdefault(session_ref, self.clock.monotonic())
        return await super().batch_verdicts(session_ref) if self.clock.monotonic() - opened >= DECIDED_AFTER else None


async def rush(world: HubWorld, minutes: int) -> tuple[list[HubInvoice], float]:
    """Press at random moments at random tills; return the invoices, and seconds until the last had its number."""
    chance, count = random.Random(1), TILLS * HOURLY * minutes // 60
    presses = sorted(chance.uniform(0, minutes * 60) for _ in range(count))
    numbers: Counter[int] = Counter()
    begun = world.clock.monotonic()
    made = []
    for at in presses:
        while world.clock.monotonic() - begun < at:
            await world.clock.advance(STEP)
        till = chance.randrange(2, TILLS + 2)
        numbers[till] += 1
        urgent = BUDGET_SECONDS if chance.random() < PRESS_SHARE else 0.0
        made.append(await world.offer(f"FV-{till}/{numbers[till]}", urgent=urgent))
    while await world.store.read(lambda tx: tx.fleet.open_counts()):
        await world.clock.advance(SETTLING_STEP)
    return [await world.find(each) for each in made], world.clock.monotonic() - begun - minutes * 60


async def measure(folder: Path, minutes: int) -> None:
    """Simulate and print."""
    async with hub_world(folder) as world:
        gateway = CountingGateway(world.clock)
        world.gateway = gateway
        settings = CourierSettings()
        world.courier = NipCourier(NIP, world.lead, world.store, gateway, clock=world.clock, settings=settings)
        for till in range(1, TILLS + 2):
            await world.till(str(till))
        world.start()
        begun, spent = time.monotonic(), time.process_time()
        made, after = await rush(world, minutes)
        print(f"{len(made):,} invoices of {TILLS:,} tills in {minutes} minutes")
        print(f"  all with their number {after:.0f} s after the last press: {tell(made)}")
        print(f"  calls: {', '.join(f'{name} {count}' for name, count in sorted(gateway.calls.items()))}")
        print(f"  answers 429: {gateway.judge.refused}; in KSeF {len(gateway.ledger):,}, sent {len(gateway.sent):,}")
        seconds = time.process_time() - spent
        each = seconds / len(made) * 1000
        print(f"  processor time, fake KSeF and documents included: {seconds:.0f} s, {each:.1f} ms an invoice")
        print(f"  {await world.store.size() / 1e6:.0f} MB of database, took {time.monotonic() - begun:.0f} s")
        print(f"  peak of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def tell(made: list[HubInvoice]) -> str:
    """Return the delays from intake to the number, of who waits and of the others."""
    assert {each.state for each in made} == {HubState.ACCEPTED}
    parts = []
    for label, group in (
        ("waited for", [each for each in made if each.urgent_until is not None]),
        ("not waited for", [each for each in made if each.urgent_until is None]),
    ):
        delays = [(each.accepted_at - each.received_at).total_seconds() for each in group if each.accepted_at]
        cuts = statistics.quantiles(delays, n=100)
        parts.append(f"{label} p50 {cuts[49]:.0f} s, p99 {cuts[98]:.0f} s, longest {max(delays):.0f} s")
    return "; ".join(parts)


def main() -> None:
    """Run."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), int(os.environ.get("CHAIN_MINUTES", "5"))))


if __name__ == "__main__":
    main()
