"""What till and hub of earlier versions said to each other, kept as files, against the program of today.

`hub_exchanges/VERSION.json` holds requests of a till of that version and the answers of a hub of that version. A hub of
today takes those requests and answers with everything a till of that version reads; a till of today reads its answers.
Files are never changed. A new minor version adds one: python -m tests.contract.test_hub_versions VERSION.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest

from agent import __version__
from agent.hub_contract.heartbeat import news_from_json
from agent.hub_contract.reading import Members
from agent.hub_contract.status import (
    confirmation_from_json,
    original_from_members,
    outcomes_from_json,
    page_from_json,
    status_from_json,
)
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_served import ServedHub, served_hub
from tests.unit.hub.test_web import BEAT, line
from tests.unit.sandbox.sandbox_client import invoice as fa3

FOLDER = Path(__file__).parent / "hub_exchanges"
RECORDED = sorted(path.stem for path in FOLDER.glob("*.json"))
XML, NDJSON = "application/xml", "application/x-ndjson"
QUERY_OF_A_PRESS = "offline=false&group=HUB-2&version=1&mode=online&urgent=3.000"
QUERY_OF_NONE = "offline=true&group=HUB-3&version=1&mode=total_failure"
Exchange = dict[str, Any]


def script() -> list[Exchange]:
    """Return what a till of today says, in order; ``wait``: seconds that pass before the next one."""
    first, other = fa3("FV-1/1").decode(), fa3("FV-1/1", issued_on="2026-11-23").decode()
    pressed, never = fa3("FV-1/3").decode(), fa3("FV-1/4").decode()
    hashes = [hashlib.sha256(each.encode()).hexdigest() for each in (first, other, pressed, never)]
    backlog = (line(fa3("FV-1/2")) + line(fa3("FV-9/1"))).decode()
    query = "offline=true&group=HUB-1&version=1&mode=offline24&deadline=2026-11-25"
    return [
        {"method": "PUT", "path": "/v1/heartbeat", "body": json.dumps(BEAT), "type": "application/json"},
        {"method": "PUT", "path": f"/v1/invoices/{hashes[0]}?{query}", "body": first, "type": XML, "wait": 5},
        {"method": "PUT", "path": f"/v1/invoices/{hashes[1]}?{query}", "body": other, "type": XML},
        {"method": "POST", "path": "/v1/invoices", "body": backlog, "type": NDJSON, "wait": 60},
        {"method": "GET", "path": f"/v1/invoices/{hashes[0]}"},
        {"method": "GET", "path": f"/v1/invoices/{'0' * 64}"},
        {"method": "GET", "path": f"/v1/invoices/{hashes[0]}/upo"},
        {"method": "GET", "path": "/v1/invoices?group=HUB-1"},
        {"method": "GET", "path": "/v1/upo?group=HUB-1"},
        {"method": "GET", "path": "/v1/outcomes?after=&wait=0"},
        {"method": "GET", "path": "/v1/outcomes?after=9999.of-another-memory&wait=0"},
        {"method": "PUT", "path": "/v1/heartbeat", "body": json.dumps(BEAT), "type": "application/json"},
        {
            "method": "PUT",
            "path": f"/v1/invoices/{hashes[2]}?{QUERY_OF_A_PRESS}",
            "body": pressed,
            "type": XML,
            "wait": 5,
        },
        {"method": "GET", "path": f"/v1/invoices/{hashes[2]}?wait=0"},
        {"method": "PUT", "path": f"/v1/exempt/{hashes[3]}?{QUERY_OF_NONE}", "body": never, "type": XML},
        {"method": "GET", "path": "/v1/invoices?ksef_number=5265877635-20261124-0100001AF629-AF"},
        {"method": "GET", "path": "/v1/offline-certificate"},
        {"method": "GET", "path": "/health/live"},
    ]


async def play(folder: Path, exchanges: list[Exchange]) -> list[tuple[int, Any]]:
    """Let a hub of today answer."""
    clock = FakeClock()
    gateway = FakeGateway(clock)
    async with served_hub(folder, clock, lambda _: gateway) as hub, aiohttp.ClientSession() as http:
        _, token = await hub.till("1", series=("FV-1",))
        await let(hub, clock, 1)
        answers = []
        for each in exchanges:
            headers = {"Authorization": f"Bearer {token}", "X-Till-Database": "database-1"}
            if "type" in each:
                headers["Content-Type"] = each["type"]
            url = hub.listener.url + each["path"]
            async with http.request(each["method"], url, data=each.get("body"), headers=headers) as response:
                answers.append((response.status, await response.json(content_type=None)))
            await let(hub, clock, each.get("wait", 0))
        return answers


async def let(hub: ServedHub, clock: FakeClock, seconds: float) -> None:
    for _ in range(int(seconds * 5)):
        await clock.advance(0.2)
        await asyncio.sleep(0.001)


def misses(old: Any, new: Any, place: str = "") -> list[str]:
    """Return what a till of the old version looks for and does not find, or finds as something else."""
    if isinstance(old, dict):
        if not isinstance(new, dict):
            return [place]
        return [gone for name in old for gone in misses(old[name], new.get(name), f"{place}.{name}")]
    if isinstance(old, list):
        if not isinstance(new, list) or len(new) < len(old):
            return [place]
        return [gone for number, each in enumerate(old) for gone in misses(each, new[number], f"{place}[{number}]")]
    return [] if old is None or isinstance(new, type(old)) else [place]


def exchanges_of(version: str) -> list[Exchange]:
    found: list[Exchange] = json.loads((FOLDER / f"{version}.json").read_text("utf-8"))
    return found


def grown(value: Any) -> Any:
    """Return what a version that is a minor above would say: in every object a member that today knows nothing of."""
    if isinstance(value, dict):
        return {**{name: grown(each) for name, each in value.items()}, "of_the_next_minor": {"unknown": [1]}}
    return [grown(each) for each in value] if isinstance(value, list) else value


def of_the_next_minor(each: Exchange) -> Exchange:
    """Return what a till that is a minor above would ask."""
    text, path = each.get("body"), each["path"]
    if each.get("type") == XML:
        return {**each, "path": f"{path}&of_the_next_minor=1"}
    if text is None:
        return {**each, "path": f"{path}{'&' if '?' in path else '?'}of_the_next_minor=1"}
    lines = [json.dumps(grown(json.loads(line)), ensure_ascii=False) for line in text.splitlines() if line.strip()]
    return {**each, "body": "\n".join(lines)}


@pytest.mark.parametrize("version", RECORDED)
async def test_a_hub_of_today_answers_a_till_that_is_a_minor_above(tmp_path: Path, version: str) -> None:
    recorded = exchanges_of(version)
    answers = await play(tmp_path, [of_the_next_minor(each) for each in recorded])
    for each, (status, answer) in zip(recorded, answers, strict=True):
        assert status == each["status"], each["path"]
        assert misses(each["answer"], answer) == [], each["path"]


@pytest.mark.parametrize("version", RECORDED)
async def test_a_hub_of_today_answers_a_till_of_that_version(tmp_path: Path, version: str) -> None:
    recorded = exchanges_of(version)
    answers = await play(tmp_path, recorded)
    for each, (status, answer) in zip(recorded, answers, strict=True):
        assert status == each["status"], each["path"]
        assert misses(each["answer"], answer) == [], each["path"]


@pytest.mark.parametrize("above", [False, True], ids=["that version", "a minor above"])
@pytest.mark.parametrize("version", RECORDED)
def test_a_till_of_today_reads_a_hub_of_that_version(version: str, above: bool) -> None:
    read: set[str] = set()
    for each in exchanges_of(version):
        path, answer = each["path"].split("?")[0], grown(each["answer"]) if above else each["answer"]
        if "code" in answer and "detail" in answer:
            if "holder" in answer:
                assert original_from_members(Members(answer["holder"], "holder")).sha256
                read.add("holder")
            continue
        if path == "/v1/heartbeat":
            read.add(f"news {news_from_json(answer).ksef}")
        elif path == "/v1/outcomes":
            lines, cursor, anew = outcomes_from_json(answer)
            assert cursor
            assert {"sent", "accepted", "upo"} <= {line.kind for line in lines}
            read.add(f"outcomes {anew}")
        elif path == "/v1/upo":
            read |= {"page" for page in answer["pages"] if page_from_json(page).documents}
        elif path.endswith("/upo"):
            read |= {"upo"} if confirmation_from_json(answer).ksef_number else set()
        elif path.startswith("/v1/exempt/"):
            read.add(f"exempt {status_from_json(answer).state}")
        elif path == "/v1/invoices":
            many: Mapping[str, Any] = answer
            results = many.get("results", [])
            items = many.get("invoices", [one["invoice"] for one in results if one.get("invoice")])
            read |= {f"many {status_from_json(one).state}" for one in items}
        elif path.startswith("/v1/invoices/"):
            read.add(f"one {status_from_json(answer).state}")
    assert {"holder", "news up", "outcomes False", "outcomes True", "page", "upo"} <= read
    assert {"one waiting", "one accepted", "many waiting", "many accepted"} <= read


def test_every_version_before_todays_has_its_recording() -> None:
    changes = (Path(__file__).parents[2] / "CHANGELOG.md").read_text("utf-8")
    released = set(re.findall(r"^## (\d+\.\d+)\.\d+ ", changes, re.MULTILINE))
    before = released - {__version__.rpartition(".")[0]}
    assert before <= {each.rpartition(".")[0] for each in RECORDED}, (
        "python -m tests.contract.test_hub_versions VERSION"
    )


def test_what_is_missing_is_found() -> None:
    assert misses({"a": [{"b": 1}]}, {"a": [{"b": 2, "c": 3}], "d": 4}) == []
    assert misses({"a": [{"b": 1}]}, {"a": [{"c": 1}]}) == [".a[0].b"]
    assert misses({"a": "text"}, {"a": 1}) == [".a"]


async def record(folder: Path, version: str) -> None:
    """Write what hub and till of today say to each other."""
    said = script()
    answers = await play(folder, said)
    kept = [{**each, "status": status, "answer": answer} for each, (status, answer) in zip(said, answers, strict=True)]
    text = json.dumps(kept, ensure_ascii=False, indent=1)
    (FOLDER / f"{version}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        asyncio.run(record(Path(made), sys.argv[1]))
