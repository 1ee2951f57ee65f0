"""A till whose clock is wrong, through HTTP; and midnight between the press and the number."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.domain.calendar import WARSAW
from agent.domain.callers import Role
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.sandbox.ksef.state import Behaviour
from agent.services.tokens import Tokens
from agent.serving.listeners import listening
from tests.fakes.agent_with_sandbox import AgentWithSandbox, SteppedClock, agent_with_sandbox
from tests.fakes.swift_clock import SwiftClock
from tests.fakes.world import CONSUMER, sale


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


async def pressed(place: AgentWithSandbox, http: aiohttp.ClientSession, key: str) -> tuple[int, dict[str, Any]]:
    settings = place.agent.settings
    tokens = Tokens.in_directory(settings.data_dir)
    token = tokens.add(f"kasa {len(tokens.list())}", Role.CASHIER)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    url = f"http://127.0.0.1:{settings.api.port}/v1/invoices"
    async with http.post(url, json=sale(), headers=headers) as response:
        return response.status, await response.json()


async def health(place: AgentWithSandbox, http: aiohttp.ClientSession) -> tuple[int, dict[str, Any]]:
    await place.agent.problems.refresh()
    async with http.get(f"http://127.0.0.1:{place.agent.settings.health.port}/health") as response:
        return response.status, await response.json()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_an_alarm_first_then_no_invoice_then_well_again(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with agent_with_sandbox(tmp_path) as place, listening(place.agent):
        numbers: list[str] = []
        for seconds, status, code in (
            (-30, 201, None),
            (120, 201, "clock-skew"),
            (2000, 503, "clock-skew"),
            (0, 201, None),
        ):
            place.sandbox.clock.skew = timedelta(seconds=seconds)
            await place.agent.connection.probe()
            found = await health(place, http)
            assert found[1]["clock"]["skew_seconds"] == pytest.approx(seconds, abs=2)
            assert {problem["code"] for problem in found[1]["problems"]} == ({code} if code else set())
            before = len(place.sandbox.ledger)
            answer = await pressed(place, http, f"key-{seconds}")
            assert answer[0] == status, answer
            if status == 503:
                assert answer[1]["code"] == "clock-wrong"
                assert answer[1]["detail"] == (
                    "Zegar kasy różni się od czasu KSeF o 33 min. Ustaw zegar; faktury nie wystawiono."
                )
                assert len(place.sandbox.ledger) == before
            else:
                numbers.append(answer[1]["number"])
        # the refused press burnt no number
        assert [number[-6:] for number in numbers] == ["000001", "000002", "000003"]


async def test_a_till_that_wakes_in_1970_without_a_line(
    tmp_path: Path, clock: SteppedClock, http: aiohttp.ClientSession
) -> None:
    async with agent_with_sandbox(tmp_path, clock=clock) as place:
        assert (await place.sell()).state is InvoiceState.ACCEPTED
    today = clock.now()
    clock.step = datetime(1970, 1, 1, 0, 1, tzinfo=UTC) - today
    async with agent_with_sandbox(tmp_path, clock=clock) as place, listening(place.agent):
        await place.sandbox.plan("*", "refuse")
        await place.agent.connection.probe()
        assert {problem["code"] for problem in (await health(place, http))[1]["problems"]} == {"clock-skew"}
        status, answer = await pressed(place, http, "dead-battery")
        assert (status, answer["code"]) == (503, "clock-wrong")
        assert "pokazuje 01.01.1970 01:0" in answer["detail"]
        clock.step = timedelta(0)
        status, answer = await pressed(place, http, "dead-battery")
        assert (status, answer["mode"]) == (201, "offline24")


async def test_a_log_from_the_future_gives_way_to_ksef(tmp_path: Path, clock: SteppedClock) -> None:
    """The clock ran years ahead once and was set right: as soon as KSeF tells the time, that counts."""
    clock.step = timedelta(days=300)
    async with agent_with_sandbox(tmp_path, clock=clock) as place:
        await place.sell()
    clock.step = timedelta(0)
    async with agent_with_sandbox(tmp_path, clock=clock) as place:
        assert "clock-skew" in await place.problems()
        await place.agent.connection.probe()
        assert "clock-skew" not in await place.problems()
        assert (await place.sell()).state is InvoiceState.ACCEPTED


# --- midnight -------------------------------------------------------------------------------------------------

LAST_SECONDS = datetime(2026, 11, 24, 23, 59, 50, tzinfo=WARSAW).astimezone(UTC)


@pytest.fixture
def midnight() -> SwiftClock:
    return SwiftClock(LAST_SECONDS)


async def passing(clock: SwiftClock, press: Awaitable[InvoiceRecord]) -> InvoiceRecord:
    """Let time pass until the press has its answer."""
    async with clock.running():
        return await press


@pytest.mark.parametrize(("delay", "mode"), [(12, Mode.ONLINE), (25, Mode.ONLINE), (33, Mode.ONLINE)])
async def test_pressed_before_midnight_numbered_after(
    tmp_path: Path, midnight: SwiftClock, delay: float, mode: Mode
) -> None:
    """Sent on its day it is online whenever the number comes (POD2 1.4), and KSeF says the same."""
    slow = Behaviour(auth_delay=0, number_delay=delay, storage_delay=0)
    async with agent_with_sandbox(
        tmp_path, clock=midnight, behaviour=slow, extra="\n[issue]\nbudget_seconds = 30\n"
    ) as place:
        invoice = await passing(midnight, place.sell())
        assert (invoice.issued_on, invoice.mode) == (date(2026, 11, 24), mode), invoice.reason
        assert b"<P_1>2026-11-24</P_1>" in invoice.xml
        await midnight.advance(5)
        await place.agent.queue.pass_once()
        after = await place.record(invoice.id)
        assert (after.state, after.mode, after.sha256) == (InvoiceState.ACCEPTED, mode, invoice.sha256)
        assert after.accepted_at is not None
        assert after.accepted_at.astimezone(WARSAW).date() == date(2026, 11, 25)
        (entry,) = place.sandbox.ledger.entries()
        assert entry.offline is False
        # the session outlives midnight, and the next invoice has the next day
        following = await passing(midnight, place.sell())
        assert (following.issued_on, following.mode) == (date(2026, 11, 25), Mode.ONLINE)
        assert len(place.sandbox.sessions.by_reference) == 1
        async with midnight.running():  # what still asks in the background comes to its end
            assert await place.agent.tasks.drain(60) == ()


async def test_pressed_before_midnight_sent_after(tmp_path: Path, midnight: SwiftClock) -> None:
    """KSeF saw it on the next day: offline24, until the end of the business day after P_1, with both codes."""
    async with agent_with_sandbox(tmp_path, clock=midnight, extra="\n[issue]\nbudget_seconds = 30\n") as place:
        await place.sandbox.plan("open", "slow_before", times=1, seconds=12)
        invoice = await passing(midnight, place.sell(buyer=CONSUMER))
        after = await place.record(invoice.id)
        assert (after.issued_on, after.state) == (date(2026, 11, 24), InvoiceState.ACCEPTED)
        (entry,) = place.sandbox.ledger.entries()
        assert entry.received_at.astimezone(WARSAW).date() == date(2026, 11, 25)
        assert (after.mode, entry.offline) == (Mode.OFFLINE24, True)
        assert read(after.xml).issued_on == date(2026, 11, 24)
