"""Rate limits of the sandbox: sliding windows, Retry-After, one count per context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sandbox.ksef.limits import PRODUCTION, Limit, RateLimits
from agent.sandbox.ksef.wire import ApiProblem
from tests.unit.sandbox.sandbox_client import Client, invoice, running


@dataclass
class Hand:
    """A clock moved by hand."""

    at: float = 0.0

    def monotonic(self) -> float:
        return self.at


LIMIT = Limit(2, 5, 9)
SIZES = ((1.0, 2), (60.0, 5), (3600.0, 9))


@given(pauses=st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 7.0, 59.0, 60.0, 900.0]), max_size=60))
def test_no_window_ever_holds_more_than_allowed(pauses: list[float]) -> None:
    """Against the plain definition: look at every window that ends with a call."""
    clock = Hand()
    limits = RateLimits(clock, None, None, {"send": LIMIT})  # type: ignore[arg-type]
    taken: list[float] = []
    for pause in pauses:
        clock.at += pause
        room = all(sum(1 for at in taken if at > clock.at - seconds) < allowed for seconds, allowed in SIZES)
        if room:
            limits.count("send", "somebody")
        else:
            with pytest.raises(ApiProblem) as refusal:
                limits.count("send", "somebody")
            clock.at += refusal.value.retry_after or 0
            limits.count("send", "somebody")
        taken.append(clock.at)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(limits=PRODUCTION) as started:
        started.sandbox.behaviour.access_token_lifetime = 86400
        await started.sign_in()
        yield started


async def burst(client: Client, count: int) -> list[int]:
    return [(await client.call("GET", "/rate-limits")).status for _ in range(count)]


async def test_each_window_slides(client: Client) -> None:
    await client.clock.advance(10)
    assert await burst(client, 11) == [200] * 10 + [429]
    await client.clock.advance(1)
    assert await burst(client, 10) == [200] * 10
    await client.clock.advance(1)
    assert await burst(client, 11) == [200] * 10 + [429]
    refused = await client.call("GET", "/limits/context")  # the same group
    assert (refused.status, refused.headers["Retry-After"]) == (429, "58")
    await client.clock.advance(57.9)
    assert await burst(client, 1) == [429]
    await client.clock.advance(0.1)
    assert await burst(client, 11) == [200] * 10 + [429]


async def test_obeying_retry_after_is_enough(client: Client) -> None:
    began = client.clock.monotonic()
    for _ in range(130):
        answer = await client.call("GET", "/rate-limits")
        if answer.status == 429:
            await client.clock.advance(float(answer.headers["Retry-After"]))
            assert (await client.call("GET", "/rate-limits")).status == 200
    assert client.clock.monotonic() - began >= 3600


async def test_both_shapes_of_429(client: Client) -> None:
    client.sandbox.limits.table["other"] = Limit(0)
    old = await client.call("GET", "/rate-limits")
    new = await client.call("GET", "/rate-limits", headers={"X-Error-Format": "problem-details"})
    assert (old.body["status"]["code"], new.body["title"]) == (429, "Too Many Requests")
    assert "Spróbuj ponownie po" in new.body["detail"]


async def test_180_sends_an_hour(client: Client) -> None:
    await client.open()
    statuses = []
    for index in range(181):
        statuses.append((await client.send(invoice(f"FV/{index}"))).status)
        await client.clock.advance(2.1)
    assert statuses == [202] * 180 + [429]
    assert len(client.sandbox.ledger) == 180
    assert client.sandbox.limits.refused == 1


async def test_401_comes_before_429_and_storage_is_not_limited(client: Client) -> None:
    client.sandbox.limits.table["other"] = Limit(0)
    assert (await client.call("GET", "/rate-limits", token="wrong")).status == 401
    client.sandbox.limits.table["sessionMisc"] = Limit(0)
    await client.open()
    done = await client.settled(await client.send(invoice()))
    assert (await client.call("GET", f"/sessions/{client.session}")).status == 429
    assert (await client.call("GET", done["upoDownloadUrl"], token="")).status == 200


async def test_anonymous_calls_count_by_address(client: Client) -> None:
    await client.clock.advance(10)
    statuses = [(await client.call("POST", "/auth/challenge", token="")).status for _ in range(61)]
    assert statuses == [200] * 60 + [429]


async def test_the_tables_are_told(client: Client) -> None:
    told = (await client.call("GET", "/rate-limits")).body
    assert told["invoiceSend"] == {"perSecond": 10, "perMinute": 30, "perHour": 180}
    assert (await client.call("GET", "/limits/context")).body["onlineSession"]["maxInvoices"] == 10_000
    assert (await client.call("GET", "/limits/subject")).body["certificate"] == {"maxCertificates": 100}
