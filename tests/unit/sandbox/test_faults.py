"""Planned faults: how each looks to a client, whether the server acted, and that they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from agent.sandbox.ksef.faults import FAULTS, BadPlan
from tests.unit.sandbox.sandbox_client import Client, invoice, running

BROKEN = aiohttp.ClientError
ACTED = {"reset_after", "slow", "truncated", "broken_json", "slow_before", "drip"}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running() as started:
        await started.sign_in()
        await started.open()
        yield started


async def look(client: Client, fault: str) -> str:
    """Send an invoice with that fault planned and say what the client saw."""
    await client.sandbox.plan("send", fault, 1, seconds=5 if "slow" in fault or fault == "hang" else 0)
    sending = asyncio.create_task(client.send(invoice()))
    while not sending.done():
        await asyncio.sleep(0)
        if client.sandbox.faults.hits:
            await client.clock.advance(5)
    try:
        answer = await sending
    except aiohttp.ServerDisconnectedError:
        return "disconnected"
    except aiohttp.ClientOSError:
        return "reset"
    except aiohttp.ClientPayloadError:
        return "cut"
    except aiohttp.ClientResponseError:
        return "garbage"
    except json.JSONDecodeError:
        return "bad json"
    return f"{answer.status} {answer.headers.get('Content-Type', '').partition(';')[0]}".strip()


SEEN = {
    "refuse": "reset",
    "reset_before": "reset",
    "reset_after": "reset",
    "close": "disconnected",
    "hang": "disconnected",
    "slow": "202 application/json",
    "slow_before": "202 application/json",
    "drip": "202 application/json",
    "truncated": "cut",
    "broken_json": "bad json",
    "garbage": "garbage",
    "html_200": "200 text/html",
    "html_403": "403 text/html",
    "html_502": "502 text/html",
    "html_503": "503 text/html",
    "json_500": "500 application/json",
    "redirect": "302",
    "401": "401 application/problem+json",
    "410": "410 application/problem+json",
    "429": "429 application/json",
}


def test_every_fault_is_looked_at() -> None:
    assert {*SEEN, "none"} == set(FAULTS)


@pytest.mark.parametrize("fault", SEEN)
async def test_how_it_looks_and_whether_the_server_acted(client: Client, fault: str) -> None:
    assert await look(client, fault) == SEEN[fault]
    assert len(client.sandbox.ledger) == (1 if fault in ACTED else 0)
    again = await client.settled(await client.send(invoice()))
    assert again["status"]["code"] == (440 if fault in ACTED else 200)
    assert len(client.sandbox.ledger) == 1


@pytest.mark.parametrize("fault", ["reset_before", "close", "html_502", "json_500", "garbage", "html_200", "429"])
async def test_any_fault_can_strike_after_the_server_acted(client: Client, fault: str) -> None:
    await client.sandbox.plan("send", fault, 1, 0, after=True)
    with contextlib.suppress(aiohttp.ClientError, OSError):
        await client.send(invoice())
    assert len(client.sandbox.ledger) == 1


async def test_faults_strike_their_call_only_and_so_often(client: Client) -> None:
    await client.sandbox.plan("open", "html_502", 2)
    await client.sandbox.plan("open", "html_503", None)
    assert (await client.send(invoice())).status == 202
    assert [(await client.open()).status for _ in range(4)] == [502, 502, 503, 503]
    await client.sandbox.plan("open", "none")
    assert (await client.open()).status == 201


async def test_a_star_strikes_everything_and_none_heals_everything(client: Client) -> None:
    await client.sandbox.plan("*", "html_502")
    await client.sandbox.plan("latarnia", "html_503")
    assert (await client.send(invoice())).status == 502
    assert (await client.call("GET", client.sandbox.latarnia_url + "/status")).status == 503
    await client.sandbox.plan("*", "none")
    assert (await client.call("GET", client.sandbox.latarnia_url + "/status")).status == 200
    assert (await client.send(invoice())).status == 202


async def test_line_down_refuses_connections_but_not_the_control(client: Client) -> None:
    kept = client.sandbox.ksef
    await client.call("GET", "/rate-limits")  # leaves an open connection behind
    await client.sandbox.plan("*", "refuse")
    for url in (client.sandbox.ksef + "/auth/challenge", client.sandbox.latarnia_url + "/status"):
        async with aiohttp.ClientSession() as fresh:
            with pytest.raises(aiohttp.ClientConnectorError):
                await fresh.get(url)
    with pytest.raises(BROKEN):
        await client.call("GET", "/rate-limits")
    assert (await client.call("GET", client.sandbox.control + "/ledger")).body == []
    await client.sandbox.plan("*", "none")
    assert client.sandbox.ksef == kept
    assert (await client.send(invoice())).status == 202


async def test_a_request_on_its_way_is_cut_when_the_line_goes_down(client: Client) -> None:
    await client.sandbox.plan("send", "slow", 1, 3600)
    sending = asyncio.create_task(client.send(invoice()))
    while not client.sandbox.faults.hits:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0)
    await client.sandbox.plan("*", "refuse")
    with pytest.raises(BROKEN):
        await sending
    await client.clock.advance(3600)
    await client.sandbox.plan("*", "none")
    assert len(client.sandbox.ledger) == 1


async def test_the_line_can_heal_by_itself(client: Client) -> None:
    await client.sandbox.plan("*", "refuse", seconds=60)
    await client.clock.advance(59)
    with pytest.raises(BROKEN):
        await client.call("GET", "/rate-limits")
    await client.clock.advance(1)
    assert (await client.call("GET", "/rate-limits")).status == 200


async def test_each_line_can_go_down_alone(client: Client) -> None:
    latarnia = client.sandbox.latarnia_url + "/status"
    await client.sandbox.plan("ksef", "refuse")
    assert (await client.call("GET", latarnia)).status == 200
    with pytest.raises(BROKEN):
        await client.call("GET", "/rate-limits")
    await client.sandbox.plan("ksef", "none")
    await client.sandbox.plan("latarnia", "refuse")
    assert (await client.call("GET", "/rate-limits")).status == 200
    with pytest.raises(BROKEN):
        await client.call("GET", latarnia)
    await client.sandbox.plan("latarnia", "none")
    await client.sandbox.plan("ksef", "html_503")
    assert (await client.call("GET", latarnia)).status == 200
    assert (await client.call("GET", "/rate-limits")).status == 503


async def test_unknown_plans_are_refused(client: Client) -> None:
    for call, fault in (("send", "flood"), ("post", "slow")):
        with pytest.raises(BadPlan):
            await client.sandbox.plan(call, fault)
