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
        api = TestServer(till_app(agent.till, agent.tokens, agent.settings.api, agent.settings.page))
        hq = TestServer(health_app(agent.till))
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
        for tail, name in (("/events", "Events"), ("/prints", "Prints"), ("", "Invoice")):
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
            ("/v1/mode", "Mode"),
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
