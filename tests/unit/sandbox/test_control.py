"""The control API, Latarnia, the printer and the command: what programs outside rely on (docs/sandbox.md)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent.domain.paper.receipt import Receipt, Text
from agent.settings.load import load
from printers.escpos.encode import encode
from printers.profiles.models import PROFILES
from tests.unit.sandbox.sandbox_client import Answer, Client, invoice, running

HELLO = encode(Receipt("Próba", (Text("Paragon 1"),)), PROFILES["epson-tm-t20"])


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running() as started:
        yield started


async def post(client: Client, path: str, body: Any = None) -> Answer:
    answer = await client.call("POST", client.sandbox.control + path, {} if body is None else body, token="")
    assert answer.status == 204, answer.body
    return answer


async def get(client: Client, url: str) -> Any:
    return (await client.call("GET", url, token="")).body


async def print_on(client: Client, data: bytes) -> None:
    printer = client.sandbox.printer
    reader, writer = await asyncio.open_connection(printer.host, printer.port)
    writer.write(data)
    writer.write_eof()
    await reader.read()  # until the printer closes
    writer.close()
    await writer.wait_closed()


async def test_the_ledger(client: Client) -> None:
    await client.sign_in()
    await client.open()
    done = await client.settled(await client.send(invoice()))
    (line,) = await get(client, client.sandbox.control + "/ledger")
    assert set(line) == {"ksef_number", "nip", "kind", "number", "sha256", "offline", "session", "accepted_at"}
    assert line["ksef_number"] == done["ksefNumber"]


async def test_the_counts(client: Client) -> None:
    await client.sandbox.plan("auth", "html_502", 1)
    await client.call("POST", "/auth/challenge", token="")
    await client.sign_in()
    await client.open()
    await client.send(invoice())
    assert await get(client, client.sandbox.control + "/counts") == {
        "refused": 0,
        "faults": {"auth:html_502": 1},
        "sessions": 1,
        "invoices": 1,
        "papers": 0,
        "unknown_printer_bytes": 0,
    }


async def test_latarnia_says_what_it_is_told(client: Client) -> None:
    base = client.sandbox.latarnia_url
    assert await get(client, base + "/status") == {"status": "AVAILABLE", "messages": None}
    assert await get(client, base + "/messages") == []
    message = {"id": "K/2026/AWR/01", "eventId": 1, "category": "FAILURE", "type": "FAILURE_START", "end": None}
    await post(client, "/latarnia", {"status": "FAILURE", "messages": [message]})
    assert await get(client, base + "/status") == {"status": "FAILURE", "messages": [message]}
    assert await get(client, base + "/messages") == [message]
    await post(client, "/latarnia", {"status": "SOMETHING_NEW"})
    assert await get(client, base + "/messages") == [message]


async def test_faults_and_moods(client: Client) -> None:
    await post(client, "/faults", {"call": "auth", "fault": "html_502", "times": 1, "seconds": None})
    assert (await client.call("POST", "/auth/challenge", token="")).status == 502
    await client.sign_in()
    await client.open()
    await post(client, "/verdicts", {"verdict": "550", "times": 2})
    codes = [(await client.settled(await client.send(invoice())))["status"]["code"] for _ in range(3)]
    assert codes == [550, 550, 200]
    await post(client, "/verdicts", {"verdict": "550"})
    await post(client, "/verdicts", {"verdict": "none"})
    assert (await client.settled(await client.send(invoice("FV/2"))))["status"]["code"] == 200


async def test_the_world_can_be_changed(client: Client) -> None:
    await client.sign_in()
    await client.open()
    await post(client, "/behaviour", {"maintenance": True, "number_delay": 0})
    assert (await client.send(invoice())).code == 21184
    await post(client, "/behaviour", {"maintenance": False})
    await post(client, "/sessions/expire")
    assert (await client.send(invoice())).code == 21180
    await post(client, "/tokens/expire", {"kind": "access"})
    assert (await client.open()).status == 401
    await post(client, "/token", {"state": "revoked"})
    assert (await client.outcome(await client.begin_token()))["code"] == 450
    await post(client, "/limits", {"table": "production"})
    assert client.sandbox.limits.table["invoiceSend"].hour == 180
    await post(client, "/clock", {"skew_seconds": -120})
    assert (await client.challenge())["timestamp"].startswith("2026-11-24T08:58:0")
    old = client.sandbox.keys.keys[0].id
    await post(client, "/keys/rotate")
    assert old not in [key.id for key in client.sandbox.keys.keys]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"call": "auth", "fault": "flood"}),
        ("/faults", {"call": "auth", "fault": "slow", "times": 0}),
        ("/faults", {"call": "auth", "fault": "slow", "seconds": "5"}),
        ("/verdicts", {"verdict": "451"}),
        ("/behaviour", {"number_delay": "long"}),
        ("/behaviour", {"unknown": 1}),
        ("/printer", {"fault": "fire"}),
        ("/limits", {"table": "small"}),
        ("/token", {}),
        ("/faults", []),
    ],
)
async def test_wrong_orders_are_refused(client: Client, path: str, body: Any) -> None:
    answer = await client.call("POST", client.sandbox.control + path, body, token="")
    assert answer.status == 400
    assert answer.body["error"]


async def test_papers_are_pictures_and_text(client: Client) -> None:
    assert await get(client, client.sandbox.control + "/papers") == []
    await print_on(client, HELLO)
    (paper,) = await get(client, client.sandbox.control + "/papers")
    assert (paper["id"], paper["complete"], paper["at"][:10]) == (1, True, "2026-11-24")
    assert (await get(client, paper["png"])).startswith(b"\x89PNG")
    assert b"Paragon 1" in await get(client, paper["text"])
    assert (await client.call("GET", client.sandbox.control + "/papers/2.png", token="")).status == 404


async def test_printer_faults(client: Client) -> None:
    await post(client, "/printer", {"fault": "refused"})
    with pytest.raises(ConnectionRefusedError):
        await print_on(client, HELLO)
    await post(client, "/printer", {"fault": "none"})
    await post(client, "/printer", {"fault": "silent"})
    await print_on(client, HELLO)
    await print_on(client, HELLO)
    assert len(client.sandbox.printer.papers) == 1


async def start_command(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent.sandbox", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    return process, json.loads(await process.stdout.readline())


def check_credential(files: dict[str, str]) -> None:
    certificate = x509.load_pem_x509_certificate(Path(files["certificate"]).read_bytes())
    key = serialization.load_pem_private_key(Path(files["key"]).read_bytes(), None)
    assert certificate.public_key() == key.public_key()
    assert Path(files["key"]).stat().st_mode & 0o777 == 0o600


async def test_the_command(tmp_path: Path, client: Client) -> None:
    """First line, settings, tokens, a clean stop: all at once, since a process takes a second to start."""
    file = tmp_path / "till.toml"
    process, facts = await start_command("--write-config", str(file))
    try:
        answer = await client.call("POST", facts["ksef"] + "/auth/challenge", token="")
        assert answer.status == 200
        assert await get(client, facts["latarnia"] + "/messages") == []
        assert await get(client, facts["control"] + "/ledger") == []
        assert facts["nip"] in facts["ksef_token"]
        for name in ("authentication", "offline", "authentication_rsa", "offline_rsa", "seal"):
            check_credential(facts[name])
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
        assert load(file).seller.nip == facts["nip"]  # the agent itself finds nothing to complain of
        assert settings["ksef"]["url"] == facts["ksef"]
        assert settings["printer"][0]["port"] == facts["printer"]["port"]
        assert facts["api"].endswith(f":{settings['api']['port']}")
        assert facts["config"] == str(file)
        tokens = json.loads((Path(settings["data_dir"]) / "tokens.json").read_text(encoding="utf-8"))
        digests = {entry["role"]: entry["sha256"] for entry in tokens}
        for role in ("cashier", "manager"):
            assert digests[role] == hashlib.sha256(facts[f"{role}_token"].encode()).hexdigest()
    finally:
        process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_a_taken_port_is_said_so(client: Client) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agent.cli",
        "sandbox",
        "--port",
        client.sandbox.ksef.rsplit(":", 1)[1].removesuffix("/v2"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert "Nie można otworzyć portu" in errors.decode()
