"""What HQ reads: /health, its schema, /metrics, the alert rules and the dashboard."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent.domain.callers import Caller, Role
from agent.domain.invoice import Mode
from agent.domain.monitoring.alerts import AlertCode
from agent.ports import PrinterStatus
from agent.services.contract import Counters, Problem
from agent.web.health import health_app
from agent.web.metrics import render
from tests.fakes.till import FakeTill

ROOT = Path(__file__).parents[3]
HQ = ROOT / "docs" / "hq"
SCHEMA = json.loads((ROOT / "schemas" / "api" / "health.schema.json").read_text())
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool comes with Debian's prometheus")
Client = TestClient[Any, Any]

COUNTERS = Counters(
    issued_by_mode={"online": 7, "offline24": 2},
    sends_by_outcome={"answered": 8, "unknown": 1},
    prints_by_outcome={"done": 9},
    press_seconds_sum=1.25,
    press_seconds_count=9,
    press_buckets={0.1: 5, 0.5: 8, 1.0: 9},
)


@pytest.fixture
def till() -> FakeTill:
    return FakeTill(numbers=COUNTERS)


@pytest.fixture
async def client(till: FakeTill) -> AsyncIterator[Client]:
    async with TestClient(TestServer(health_app(till))) as client:
        yield client


@pytest.mark.parametrize(("status", "answer"), [("ok", 200), ("degraded", 200), ("critical", 503)])
async def test_status_code_follows_health(client: Client, till: FakeTill, status: str, answer: int) -> None:
    till.status = status
    response = await client.get("/health")
    assert (response.status, (await response.json())["status"]) == (answer, status)


async def test_health_has_the_published_form(client: Client, till: FakeTill) -> None:
    """Full and empty: every field is in the schema, and nothing that is not."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(await (await client.get("/health")).json(), SCHEMA)
    till.current_mode = Mode.OFFLINE24
    till.printer_problem = "Brak papieru."
    till.problems = [Problem("printer", "Brak papieru.", datetime(2026, 11, 24, 8, tzinfo=UTC), "critical")]
    caller = Caller("kasa 1", Role.CASHIER)
    sale = b'{"buyer": {}, "lines": [{"name": "a", "quantity": "1", "unit_price": "1", "vat": "23"}]}'
    await till.issue_sale(sale, "k", caller)
    body = await (await client.get("/health")).json()
    jsonschema.validate(body, SCHEMA)
    assert body["queue"] == {"unsent": 1, "in_doubt": 0, "rejected": 0, "overdue": 0, "next_deadline": "2026-11-25"}
    assert body["ksef"]["state"] == "down"
    assert body["printer"] == {
        "name": "paragon",
        "online": False,
        "problem": "Brak papieru.",
        "code": None,
        "near_end": False,
    }
    assert body["problems"][0]["since"] == "2026-11-24T09:00:00+01:00"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({name: value for name, value in body.items() if name != "queue"}, SCHEMA)


async def test_thousands_of_late_invoices_leave_the_answer_small(client: Client, till: FakeTill) -> None:
    late = [Problem("overdue", f"Faktura {number}", till.clock.now(), "critical") for number in range(9000)]
    till.problems = [*late, Problem("printer", "Brak papieru.", till.clock.now())]
    body = await (await client.get("/health")).json()
    jsonschema.validate(body, SCHEMA)
    assert [item["code"] for item in body["problems"]] == ["overdue"] * 20 + ["printer"]
    assert body["problems_total"] == 9001
    metrics = await (await client.get("/metrics")).text()
    assert 'ksef_agent_problems{code="overdue",severity="critical"} 9000' in metrics


@pytest.mark.parametrize(("path", "field"), [("/health/live", "live"), ("/health/ready", "ready")])
async def test_probes(client: Client, till: FakeTill, path: str, field: str) -> None:
    assert (await client.get(path)).status == 200
    setattr(till, field, False)
    assert (await client.get(path)).status == 503


async def test_listener_is_read_only(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await client.request(method, "/health")).status == 405
    assert (await client.get("/v1/invoices")).status == 404


async def test_metrics_page(client: Client) -> None:
    response = await client.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = await response.text()
    assert 'ksef_agent_invoices_issued_total{mode="offline24"} 2' in text
    assert 'ksef_agent_press_duration_seconds_bucket{le="0.5"} 8' in text
    assert 'ksef_agent_press_duration_seconds_bucket{le="+Inf"} 9' in text
    assert 'ksef_agent_mode{mode="online"} 1' in text
    assert 'ksef_agent_mode{mode="failure"} 0' in text
    assert "next_deadline" not in text


async def test_deadline_is_the_end_of_a_polish_day(till: FakeTill) -> None:
    till.current_mode = Mode.OFFLINE24
    await till.issue_ready(b"<Faktura/>", "k", Caller("kasa 1", Role.CASHIER))
    end = datetime(2026, 11, 25, 23, 0, tzinfo=UTC).timestamp()
    assert f"ksef_agent_queue_next_deadline_timestamp_seconds {int(end)}\n" in render(till.health(), till.counters())


def test_labels_are_escaped(till: FakeTill) -> None:
    report = till.health()
    odd = PrinterStatus('a"b\\c\nd', True)
    text = render(type(report)(**{**_fields(report), "printers": (odd,)}), Counters())
    assert 'printer="a\\"b\\\\c\\nd"' in text


def _fields(report: object) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__slots__}  # type: ignore[attr-defined]


@needs_promtool
def test_promtool_finds_no_fault_in_the_metrics(till: FakeTill) -> None:
    till.problems = [Problem("printer", "x", till.clock.now())]
    text = render(till.health(), till.counters())
    done = subprocess.run([str(PROMTOOL), "check", "metrics"], input=text.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@needs_promtool
def test_promtool_accepts_the_alert_rules() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(HQ / "alerts.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(HQ / "alerts.test.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["alerts.yml", "dashboard.json"])
def test_rules_and_dashboard_use_only_metrics_that_exist(till: FakeTill, name: str) -> None:
    till.problems = [Problem("printer", "x", till.clock.now())]
    till.current_mode = Mode.OFFLINE24
    text = render(till.health(), till.counters())
    known = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) | {"ksef_agent_queue_next_deadline_timestamp_seconds"}
    known |= {f"ksef_agent_press_duration_seconds_{end}" for end in ("bucket", "sum", "count")}
    used = set(re.findall(r"ksef_agent_\w+", (HQ / name).read_text()))
    assert used <= known
    assert len(used) > 5


def test_the_document_lists_every_alert() -> None:
    text = (HQ / "README.md").read_text()
    assert re.findall(r"^\| `([a-z0-9-]+)` \| (?:warning|critical) \|", text, re.MULTILINE)
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)) == {code.value for code in AlertCode}


# --- docs/hq/poll.py ----------------------------------------------------------------------------------


@pytest.fixture
def poll() -> ModuleType:
    spec = importlib.util.spec_from_file_location("poll", HQ / "poll.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["poll"] = module
    spec.loader.exec_module(module)
    return module


async def test_poll_shows_the_worst_first(poll: ModuleType) -> None:
    """Simulated agents: fine, waiting, critical, and one that is gone."""
    tills = [FakeTill(), FakeTill(), FakeTill(status="critical")]
    tills[1].current_mode = Mode.OFFLINE24
    tills[1].status = "degraded"
    await tills[1].issue_ready(b"<Faktura/>", "k", Caller("kasa 1", Role.CASHIER))
    servers = [TestServer(health_app(till)) for till in tills]
    for server in servers:
        await server.start_server()
    try:
        gone = "http://127.0.0.1:1"
        addresses = [gone, *(str(server.make_url("")).rstrip("/") for server in servers)]
        found = await poll.poll(addresses, at_once=2, seconds=5.0)
    finally:
        for server in servers:
            await server.close()
    assert [item.address for item in found] == [addresses[0], addresses[3], addresses[2], addresses[1]]
    assert [item.word for item in found] == ["unreachable", "critical", "degraded", "ok"]
    assert found[2].unsent == 1
    lines = poll.table(found)
    assert gone in lines[1]


async def test_poll_survives_what_is_no_agent(poll: ModuleType) -> None:
    async def other(_: web.Request) -> web.Response:
        return web.json_response(["captive portal"])

    app = web.Application()
    app.router.add_get("/health", other)
    async with TestServer(app) as server:
        (found,) = await poll.poll([str(server.make_url("")).rstrip("/")])
    assert (found.word, found.problem) == ("unreachable", "something else answers there")


async def test_poll_of_a_thousand_agents(poll: ModuleType) -> None:
    till = FakeTill()
    server = TestServer(health_app(till))
    await server.start_server()
    try:
        base = str(server.make_url("")).rstrip("/")
        found = await poll.poll([base] * 1000, at_once=100, seconds=30.0)
    finally:
        await server.close()
    assert len(found) == 1000
    assert {item.word for item in found} == {"ok"}
