"""A press, a batch and a total failure may want the same invoice: one of them has it, and nobody stumbles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.ports import Outgoing, SessionRef
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import CONSUMER, World, settings, world

WAITING = 6


class SlowSessions(FakeGateway):
    """A session is there only when the test says so."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.session_there = asyncio.Event()
        self.asked = asyncio.Event()

    async def session(self, invoice: Outgoing | None = None) -> SessionRef:
        self.asked.set()
        await self.session_there.wait()
        return await super().session(invoice)


@asynccontextmanager
async def backlog(tmp_path: Path) -> AsyncIterator[tuple[World, SlowSessions, list[InvoiceRecord]]]:
    """What was issued without a line, and the line is back; from five on a batch is due."""
    clock = FakeClock()
    gateway = SlowSessions(clock)
    base = settings(tmp_path)
    given = replace(base, ksef=replace(base.ksef, batch_from=5))
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        await place.lose_the_line()
        records = [await place.sell(buyer=CONSUMER) for _ in range(WAITING)]
        await place.restore_the_line()
        yield place, gateway, records


async def test_what_a_press_is_bringing_is_left_out_of_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read with what waits between the commit of its press and the sending."""
    async with backlog(tmp_path) as (place, gateway, records):
        pressed = records[3]
        pressing: list[asyncio.Task[InvoiceRecord]] = []

        async def press_comes() -> None:
            if not pressing:
                pressing.append(asyncio.create_task(place.sender.deliver(pressed.id, pressed=True)))
                await gateway.asked.wait()

        with monkeypatch.context() as patched:
            patched.setattr(place.presses, "pass_by", press_comes)
            await place.queue.pass_once()
        assert len(gateway.sent) == WAITING - 1
        assert (await place.record(pressed.id)).state is InvoiceState.ISSUED
        gateway.session_there.set()
        assert (await place.in_time(asyncio.wait_for(pressing[0], None))).state is InvoiceState.ACCEPTED
        await place.catch_up()
        assert sorted(each.invoice_id for each in gateway.sent) == sorted(each.id for each in records)


async def test_what_a_batch_took_meanwhile_is_left_to_it_by_the_press(tmp_path: Path) -> None:
    async with backlog(tmp_path) as (place, gateway, records):
        pressing = asyncio.create_task(place.sender.deliver(records[0].id, pressed=True))
        await gateway.asked.wait()
        await place.store.write(lambda tx: tx.invoices.move(records[0].id, InvoiceState.SENDING))
        gateway.session_there.set()
        assert (await pressing).state is InvoiceState.SENDING
        assert gateway.sent == []
        await place.catch_up()
        assert sorted(each.invoice_id for each in gateway.sent) == sorted(each.id for each in records)


async def test_what_became_exempt_meanwhile_is_left_out_of_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with backlog(tmp_path) as (place, gateway, records):
        exempt = records[0]

        async def total_failure() -> None:
            if (await place.record(exempt.id)).state is InvoiceState.ISSUED:
                await place.store.write(lambda tx: tx.invoices.move(exempt.id, InvoiceState.EXEMPT))

        with monkeypatch.context() as patched:
            patched.setattr(place.presses, "pass_by", total_failure)
            await place.queue.pass_once()
        assert sorted(each.invoice_id for each in gateway.sent) == sorted(each.id for each in records[1:])
        assert (await place.record(exempt.id)).state is InvoiceState.EXEMPT


async def test_what_became_exempt_meanwhile_is_not_sent_by_the_press(tmp_path: Path) -> None:
    async with backlog(tmp_path) as (place, gateway, records):
        pressing = asyncio.create_task(place.sender.deliver(records[0].id, pressed=True))
        await gateway.asked.wait()
        await place.store.write(lambda tx: tx.invoices.move(records[0].id, InvoiceState.EXEMPT))
        gateway.session_there.set()
        assert (await pressing).state is InvoiceState.EXEMPT
        assert gateway.sent == []
