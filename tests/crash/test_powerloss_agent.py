"""Power cuts under the whole running agent: till, KSeF and printer hear nothing that a power cut could take back.

The agent runs under strace against the sandbox. What it answers, sends and prints is read out of its system calls, at
the very moment at which it leaves; after each of these moments a power cut is replayed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.sandbox.ksef.limits import TABLES
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox
from agent.store.lock import holder_of
from tests.crash.powerloss.campaign import MEMORY, campaign
from tests.crash.powerloss.checker import Promise, start, violations
from tests.crash.powerloss.disk import Model, State
from tests.crash.powerloss.trace import STRACE, Recording, Step, read_trace, snapshot, traced
from tests.fakes.agent_process import START_SECONDS, AgentProcess
from tests.fakes.sales import mixed_sale
from tests.fakes.seeds import Note

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace cannot be used here")
HEAD_BYTES = 300
"""So much of a slip at least is in the first piece that leaves."""


async def live(folder: Path, presses: int) -> Recording:
    """Run the agent under strace: presses online, one with the line down, a stop."""
    output = folder / "trace"
    async with Sandbox(limits=TABLES["none"]) as sandbox, aiohttp.ClientSession() as http:
        facts = write_config(sandbox, folder / "agent.toml", describe(sandbox, folder / "certificates"))
        place = AgentProcess(sandbox, facts, http, folder)
        root = place.database.parent
        before = snapshot(root)
        command = (*traced(output), sys.executable, "-m", "agent.cli", "run", "--config", str(facts["config"]))
        with (folder / "agent.log").open("wb") as log:
            place.process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        await ready(place)
        for number in range(presses):
            if number == presses - 1:
                await place.sandbox.plan("*", "refuse")
            status, answer = await place.post("/v1/invoices", mixed_sale(number), f"sale-{number}")
            assert status == 201, answer
        await place.sandbox.plan("*", "none")
        await place.empty_queue()
        agent = holder_of(place.database.parent.stat())
        assert agent is not None
        os.kill(agent, signal.SIGTERM)
        assert await place.process.wait() == 0, place.log()
    return read_trace(root, before, output)


async def ready(place: AgentProcess) -> None:
    for _ in range(int(START_SECONDS * 20)):
        with contextlib.suppress(aiohttp.ClientError):
            async with place.http.get(f"{place.facts['health']}/health/ready") as response:
                if response.status == 200:
                    return
        await asyncio.sleep(0.05)
    raise AssertionError(place.log())


def with_promises(recording: Recording, slips: dict[bytes, dict[str, Any]]) -> Recording:
    """Put what was promised in place of what was sent: answers to presses, bytes for KSeF, papers."""
    steps: list[Step] = []
    begun: dict[int, bytes] = {}
    presses = 0
    for step in recording.steps:
        if step.kind != "sent":
            if step.kind != "said":
                steps.append(step)
            continue
        promise = next((said for slip, said in slips.items() if _begins(step.data, slip)), None)
        if promise is None:
            if step.data.startswith((b"HTTP/1.1 201", b"POST ")):
                begun[step.file] = b""
            if step.file in begun:
                begun[step.file] += step.data
                promise = _promise_of(begun[step.file], presses)
        if promise is not None:
            begun.pop(step.file, None)
            presses += "serial" in promise
            steps.append(replace(step, kind="said", data=json.dumps(promise).encode()))
    return replace(recording, steps=tuple(steps))


def _begins(sent: bytes, slip: bytes) -> bool:
    return slip in sent or (len(sent) >= HEAD_BYTES and slip.startswith(sent))


def _promise_of(message: bytes, presses: int) -> dict[str, Any] | None:
    head, _, text = message.partition(b"\r\n\r\n")
    try:
        body = json.loads(text)
    except ValueError:
        return None  # not whole yet, or no JSON
    if head.startswith(b"POST"):
        if "invoiceHash" not in body:
            return None
        return {"sent": base64.b64decode(body["invoiceHash"]).hex()}
    serial = int(body["number"].rpartition("/")[2])
    return {"serial": serial, "sha256": body["sha256"], "key": f"sale-{presses}"}


def slips_of(database: Path) -> dict[bytes, dict[str, Any]]:
    """The bytes of each slip -> what its appearance promises."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT id, data FROM print_jobs WHERE data IS NOT NULL").fetchall()
    return {data: {"job": job, "slip": hashlib.sha256(data).hexdigest()} for job, data in rows}


async def cut(folder: Path, presses: int, model: Model, wanted: int, note: Note) -> list[Promise]:
    """Replay power cuts after every moment at which something left; return what did."""
    recording = await live(folder, presses)
    database = Path("agent-data", "agent.db")
    recording = with_promises(recording, slips_of(folder / database))

    async def judge(place: Path, _: State, promises: Sequence[Promise]) -> list[str]:
        facts = await start(place / database.name)
        # the log of a whole agent tells more than that of the scenario, so its states are not compared
        return violations(replace(facts, problems=tuple(p for p in facts.problems if "half a unit" not in p)), promises)

    report = await campaign(recording, model, folder / "state", wanted=wanted, seed=1, judge=judge)
    note("states", report.states)
    assert report.bad == 0, report.examples
    assert report.states >= wanted / 4
    return [json.loads(step.data) for step in recording.steps if step.kind == "said"]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="powerloss-") as name:
        yield Path(name)


@pytest.mark.nightly
@pytest.mark.slow
async def test_what_left_the_agent_survives_a_power_cut(folder: Path, record_property: Note) -> None:
    promises = await cut(folder, 2, Model.POSIX, 200, record_property)
    assert_all_kinds(promises, 2)


@pytest.mark.nightly
@pytest.mark.parametrize("model", list(Model), ids=lambda model: model.value)
async def test_nothing_leaves_the_agent_that_a_power_cut_takes_back(
    folder: Path, model: Model, record_property: Note
) -> None:
    assert_all_kinds(await cut(folder, 6, model, 4000, record_property), 6)


def assert_all_kinds(promises: list[Promise], presses: int) -> None:
    """Each press was answered, sent and printed, and all of it was seen."""
    for kind in ("serial", "sent", "slip"):
        assert sum(kind in promise for promise in promises) == presses, (kind, promises)
