"""A backlog after a long outage, under production limits (docs/reliability.md, section 3).

Offline invoices of two days, then recovery with rejects, rotated keys, maintenance, two restarts and presses in
between. Real gateway, real sandbox with its own counting of limits, real store; only time is not real.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import refusal
from agent.ksef.credentials import Credentials
from agent.ksef.gateway import open_gateway
from agent.ports import InvoiceFilter, Outgoing, Rejected
from agent.sandbox.ksef.limits import PRODUCTION
from agent.sandbox.ksef.state import Mood
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox
from agent.services.delivery import batches
from agent.settings.load import load
from agent.settings.model import KsefSettings
from tests.fakes import counter
from tests.fakes.gateway import FakeGateway, unheard
from tests.fakes.swift_clock import SwiftClock
from tests.fakes.world import CASHIER, CONSUMER, MANAGER, World, sale, settings, world

BACKLOG = 300
NIGHTLY_BACKLOG = 10_000
DAY = 24 * 3600.0
HOURS_ALLOWED = 30.0
"""Fake hours a recovery may take: production limits allow 1200 UPOs an hour."""


@dataclass
class Shop:
    """The authority, and time; tills come and go."""

    folder: Path
    clock: SwiftClock
    sandbox: Sandbox
    ksef: KsefSettings
    pressed: list[str] = field(default_factory=list)
    longest_press: float = 0.0

    @asynccontextmanager
    async def till(self) -> AsyncIterator[World]:
        """Start a till on the same data, as app.py does, and stop it without closing time."""
        credential = Credentials(self.sandbox.authentication.certificate, self.sandbox.authentication.key)
        gateway = open_gateway(self.ksef, self.sandbox.nip, self.clock, credentials=credential)
        given = replace(settings(self.folder), ksef=self.ksef)
        try:
            async with world(self.folder, given=given, clock=self.clock, gateway=cast(FakeGateway, gateway)) as place:
                recent = await place.recent_calls()
                gateway.recall_sends(recent.sends)
                gateway.recall_sessions(online=recent.sessions, batches=recent.batches)
                gateway.recall_background(recent.documents, recent.last_at)
                yield place
        finally:
            await gateway.close()

    async def press(self, place: World) -> InvoiceRecord:
        number = len(self.pressed)
        body = json.dumps(sale(buyer=CONSUMER) if number % 3 == 0 else sale()).encode()
        begun = self.clock.monotonic()
        answer = await counter.sale(place, body, f"key-{number}", CASHIER)
        self.longest_press = max(self.longest_press, self.clock.monotonic() - begun)
        record = answer.invoices[0].record
        self.pressed.append(record.id)
        return record


@asynccontextmanager
async def shop(folder: Path, **ksef: object) -> AsyncIterator[Shop]:
    clock = SwiftClock()
    async with clock.running(), Sandbox(clock=clock, limits=PRODUCTION) as sandbox:
        yield Shop(folder, clock, sandbox, replace(KsefSettings(url=sandbox.ksef), **ksef))  # type: ignore[arg-type]
        assert sandbox.limits.refused == 0, "the agent provoked a 429"


async def owed(place: World) -> list[InvoiceState]:
    queue = await place.store.read(lambda tx: tx.invoices.queue())
    return [record.state for record in queue if record.state is not InvoiceState.REJECTED]


async def work(place: World, seconds: float) -> None:
    """Probe and sync as the schedule does."""
    end = place.clock.monotonic() + seconds
    while place.clock.monotonic() < end:
        await place.connection.probe()
        await place.queue.pass_once()
        await place.upos.pass_once()
        await place.clock.sleep(5.0)


async def decide(place: World, rejected: InvoiceRecord) -> None:
    """Correct it technically; else the sale got another document.

    What cannot be corrected is a press that was refused while the customer waited, or a correction refused as well.
    """
    if refusal(rejected) is None:
        await place.rejected.correct_technically(rejected.id, MANAGER)
    else:
        assert rejected.mode is Mode.ONLINE or rejected.version > 1, rejected
        await place.rejected.close(rejected.id, "Sprzedaż wystawiono ponownie.", MANAGER)


async def undecided(place: World) -> list[InvoiceRecord]:
    """What KSeF refused and nobody decided on yet."""
    refused = InvoiceFilter(states=frozenset({InvoiceState.REJECTED}), limit=10_000)
    return [each for each in await place.store.read(lambda tx: tx.invoices.find(refused)) if each.closed_at is None]


async def close_day(place: World) -> None:
    """Everything sent, rejected ones corrected, every UPO there."""
    end = place.clock.monotonic() + HOURS_ALLOWED * 3600
    while place.clock.monotonic() < end:
        for record in await undecided(place):
            await decide(place, record)
        await work(place, 5.0)
        unproven = await place.store.read(lambda tx: tx.invoices.without_upo(1))
        if not await owed(place) and not unproven and not await undecided(place):
            return
    raise AssertionError(f"still owed: {await owed(place)}")


async def check(the: Shop, place: World) -> None:
    """Everything in the ledger once, with the stored bytes, but for what was refused at the counter."""
    pressed = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=100_000)))
    assert {record.id for record in pressed} == set(the.pressed)
    records = [record for record in pressed if record.closed_at is None]
    assert {record.state for record in records} == {InvoiceState.ACCEPTED}
    entries = the.sandbox.ledger.entries()
    assert len(entries) == len(records)
    found = {entry.key[2]: (entry.sha256, entry.ksef_number) for entry in entries}
    assert found == {record.number: (record.sha256, record.ksef_number) for record in records}


async def batches_in_order(place: World) -> None:
    """The first time an invoice of the backlog leaves, none with a nearer deadline stays behind."""
    events = await place.store.read(lambda tx: tx.events.after(0, 1_000_000))
    left: list[str] = []
    for event in events:
        if event.kind == "sending" and event.data.get("batch") and event.invoice_id not in left[-1:]:
            assert event.invoice_id is not None
            left.append(event.invoice_id)
    records = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=100_000)))
    deadlines = {record.id: record.deadline for record in records}
    backlog = [deadlines[each] for each in dict.fromkeys(left)]
    days = [day for day in backlog if day is not None]
    assert days == sorted(days)


async def recovery(folder: Path, backlog: int) -> None:
    async with shop(folder) as the:
        async with the.till() as place:
            await the.sandbox.plan("*", "refuse")
            for number in range(backlog):
                if number == backlog // 2:
                    await the.clock.sleep(DAY)
                assert (await the.press(place)).mode is Mode.OFFLINE24
            assert the.longest_press < 4.0
            the.sandbox.sessions.moods.extend(
                [Mood("450" if number % 100 == 50 else "none") for number in range(backlog)]
            )
            the.sandbox.rotate_keys()
            the.sandbox.behaviour.maintenance = True
            await the.sandbox.plan("*", "none")
            recovering = asyncio.create_task(work(place, 60.0))
            for _ in range(5):
                await the.press(place)
                await the.clock.sleep(3.0)
            await recovering
            the.sandbox.behaviour.maintenance = False
            await work(place, 30.0)
        for _ in range(2):  # two restarts in the middle of it
            the.sandbox.rotate_keys()
            async with the.till() as place:
                await the.press(place)
                await work(place, 20.0)
        async with the.till() as place:
            await close_day(place)
            await check(the, place)
            await batches_in_order(place)
            assert the.longest_press < 4.0


@pytest.mark.slow
async def test_a_backlog_empties_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LARGEST", 60)
    await recovery(tmp_path, BACKLOG)


@pytest.mark.nightly
async def test_a_backlog_of_ten_thousand(tmp_path: Path) -> None:
    await recovery(tmp_path, NIGHTLY_BACKLOG)


@pytest.mark.nightly
async def test_when_single_sends_run_short_presses_go_offline24_and_in_a_batch(tmp_path: Path) -> None:
    """Six tills behind one address: 30 sends an hour each. The 31st press waits for nobody."""
    async with shop(tmp_path, tills_sharing_address=6) as the, the.till() as place:
        numbered = []
        for _ in range(40):
            numbered.append((await the.press(place)).ksef_number is not None)
            await work(place, 13.0)
        assert numbered == [True] * 30 + [False] * 10
        await work(place, 600.0)
        assert await owed(place) == []
        await close_day(place)
        await check(the, place)
        assert {entry.offline for entry in the.sandbox.ledger.entries()[30:]} == {True}


async def test_a_large_part_is_uploaded_piece_by_piece(tmp_path: Path) -> None:
    """Ten thousand invoices are more than a megabyte even when packed: aiohttp warns where that holds up the loop."""
    async with shop(tmp_path) as the, the.till() as place:
        noise = os.urandom(2_000_000)
        sent = Outgoing("1", noise, hashlib.sha256(noise).digest(), offline=True)
        session = await place.gateway.open_batch([sent], unheard)
        while (verdicts := await place.gateway.batch_verdicts(session)) is None:
            await the.clock.sleep(5.0)
        assert isinstance(verdicts[sent.sha256][1], Rejected), "it arrived whole, and is no invoice"


async def test_a_restart_does_not_forget_what_was_sent(tmp_path: Path) -> None:
    """The composition root counts the sends of the last hour before the first press."""
    from agent.app import assembled

    clock = SwiftClock()
    async with clock.running(), Sandbox(clock=clock, limits=PRODUCTION) as sandbox:
        write_config(sandbox, tmp_path / "agent.toml", describe(sandbox, tmp_path / "certificates"))
        given = load(tmp_path / "agent.toml")
        async with assembled(given, clock) as agent:
            for number in range(5):
                await counter.sale(agent, json.dumps(sale()).encode(), f"key-{number}", CASHIER)
            left = agent.ports.gateway.budget().sends_left_hour
        assert len(sandbox.ledger) == 5
        async with assembled(given, clock) as agent:
            assert agent.ports.gateway.budget().sends_left_hour == left == 180 - 5
            await clock.sleep(3700)
            assert agent.ports.gateway.budget().sends_left_hour == 180
