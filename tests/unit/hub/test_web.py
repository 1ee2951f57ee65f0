"""The hub's HTTP for tills: who may do what, and what every call says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.hub.domain.records import InvoiceFacts, Seller
from agent.hub.domain.states import HubState
from agent.hub.ports import HubTransaction
from agent.hub.services.administration import Administration
from agent.hub_route.client import HubRefusal
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_served import ServedHub, served_hub
from tests.fakes.hub_stores import NIP, offer
from tests.unit.hub.test_intake import OTHER_SELLER
from tests.unit.sandbox.sandbox_client import invoice as fa3

BEAT: dict[str, Any] = {
    "database": "database-1",
    "process": "run-1",
    "machine": "m-1",
    "started_at": "2026-11-24T08:00:00+00:00",
    "version": "1.2.3",
    "series": ["FV-1"],
    "unsent": 2,
    "next_deadline": "2026-11-25",
    "health": {"status": "ok"},
}


@dataclass
class Caller:
    """A till's software, as plain HTTP."""

    hub: ServedHub
    gateway: FakeGateway
    clock: FakeClock
    http: aiohttp.ClientSession
    token: str

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        async with self.http.request(method, self.hub.listener.url + path, headers=headers, **more) as response:
            return response.status, await response.json(content_type=None)

    async def put(self, xml: bytes, query: str = "offline=true&group=g", **more: Any) -> tuple[int, Any]:
        path = f"/v1/invoices/{hashlib.sha256(xml).hexdigest()}?{query}"
        headers = {"Content-Type": "application/xml", **more.pop("headers", {})}
        return await self.call("PUT", path, data=xml, headers=headers, **more)

    async def let(self, seconds: float) -> None:
        """Let time pass, with real sockets in between."""
        for _ in range(int(seconds * 10)):
            await self.clock.advance(0.1)
            await asyncio.sleep(0.001)


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Caller]:
    clock = FakeClock()
    gateway = FakeGateway(clock)

    def direct(_: Seller) -> FakeGateway:
        return gateway

    async with served_hub(tmp_path, clock, direct) as hub, aiohttp.ClientSession() as http:
        _, token = await hub.till("1", series=("FV-1",))
        yield Caller(hub, gateway, clock, http, token)


async def test_who_has_no_token_or_another_is_nobody(till: Caller) -> None:
    async with till.http.get(f"{till.hub.listener.url}/v1/outcomes") as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (401, "token-missing")
    till.token = "another"
    status, problem = await till.call("GET", "/v1/outcomes")
    assert (status, problem["code"]) == (401, "token-unknown")


async def test_a_revoked_till_is_refused_from_the_next_request_on(till: Caller) -> None:
    assert (await till.call("GET", "/v1/outcomes"))[0] == 200
    await till.hub.store.write(lambda tx: tx.parties.revoke_till(NIP, "1"))
    assert (await till.call("GET", "/v1/outcomes"))[1]["code"] == "token-unknown"


async def test_an_invoice_is_durable_at_once_and_known_within_its_time(till: Caller) -> None:
    xml = fa3("FV-1/1")
    status, invoice = await till.put(xml)
    assert (status, invoice["state"]) == (202, "waiting")
    waiting = asyncio.ensure_future(till.call("GET", f"/v1/invoices/{hashlib.sha256(xml).hexdigest()}?wait=5"))
    await till.let(5)
    status, invoice = await waiting
    assert (status, invoice["state"]) == (200, "accepted")
    assert (await till.put(xml))[0] == 200, "handed over again: as it stands"


async def test_a_press_is_answered_with_its_number(till: Caller) -> None:
    await till.let(1)
    pressing = asyncio.ensure_future(till.put(fa3("FV-1/1"), "offline=false&group=g&urgent=3&wait=3"))
    await till.let(2)
    status, invoice = await pressing
    assert (status, invoice["state"]) == (200, "accepted")
    assert [each.offline for each in till.gateway.sent] == [False]


@pytest.mark.parametrize(
    ("xml", "query", "status", "code"),
    [
        (fa3("FV-1/1", seller=OTHER_SELLER), "offline=true&group=g", 403, "other-seller"),
        (fa3("FV-2/1"), "offline=true&group=g", 403, "other-series"),
        (fa3("FV-1/1"), "offline=true&group=g&number=FV-1/2", 422, "offer-differs"),
        (fa3("FV-1/1"), "offline=perhaps&group=g", 400, "bad-query"),
        (fa3("FV-1/1"), "offline=true", 400, "bad-query"),
        (fa3("FV-1/1"), "offline=true&group=g&version=2", 400, "bad-query"),
        (fa3("FV-1/1"), "offline=true&group=g&wait=-1", 400, "bad-query"),
        (b"<Faktura/>", "offline=true&group=g", 422, None),
    ],
)
async def test_what_is_refused_says_why(till: Caller, xml: bytes, query: str, status: int, code: str | None) -> None:
    answered, problem = await till.put(xml, query)
    assert answered == status
    assert code is None or problem["code"] == code
    assert problem["retry_safe"] is False
    assert problem["detail"]


async def test_other_bytes_than_named_are_refused(till: Caller) -> None:
    headers = {"Content-Type": "application/xml"}
    path = f"/v1/invoices/{'0' * 64}?offline=true&group=g"
    status, problem = await till.call("PUT", path, data=fa3("FV-1/1"), headers=headers)
    assert (status, problem["code"]) == (422, "hash-differs")


async def test_a_number_that_is_taken_names_what_holds_it(till: Caller) -> None:
    held = fa3("FV-1/1")
    await till.put(held)
    status, problem = await till.put(fa3("FV-1/1", issued_on="2026-11-23"))
    assert (status, problem["code"]) == (409, "number-taken")
    assert problem["holder"]["sha256"] == hashlib.sha256(held).hexdigest()


async def test_a_till_sees_only_its_own(till: Caller) -> None:
    xml = fa3("FV-1/1")
    await till.put(xml)
    await till.let(5)
    _, till.token = await till.hub.till("2")
    path = f"/v1/invoices/{hashlib.sha256(xml).hexdigest()}"
    for each in (path, f"{path}/upo"):
        assert (await till.call("GET", each))[0] == 404
    assert (await till.call("GET", "/v1/invoices?group=g"))[1] == {"invoices": []}
    (number, _), *_ = till.gateway.ledger.values()
    assert (await till.call("GET", f"/v1/invoices?ksef_number={number}"))[1] == {"invoices": []}
    assert (await till.call("GET", "/v1/upo?group=g"))[1] == {"pages": []}
    assert (await till.call("GET", "/v1/outcomes"))[1]["outcomes"] == []


def line(xml: bytes, **more: Any) -> bytes:
    document = {
        "sha256": hashlib.sha256(xml).hexdigest(),
        "xml": base64.b64encode(xml).decode(),
        "offline": True,
        "group": "b",
    }
    return json.dumps({**document, **more}).encode() + b"\n"


async def test_a_backlog_goes_in_one_request_and_each_line_has_its_answer(till: Caller) -> None:
    await till.put(fa3("FV-1/2"))
    lines = (
        line(fa3("FV-1/1")),
        line(fa3("FV-1/2", issued_on="2026-11-23")),
        line(fa3("FV-9/1")),
        line(fa3("FV-1/3"), unknown_field_of_a_newer_till=1),
        b"{}\n",
    )
    headers = {"Content-Type": "application/x-ndjson"}
    status, answer = await till.call("POST", "/v1/invoices", data=b"".join(lines), headers=headers)
    assert status == 200
    assert [each["status"] for each in answer["results"]] == [202, 409, 403, 202, 400]
    assert [each.get("code") for each in answer["results"]] == [None, "number-taken", "other-series", None, "bad-query"]
    assert (await till.call("GET", "/v1/invoices?group=b"))[1]["invoices"][0]["state"] == "waiting"
    for wrong in (b"", line(fa3("FV-1/1")) * 1001):
        assert (await till.call("POST", "/v1/invoices", data=io.BytesIO(wrong), headers=headers))[0] == 400


async def test_outcomes_come_in_order_and_are_waited_for(till: Caller) -> None:
    status, answer = await till.call("GET", "/v1/outcomes")
    assert (status, answer["outcomes"], answer["from_beginning"]) == (200, [], False)
    waiting = asyncio.ensure_future(till.call("GET", f"/v1/outcomes?after={answer['cursor']}&wait=30"))
    await till.let(0.1)
    await till.put(fa3("FV-1/1"))
    await till.let(3)
    _, answer = await waiting
    assert answer["outcomes"][0]["kind"] == "sent"
    await till.let(10)
    _, more = await till.call("GET", f"/v1/outcomes?after={answer['cursor']}")
    kinds = [each["kind"] for each in (*answer["outcomes"], *more["outcomes"])]
    assert kinds == ["sent", "accepted", "upo"]
    assert base64.b64decode(more["outcomes"][-1]["confirmation"]["xml"]).startswith(b"<Potwierdzenie")
    _, again = await till.call("GET", "/v1/outcomes?after=99.beyond")
    assert (again["from_beginning"], len(again["outcomes"])) == (True, 3)
    assert (await till.call("GET", "/v1/outcomes?after=x"))[1]["code"] == "bad-query"


async def test_the_hub_holds_an_invoice_that_is_confirmed(till: Caller) -> None:
    xml = fa3("FV-1/1")
    await till.put(xml)
    path = f"/v1/invoices/{hashlib.sha256(xml).hexdigest()}/upo"
    assert (await till.call("GET", path))[1]["code"] == "no-upo"
    await till.let(20)
    _, confirmation = await till.call("GET", path)
    assert confirmation["session"] is None
    _, pages = await till.call("GET", "/v1/upo?group=g")
    assert pages["pages"][0]["documents"] == [
        {"ksef_number": confirmation["ksef_number"], "sha256": hashlib.sha256(xml).hexdigest()}
    ]


# --- heartbeats ----------------------------------------------------------------------------------------------------


async def test_a_sign_of_life_is_answered_with_news(till: Caller) -> None:
    await till.let(3)
    status, news = await till.call("PUT", "/v1/heartbeat", json=BEAT)
    assert status == 200
    assert news["now"].startswith("2026-11-24T09:00:03")
    assert (news["ksef"], news["version"]) == ("up", "1.2.3")
    assert news["budget"]["left_hour"] == 180
    (seen,) = await till.hub.store.read(lambda tx: tx.fleet.last_beats())
    assert (seen.beat.unsent, seen.address) == (2, "127.0.0.1")


async def test_a_case_that_a_manager_closed_on_the_till_is_closed_here(till: Caller) -> None:
    given = offer("FV-1/1")
    path = f"/v1/closed/{given.sha256.hex()}?at="
    assert (await till.call("PUT", f"{path}2026-11-24T09:00:00Z"))[1]["code"] == "invoice-not-found"
    store = till.hub.store
    (own,) = await store.read(lambda tx: tx.parties.tills())
    await store.write(lambda tx: tx.invoices.add(own, given))
    for state in (HubState.SENDING, HubState.REJECTED):
        await store.write(partial(moved, given.sha256, state))
    for wrong in ("", "x", "2026-11-24T09:00:00"):
        assert (await till.call("PUT", path + wrong))[1]["code"] == "bad-query"
    other = await Administration(store).add_till("kasa 9", NIP, "", ())
    stranger = replace(till, token=other.token)
    assert (await stranger.call("PUT", f"{path}2026-11-23T09:00:00Z"))[1]["code"] == "invoice-not-found"
    for _ in range(2):
        status, said = await till.call("PUT", f"{path}2026-11-24T09:00:00Z")
        assert (status, said["state"]) == (200, "rejected")
    closed_at = (await store.read(lambda tx: tx.invoices.get(given.sha256))).closed_at
    assert closed_at == datetime(2026, 11, 24, 9, tzinfo=UTC)
    log = await store.read(lambda tx: tx.log.after(0, 10))
    assert [each.kind for each in log].count("case_closed") == 1


async def moved(sha256: bytes, state: HubState, tx: HubTransaction) -> None:
    await tx.invoices.move(sha256, state, InvoiceFacts())


async def test_a_sign_of_life_of_megabytes_is_refused(till: Caller) -> None:
    """Each look at the fleet would read it again."""
    assert (await till.call("PUT", "/v1/heartbeat", json={**BEAT, "health": {"x": "x" * 900_000}}))[0] == 200
    status, said = await till.call("PUT", "/v1/heartbeat", json={**BEAT, "health": {"x": "x" * 1_000_000}})
    assert (status, said["code"]) == (413, "body-too-large")


async def test_two_tills_under_one_name_are_found_out_at_the_first_sign_of_life(till: Caller) -> None:
    assert (await till.call("PUT", "/v1/heartbeat", json=BEAT))[0] == 200
    second = {**BEAT, "database": "database-2", "process": "run-9"}
    status, problem = await till.call("PUT", "/v1/heartbeat", json=second)
    assert (status, problem["code"]) == (409, "till-name-duplicate")
    status, problem = await till.put(fa3("FV-1/1"), headers={"X-Till-Database": "database-2"})
    assert (status, problem["code"]) == (409, "till-name-duplicate")
    assert (await till.put(fa3("FV-1/1"), headers={"X-Till-Database": "database-1"}))[0] == 202
    (seen,) = await till.hub.store.read(lambda tx: tx.fleet.last_beats())
    assert seen.duplicate_at is not None
    log = await till.hub.store.read(lambda tx: tx.log.after(0, 10))
    assert [each.kind for each in log] == ["duplicate_till"]


async def handed_over_by(till: Caller, process: str | None) -> int:
    """Hand something over as that run of a till of the one database; return the status."""
    headers = {"X-Till-Database": "database-1"} | ({} if process is None else {"X-Till-Process": process})
    return (await till.put(fa3("FV-1/1"), headers=headers))[0]


async def test_a_copied_disk_hands_nothing_over_once_it_was_found_out(till: Caller) -> None:
    """Its database is the same; the run of the program is not."""
    assert (await till.call("PUT", "/v1/heartbeat", json=BEAT))[0] == 200
    copy = {**BEAT, "process": "run-9", "machine": "m-2"}
    assert (await till.call("PUT", "/v1/heartbeat", json=copy))[0] == 409
    said = [await handed_over_by(till, process) for process in ("run-9", "run-1", "run-2", None)]
    assert said == [409, 202, 202, 202], "the copy, the till, the till started again, a till of 0.2"
    await till.clock.advance(91)
    assert (await till.call("PUT", "/v1/heartbeat", json=copy))[0] == 200, "the first one is silent: it was moved"
    assert [await handed_over_by(till, process) for process in ("run-9", "run-1")] == [200, 409], "KSeF has it by now"


async def test_a_copied_disk_reads_no_outcomes_for_its_till(till: Caller) -> None:
    """What it read counted as known to the till: a refusal that only the copy had heard of was told nobody."""
    assert (await till.call("PUT", "/v1/heartbeat", json=BEAT))[0] == 200
    copy = {**BEAT, "process": "run-9", "machine": "m-2"}
    assert (await till.call("PUT", "/v1/heartbeat", json=copy))[0] == 409
    clients = [till.hub.client(till.token, "database-1") for _ in range(2)]
    for client, process in zip(clients, ("run-1", "run-9"), strict=True):
        client.process = process
    _, cursor, _ = await clients[0].outcomes("", 0.0)
    with pytest.raises(HubRefusal) as refused:
        await clients[1].outcomes(cursor, 0.0)
    assert refused.value.problem_code == "till-name-duplicate"
    assert (await till.call("GET", f"/v1/outcomes?after={cursor}"))[0] == 200, "a till of before does not say who it is"


async def test_a_copy_that_ran_for_a_minute_does_not_lock_its_till_out(till: Caller) -> None:
    """An image that was started in a lab, and carries the machine's identifier: then it was switched off."""
    copy = {**BEAT, "process": "run-9"}
    assert [(await till.call("PUT", "/v1/heartbeat", json=each))[0] for each in (BEAT, copy, BEAT)] == [200, 200, 409]
    assert [await handed_over_by(till, process) for process in ("run-1", "run-9")] == [409, 202]
    await till.clock.advance(91)
    assert await handed_over_by(till, "run-1") == 200, "the copy is silent"
    assert [(await till.call("PUT", "/v1/heartbeat", json=each))[0] for each in (BEAT, copy)] == [200, 409]
    assert [await handed_over_by(till, process) for process in ("run-1", "run-9")] == [200, 409]
    (seen,) = await till.hub.store.read(lambda tx: tx.fleet.last_beats())
    assert seen.duplicate_at is not None, "people still have to know"


async def test_a_till_that_headquarters_adopted_hands_over(till: Caller) -> None:
    assert (await till.call("PUT", "/v1/heartbeat", json=BEAT))[0] == 200
    copy = {**BEAT, "process": "run-9", "machine": "m-2"}
    assert (await till.call("PUT", "/v1/heartbeat", json=copy))[0] == 409
    await Administration(till.hub.store).adopt("1", NIP)
    assert await handed_over_by(till, "run-9") == 202
    assert (await till.call("PUT", "/v1/heartbeat", json=copy))[0] == 200
    assert (await till.call("PUT", "/v1/heartbeat", json=BEAT))[0] == 409
    assert [await handed_over_by(till, process) for process in ("run-9", "run-1")] == [202, 409]


async def test_a_heartbeat_that_is_none_is_refused(till: Caller) -> None:
    for wrong in ({}, {**BEAT, "unsent": "two"}, {**BEAT, "started_at": "2026-11-24T08:00:00"}):
        assert (await till.call("PUT", "/v1/heartbeat", json=wrong))[1]["code"] == "bad-input"


async def test_a_heartbeat_that_no_till_can_mean_is_refused_by_the_field_name(till: Caller) -> None:
    for name, value in (
        ("unsent", -1),
        ("unsent", 10**400),
        ("alone", -1),
        ("alone", 10**9 + 1),
        ("next_deadline", "9999-12-31"),
        ("alone_deadline", "2201-01-01"),
    ):
        status, problem = await till.call("PUT", "/v1/heartbeat", json={**BEAT, name: value})
        assert (status, problem["code"]) == (422, "bad-input")
        assert f"„heartbeat.{name}” " in problem["detail"]
    assert await till.hub.store.read(lambda tx: tx.fleet.last_beats()) == []
    assert (await till.call("PUT", "/v1/heartbeat", json={**BEAT, "unsent": 10**9, "alone": 0}))[0] == 200


async def test_anybody_may_ask_whether_it_lives(till: Caller) -> None:
    async with till.http.get(f"{till.hub.listener.url}/health/live") as response:
        assert (await response.json())["live"] is True
