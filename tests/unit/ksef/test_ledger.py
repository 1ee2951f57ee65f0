"""Reading KSeF's ledger: page by page, newest first, within its limits, and honest about what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agent.ksef import ledger
from agent.ksef.crypto import sha256
from agent.ksef.gateway import Gateway, open_gateway
from agent.ports import CallOutcome, KsefError, LedgerEntry
from agent.settings.model import KsefSettings
from tests.contract import ksef_wire as wire
from tests.contract.ksef_wire import Reply, WireServer, metadata, problem
from tests.fakes.clock import FakeClock

ROUTE = "POST /invoices/query/metadata"
SINCE = wire.START - timedelta(days=1)


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with WireServer() as opened:
        yield opened


@pytest.fixture
async def gateway(server: WireServer) -> AsyncIterator[Gateway]:
    clock = FakeClock(wire.START)
    opened = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
    yield opened
    await opened.close()


async def test_pages_are_read_to_the_end(server: WireServer, gateway: Gateway) -> None:
    server.on(ROUTE, metadata("FV/3", "FV/2", more=True), metadata("FV/1"))
    part = await gateway.issued_since(wire.NIP, SINCE)
    assert part.complete
    assert [entry.number for entry in part.entries] == ["FV/3", "FV/2", "FV/1"]
    first = LedgerEntry(
        "FV/3", "VAT", date(2026, 11, 24), Decimal("43370.57"), "PLN", wire.KSEF_NUMBER, sha256(wire.XML)
    )
    assert part.entries[0] == first
    assert [request.query["pageOffset"] for request in server.seen(ROUTE)] == ["0", "1"]
    assert {request.query["sortOrder"] for request in server.seen(ROUTE)} == {"Desc"}


async def test_no_more_is_asked_than_the_limits_bear(server: WireServer, gateway: Gateway) -> None:
    server.on(ROUTE, metadata("FV/1", more=True))
    part = await gateway.issued_since(wire.NIP, SINCE)
    assert not part.complete
    assert len(server.seen(ROUTE)) == len(part.entries) == ledger.CALLS


async def test_what_ksef_cuts_off_is_told(server: WireServer, gateway: Gateway) -> None:
    server.on(ROUTE, metadata("FV/1", more=True, truncated=True))
    assert not (await gateway.issued_since(wire.NIP, SINCE)).complete


async def test_long_times_are_asked_for_in_pieces_without_a_gap(server: WireServer, gateway: Gateway) -> None:
    await gateway.issued_since(wire.NIP, wire.START - timedelta(days=250))
    ranges = [request.json["dateRange"] for request in server.seen(ROUTE)]
    assert [item["dateType"] for item in ranges] == ["Invoicing"] * 3
    assert [item["from"] for item in ranges[:-1]] == [item["to"] for item in ranges[1:]]
    assert ranges[-1]["from"] == (wire.START - timedelta(days=250)).isoformat()


@pytest.mark.parametrize("wrong", [{"grossAmount": "x"}, {"grossAmount": 1e400}, {"issueDate": "wczoraj"}])
async def test_what_cannot_be_read_costs_itself_and_the_claim_to_be_complete(
    server: WireServer, gateway: Gateway, wrong: dict[str, Any]
) -> None:
    server.on(ROUTE, metadata("FV/1", more=True, **wrong), metadata("FV/2"))
    part = await gateway.issued_since(wire.NIP, SINCE)
    assert [entry.number for entry in part.entries] == ["FV/2"]
    assert not part.complete


async def test_a_missing_right_is_ksefs_word(server: WireServer, gateway: Gateway) -> None:
    server.on(ROUTE, Reply(403, {"title": "Forbidden", "detail": "Brak InvoiceRead."}), problem(21405))
    with pytest.raises(KsefError) as caught:
        await gateway.issued_since(wire.NIP, SINCE)
    assert (caught.value.code, caught.value.outcome) == (403, CallOutcome.REFUSED)
