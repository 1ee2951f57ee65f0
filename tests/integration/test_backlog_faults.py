"""A backlog whose recovery is disturbed (docs/reliability.md, section 3: I1, I2, I6, I7; by deadline).

A seed draws how the backlog is spread over its days, which invoices KSeF refuses or cancels, which calls meet a 429 and
when, what KSeF forgets meanwhile, and at which call of which port the process is killed, five times. Then nothing
disturbs any more, and KSeF has everything. Production limits, real gateway, sandbox and store; only time is not real.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord, Mode
from agent.ports import InvoiceFilter
from agent.sandbox.ksef.state import Mood
from agent.services.delivery import batches
from tests.crash.test_port_points import CrashPoint
from tests.fakes.port_death import GATEWAY_CALLS
from tests.fakes.seeds import Note, drawn
from tests.fakes.world import World
from tests.integration.test_backlog import Shop, check, close_day, shop, work

T = TypeVar("T")
SMALL, LARGE = 500, 10_000
"""Invoices."""
KILLS = 5
CALLS_BETWEEN_KILLS = 400
"""Of ports, at most: a press makes some eight, an invoice of a batch is a fraction of one."""
BETWEEN_PRESSES = 20.0
"""Seconds."""
STILL_DUE = 900.0
"""Seconds that a process lives at most where its call does not come."""
STORMS = ("auth", "open", "send", "status", "batch", "close", "upo")
LATEST = "9999"
"""After every deadline."""
LONGEST_PRESS = 4.0
"""Seconds of the clock that moves."""


@dataclass
class Disturbed:
    """One seed."""

    shop: Shop
    seed: int
    backlog: int
    draw: random.Random = field(init=False)
    hashes: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Number and hash of each invoice as its press was answered."""
    last_event: int = 0
    """Of the outage."""
    kills: int = 0
    refused: int = 0
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)

    async def run(self) -> None:
        """An outage, a recovery with five kills, and the end of it."""
        async with self.shop.till() as place:
            await self.outage(place)
        self.plan_verdicts()
        await self.shop.sandbox.plan("*", "none")
        while self.kills < KILLS:
            await self.one_process()
        sandbox = self.shop.sandbox
        sandbox.behaviour.maintenance = False
        await sandbox.plan("*", "none")
        async with self.shop.till() as place:
            self.remember(await self.shop.press(place))  # by the key of the press that the last kill may have cut short
            await close_day(place)
            await check(self.shop, place)
            await self.check_order(place)
            await self.check_identities(place)
        assert self.shop.longest_press < LONGEST_PRESS

    async def outage(self, place: World) -> None:
        """Press offline, through one to four days."""
        await self.shop.sandbox.plan("*", "refuse")
        nights = sorted(self.draw.randrange(self.backlog) for _ in range(self.draw.randrange(4)))
        for number in range(self.backlog):
            for _ in range(nights.count(number)):
                await self.shop.clock.sleep(self.draw.uniform(6.0, 24.0) * 3600)
            record = await self.shop.press(place)
            assert record.mode is Mode.OFFLINE24
            self.remember(record)
        self.last_event = await place.store.read(lambda tx: tx.events.newest())
        self.done.append(f"nights before {nights}")

    def plan_verdicts(self) -> None:
        """One in a hundred is refused, as many are cancelled by KSeF and taken the next time."""
        names = self.draw.choices(("none", "450", "550"), (98, 1, 1), k=self.backlog)
        self.refused = names.count("450")
        self.shop.sandbox.sessions.moods.extend(Mood(name) for name in names)

    async def one_process(self) -> None:
        """A start, disturbances, presses, and death at a drawn call of a port."""
        at, after = self.draw.randrange(1, CALLS_BETWEEN_KILLS), self.draw.random() < 0.5
        crash = CrashPoint(at, after=after)
        await self.disturb()
        async with self.shop.till() as place:
            arm(crash, place)
            recovering = asyncio.ensure_future(work(place, STILL_DUE))
            try:
                while not crash.died.is_set() and not recovering.done():
                    record = await self.until_dead(crash, self.shop.press(place))
                    if record is not None:
                        self.remember(record)
                        await self.until_dead(crash, self.shop.clock.sleep(BETWEEN_PRESSES))
            finally:
                recovering.cancel()
                await asyncio.gather(recovering, return_exceptions=True)
                await self.shop.sandbox.plan("ksef", "refuse")  # a killed process closes no session
        await self.shop.sandbox.plan("ksef", "none")
        self.kills += 1
        self.done.append(f"killed {'after' if after else 'before'} call {at}: {crash.died.is_set()}")

    async def disturb(self) -> None:
        """Storms of 429, and what KSeF forgets."""
        sandbox = self.shop.sandbox
        for call in self.draw.sample(STORMS, self.draw.randrange(1, 4)):
            times, seconds = self.draw.choice((1, 2, 4)), self.draw.choice((2.0, 30.0, 120.0))
            await sandbox.plan(call, "429", times, seconds)
            self.done.append(f"{times} x {call}:429 {seconds:g} s")
        if self.draw.random() < 0.5:
            sandbox.rotate_keys()
        if self.draw.random() < 0.5:
            sandbox.expire_sessions()
        sandbox.behaviour.maintenance = self.draw.random() < 0.2

    async def until_dead(self, crash: CrashPoint, doing: Awaitable[T]) -> T | None:
        """Await it; None where the process died first."""
        task = asyncio.ensure_future(doing)
        death = asyncio.ensure_future(crash.died.wait())
        await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
        answered = task.done()
        task.cancel()
        death.cancel()
        await asyncio.gather(task, death, return_exceptions=True)
        return task.result() if answered else None

    def remember(self, record: InvoiceRecord) -> None:
        self.hashes[record.id] = (record.number, record.sha256)

    async def check_identities(self, place: World) -> None:
        """I7: what was not refused has the number and the bytes of its press."""
        records = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=100_000)))
        firsts = {record.id: (record.number, record.sha256) for record in records if record.version == 1}
        assert firsts.items() <= self.hashes.items()
        assert len(records) - len(firsts) <= self.refused

    async def check_order(self, place: World) -> None:
        """The first time an invoice of the backlog leaves, in a batch or alone, none with a nearer deadline stays.

        But for those that rest after an attempt that failed: the others do not wait for them.
        """
        outage = set(self.shop.pressed[: self.backlog])
        records = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=100_000)))
        staying = {record.id: str(record.deadline) for record in records if record.id in outage}
        assert len(staying) == self.backlog
        resting: set[str] = set()
        due = Counter(staying.values())
        for event in await place.store.read(lambda tx: tx.events.after(self.last_event, 10_000_000)):
            name = event.invoice_id
            if name not in staying or event.kind not in {EventKind.SEND_FAILED, EventKind.SENDING}:
                continue
            if name not in resting:
                resting.add(name)
                due -= Counter([staying[name]])
            if event.kind == EventKind.SENDING:
                assert staying.pop(name) <= min(due, default=LATEST), f"{name} left before a nearer deadline"
        assert not staying


def arm(crash: CrashPoint, place: World) -> None:
    """Let the process die at a call of KSeF, of the printer or of the store."""
    for name in GATEWAY_CALLS:
        setattr(place.gateway, name, crash.wrap(getattr(place.gateway, name)))
    place.printer.print = crash.wrap(place.printer.print)  # type: ignore[method-assign, assignment]
    place.store.write = crash.wrap(place.store.write)  # type: ignore[method-assign, assignment]


async def live_through(folder: Path, seed: int, backlog: int) -> Disturbed:
    async with shop(folder) as the:
        disturbed = Disturbed(the, seed, backlog)
        try:
            await disturbed.run()
        except BaseException as error:
            error.add_note(f"seed {seed}: {'; '.join(disturbed.done)}")
            raise
        return disturbed


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(3)))
async def test_a_disturbed_recovery(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, record_property: Note
) -> None:
    monkeypatch.setattr(batches, "LARGEST", 60)
    tell(await live_through(tmp_path, seed, SMALL), record_property)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(1)))
async def test_a_disturbed_recovery_of_ten_thousand(tmp_path: Path, seed: int, record_property: Note) -> None:
    tell(await live_through(tmp_path, seed, LARGE), record_property)


def tell(disturbed: Disturbed, record_property: Note) -> None:
    record_property("invoices", len(disturbed.shop.pressed))
    record_property("kills", disturbed.kills)
    record_property("refused", disturbed.refused)
