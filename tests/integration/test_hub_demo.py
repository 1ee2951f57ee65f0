"""`make run-hub`: the page without a login, the buttons, and a till that dies while its invoices still arrive."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import aiohttp
import pytest

from agent.hub.demo.chain import demo_hub, start_tills
from agent.hub.demo.page import routes
from agent.hub.serving.serve import listening, supervise
from tests.fakes.hub_rig import free_port

pytestmark = pytest.mark.slow


@pytest.mark.nightly
async def test_a_till_dies_for_good_and_its_invoices_still_arrive(tmp_path: Path) -> None:
    port = free_port()
    async with demo_hub(tmp_path, port) as chain, contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(listening(chain.hub, open_token=chain.manager_token, extra=routes(chain)))
        working = asyncio.create_task(supervise(chain.hub))
        chain.tills[1:] = chain.tills[1:2]  # two are enough here
        await start_tills(chain)
        http = await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{port}"))

        async def press(path: str) -> str:
            async with http.post(f"/demo/{path}") as answer:
                assert answer.status == 200
                return await answer.text()

        async def sees(path: str, text: str) -> None:
            for _ in range(600):
                async with http.get(path) as answer:
                    if text in await answer.text():
                        return
                await asyncio.sleep(0.1)
            raise AssertionError(f"{path} never said {text}")

        await press("line/down")
        pressed = 1
        while "offline24" not in await press("sell/2"):  # until the hub noticed, and told its tills
            pressed += 1
            assert pressed < 60
            await asyncio.sleep(0.5)
        await sees("/health", f'"open": {pressed}')
        assert "nie żyje" in await press("die/2")
        assert chain.sandbox.ledger.entries() == []
        await press("line/up")
        await sees("/health", '"open": 0')
        numbers = {entry.key[2] for entry in chain.sandbox.ledger.entries()}
        assert len(numbers) == pressed
        assert all(number.startswith("FV-2/") for number in numbers)
        await sees("/", "kasa 2")
        chain.hub.shutdown.begin()
        await working
