"""What a till says wrongly costs itself only: an answer that says why, in Polish, and nothing is stored."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from agent.domain.errors import Unavailable
from agent.hub.domain.offers import read_offer
from agent.hub.ports import BUSY, HubStore, T, Work
from agent.hub.services.intake import SLICE, Intake
from tests.fakes.hub_world import HubWorld, hub_world
from tests.unit.hub.test_intake import CLAIMS
from tests.unit.hub.test_web import BEAT, Caller, line, till
from tests.unit.sandbox.sandbox_client import invoice as fa3

__all__ = ["till"]

NDJSON = {"Content-Type": "application/x-ndjson"}
DIGITS = "9" * 400
ENGLISH = re.compile(r"\b(is|no|not|the|has|and)\b")
WRONG = (
    f'"urgent": {DIGITS}',
    '"urgent": NaN',
    f'"version": {2**63}, "corrects": "{"ab" * 32}"',
    f'"version": {2**31}, "corrects": "{"ab" * 32}"',
    '"version": 0',
    '"version": 2, "corrects": "ab"',
    '"version": 2',
    r'"group": "\ud800"',
    r'"group": "\u0000"',
    r'"mode": "\ud800"',
    '"deadline": "9999-12-31"',
    '"xml": "?"',
    '"offline": "yes"',
)


def wrong(xml: bytes, members: str) -> bytes:
    """Return a line with more members, or others in their place, as JSON."""
    return line(xml).rstrip().removesuffix(b"}") + f", {members}}}\n".encode()


def path_of(xml: bytes) -> str:
    return f"/v1/invoices/{hashlib.sha256(xml).hexdigest()}"


def require_polish(problem: Any) -> None:
    assert problem["detail"]
    assert not ENGLISH.search(problem["detail"]), problem["detail"]


async def asked(till: Caller, method: str, path: str, xml: bytes | None = None) -> tuple[int, Any]:
    """Ask with the bytes of the address as they are."""
    headers = {"Authorization": f"Bearer {till.token}"} | ({} if xml is None else {"Content-Type": "application/xml"})
    url = URL(till.hub.listener.url + path, encoded=True)
    async with till.http.request(method, url, data=xml, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def test_a_wrong_claim_in_one_line_spoils_no_other_line(till: Caller) -> None:
    refused = [fa3(f"FV-1/{number}") for number, _ in enumerate(WRONG, start=2)]
    lines = [wrong(xml, members) for xml, members in zip(refused, WRONG, strict=True)]
    body = line(fa3("FV-1/1")) + b"".join(lines) + b"{\n" + b"[]\n" + line(fa3("FV-9/1")) + line(fa3("FV-1/99"))
    status, answer = await till.call("POST", "/v1/invoices", data=body, headers=NDJSON)
    assert status == 200, answer
    first, *said, last = answer["results"]
    assert (first["status"], last["status"]) == (202, 202)
    codes = ["bad-query"] * len(WRONG) + ["not-json", "bad-query", "other-series"]
    assert [each["code"] for each in said] == codes, said
    for each in said:
        assert each["retry_safe"] is False
        require_polish(each)
    for xml in refused:
        assert (await till.call("GET", path_of(xml)))[0] == 404


async def test_a_put_with_a_wrong_parameter_is_refused_and_nothing_is_stored(till: Caller) -> None:
    xml = fa3("FV-1/1")
    for query in (
        f"group=g&urgent={DIGITS}",
        "group=g&version=2&corrects=ab",
        f"group=g&version={2**31}&corrects={'ab' * 32}",
        "group=%00",
        "group=g&mode=%00",
        "group=g&deadline=9999-12-31",
        "group=g&wait=abc",
        "group=g&wait=-1",
        "group=g&wait=nan",
    ):
        status, problem = await asked(till, "PUT", f"{path_of(xml)}?offline=true&{query}", xml)
        assert (status, problem["code"], problem["retry_safe"]) == (400, "bad-query", False), query
        require_polish(problem)
        assert (await till.call("GET", path_of(xml)))[0] == 404, query


async def test_a_deadline_is_taken_however_old_and_where_the_hubs_clock_is_years_behind(till: Caller) -> None:
    """A till that was away for years, or whose clock was wrong; a hub whose clock was set back by years."""
    assert (await till.put(fa3("FV-1/1"), "offline=true&group=g&deadline=2000-01-03"))[0] == 202
    assert (await till.put(fa3("FV-1/2"), "offline=true&group=g&deadline=2031-12-01"))[0] == 202


async def test_no_question_reaches_the_database_with_what_it_cannot_look_for(till: Caller) -> None:
    for path in (
        "/v1/invoices?group=%00",
        "/v1/invoices?ksef_number=%00",
        "/v1/upo?group=a%00",
        "/v1/outcomes?after=1.%00",
        "/v1/outages?nip=%00&month=2026-11",
        "/v1/register?nip=%00&month=2026-11",
        "/books?nip=%00",
    ):
        status, problem = await asked(till, "GET", path)
        assert (status, problem["code"]) == (400, "bad-query"), path


async def test_a_sign_of_life_with_text_that_no_database_keeps_is_refused(till: Caller) -> None:
    for name in ("database", "process", "machine", "version"):
        for character, code in (("\0", "bad-input"), ("\ud800", "forbidden-character")):
            status, problem = await till.call("PUT", "/v1/heartbeat", data=json.dumps({**BEAT, name: f"a{character}"}))
            assert (status, problem["code"], problem["retry_safe"]) == (422, code, False), name
            require_polish(problem)
    for wrong_one in ({"unsent": "two"}, {"unsent": -1}, {"next_deadline": "9999-12-31"}):
        status, problem = await till.call("PUT", "/v1/heartbeat", json={**BEAT, **wrong_one})
        assert (status, problem["code"]) == (422, "bad-input")
        require_polish(problem)
    assert await till.hub.store.read(lambda tx: tx.fleet.last_beats()) == []


async def test_a_token_of_any_bytes_is_nobodys(till: Caller) -> None:
    url = URL(till.hub.listener.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET /v1/outcomes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n")
    head = (await reader.read()).split(b"\r\n")[0]
    writer.close()
    assert b" 401 " in head, head


async def test_an_unknown_cursor_at_an_empty_hub_is_answered_at_once(till: Caller) -> None:
    asking = asyncio.ensure_future(till.call("GET", "/v1/outcomes?after=99.of-another-memory&wait=30"))
    await till.let(1)
    done = asking.done()
    await till.let(0 if done else 30)
    assert (await asking)[1]["from_beginning"] is True
    assert done, "held back, although it is news that the cursor is not known"


# --- a hand-over that is cut off half-way ---------------------------------------------------------------------------


class StopsTaking:
    """A store that takes so many units of work, and refuses the next."""

    def __init__(self, store: HubStore, units: int, code: str) -> None:
        self._store = store
        self._left = units
        self._code = code

    async def write(self, work: Work[T]) -> T:
        if self._left == 0:
            raise Unavailable("Centrala ma teraz za dużo pracy.", code=self._code)
        self._left -= 1
        return await self._store.write(work)

    async def read(self, work: Work[T]) -> T:
        return await self._store.read(work)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubWorld]:
    async with hub_world(tmp_path) as world:
        yield world


@pytest.mark.parametrize("code", [BUSY, "hub-draining", "disk-full"])
async def test_what_is_left_when_the_hub_stops_taking_is_refused_line_by_line(hub: HubWorld, code: str) -> None:
    """The till has to know that the first hundred are on their way to KSeF."""
    till = await hub.till()
    files = [fa3(f"FV-1/{number}") for number in range(SLICE + 2)]
    offers = [read_offer(till, hashlib.sha256(xml).digest(), xml, CLAIMS, hub.clock.now()) for xml in files]
    taken = await Intake(StopsTaking(hub.store, 1, code)).take_all(till, offers)  # type: ignore[arg-type]
    assert [each.invoice is not None for each in taken] == [True] * SLICE + [False] * 2
    assert [each.refusal.code for each in taken if each.refusal is not None] == [code] * 2


@pytest.mark.parametrize(("units", "code"), [(0, BUSY), (1, "store-unreachable")])
async def test_nothing_stored_or_nobody_knows_is_said_of_all(hub: HubWorld, units: int, code: str) -> None:
    till = await hub.till()
    files = [fa3(f"FV-1/{number}") for number in range(SLICE + 2)]
    offers = [read_offer(till, hashlib.sha256(xml).digest(), xml, CLAIMS, hub.clock.now()) for xml in files]
    with pytest.raises(Unavailable) as refused:
        await Intake(StopsTaking(hub.store, units, code)).take_all(till, offers)  # type: ignore[arg-type]
    assert refused.value.code == code
