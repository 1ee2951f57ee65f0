"""Death before and after every port call of a scenario (docs/reliability.md: I1-I4, I6-I8).

The process "dies" at the n-th call of KSeF, printer or store: from then on every port is silent, nothing more of the
old run counts, and a new run starts on the same database, KSeF and printer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.domain.fa3.view.read import read
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import Outcome, Transaction
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.port_death import GATEWAY_CALLS
from tests.fakes.printer import FakePrinter
from tests.fakes.world import CASHIER, World, sale, settings, world

T = TypeVar("T")


class CrashPoint:
    """Counts port calls; at the chosen one the process dies, before or after the call's effect."""

    def __init__(self, at: int | None, *, after: bool) -> None:
        self.at = at
        self.after = after
        self.calls = 0
        self.died = asyncio.Event()

    def wrap(self, call: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        async def wrapped(*args: Any, **kwargs: Any) -> T:
            if self.died.is_set():
                await asyncio.Event().wait()
            self.calls += 1
            mine = self.calls == self.at
            if mine and not self.after:
                await self._die()
            result = await call(*args, **kwargs)
            if mine:
                await self._die()
            return result

        return wrapped

    async def _die(self) -> None:
        self.died.set()
        await asyncio.Event().wait()

    def arm(self, place: World) -> None:
        for name in GATEWAY_CALLS:
            setattr(place.gateway, name, self.wrap(getattr(FakeGateway, name).__get__(place.gateway)))
        place.printer.print = self.wrap(FakePrinter.print.__get__(place.printer))  # type: ignore[method-assign, assignment]
        place.store.write = self.wrap(place.store.write)  # type: ignore[method-assign, assignment]


def clear(gateway: FakeGateway) -> None:
    for name in GATEWAY_CALLS:
        gateway.__dict__.pop(name, None)


Scenario = Callable[[World], Awaitable[None]]


async def press(place: World, key: str, **changes: Any) -> None:
    task = asyncio.ensure_future(counter.sale(place, json.dumps(sale(**changes)).encode(), key, CASHIER))
    while not task.done():
        await place.clock.advance(0.2)
    await task


async def online(place: World) -> None:
    await press(place, "a")
    await press(place, "b")


async def offline_then_sync(place: World) -> None:
    place.gateway.up = False
    await press(place, "a")
    await press(place, "b")
    place.gateway.up = True
    await place.catch_up()


async def lost_answers(place: World) -> None:
    place.gateway.lost_answers = 2
    await press(place, "a")
    await press(place, "b")
    await place.catch_up()


async def backlog_by_batch(place: World) -> None:
    place.gateway.up = False
    for key in "abcd":
        await press(place, key)
    place.gateway.up = True
    await place.catch_up()


async def held_correction(place: World) -> None:
    place.gateway.up = False
    await press(place, "a")
    record = (await place.invoices.queue()).invoices[0].record
    body = json.dumps({"kind": "full_return", "reason": "zwrot"}).encode()
    task = asyncio.ensure_future(counter.correct(place, record.id, body, "k", CASHIER))
    while not task.done():
        await place.clock.advance(0.2)
    await task
    place.gateway.up = True
    await place.catch_up()


SCENARIOS: dict[str, Scenario] = {
    "online": online,
    "offline_then_sync": offline_then_sync,
    "lost_answers": lost_answers,
    "backlog_by_batch": backlog_by_batch,
    "held_correction": held_correction,
}


@dataclass
class Run:
    """What outlives a death: the authority, the paper that came out, time."""

    clock: FakeClock
    gateway: FakeGateway
    papers: list[bytes]


async def live_and_die(
    tmp_path: Path, scenario: Scenario, at: int | None, *, after: bool, printer: Sequence[Outcome] = ()
) -> tuple[Run, int]:
    """Run the scenario until the chosen call; return what outlives it and how many calls there were."""
    clock = FakeClock()
    gateway = FakeGateway(clock)
    base = settings(tmp_path)
    given = replace(base, ksef=replace(base.ksef, batch_from=3))
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        place.printer.plan.extend(printer)
        crash_point = CrashPoint(at, after=after)
        crash_point.arm(place)
        life = asyncio.ensure_future(scenario(place))
        death = asyncio.ensure_future(crash_point.died.wait())
        await asyncio.wait({life, death}, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            life.result()
        for task in (life, death):
            task.cancel()
        await asyncio.gather(life, death, return_exceptions=True)
        papers = place.printer.papers
    clear(gateway)
    return Run(clock, gateway, papers), crash_point.calls


async def rise_and_check(tmp_path: Path, run: Run) -> None:
    run.gateway.up = True
    async with world(tmp_path, clock=run.clock, gateway=run.gateway) as place:
        await place.catch_up()
        records = await place.store.read(everything)
        assert all(record.state is InvoiceState.ACCEPTED for record in records), records
        ledger = {number: sha256 for (_, _, number), (_, sha256) in run.gateway.ledger.items()}
        assert ledger == {record.number: record.sha256 for record in records}
        for series in {record.series for record in records}:
            serials = sorted(record.serial for record in records if record.series == series and record.serial)
            assert serials == list(range(1, len(serials) + 1))
        for record in records:
            assert read(record.xml).number == record.number
            jobs = await place.invoices.prints(record.id)
            assert all(job.state in {PrintState.PRINTED, PrintState.FAILED, PrintState.UNCERTAIN} for job in jobs)
        known = [data for record in records for data in await place.store.read(partial(printed_bytes, record.id))]
        slips = [event for event in await place.all_events() if event.kind == "slip_printing"]
        unknown = [paper for paper in run.papers if paper not in known]
        assert len(unknown) <= len(slips), "a paper without a durable record"
        assert await place.pending.waiting() == []
        assert not set(run.papers) & set(place.printer.papers), "what may have come out printed again by itself"


async def printed_bytes(invoice_id: str, tx: Transaction) -> list[bytes | None]:
    return [job.data for job in await tx.prints.of_invoice(invoice_id)]


async def everything(tx: Transaction) -> list[Any]:
    from agent.ports import InvoiceFilter

    return await tx.invoices.find(InvoiceFilter(limit=1000))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SCENARIOS))
async def test_death_at_every_tenth_port_call(tmp_path: Path, name: str) -> None:
    await die_everywhere(tmp_path, name, step=10)


@pytest.mark.nightly
@pytest.mark.parametrize("name", list(SCENARIOS))
async def test_death_at_every_port_call(tmp_path: Path, name: str) -> None:
    await die_everywhere(tmp_path, name, step=1)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "outcomes", list(product(Outcome, Outcome)), ids=lambda both: "-".join(each.name for each in both)
)
@pytest.mark.parametrize("name", ["online", "offline_then_sync"])
async def test_death_while_the_printer_fails(tmp_path: Path, name: str, outcomes: tuple[Outcome, Outcome]) -> None:
    """Whatever became of the first two papers: what may have come out never does so again by itself."""
    await die_everywhere(tmp_path, name, step=1, printer=outcomes)


async def die_everywhere(tmp_path: Path, name: str, step: int, printer: Sequence[Outcome] = ()) -> None:
    scenario = SCENARIOS[name]
    (tmp_path / "whole").mkdir()
    run, calls = await live_and_die(tmp_path / "whole", scenario, None, after=False, printer=printer)
    await rise_and_check(tmp_path / "whole", run)
    assert calls > 5
    for at in range(1, calls + 1, step):
        for after in (False, True):
            folder = tmp_path / f"{at}-{after}"
            folder.mkdir()
            run, _ = await live_and_die(folder, scenario, at, after=after, printer=printer)
            await rise_and_check(folder, run)
