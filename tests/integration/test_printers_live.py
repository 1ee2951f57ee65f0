"""The real agent and printers in trouble: nobody waits for another's printer, and no paper comes out twice."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession

from agent import app
from agent.demo.sales import sample_sale
from agent.domain.callers import Caller, Role
from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.printer import Fault, NetworkPrinter
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox
from agent.settings.load import load
from printers.profiles.models import PROFILES
from tests.fakes import counter
from tests.fakes.agent_process import agent_process

pytestmark = pytest.mark.slow
CASHIER = Caller("kasa", Role.CASHIER)
HEALTH_SECONDS = 0.5
"""Ten times what HQ is promised (50 ms): a loaded machine is no defect, a health that waits for a printer is."""
SECOND_PRINTER = """
[[printer]]
name = "zapasowa"
profile = "generic-58"
port = {port}
"""


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(1500):
        if await reached():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("never reached")


async def seconds_of(http: ClientSession, url: str) -> float:
    start = time.perf_counter()
    async with http.get(url) as response:
        await response.read()
    return time.perf_counter() - start


@pytest.mark.nightly
async def test_while_one_printer_hangs_another_prints_and_health_answers(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    second = NetworkPrinter(PROFILES["generic-58"])
    async with AsyncExitStack() as stack:
        await second.start()
        stack.push_async_callback(second.stop)
        place = await stack.enter_async_context(agent_process(tmp_path, extra=SECOND_PRINTER.format(port=second.port)))
        await place.sandbox.printer.plan(Fault.STALL, at=100, times=None)
        hanging = asyncio.create_task(place.post("/v1/invoices", sample_sale("nip"), "hanging"))

        async def printing() -> bool:
            found = (await place.get("/v1/invoices"))["invoices"]
            return bool(found) and found[0]["paper"] is not None and found[0]["paper"]["state"] == "printing"

        await until(printing)
        other = asyncio.create_task(place.post("/v1/invoices", sample_sale("nip"), "other"))
        answered: list[float] = []
        while not other.done():
            answered.append(await seconds_of(place.http, f"{place.facts['health']}/health"))
            await asyncio.sleep(0.01)
        assert not hanging.done()
        status, invoice = await other
        assert (status, invoice["paper"]["state"]) == (201, "printed")
        prints = (await place.get(f"/v1/invoices/{invoice['id']}/prints"))["prints"]
        assert [job["printer"] for job in prints] == ["zapasowa"]
        assert [paper.complete for paper in second.papers] == [True]
        assert place.sandbox.printer.papers == []
        milliseconds = f"median {statistics.median(answered) * 1000:.1f}, max {max(answered) * 1000:.1f}"
        record_property("health_ms", milliseconds)
        assert max(answered) < HEALTH_SECONDS, milliseconds
        hanging.cancel()
        await place.kill()


async def test_a_reprint_is_the_only_paper_that_comes_out(tmp_path: Path) -> None:
    """Paper out in the middle, the cashier presses "Drukuj ponownie" at once, then puts the roll in."""
    async with Sandbox(limits=NO_LIMITS) as sandbox:
        write_config(sandbox, tmp_path / "agent.toml", describe(sandbox, tmp_path / "certificates"))
        settings = load(tmp_path / "agent.toml")
        quick = tuple(replace(printer, timeout_seconds=1.5) for printer in settings.printers)
        async with app.assembled(replace(settings, printers=quick)) as agent:
            await sandbox.printer.plan(Fault.PAPER_OUT, at=400)
            invoice_id = await sell(agent)

            async def states() -> list[str]:
                return sorted(job.state.value for job in await agent.invoices.prints(invoice_id))

            assert await states() == ["uncertain"]
            await agent.reprinting.reprint(invoice_id, CASHIER)
            assert await states() == ["failed", "uncertain"]
            await sandbox.printer.heal()

            async def printed() -> bool:
                return await states() == ["printed", "uncertain"]

            await until(printed)
    (paper,) = [paper for paper in sandbox.printer.papers if paper.complete]
    assert "WYDRUK PONOWNY nr 2" in paper.text


async def sell(agent: app.Agent) -> str:
    answer = await counter.sale(agent, json.dumps(sample_sale("nip")).encode(), "key", CASHIER)
    return answer.invoices[0].record.id
