"""What live servers were seen to do (docs/protocol.md, section 6): the agent lives through each of it, and presses
are answered within their budget."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from tests.fakes.agent_with_sandbox import AgentWithSandbox, agent_with_sandbox
from tests.fakes.swift_clock import SwiftClock

BUDGET = 5.0
"""Seconds; the settings' default."""


@asynccontextmanager
async def joined(folder: Path, ksef: str = "") -> AsyncIterator[tuple[AgentWithSandbox, SwiftClock]]:
    clock = SwiftClock()
    async with (
        agent_with_sandbox(
            folder, clock=clock, edit=lambda text: text.replace("[ksef]\n", f"[ksef]\n{ksef}\n")
        ) as place,
        clock.running(),
    ):
        await place.agent.sender.warm()
        yield place, clock


async def press(place: AgentWithSandbox, clock: SwiftClock) -> InvoiceRecord:
    """Press "invoice"; the answer comes within the budget."""
    begun = clock.monotonic()
    sold = await place.sell()
    assert clock.monotonic() - begun <= BUDGET + 1
    return sold


async def pass_by(place: AgentWithSandbox, clock: SwiftClock, seconds: float) -> None:
    """Let time pass, then look at the queue as the loops do."""
    await clock.advance(seconds)
    await place.agent.connection.probe()
    await place.agent.queue.pass_once()


async def kinds(place: AgentWithSandbox, invoice_id: str) -> list[str]:
    return [event.kind for event in await place.log(invoice_id)]


async def test_a_session_opened_too_soon_is_waited_out(tmp_path: Path) -> None:
    async with joined(tmp_path) as (place, clock):
        place.sandbox.behaviour.session_cooldown = 45
        await clock.advance(70)
        place.sandbox.expire_sessions()
        first, second = await press(place, clock), await press(place, clock)
        assert {first.mode, second.mode} == {Mode.OFFLINE24}
        await press(place, clock)
        assert len(place.sandbox.sessions.by_reference) == 3, "two were tried, and no other before its time"
        await pass_by(place, clock, 61)
        for sold in (first, second):
            assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED
            assert "rejected" not in await kinds(place, sold.id)
        assert len(place.sandbox.sessions.by_reference) == 4


async def test_an_empty_session_that_ended_by_itself_is_replaced_within_the_press(tmp_path: Path) -> None:
    async with joined(tmp_path) as (place, clock):
        place.sandbox.behaviour.empty_session_lifetime = 600
        await clock.advance(3600)
        sold = await press(place, clock)
        assert (sold.mode, sold.state) == (Mode.ONLINE, InvoiceState.ACCEPTED)


async def test_tokens_that_are_not_ready_yet(tmp_path: Path) -> None:
    async with joined(tmp_path) as (place, clock):
        place.sandbox.behaviour.redeem_delay = 4
        place.sandbox.auth.expire_tokens("access")
        place.sandbox.auth.expire_tokens("refresh")
        sold = await press(place, clock)
        await pass_by(place, clock, 10)
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED
        assert "ksef-login-refused" not in await place.problems()


@pytest.mark.parametrize("call", ["open", "send", "status", "auth"])
@pytest.mark.parametrize("fault", ["html_403", "html_502", "html_503"])
async def test_the_protection_in_front_answers(tmp_path: Path, call: str, fault: str) -> None:
    async with joined(tmp_path) as (place, clock):
        if call in ("open", "auth"):
            place.sandbox.expire_sessions()
            place.sandbox.auth.expire_tokens("access")
            place.sandbox.auth.expire_tokens("refresh")
        await place.sandbox.plan(call, fault)
        sold = await press(place, clock)
        assert sold.state is not InvoiceState.REJECTED
        await clock.advance(3600)
        await place.sandbox.plan(call, "none")
        for _ in range(3):
            await pass_by(place, clock, 20)
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED, "no back-off outlasts its cause"
        assert [entry.sha256 for entry in place.sandbox.ledger.entries()] == [sold.sha256]


async def test_latarnia_blocked_by_the_protection_says_nothing(tmp_path: Path) -> None:
    async with joined(tmp_path) as (place, clock):
        await place.sandbox.plan("latarnia", "html_403")
        await place.agent.announcements.poll()
        assert (await press(place, clock)).mode is Mode.ONLINE


async def test_a_number_that_takes_hours(tmp_path: Path) -> None:
    async with joined(tmp_path) as (place, clock):
        place.sandbox.behaviour.number_delay = 5 * 3600
        sold = await press(place, clock)
        for _ in range(58):
            await pass_by(place, clock, 300)
        assert (await place.record(sold.id)).state is InvoiceState.SENT
        for _ in range(4):
            await pass_by(place, clock, 300)
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED


async def test_a_batch_that_stands_at_150_for_a_day(tmp_path: Path) -> None:
    async with joined(tmp_path, "batch_from = 2") as (place, clock):
        place.sandbox.behaviour.batch_delay = 24 * 3600
        await place.sandbox.plan("ksef", "refuse")
        sold = [await press(place, clock) for _ in range(3)]
        await place.sandbox.plan("ksef", "none")
        for _ in range(20):
            await pass_by(place, clock, 3600)
        assert {(await place.record(each.id)).state for each in sold} == {InvoiceState.SENT}
        for _ in range(6):
            await pass_by(place, clock, 3600)
        assert {(await place.record(each.id)).state for each in sold} == {InvoiceState.ACCEPTED}
        assert len(place.sandbox.ledger) == 3


async def test_a_batch_that_stands_at_415_while_ksef_works_on_it(tmp_path: Path) -> None:
    async with joined(tmp_path, "batch_from = 2") as (place, clock):
        place.sandbox.behaviour.unsettled_415 = True
        place.sandbox.behaviour.batch_delay = 2 * 3600
        await place.sandbox.plan("ksef", "refuse")
        sold = [await press(place, clock) for _ in range(3)]
        await place.sandbox.plan("ksef", "none")
        for _ in range(30):
            await pass_by(place, clock, 300)
            await place.agent.upos.pass_once()
        for each in sold:
            assert (await place.record(each.id)).state is InvoiceState.ACCEPTED
            log = await kinds(place, each.id)
            assert (log.count("batch_opened"), log.count("not_in_batch")) == (1, 0)
        assert len(place.sandbox.ledger) == 3


async def test_a_session_that_stands_at_415_after_its_close_gets_its_upo(tmp_path: Path) -> None:
    async with joined(tmp_path) as (place, clock):
        place.sandbox.behaviour.unsettled_415 = True
        place.sandbox.behaviour.session_delay = 1800
        await press(place, clock)
        place.sandbox.expire_sessions()
        await press(place, clock)
        for _ in range(8):
            await clock.advance(300)
            await place.agent.upos.pass_once()
        (first, _) = place.sandbox.sessions.by_reference
        assert await place.agent.store.read(lambda tx: tx.sessions.page(first, 1))
