"""Bodies as they arrive: packed, broken off, too slow, too large. Never a 500, never "retry safe" in vain."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent.domain.callers import Role
from agent.domain.errors import BadInput
from agent.services.tokens import Tokens
from agent.settings.model import ApiSettings
from agent.web.api import till_app
from agent.web.content_encoding import unpacked
from tests.fakes.world import World, sale, world

Client = TestClient[Any, Any]
HEADERS = {"Authorization": "Bearer kasjer", "Content-Type": "application/json", "Idempotency-Key": "any"}
BODY = json.dumps(sale()).encode()
LIMIT = 100_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = gzip.compress(BODY)
UNUSABLE = {
    "not gzip at all": ("gzip", b"{}", 400, "body-undecodable"),
    "not deflate at all": ("deflate", b"{}", 400, "body-undecodable"),
    "nothing": ("gzip", b"", 400, "body-undecodable"),
    "cut in the middle": ("gzip", PACKED[: len(PACKED) // 2], 400, "body-undecodable"),
    "without its checksum": ("gzip", PACKED[:-8], 400, "body-undecodable"),
    "deflate cut": ("deflate", zlib.compress(BODY)[:-2], 400, "body-undecodable"),
    "wrong checksum": ("gzip", PACKED[:-8] + bytes(8), 400, "body-undecodable"),
    "more after the end": ("gzip", PACKED + b"more", 400, "body-undecodable"),
    "a bomb": ("gzip", gzip.compress(bytes(50_000_000)), 413, "body-too-large"),
    "a bomb of deflate": ("deflate", zlib.compress(bytes(50_000_000)), 413, "body-too-large"),
    "br": ("br", b"{}", 415, "unsupported-content-encoding"),
    "zstd": ("zstd", b"{}", 415, "unsupported-content-encoding"),
    "unheard of": ("pigeon", b"{}", 415, "unsupported-content-encoding"),
    "twice": ("gzip, gzip", gzip.compress(PACKED), 415, "unsupported-content-encoding"),
}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


@pytest.fixture
async def client(place: World, tmp_path: Path) -> AsyncIterator[Client]:
    tokens = Tokens.in_directory(tmp_path)
    tokens.put("kasa 1", Role.CASHIER, "kasjer")
    app = till_app(place, tokens, ApiSettings(max_body_bytes=LIMIT), body_seconds=0.05)
    async with TestClient(TestServer(app)) as found:
        yield found


async def refused(response: Any) -> tuple[int, str]:
    body = await response.json()
    assert response.content_type == "application/problem+json"
    assert body["retry_safe"] is False
    return response.status, body["code"]


@pytest.mark.parametrize("name", UNUSABLE)
async def test_what_cannot_be_unpacked_is_the_senders_mistake(client: Client, place: World, name: str) -> None:
    coding, data, status, code = UNUSABLE[name]
    response = await client.post("/v1/invoices", data=data, headers=HEADERS | {"Content-Encoding": coding})
    assert await refused(response) == (status, code)
    if status == 415:
        assert response.headers["Accept-Encoding"] == "gzip, deflate"
    assert await place.all_events() == []


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", PACKED),
        ("X-GZIP", PACKED),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
    ],
)
def test_what_is_packed_rightly_comes_out_whole(coding: str, data: bytes) -> None:
    assert unpacked(data, coding, len(BODY)) == BODY


def test_the_limit_is_that_of_what_comes_out() -> None:
    with pytest.raises(BadInput) as refusal:
        unpacked(PACKED, "gzip", len(BODY) - 1)
    assert refusal.value.code == "body-too-large"


async def test_a_packed_sale_is_issued(client: Client, place: World) -> None:
    post = client.post("/v1/invoices", data=PACKED, headers=HEADERS | {"Content-Encoding": "gzip"})
    pressing = asyncio.ensure_future(post)
    while not pressing.done():
        await place.clock.advance(0.1)
    assert (await pressing).status == 201


async def test_every_route_with_a_body_unpacks(client: Client) -> None:
    """One mechanism for all: a declaration is refused for its packing before anybody looks at the role."""
    for path in ("/v1/corrections", "/v1/invoices/x/corrections"):
        response = await client.post(path, data=b"{}", headers=HEADERS | {"Content-Encoding": "gzip"})
        assert await refused(response) == (400, "body-undecodable")


class TestRaw:
    """What a well-behaved client library cannot send."""

    async def ask(self, client: Client, head: str, body: bytes) -> tuple[int, dict[str, Any]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        lines = ["POST /v1/invoices HTTP/1.1", f"Host: 127.0.0.1:{client.port}", "Connection: close", head]
        lines += [f"{name}: {value}" for name, value in HEADERS.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", answer)
            assert length is not None
            return int(answer.split()[1]), json.loads(await reader.readexactly(int(length[1])))
        finally:
            writer.close()

    async def test_a_body_that_does_not_come(self, client: Client) -> None:
        status, body = await self.ask(client, "Content-Length: 10", b"{")
        assert (status, body["code"], body["retry_safe"]) == (408, "body-timeout", True)

    async def test_a_chunk_that_breaks_off(self, client: Client) -> None:
        status, body = await self.ask(client, "Transfer-Encoding: chunked", b"5\r\n{}")
        assert (status, body["code"]) == (408, "body-timeout")

    async def test_a_transfer_coding_counts_as_a_packing(self, client: Client) -> None:
        status, body = await self.ask(client, "Transfer-Encoding: gzip, chunked", b"2\r\n{}\r\n0\r\n\r\n")
        assert (status, body["code"]) == (400, "body-undecodable")
