"""The fault matrix through the whole use case (docs/reliability.md, section 3: I1, I2, I10).

Press, fault, heal, sync: the event log holds the right outcome class, KSeF has the invoice exactly once with the
bytes that are stored, and every paper says what was known when it was printed. Real gateway, real sandbox over
sockets, real store; only time is not real.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
import trustme

from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ksef.credentials import Credentials
from agent.ksef.gateway import Gateway, open_gateway
from agent.ports import InvoiceFilter
from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.ksef.state import Behaviour
from agent.sandbox.server import Sandbox
from agent.settings.model import KsefSettings
from tests.fakes import counter
from tests.fakes.gateway import FakeGateway
from tests.fakes.seeds import drawn
from tests.fakes.swift_clock import SwiftClock
from tests.fakes.tls_front import tls_front
from tests.fakes.world import BUYER_NIP, CASHIER, CONSUMER, World, sale, world

CALLS = ("auth", "open", "send", "status", "upo")
UNKNOWN, ANSWERED, NOT_SENT = "unknown", "answered", "not_sent"
# what a fault of the send itself is called in the event log; None: a new authentication repaired it at once
FAULTS: dict[str, str | None] = {
    "refuse": UNKNOWN,
    "reset_before": UNKNOWN,
    "reset_after": UNKNOWN,
    "close": UNKNOWN,
    "hang": UNKNOWN,
    "slow": UNKNOWN,
    "slow_before": UNKNOWN,
    "drip": UNKNOWN,
    "truncated": UNKNOWN,
    "broken_json": UNKNOWN,
    "garbage": UNKNOWN,
    "html_200": UNKNOWN,
    "html_502": UNKNOWN,
    "html_503": UNKNOWN,
    "json_500": UNKNOWN,
    "redirect": UNKNOWN,
    "401": None,
    "429": ANSWERED,
}
SECONDS = {"slow": 60.0, "slow_before": 60.0, "hang": 60.0, "drip": 20.0, "429": 7.0}
CATCH_UP_SECONDS = 600.0


def gateway_of(sandbox: Sandbox, clock: SwiftClock, url: str | None = None, ca_file: Path | None = None) -> Gateway:
    credential = Credentials(sandbox.authentication.certificate, sandbox.authentication.key)
    settings = KsefSettings(url=url or sandbox.ksef, ca_file=ca_file)
    return open_gateway(settings, sandbox.nip, clock, credentials=credential)


@asynccontextmanager
async def shop(tmp_path: Path) -> AsyncIterator[tuple[Sandbox, World]]:
    """A till at work: signed in, with a warm session."""
    clock = SwiftClock()
    async with clock.running(), Sandbox(clock=clock, behaviour=Behaviour(), limits=NO_LIMITS) as sandbox:
        gateway = gateway_of(sandbox, clock)
        try:
            await gateway.session()
            await gateway.learn_limits()
            async with world(tmp_path, clock=clock, gateway=cast(FakeGateway, gateway)) as place:
                yield sandbox, place
        finally:
            await sandbox.plan("*", "none")
            await gateway.close()


async def press(place: World, key: str, *, consumer: bool) -> InvoiceRecord:
    body = sale(buyer=CONSUMER) if consumer else sale()
    return (await counter.sale(place, json.dumps(body).encode(), key, CASHIER)).invoices[0].record


async def check_paper(place: World, record: InvoiceRecord) -> None:
    """I10: the newest paper says what was known when it was printed; ``record`` was read right after that."""
    job = (await place.invoices.prints(record.id))[-1]
    assert job.state is PrintState.PRINTED
    text = await place.previews.text(record.id)
    printed_with_number = record.ksef_number is not None and record.ksef_number in text
    known = await place.store.read(lambda tx: tx.invoices.get(record.id))
    if printed_with_number:
        assert job.document == "invoice"
        assert "CERTYFIKAT" not in text
    elif known.buyer.identifier == BUYER_NIP:
        assert job.document == "transaction_confirmation"
        assert "zweryfikuj wystawcę" in text
    else:
        assert job.document == "invoice"
        assert known.mode is Mode.OFFLINE24
        assert {"OFFLINE", "CERTYFIKAT"} <= set(text.split())


async def catch_up(place: World) -> None:
    """Probe and sync as the schedule does, until nothing is owed any more."""
    await catch_up_all_but(place, 0)


async def catch_up_all_but(place: World, stuck: int) -> None:
    end = place.clock.monotonic() + CATCH_UP_SECONDS
    while place.clock.monotonic() < end:
        await place.connection.probe()
        await place.queue.pass_once()
        await place.upos.pass_once()
        queue = await place.store.read(lambda tx: tx.invoices.queue())
        if len(queue) == stuck and not await place.store.read(lambda tx: tx.invoices.without_upo()):
            return
        await place.clock.sleep(5.0)
    raise AssertionError("still owed")


async def outcomes(place: World, invoice_id: str) -> list[str]:
    """Return the classes of the failed sends in the event log."""
    events = await place.invoices.events(invoice_id)
    return [str(event.data["outcome"]) for event in events if event.kind == "send_failed"]


async def check_ledger(sandbox: Sandbox, place: World) -> None:
    records = await place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=10_000)))
    assert {record.state for record in records} == {InvoiceState.ACCEPTED}
    entries = sandbox.ledger.entries()
    assert len(entries) == len(records)
    by_number = {entry.key[2]: entry for entry in entries}
    for record in records:
        entry = by_number[record.number]
        assert (entry.sha256, entry.ksef_number) == (record.sha256, record.ksef_number)
        assert (await place.invoices.one(record.id)).record.has_upo


def expected(call: str, fault: str) -> set[tuple[str, ...]]:
    """Which classes the event log may hold for the failed sends, by the call that was spoiled."""
    raised = FAULTS[fault]
    if call == "send":
        return {()} if raised is None else {(raised,)}
    if call == "auth":  # it comes before the invoice's bytes, whatever became of it
        return {(NOT_SENT,)}
    if call == "open":
        # the old session's end costs a send of its own; then the opening fails, and is tried once more by the sync
        opening = {None: (), UNKNOWN: (NOT_SENT,), ANSWERED: (ANSWERED,)}[raised]
        return {(NOT_SENT, *opening)}
    return {()}


async def one_cell(sandbox: Sandbox, place: World, call: str, fault: str, *, after: bool, number: int) -> None:
    if call == "auth":
        sandbox.auth.expire_tokens("access")
    if call == "open":
        sandbox.expire_sessions()
    await sandbox.plan(call, fault, 1, SECONDS.get(fault), after=after)
    record = await press(place, f"{call}-{fault}-{after}", consumer=number % 2 == 1)
    await check_paper(place, record)
    await place.clock.sleep(30.0)
    await catch_up(place)
    assert tuple(await outcomes(place, record.id)) in expected(call, fault), (call, fault, after)
    assert sandbox.faults.hits.get(f"{call}:{fault}"), f"{fault} never struck {call}"


async def row(tmp_path: Path, call: str, faults: list[str], *, after: bool) -> None:
    async with shop(tmp_path) as (sandbox, place):
        for number, fault in enumerate(faults):
            await one_cell(sandbox, place, call, fault, after=after, number=number)
            await sandbox.plan("*", "none")
        await check_ledger(sandbox, place)
        assert len(sandbox.ledger) == len(faults)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", CALLS)
async def test_every_fault_at_every_call(tmp_path: Path, call: str, *, after: bool) -> None:
    await row(tmp_path, call, list(FAULTS), after=after)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(3)))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", CALLS)
async def test_every_fault_in_another_order(tmp_path: Path, call: str, seed: int, *, after: bool) -> None:
    """What a fault leaves behind meets another one, and another customer."""
    faults = list(FAULTS)
    random.Random(seed).shuffle(faults)
    await row(tmp_path, call, faults, after=after)


async def test_line_down_before_the_press(tmp_path: Path) -> None:
    """Nothing leaves: NOT_SENT, offline24 at once; two failures spare the next cashier the wait; then it heals."""
    async with shop(tmp_path) as (sandbox, place):
        await sandbox.plan("*", "refuse")
        begun = place.clock.monotonic()
        records = [await press(place, f"down-{number}", consumer=False) for number in range(4)]
        assert place.clock.monotonic() - begun < 3.0
        assert {record.mode for record in records} == {Mode.OFFLINE24}
        for record in records:
            await check_paper(place, record)
        await sandbox.plan("*", "none")
        await catch_up(place)
        await check_ledger(sandbox, place)
        heard = [await outcomes(place, record.id) for record in records]
        assert heard == [[NOT_SENT], [NOT_SENT], [], []]


@pytest.mark.parametrize("own", [True, False], ids=["own", "foreign"])
async def test_a_duplicate_is_adopted_only_with_the_same_bytes(tmp_path: Path, *, own: bool) -> None:
    """I2: 440 for our own bytes is their number; for another document it is an alarm, and the next press goes on."""
    async with shop(tmp_path) as (sandbox, place):
        sandbox.mood("440_own" if own else "440_foreign")
        record = await press(place, "a", consumer=False)
        await place.clock.sleep(30.0)
        await catch_up_all_but(place, 0 if own else 1)
        record = await place.record(record.id)
        assert record.state is (InvoiceState.ACCEPTED if own else InvoiceState.REJECTED)
        assert ("collision" in await place.log(record.id)) is not own
        (entry,) = sandbox.ledger.entries()
        assert (entry.sha256 == record.sha256) is own
        assert record.ksef_number == (entry.ksef_number if own else None)
        assert (await press(place, "b", consumer=False)).state is InvoiceState.ACCEPTED


@pytest.mark.parametrize("wrong", ["expired", "other host", "unknown authority"])
async def test_nobody_but_ksef_gets_a_byte(tmp_path: Path, wrong: str) -> None:
    """A line that somebody else answers is a line that is down; with the right certificate everything arrives."""
    clock = SwiftClock()
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    false = {
        "expired": lambda: authority.issue_cert("localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
        "other host": lambda: authority.issue_cert("ksef.example"),
        "unknown authority": lambda: trustme.CA().issue_cert("localhost"),
    }[wrong]()
    async with (
        clock.running(),
        Sandbox(clock=clock, limits=NO_LIMITS) as sandbox,
        tls_front(sandbox.ksef, false) as front,
    ):
        gateway = gateway_of(sandbox, clock, front.url, ca_file)
        async with world(tmp_path, clock=clock, gateway=cast(FakeGateway, gateway)) as place:
            record = await press(place, "a", consumer=False)
            assert record.mode is Mode.OFFLINE24
            assert await outcomes(place, record.id) == [NOT_SENT]
            assert front.requests == 0
            front.present(authority.issue_cert("localhost"))
            await catch_up(place)
            await check_ledger(sandbox, place)
        await gateway.close()
