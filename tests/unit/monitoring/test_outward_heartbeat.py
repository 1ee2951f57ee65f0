"""Signs of life to headquarters, taken by the receiver of docs/hq: signed, never played back, alarmed when they end."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.outbound import Outbound, Webhooks
from agent.services.monitoring.outward_heartbeat import OutwardHeartbeat
from agent.system.clock import SystemClock
from tests.fakes.world import World, world

RECEIVER = Path(__file__).parents[3] / "docs" / "hq" / "heartbeats.py"
SECRET = b"a secret of at least thirty-two letters"


@pytest.fixture(scope="module")
def receiver() -> ModuleType:
    spec = importlib.util.spec_from_file_location("heartbeats", RECEIVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Sent:
    """Keeps what was posted and answers with the next status."""

    def __init__(self, *statuses: int | str) -> None:
        self.posts: list[tuple[bytes, Mapping[str, str]]] = []
        self._statuses = list(statuses)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | str:
        self.posts.append((body, headers))
        return self._statuses.pop(0) if self._statuses else 204


def heartbeat(sender: Any, place: World, url: str = "https://hq.example/") -> OutwardHeartbeat:
    return OutwardHeartbeat(sender, url=url, secret=SECRET, seconds=60, shop="Sklep 7", now=place.clock.now)


async def test_it_tells_how_the_till_stands_and_nothing_of_anybody(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        sent = Sent()
        beat = heartbeat(sent, place)
        await place.lose_the_line()
        await place.sell()
        await place.problems.refresh()
        for _ in range(2):
            await beat.send(place.health.report())
        (_, _), (body, _) = sent.posts
        said = json.loads(body)
        assert (said["till"], said["shop"], said["unsent"], said["sequence"]) == ("1", "Sklep 7", 1, 2)
        assert said["next_deadline"]
        assert len(body) < 4000
        report = place.health.report()
        assert report.nip not in body.decode()
        (record,) = await place.store.read(lambda tx: tx.invoices.queue(10, None))
        assert record.number not in body.decode()


async def test_the_line_lost_and_back_is_told_once_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with world(tmp_path) as place:
        beat = heartbeat(Sent(204, "brak odpowiedzi", 500, 204, 204), place)
        caplog.set_level("INFO", "agent.heartbeat")
        for problem in (None, "no answer", "HTTP 500", None, None):
            await beat.send(place.health.report())
            assert beat.problem == problem
        told = [record.getMessage() for record in caplog.records if record.name == "agent.heartbeat"]
        assert len(told) == 2
        assert beat.taken_at == place.clock.now()


def message(receiver: ModuleType, tills: Any, now: float, at: float | None = None, **changes: Any) -> int:
    """Let the receiver take a heartbeat, signed at ``at``."""
    said = {"seller": "ab", "till": "1", "shop": "7", "process": "p", "sequence": 1, "next_in_seconds": 60}
    said |= {"status": "ok", "unsent": 0, "overdue": 0} | changes
    body = json.dumps(said).encode()
    moment = int(now if at is None else at)
    status: int = tills.take(f"t={moment},v1={sign(moment, body)}", body, now)
    return status


def sign(moment: int, body: bytes) -> str:
    import hashlib
    import hmac

    return hmac.new(SECRET, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def test_nothing_recorded_keeps_a_dead_till_alive(receiver: ModuleType, tmp_path: Path) -> None:
    tills = receiver.Tills(tmp_path / "state.json", SECRET, "")
    assert message(receiver, tills, 10_000, sequence=1) == 204
    assert message(receiver, tills, 10_060, sequence=2) == 204
    assert message(receiver, tills, 10_070, at=10_060, sequence=2) == 401, "played back"
    assert message(receiver, tills, 10_070, at=10_000, sequence=1) == 401, "an older one"
    assert message(receiver, tills, 10_100, process="q") == 204, "the till was started anew"
    assert message(receiver, tills, 10_110, at=10_060, sequence=3) == 401, "of the run before"
    assert message(receiver, tills, 90_000, at=10_100, process="r") == 401, "a recording from yesterday"
    assert message(receiver, tills, 90_000, at=10_100, process="q", sequence=2) == 204, "its clock stands, it lives"
    assert tills.take("t=90000,v1=00", b"{}", 90_000) == 401
    assert tills.take("", b"", 90_000) == 401
    assert tills.take("t=²,v1=00", b"{}", 90_000) == 401


def test_silence_is_told_once_and_survives_a_restart(
    receiver: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(receiver.time, "monotonic", lambda: now)
    heard = tmp_path / "heard"
    command = tmp_path / "command"
    command.write_text(f"#!/bin/sh\ncat >>{heard}; echo >>{heard}\n")
    command.chmod(0o755)
    tills = receiver.Tills(tmp_path / "state.json", SECRET, str(command))
    message(receiver, tills, 5_000, unsent=3)
    message(receiver, tills, 5_000, till="2")
    now += 179
    tills.look()
    message(receiver, tills, 5_179, till="2", sequence=2)
    now += 2
    tills.look()
    tills.look()
    assert [each["till"] for each in tills.worst_first() if each["silent"]] == ["1"]
    assert tills.worst_first()[0]["unsent"] == 3

    again = receiver.Tills(tmp_path / "state.json", SECRET, str(command))
    again.look()
    assert [each["silent"] for each in again.worst_first()] == [True, False]
    message(receiver, again, 5_400, sequence=2)
    told = [json.loads(line) for line in heard.read_text().splitlines() if line]
    assert [(each["event"], each["name"]) for each in told] == [("silent", "ab/1"), ("back", "ab/1")]
    assert len(capsys.readouterr().out.splitlines()) == 2
    page = receiver.metrics(again.worst_first())
    assert 'ksef_heartbeat_silent{till="1",shop="7",seller="ab"} 0.0' in page


def test_a_full_disk_ends_no_receiver(
    receiver: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody else notices that a till fell silent; what it knows is written once there is room."""
    now = 1000.0
    monkeypatch.setattr(receiver.time, "monotonic", lambda: now)
    tills = receiver.Tills(tmp_path / "state.json", SECRET, "")
    message(receiver, tills, 5_000)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(receiver.os, "fsync", full)
        now += 181
        tills.look()
    told = capsys.readouterr()
    assert [json.loads(line)["event"] for line in told.out.splitlines()] == ["silent"]
    assert "No space left" in told.err
    assert not (tmp_path / "state.json").exists()
    now += 11
    tills.look()
    assert json.loads((tmp_path / "state.json").read_text())["ab/1"]["silent"]


def test_what_a_later_version_says_ends_no_receiver(receiver: ModuleType, tmp_path: Path) -> None:
    tills = receiver.Tills(tmp_path / "state.json", SECRET, "")
    message(receiver, tills, 5_000, till="1", status="ok")
    message(receiver, tills, 5_000, till="2", status="unheard-of")
    assert [each["till"] for each in tills.worst_first()] == ["2", "1"]
    wrongs: tuple[dict[str, Any], ...] = ({"next_in_seconds": None}, {"next_in_seconds": "soon"}, {"unsent": []})
    for wrong in wrongs:
        with pytest.raises((TypeError, ValueError)):
            message(receiver, tills, 5_060, till="1", sequence=2, **wrong)
    tills.look()


def test_a_command_that_cannot_be_run_ends_no_receiver(
    receiver: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(receiver.time, "monotonic", lambda: now)
    tills = receiver.Tills(tmp_path / "state.json", SECRET, str(tmp_path / "missing"))
    message(receiver, tills, 5_000)
    now += 181
    tills.look()
    assert message(receiver, tills, 5_181, sequence=2) == 204
    told = capsys.readouterr()
    assert [json.loads(line)["event"] for line in told.out.splitlines()] == ["silent", "back"]
    assert told.err.count("missing") == 2


def test_its_metrics_name_problems_and_shops_as_they_are_written(receiver: ModuleType, tmp_path: Path) -> None:
    tills = receiver.Tills(tmp_path / "state.json", SECRET, "")
    problem = {"code": "printer", "severity": "warning", "count": 2}
    message(receiver, tills, 5_000, shop='Żory "2"', problems=[problem])
    message(receiver, tills, 5_060, shop='Żory "2"', process="q", problems=[problem])
    message(receiver, tills, 5_120, shop='Żory "2"', process="q", sequence=2, problems=[problem])
    families = list(text_string_to_metric_families(receiver.metrics(tills.worst_first())))
    found = {each.name: each.labels | {"value": str(each.value)} for family in families for each in family.samples}
    whose = {"till": "1", "shop": 'Żory "2"', "seller": "ab"}
    assert found["ksef_heartbeat_problems"] == {**whose, "code": "printer", "severity": "warning", "value": "2.0"}
    assert found["ksef_heartbeat_restarts_total"] == {**whose, "value": "2.0"}


async def test_the_documented_receiver_takes_it(tmp_path: Path) -> None:
    environment = {**os.environ, "SECRET": SECRET.decode()}
    program = (RECEIVER, "--host", "127.0.0.1", "--port", "0", "--status-port", "0", "--state", tmp_path / "s.json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *map(str, program), env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ports = json.loads(await process.stdout.readline())
    clock = SystemClock()
    outbound = Outbound(clock)
    try:
        async with world(tmp_path) as place:
            place.clock.step(clock.now() - place.clock.now())
            address = f"http://127.0.0.1:{ports['port']}/"
            beat = heartbeat(Webhooks(outbound, clock), place, address)
            await beat.send(place.health.report())
            assert beat.problem is None
            status = await Webhooks(outbound, clock).post(address, b"{}", {"X-Ksef-Agent-Signature": "t=1,v1=00"})
            assert status == 401
            status = await Webhooks(outbound, clock).post(address, b"x" * 20_000, {})
            assert status == 413
            async with outbound.session.get(f"http://127.0.0.1:{ports['status_port']}/") as response:
                (till,) = await response.json()
            assert (till["till"], till["silent"]) == ("1", False)
            async with outbound.session.get(f"http://127.0.0.1:{ports['status_port']}/metrics") as response:
                assert "ksef_heartbeat_unsent_invoices" in await response.text()
    finally:
        await outbound.close()
        process.terminate()
        await process.wait()


def test_the_receiver_needs_a_secret() -> None:
    done = subprocess.run((sys.executable, RECEIVER), env={}, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "SECRET" in done.stderr


def test_it_runs_with_the_standard_library_alone() -> None:
    tree = ast.parse(RECEIVER.read_text("utf-8"))
    names = {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
