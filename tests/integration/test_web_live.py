"""Both listeners on the real agent with the embedded sandbox: answers as described, metrics that promtool takes."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from agent.demo.embedded import embedded
from agent.serving.listeners import listening
from agent.web.api import till_app
from agent.web.health import health_app

SCHEMAS = Path(__file__).parents[2] / "schemas" / "api"
PROMTOOL = shutil.which("promtool")
SALE = {
    "buyer": {
        "nip": "5260250274",
        "name": "Ministerstwo Finansów",
        "address": {"line1": "ul. Świętokrzyska 12", "line2": "00-916 Warszawa"},
    },
    "prices": "gross",
    "lines": [{"name": "Kawa", "quantity": "2", "unit": "szt.", "unit_price": "61.50", "vat": "23"}],
    "payments": [{"method": "cash", "amount": "123.00"}],
}


def faults(promtool: str, metrics: bytes) -> tuple[int, bytes, bytes]:
    """What promtool says of a page of metrics."""
    done = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
async def test_real_agent_keeps_to_the_documents(tmp_path: Path) -> None:
    openapi = json.loads((SCHEMAS / "openapi.json").read_text())
    health = json.loads((SCHEMAS / "health.schema.json").read_text())

    def check(body: Any, name: str) -> None:
        jsonschema.validate(body, openapi["components"]["schemas"][name] | {"components": openapi["components"]})

    async with embedded(tmp_path) as pair, ClientSession() as session:
        agent = pair.agent
        api = TestServer(till_app(agent, agent.tokens, agent.settings.api, agent.settings.page))
        hq = TestServer(health_app(agent))
        await api.start_server()
        await hq.start_server()
        manager = {"Authorization": f"Bearer {pair.facts['manager_token']}"}

        async def ask(method: str, path: str, name: str | None, **more: Any) -> Any:
            headers = manager | more.pop("headers", {})
            async with session.request(method, api.make_url(path), headers=headers, **more) as response:
                data = await response.read()
                assert response.status < 400, data
                if name is None:
                    return data
                body = json.loads(data)
                check(body, name)
                return body

        made = await ask("POST", "/v1/invoices", "Invoice", json=SALE, headers={"Idempotency-Key": "a"})
        again = await ask("POST", "/v1/invoices", "Invoice", json=SALE, headers={"Idempotency-Key": "a"})
        assert again["number"] == made["number"]
        one = f"/v1/invoices/{made['id']}"
        assert (await ask("GET", f"{one}/receipt.png", None)).startswith(b"\x89PNG")
        assert (await ask("GET", f"{one}/receipt.pdf?page=receipt", None)).startswith(b"%PDF")
        for tail, name in (("/events", "EventList"), ("/prints", "PrintList"), ("", "Invoice")):
            await ask("GET", one + tail, name)
        half = {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]}
        answer = await ask("POST", f"{one}/corrections", None, json=half, headers={"Idempotency-Key": "b"})
        body = json.loads(answer)
        check(body, "HeldCorrection" if "held" in body else "Invoice")
        outside = {"base": SALE | {"number": "7/2025", "issued_on": "2025-12-30", "outside_ksef": True}}
        order = outside | {"correction": {"kind": "full_return"}}
        await ask("POST", "/v1/corrections", "Invoice", json=order, headers={"Idempotency-Key": "c"})
        month = made["issued_on"][:7]
        for path, name in (
            ("/v1/invoices", "InvoiceList"),
            ("/v1/queue", "Queue"),
            ("/v1/mode", "CurrentMode"),
            ("/v1/status", "Health"),
            ("/v1/page", "Page"),
            ("/v1/buyers/5260250274", "KnownBuyer"),
            (f"/v1/register?month={month}", "Register"),
        ):
            await ask("GET", path, name)
        async with session.get(hq.make_url("/health")) as response:
            jsonschema.validate(await response.json(), health)
        async with session.get(hq.make_url("/metrics")) as response:
            metrics = await response.read()
        await api.close()
        await hq.close()
    assert b"ksef_agent_invoices_issued_total" in metrics
    if PROMTOOL is not None:
        assert await asyncio.to_thread(faults, PROMTOOL, metrics) == (0, b"", b"")


def _with(**changes: Any) -> dict[str, Any]:
    return SALE | changes


def _line(**changes: Any) -> dict[str, Any]:
    return SALE | {"lines": [SALE["lines"][0] | changes]}  # type: ignore[index]


BUYER: dict[str, Any] = SALE["buyer"]  # type: ignore[assignment]
BAD: list[tuple[str, Any, str, str]] = [
    ("NIP checksum", _with(buyer=BUYER | {"nip": "5260250275"}), "nip-checksum", "/buyer/nip"),
    ("unknown rate", _line(vat="24"), "unknown-vat-rate", "/lines/0/vat"),
    ("negative price", _line(unit_price="-1.00"), "negative", "/lines/0/unit_price"),
    ("13 digits", _line(unit_price="1234567890123.00"), "amount-too-large", "/lines/0/unit_price"),
    ("a float", _line(unit_price=61.5), "wrong-type", "/lines/0/unit_price"),
    ("empty basket", _with(lines=[]), "empty-basket", "/lines"),
    ("quantity 0", _line(quantity="0"), "not-positive", "/lines/0/quantity"),
    (
        "payments",
        _with(payments=[{"method": "cash", "amount": "122.99"}]),
        "payments-do-not-add-up",
        "/payments",
    ),
    ("600 characters", _line(name="x" * 600), "too-long", "/lines/0/name"),
    ("forbidden Unicode", _line(name="Ka\ufdd0wa"), "forbidden-character", "/lines/0/name"),
    ("date in the future", _with(sold_on="2999-01-01"), "date-in-future", "/sold_on"),
    ("unknown field", _with(discount="1.00"), "unknown-field", "/discount"),
]


@pytest.mark.slow
async def test_bad_input_is_named_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Each mistake: a stable code, a pointer, a Polish sentence; no number used up, nothing stored or printed."""
    async with embedded(tmp_path) as pair, ClientSession() as session:
        agent = pair.agent
        server = TestServer(till_app(agent, agent.tokens, agent.settings.api))
        await server.start_server()
        url = server.make_url("/v1/invoices")
        headers = {"Authorization": f"Bearer {pair.facts['cashier_token']}"}
        for number, (what, sale, code, pointer) in enumerate(BAD):
            key = {"Idempotency-Key": f"bad-{number}"}
            async with session.post(url, json=sale, headers=headers | key) as response:
                body = await response.json()
            assert (what, response.status, response.content_type) == (what, 422, "application/problem+json")
            assert (what, body["code"], body["errors"][0]["pointer"]) == (what, code, pointer)
            assert body["detail"].strip()
        kinds = {"Content-Type": "application/json", "Idempotency-Key": "xml"}
        async with session.post(url, data=b"<Faktura/>", headers=headers | kinds) as response:
            assert (response.status, (await response.json())["code"]) == (400, "not-json")
        async with session.get(url, headers=headers) as response:
            assert (await response.json())["invoices"] == []
        assert pair.sandbox.printer.papers == []
        async with session.post(url, json=SALE, headers=headers | {"Idempotency-Key": "bad-0"}) as response:
            assert (await response.json())["number"].endswith("/000001")
        await server.close()


async def test_what_is_no_http_leaves_no_token_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with embedded(tmp_path) as pair, listening(pair.agent):
        for port in (pair.agent.settings.api.port, pair.agent.settings.health.port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /v1/mode HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ksef-secret\x00\r\n\r\n")
            assert b" 400 " in await reader.readline()
            writer.close()
            await writer.wait_closed()
    assert "secret" not in caplog.text
    assert [record for record in caplog.records if record.name == "aiohttp.server"] == []
