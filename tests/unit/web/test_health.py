"""What HQ reads: /health, its schema, /metrics, the alert rules and the dashboard."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from agent import __version__
from agent.domain.errors import Unavailable
from agent.domain.invoice import Mode
from agent.domain.lifecycle import PrintState
from agent.domain.monitoring.alert import AlertCode
from agent.outbound import Outbound, Webhooks
from agent.ports import Copies, LimitLeft, PrinterStatus
from agent.services.heartbeats import LEAST_SECONDS
from agent.services.monitoring.alerts import Problem
from agent.services.monitoring.backlogs import Backlog
from agent.services.monitoring.certificates import RenewalAttempt
from agent.services.monitoring.counters import CountersInMemory
from agent.services.monitoring.health import HealthReport
from agent.services.monitoring.outward_heartbeat import OutwardHeartbeat
from agent.services.monitoring.webhooks import OutboxStatus
from agent.web.health import health_json
from agent.web.metrics import render
from tests.fakes.clock import FakeClock
from tests.fakes.listener import listening, say_nothing
from tests.fakes.served import health_http
from tests.fakes.world import World, world

ROOT = Path(__file__).parents[3]
HQ = ROOT / "docs" / "hq"
SCHEMA = json.loads((ROOT / "schemas" / "api" / "health.schema.json").read_text())
PROMTOOL = shutil.which("promtool")
HISTOGRAMS = ("press_duration", "ksef_call_duration")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool comes with Debian's prometheus")
Client = TestClient[Any, Any]


def busy_counters() -> CountersInMemory:
    """Counters of a till that has sold, sent, printed and called."""
    counters = CountersInMemory()
    for mode in (Mode.ONLINE, Mode.OFFLINE24):
        counters.issued(mode)
    counters.sent("taken")
    counters.printed("done")
    for seconds in (0.08, 0.3, 0.4, 0.7):
        counters.press_took(seconds)
    counters.ksef_called("POST /sessions/online", "ok", 0.2)
    counters.ksef_called("POST /sessions/online", "held_back", None)
    counters.show_limits(lambda: [LimitLeft("invoiceSend", {"second": (9, 10), "hour": (0, 180)}, 12.5)])
    return counters


COUNTERS = busy_counters()
BACKLOG = Backlog(
    datetime(2026, 11, 24, 8, 0, tzinfo=UTC),
    {PrintState.QUEUED: 2, PrintState.PRINTING: 1},
    (
        OutboxStatus("shop", "https://shop.example/", 7, 19, "HTTP 500", datetime(2026, 11, 24, 8, 30, tzinfo=UTC), 12),
        OutboxStatus("alerts", "https://hq.example/", 19, 19, None, None, 0),
    ),
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    """An agent whose sources have all been asked."""
    async with world(tmp_path) as found:
        await look_around(found)
        yield found


@pytest.fixture
async def client(place: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(health_http(place))) as client:
        yield client


async def look_around(place: World) -> None:
    """Ask Latarnia, KSeF and the printer, and judge, as the loops do."""
    await place.announcements.poll()
    await place.connection.probe()
    await place.printers.ask()
    await place.problems.refresh()


async def be_in_trouble(place: World) -> None:
    """No line, no paper, one invoice that waits."""
    await place.lose_the_line()
    place.printer.problem = "Brak papieru."
    await place.sell()
    await look_around(place)


async def test_status_code_follows_health(client: Client, place: World) -> None:
    async def told() -> tuple[int, str]:
        response = await client.get("/health")
        return response.status, (await response.json())["status"]

    assert await told() == (200, "ok")
    await be_in_trouble(place)
    assert await told() == (200, "degraded")
    place.clock.step(timedelta(days=2))
    await place.problems.refresh()
    assert await told() == (503, "critical")


async def test_health_has_the_published_form(client: Client, place: World) -> None:
    """Full and empty: every field is in the schema, and nothing that is not."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(await (await client.get("/health")).json(), SCHEMA)
    await be_in_trouble(place)
    body = await (await client.get("/health")).json()
    jsonschema.validate(body, SCHEMA)
    assert body["queue"] == {
        "unsent": 1,
        "in_doubt": 0,
        "rejected": 0,
        "overdue": 0,
        "next_deadline": "2026-11-25",
        "waiting_for_window": 0,
        "window_opens_at": None,
    }
    assert body["ksef"]["state"] == "down"
    assert body["printer"] == {
        "name": "paragon",
        "online": False,
        "problem": "Brak papieru.",
        "code": None,
        "near_end": False,
    }
    assert [(item["code"], item["since"]) for item in body["problems"]] == [("printer", "2026-11-24T10:00:00+01:00")]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({name: value for name, value in body.items() if name != "queue"}, SCHEMA)


def test_thousands_of_late_invoices_leave_the_answer_small(place: World) -> None:
    late = [Problem("overdue", f"Faktura {number}", place.clock.now(), "critical") for number in range(9000)]
    report = replace(place.health.report(), problems=(*late, Problem("printer", "Brak papieru.", place.clock.now())))
    body: dict[str, Any] = health_json(report)
    jsonschema.validate(body, SCHEMA)
    assert [item["code"] for item in body["problems"]] == ["overdue"] * 20 + ["printer"]
    assert body["problems_total"] == 9001
    assert 'ksef_agent_problems{code="overdue",severity="critical"} 9000' in render(report, COUNTERS)


class TestProbes:
    """What systemd, a watchdog or HQ may ask: does it live, would it take a press."""

    async def probe(self, client: Client, name: str) -> tuple[int, bool]:
        response = await client.get(f"/health/{name}")
        return response.status, (await response.json())[name]

    async def test_a_healthy_till(self, client: Client) -> None:
        assert await self.probe(client, "live") == (200, True)
        assert await self.probe(client, "ready") == (200, True)

    async def test_a_clock_that_dates_no_invoice(self, client: Client, place: World) -> None:
        place.gateway.skew = timedelta(days=30).total_seconds()
        await place.connection.probe()
        with pytest.raises(Unavailable):
            await place.sell()
        assert await self.probe(client, "ready") == (503, False)
        assert await self.probe(client, "live") == (200, True)

    async def test_a_full_disk(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
        assert await self.probe(client, "ready") == (503, False)
        assert await self.probe(client, "live") == (200, True)

    async def test_a_service_that_ends(self, client: Client, place: World) -> None:
        place.shutdown.begin()
        assert await self.probe(client, "ready") == (503, False)
        assert await self.probe(client, "live") == (200, True)

    async def test_a_task_that_died(self, client: Client, place: World) -> None:
        place.shutdown.fail("upo", ValueError("defect"))
        assert await self.probe(client, "ready") == (503, False)
        assert await self.probe(client, "live") == (503, False)

    async def test_a_loop_that_stands_still(self, client: Client, place: World) -> None:
        """It waits for something that never comes, a disk that hangs: nothing died, and nothing goes on."""
        place.heartbeats.expect("report", 10)
        for _ in range(10):
            await place.clock.advance(10)
            place.heartbeats.beat("report")
        assert await self.probe(client, "live") == (200, True)
        await place.clock.advance(LEAST_SECONDS + 1)
        assert await self.probe(client, "live") == (503, False)
        assert await self.probe(client, "ready") == (503, False)
        place.heartbeats.beat("report")
        assert await self.probe(client, "live") == (200, True)

    async def test_a_clock_that_was_set_is_no_standstill(self, client: Client, place: World) -> None:
        place.heartbeats.expect("report", 10)
        place.clock.step(timedelta(days=3))
        assert await self.probe(client, "live") == (200, True)

    async def test_room_that_came_back(self, client: Client, place: World) -> None:
        """What a full disk stopped is no defect: the agent goes on by itself."""
        place.shutdown.fail("upo", Unavailable("Brak miejsca na dysku.", code="disk-full"))
        assert await self.probe(client, "ready") == (200, True)
        assert await self.probe(client, "live") == (200, True)


async def test_listener_is_read_only(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await client.request(method, "/health")).status == 405
    assert (await client.get("/v1/invoices")).status == 404


async def test_metrics_page(client: Client, place: World) -> None:
    await place.sell()
    response = await client.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = await response.text()
    assert 'ksef_agent_invoices_issued_total{mode="online"} 1' in text
    assert 'ksef_agent_sends_total{outcome="taken"} 1' in text
    assert 'ksef_agent_prints_total{outcome="done"} 1' in text
    assert 'ksef_agent_press_duration_seconds_bucket{le="+Inf"} 1' in text
    assert 'ksef_agent_mode{mode="online"} 1' in text
    assert 'ksef_agent_mode{mode="failure"} 0' in text
    assert "ksef_agent_ready 1" in text
    assert "next_deadline" not in text


def test_histogram_of_presses(place: World) -> None:
    text = render(place.health.report(), COUNTERS)
    assert 'ksef_agent_press_duration_seconds_bucket{le="0.5"} 3' in text
    assert 'ksef_agent_press_duration_seconds_bucket{le="+Inf"} 4' in text


async def test_deadline_is_the_end_of_a_polish_day(place: World) -> None:
    await be_in_trouble(place)
    end = datetime(2026, 11, 25, 23, 0, tzinfo=UTC).timestamp()
    text = render(place.health.report(), place.counters)
    assert sample(text, "queue_next_deadline_timestamp_seconds") == end


def test_labels_are_escaped(place: World) -> None:
    odd = PrinterStatus('a"b\\c\nd', True)
    text = render(replace(place.health.report(), printers=(odd,)), CountersInMemory())
    assert 'printer="a\\"b\\\\c\\nd"' in text


async def full_page(place: World) -> str:
    """The metrics of a till that has everything to tell of."""
    await be_in_trouble(place)
    copies = Copies(last_at=datetime(2026, 11, 24, 3, 0, tzinfo=UTC))
    place.health._certificates.attempts.last = {"offline": RenewalAttempt(datetime(2026, 11, 24, tzinfo=UTC), "Limit.")}
    report: HealthReport = replace(place.health.report(), clock_skew_seconds=1.5, copies=copies)
    return render(report, COUNTERS, BACKLOG, shop="Kraków 7", heartbeat=refused_heartbeat())


def refused_heartbeat() -> OutwardHeartbeat:
    """Signs of life that headquarters took once and refuses now."""
    heartbeat = OutwardHeartbeat(
        Webhooks(Outbound(FakeClock()), FakeClock()),
        url="https://hq.example/",
        secret=b"",
        seconds=60,
        shop="",
        now=FakeClock().now,
    )
    heartbeat.taken_at, heartbeat.problem = datetime(2026, 11, 24, 9, 0, tzinfo=UTC), "HTTP 401"
    return heartbeat


async def test_metrics_tell_whether_headquarters_takes_the_signs_of_life(place: World) -> None:
    page = await full_page(place)
    assert sample(page, "heartbeat_refused") == 1
    assert sample(page, "heartbeat_last_taken_timestamp_seconds") == datetime(2026, 11, 24, 9, tzinfo=UTC).timestamp()
    assert "ksef_agent_heartbeat" not in render(place.health.report(), COUNTERS), "where none are sent"


def sample(page: str, name: str, **labels: str) -> float:
    """Return the value of one sample, whatever the order of its labels."""
    values = [
        found.value
        for family in text_string_to_metric_families(page)
        for found in family.samples
        if found.name == f"ksef_agent_{name}" and found.labels == labels
    ]
    assert len(values) == 1, (name, labels, values)
    return values[0]


async def test_metrics_of_what_waits_and_of_calls(place: World) -> None:
    page = await full_page(place)
    assert sample(page, "queue_oldest_unsent_timestamp_seconds") == datetime(2026, 11, 24, 8, tzinfo=UTC).timestamp()
    assert sample(page, "print_queue_jobs", state="queued") == 2
    assert sample(page, "outbox_waiting_events", subscriber="shop") == 12
    assert sample(page, "outbox_waiting_events", subscriber="alerts") == 0
    refused = datetime(2026, 11, 24, 8, 30, tzinfo=UTC).timestamp()
    assert sample(page, "outbox_refused_since_timestamp_seconds", subscriber="shop") == refused
    assert sample(page, "rate_limit_calls_left", group="invoiceSend", window="hour") == 0
    assert sample(page, "rate_limit_calls_allowed", group="invoiceSend", window="hour") == 180
    assert sample(page, "rate_limit_blocked_seconds", group="invoiceSend") == 12.5
    assert sample(page, "ksef_calls_total", endpoint="POST /sessions/online", outcome="held_back") == 1
    assert sample(page, "ksef_call_duration_seconds_count", endpoint="POST /sessions/online") == 1
    assert sample(page, "breaker_state", state="open") == 1
    assert sample(page, "breaker_state", state="closed") == 0


async def test_build_info_names_the_shop_and_hides_the_nip(place: World) -> None:
    page = await full_page(place)
    (info,) = [family for family in text_string_to_metric_families(page) if family.name == "ksef_agent_build_info"]
    labels = info.samples[0].labels
    assert (labels["till"], labels["shop"], labels["version"]) == (place.settings.till, "Kraków 7", __version__)
    assert re.fullmatch("[0-9a-f]{12}", labels["seller"])
    assert place.settings.seller.nip not in page


async def test_the_process_tells_of_itself(client: Client) -> None:
    text = await (await client.get("/metrics")).text()
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert re.search(rf"^{name} \d", text, re.MULTILINE), name
    assert "_created" not in text


async def test_what_waits_is_counted(place: World) -> None:
    await place.backlogs.count()
    assert place.backlogs.last.oldest_unsent_at is None
    await place.lose_the_line()
    begun = place.clock.now()
    await place.sell()
    await place.clock.advance(3600)
    await place.sell()
    await place.backlogs.count()
    assert place.backlogs.last.oldest_unsent_at == begun
    assert place.backlogs.last.print_jobs == {PrintState.QUEUED: 0, PrintState.PRINTING: 0}


def promtool(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROMTOOL), *words], input=given, capture_output=True, text=True, check=False)


@needs_promtool
async def test_promtool_finds_no_fault_in_the_metrics(place: World) -> None:
    text = await full_page(place)
    done = await asyncio.to_thread(promtool, "check", "metrics", given=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_promtool
def test_promtool_accepts_the_alert_rules() -> None:
    done = promtool("check", "rules", str(HQ / "alerts.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool comes with Debian's prometheus-alertmanager")
def test_the_example_of_alertmanager_is_right() -> None:
    command = ("amtool", "check-config", str(HQ / "alertmanager.yml"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    done = promtool("test", "rules", str(HQ / "alerts.test.yml"), str(HQ / "alerts-of-days.test.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["alerts.yml", *(f"dashboards/{name}.json" for name in ("fleet", "shop", "till"))])
async def test_rules_and_dashboard_use_only_metrics_that_exist(place: World, name: str) -> None:
    known = set(re.findall(r"^# TYPE (\S+)", await full_page(place), re.MULTILINE))
    known |= {f"ksef_agent_{name}_seconds_{end}" for name in HISTOGRAMS for end in ("bucket", "sum", "count")}
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


async def test_poll_shows_the_worst_first(poll: ModuleType, tmp_path: Path) -> None:
    """Agents: fine, waiting without paper, overdue, and one that is gone."""
    async with AsyncExitStack() as stack:
        tills = [await stack.enter_async_context(world(tmp_path / str(number))) for number in range(3)]
        for till in tills:
            await look_around(till)
        for till in tills[1:]:
            await be_in_trouble(till)
        tills[2].clock.step(timedelta(days=2))
        await tills[2].problems.refresh()
        servers = [await stack.enter_async_context(TestServer(health_http(till))) for till in tills]
        gone = "http://127.0.0.1:1"
        addresses = [gone, *(str(server.make_url("")).rstrip("/") for server in servers)]
        found = await poll.poll(addresses, at_once=2, seconds=5.0)
    assert [item.address for item in found] == [addresses[0], addresses[3], addresses[2], addresses[1]]
    assert [item.word for item in found] == ["unreachable", "critical", "degraded", "ok"]
    assert found[2].unsent == 1
    lines = poll.table(found)
    assert gone in lines[1]


async def test_poll_knows_names_and_agents_that_hang_cost_no_more_than_their_time(
    poll: ModuleType, place: World
) -> None:
    """Ten that never answer beside ten that do: the time of the slowest, not their sum."""
    async with listening(say_nothing) as port, TestServer(health_http(place)) as server:
        silent = f"http://127.0.0.1:{port}"
        good = str(server.make_url("")).rstrip("/")
        found = await poll.poll([silent] * 10 + [good] * 10, at_once=20, seconds=2.0, names={silent: "Kraków 7"})
    assert [item.problem for item in found].count("no answer in 2 s") == 10
    assert (found[0].name, found[0].problem) == ("Kraków 7", "no answer in 2 s")
    assert found[-1].name == f"{place.settings.seller.nip} kasa {place.settings.till}"


def test_poll_reads_names_from_its_file_and_needs_the_standard_library_alone(poll: ModuleType) -> None:
    text = "# tills\nhttp://a:8781/ Kraków 7, kasa 2\n\nhttp://b:8781 # new\n"
    assert poll.read_file(text) == {"http://a:8781": "Kraków 7, kasa 2", "http://b:8781": ""}
    tree = ast.parse((HQ / "poll.py").read_text())
    names = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    names |= {name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names}
    assert {str(name).partition(".")[0] for name in names} <= sys.stdlib_module_names


async def test_poll_survives_what_is_no_agent(poll: ModuleType) -> None:
    async def other(_: web.Request) -> web.Response:
        return web.json_response(["captive portal"])

    app = web.Application()
    app.router.add_get("/health", other)
    async with TestServer(app) as server:
        (found,) = await poll.poll([str(server.make_url("")).rstrip("/")])
    assert (found.word, found.problem) == ("unreachable", "something else answers there")


@pytest.mark.nightly
async def test_poll_of_a_thousand_agents(poll: ModuleType, place: World) -> None:
    async with TestServer(health_http(place)) as server:
        base = str(server.make_url("")).rstrip("/")
        found = await poll.poll([base] * 1000, at_once=100, seconds=30.0)
    assert len(found) == 1000
    assert {item.word for item in found} == {"ok"}
