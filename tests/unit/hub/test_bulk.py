"""Bodies that hold much of the hub's memory: one of each till, a few of all, and nobody else waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.domain.errors import Unavailable
from agent.hub.domain.records import Seller
from agent.hub.web import bulk
from agent.hub.web.bulk import MOST_BULKS, BulkRoom
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_served import ServedHub, served_hub

NDJSON = "application/x-ndjson"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[ServedHub]:
    clock = FakeClock()

    def direct(_: Seller) -> FakeGateway:
        return FakeGateway(clock)

    async with served_hub(tmp_path, clock, direct) as served:
        yield served


async def post(http: aiohttp.ClientSession, hub: ServedHub, token: str, data: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": NDJSON}
    async with http.post(f"{hub.listener.url}/v1/invoices", data=data, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def test_a_till_whose_body_stalls_holds_up_its_own_only(hub: ServedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PATIENCE_SECONDS", 0.05)
    (_, first), (_, second) = await hub.till("1"), await hub.till("2")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield b"{}\n"
        begun.set()
        await go_on.wait()
        yield b"{}\n"

    async with aiohttp.ClientSession() as http:
        stalled = asyncio.create_task(post(http, hub, first, stalling()))
        await begun.wait()
        while not hub.app[bulk.BULK_ROOM].held:  # noqa: ASYNC110 - the hub tells nobody of it
            await asyncio.sleep(0)
        status, said = await post(http, hub, first, b"{}\n")
        assert (status, said["code"]) == (503, "hub-busy")
        assert (await post(http, hub, second, b"{}\n"))[0] == 200
        go_on.set()
        status, said = await stalled
        assert (status, len(said["results"])) == (200, 2)
        assert (await post(http, hub, first, b"{}\n"))[0] == 200


async def test_a_few_bodies_of_all_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    room = BulkRoom()
    async with AsyncExitStack() as stack:
        for till_id in range(MOST_BULKS):
            await stack.enter_async_context(room.place(till_id))
        monkeypatch.setattr(bulk, "PATIENCE_SECONDS", 0.01)
        with pytest.raises(Unavailable) as refused:
            async with room.place(MOST_BULKS):
                pass
        assert refused.value.code == "hub-busy"
    async with room.place(MOST_BULKS):
        assert room.held == 1
    assert room.held == 0


async def test_one_invoice_of_megabytes_is_not_read_to_its_end(hub: ServedHub) -> None:
    _, token = await hub.till("1")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 1_000_000

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/xml"}
    async with aiohttp.ClientSession() as http:
        path = f"{hub.listener.url}/v1/invoices/{'0' * 64}?offline=true&group=g"
        async with http.put(path, data=endless(), headers=headers) as response:
            assert response.status == 413
            assert (await response.json(content_type=None))["code"] == "body-too-large"
