"""What no handler sees, or sees broken: every refusal is a problem document, and none tells a till to try again."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agent.services.assembly.services import Services
from agent.web.connections import Connections, Limits, Site
from agent.web.request_query import PARAMETERS
from tests.fakes.served import MANAGER, till_http, tokens_in
from tests.fakes.world import sale, world
from tools.openapi.operations import OPERATIONS

SALE = json.dumps(sale()).encode()
PRESS = ("Content-Type: application/json", "Idempotency-Key: {key}")


@dataclass
class Till:
    """The till's listener, spoken to byte by byte."""

    port: int
    services: Services
    keys: int = 0

    async def answer(
        self, line: str, *headers: str, body: bytes = b"", host: str = "", token: str = MANAGER["Authorization"]
    ) -> tuple[str, Any]:
        """Return the head of the answer, and its body as read from JSON."""
        self.keys += 1
        own = f"127.0.0.1:{self.port}"
        lines = [line.format(own=own), f"Host: {host or own}", f"Authorization: {token}", *headers]
        raw = "\r\n".join(lines).replace("{key}", f"key-{self.keys}").encode("latin-1") + b"\r\n\r\n" + body
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(raw)
        async with asyncio.timeout(30):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if head.startswith("HTTP/1.1 100 "):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"^Content-Length: (\d+)", head, re.MULTILINE | re.IGNORECASE)
            assert length is not None
            found = await reader.readexactly(int(length[1]))
        writer.close()
        return head, json.loads(found) if "json" in head else found

    async def press(self, body: bytes, *headers: str) -> tuple[str, Any]:
        return await self.answer(
            "POST /v1/invoices HTTP/1.1", *PRESS, f"Content-Length: {len(body)}", *headers, body=body
        )


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    async with world(tmp_path / "data") as place:
        runner = web.AppRunner(till_http(place, tokens_in(tmp_path)))
        await runner.setup()
        site = Site(runner, "127.0.0.1", 0, Connections(Limits(64, 64, 30.0)), backlog=8)
        await site.start()
        yield Till(runner.addresses[0][1], place)
        await runner.cleanup()


CHUNKED = (*PRESS, "Transfer-Encoding: chunked")
POST = "POST /v1/invoices HTTP/1.1"
BROKEN: list[tuple[str, tuple[str, ...], bytes, int, str]] = [
    ("FOO BAR BAZ", (), b"", 400, "bad-request"),
    ("GET /v1/mode HTTP/9.9", (), b"", 400, "bad-request"),
    ("GET /v1/mode HTTP/1.1", ("X: " + "a" * 20_000,), b"", 400, "bad-request"),
    ("GET /v1/mode HTTP/1.1", ("X: a\0b",), b"", 400, "bad-request"),
    (POST, (*PRESS, "Content-Length: -5"), b"", 400, "bad-request"),
    (POST, (*PRESS, "Content-Length: 2", "Transfer-Encoding: chunked"), b"{}", 400, "bad-request"),
    (POST, CHUNKED, b"zz\r\n{}\r\n0\r\n\r\n", 400, "bad-request"),
    (POST, (*PRESS, "Transfer-Encoding: foo"), b"{}", 400, "bad-request"),
    (POST, (*PRESS, "Transfer-Encoding: gzip, chunked"), b"2\r\n{}\r\n0\r\n\r\n", 400, "body-undecodable"),
    (POST, (*PRESS, "Content-Encoding: br", "Content-Length: 2"), b"{}", 415, "unsupported-content-encoding"),
    (POST, (*PRESS, "Content-Encoding: gzip", "Content-Length: 2"), b"{}", 400, "body-undecodable"),
    (POST, (*PRESS, "Content-Length: 99999999"), b"{}", 413, "body-too-large"),
    (POST, (*PRESS, "Content-Length: 2", "Expect: something"), b"{}", 417, "expectation-failed"),
    ("GET /nowhere HTTP/1.1", ("Expect: something",), b"", 417, "expectation-failed"),
    ("GET http://evil.example/v1/mode HTTP/1.1", (), b"", 421, "host-not-allowed"),
    ("GET http://user@{own}/v1/mode HTTP/1.1", (), b"", 421, "host-not-allowed"),
    ("GET http://[::1/v1/mode HTTP/1.1", (), b"", 400, "bad-request"),
    ("PUT /v1/mode HTTP/1.1", (), b"", 405, "method-not-allowed"),
    ("GET /v1/mode?x=1 HTTP/1.1", (), b"", 400, "bad-query"),
    ("GET /v1/invoices?from=2026-01-01&from=2026-01-02 HTTP/1.1", (), b"", 400, "bad-query"),
    ("GET /v1/invoices/abc/upo?scope=all HTTP/1.1", (), b"", 400, "bad-query"),
]


@pytest.mark.parametrize(("line", "headers", "body", "status", "code"), BROKEN)
async def test_broken_requests(
    till: Till, line: str, headers: tuple[str, ...], body: bytes, status: int, code: str
) -> None:
    head, problem = await till.answer(line, *headers, body=body)
    assert int(head.split()[1]) == status
    assert "Content-Type: application/problem+json" in head
    assert "X-Content-Type-Options: nosniff" in head
    assert (problem["code"], problem["status"], problem["retry_safe"]) == (code, status, False)


BODIES: list[tuple[bytes, str]] = [
    (b"", "not-json"),
    (b"[]", "not-json"),
    (SALE + b" x", "not-json"),
    (b'{"a": NaN}', "not-json"),
    ('{"a": "żółć"}'.encode("cp1250"), "not-json"),
    (SALE.decode().encode("utf-16"), "not-json"),
    (b'{"\\ud800": 1, "\\ud800": 2}', "duplicate-json-key"),
]


@pytest.mark.parametrize(("body", "code"), BODIES)
async def test_bodies_that_cannot_be_read(till: Till, body: bytes, code: str) -> None:
    head, problem = await till.press(body)
    assert head.startswith("HTTP/1.1 400 ")
    assert (problem["code"], problem["retry_safe"]) == (code, False)


FILES: list[tuple[str, str, bytes, str]] = [
    ("/v1/invoices", "application/xml", b"", "xml-malformed"),
    ("/v1/invoices", "application/xml", b"<Faktura><Naglowek></Faktura>", "xml-malformed"),
    ("/v1/invoices", "application/xml", "<Faktura>ż</Faktura>".encode("cp1250"), "xml-encoding"),
    ("/v1/invoices", "application/xml", b"<a>" * 40 + b"</a>" * 40, "xml-too-deep"),
    ("/v1/exchange", "application/x-epp", b"", "epp-malformed"),
    ("/v1/exchange", "application/x-epp", SALE, "epp-malformed"),
    ("/v1/exchange", "application/x-epp", "[INFO]\r\n".encode("utf-16"), "epp-encoding"),
]


@pytest.mark.parametrize(("path", "kind", "body", "code"), FILES)
async def test_files_that_cannot_be_read(till: Till, path: str, kind: str, body: bytes, code: str) -> None:
    headers = ("Idempotency-Key: a", f"Content-Type: {kind}")
    head, problem = await till.answer(f"POST {path} HTTP/1.1", *headers, f"Content-Length: {len(body)}", body=body)
    assert head.startswith("HTTP/1.1 400 ")
    assert (problem["code"], problem["retry_safe"]) == (code, False)


async def test_utf_16_is_named(till: Till) -> None:
    assert "UTF-16" in (await till.press(SALE.decode().encode("utf-16-le")))[1]["detail"]


async def test_what_only_looks_broken_is_taken(till: Till) -> None:
    head, invoice = await till.press(b"\xef\xbb\xbf" + SALE)
    assert head.startswith("HTTP/1.1 201 "), invoice
    for line in ("GET http://{own}/v1/mode HTTP/1.1", "GET HTTP://{own}/v1/mode HTTP/1.1"):
        assert (await till.answer(line))[1]["mode"] == "online"
        assert (await till.answer(line, host="elsewhere.example"))[1]["mode"] == "online", "Host is ignored then"


async def test_a_text_that_no_answer_could_carry(till: Till) -> None:
    body = b'{"mode": "offline24", "reason": "a \\ud800"}'
    length = f"Content-Length: {len(body)}"
    head, problem = await till.answer("POST /v1/mode HTTP/1.1", "Content-Type: application/json", length, body=body)
    assert head.startswith("HTTP/1.1 422 ")
    assert problem["errors"][0]["code"] == "forbidden-character"
    head, problem = await till.answer("GET /v1/mode HTTP/1.1", token="Bearer \xff\xfe")
    assert head.startswith("HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/invoices?from=0001-01-01&to=9999-12-31",
        "/v1/register?month=0001-01",
        "/v1/register?month=9999-12&as_of=9999-12-31",
        "/v1/register?month=9999-12&format=csv&as_of=0001-01-01",
        "/v1/register/changes?month=9999-12&since=0001-01-01&as_of=9999-12-31",
        "/v1/register/counts?month=9999-12",
        "/v1/evidence?from=0001-01-01&to=9999-12-31",
    ],
)
async def test_the_ends_of_the_calendar(till: Till, path: str) -> None:
    await till.press(SALE)
    head, _ = await till.answer(f"GET {path} HTTP/1.1")
    assert head.startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/v1/sync", "/v1/invoices/{id}/reprint", "/v1/invoices/{id}/resend"])
async def test_a_body_that_nobody_reads(till: Till, path: str) -> None:
    path = path.format(id="nobody")
    for body, status in ((b"", (202, 404)), (b"{}", (202, 404)), (b'{"x": 1}', (422,)), (b"x", (400,))):
        head, _ = await till.answer(f"POST {path} HTTP/1.1", f"Content-Length: {len(body)}", body=body)
        assert int(head.split()[1]) in status, (path, body)


def test_parameters_are_those_of_the_description() -> None:
    described = {
        f"{each.method.upper()} {each.path}": {query.name for query in each.query} for each in OPERATIONS if each.query
    }
    assert described == PARAMETERS
