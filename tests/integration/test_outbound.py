"""Calls to others than KSeF: whatever answers, little is read of it, soon, and from nowhere else."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.ksef.client import HttpClient, proxy_headers
from agent.outbound import MAX_ANSWER, Outbound, Route, Webhooks, WhiteList
from agent.ports import KsefError
from agent.system.clock import SystemClock
from tests.fakes.listener import listening
from tests.fakes.swift_clock import SwiftClock
from tests.fakes.tls_front import tls_front

NIP = "5260250274"
SUBJECT = {"result": {"subject": {"name": "MINISTERSTWO FINANSÓW", "workingAddress": "UL. ŚWIĘTOKRZYSKA 12"}}}
NOBODY = ("brak odpowiedzi", "brak odpowiedzi: takiej nazwy nie zna DNS")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    """A server whose every answer is ``handler``'s; its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


async def asked(handler: Handler, route: Route = Route()) -> tuple[str, str | None] | None:  # noqa: B008
    async with answering(handler) as url:
        outbound = Outbound(SystemClock(), route)
        try:
            return await WhiteList(outbound, SystemClock(), url).find(NIP)
        finally:
            await outbound.close()


async def known(_: web.Request) -> web.Response:
    return web.json_response(SUBJECT)


async def test_a_usual_answer() -> None:
    assert await asked(known) == ("MINISTERSTWO FINANSÓW", "UL. ŚWIĘTOKRZYSKA 12")


class TestTooMuch:
    async def test_an_answer_without_end(self) -> None:
        sent = 0

        async def endless(request: web.Request) -> web.StreamResponse:
            nonlocal sent
            response = web.StreamResponse()
            await response.prepare(request)
            try:
                while True:
                    await response.write(bytes(65536))
                    sent += 65536
            except ConnectionError:
                return response

        assert await asked(endless) is None
        assert sent < 64 * MAX_ANSWER  # what the two kernels hold; it used to grow by a hundred megabytes a second

    async def test_a_bomb_is_not_unpacked(self) -> None:
        bomb = gzip.compress(bytes(100_000_000))

        async def packed(_: web.Request) -> web.Response:
            return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

        tracemalloc.start()
        try:
            assert await asked(packed) is None
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("text", ["[" * 100_000, "{", "", "null", '"word"', '{"result": {"subject": 7}}'])
    async def test_an_answer_that_is_none(self, text: str) -> None:
        async def odd(_: web.Request) -> web.Response:
            return web.Response(text=text, content_type="application/json")

        assert await asked(odd) is None

    async def test_a_receiver_of_webhooks_that_talks_without_end(self) -> None:
        async def endless(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            try:
                while True:
                    await response.write(bytes(65536))
            except ConnectionError:
                return response

        async with answering(endless) as url:
            outbound = Outbound(SystemClock())
            assert await Webhooks(outbound, SystemClock()).post(url, b"{}", {}) == 200
            await outbound.close()

    @pytest.mark.parametrize(("interim", "outcome"), [(1, 204), (5000, "brak odpowiedzi")])
    async def test_interim_answers_without_end(self, interim: int, outcome: int | str) -> None:
        """They held up the loop, presses included, for seconds."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * interim + b"HTTP/1.1 204 No Content\r\n\r\n")
            writer.close()

        async with listening(answer) as port:
            outbound, url = Outbound(SystemClock()), f"http://127.0.0.1:{port}"
            assert await Webhooks(outbound, SystemClock()).post(url, b"{}", {}) == outcome
            await outbound.close()
            client = HttpClient(url, SystemClock())
            if isinstance(outcome, str):
                with pytest.raises(KsefError):
                    await client.call("POST", "/", json={})
            else:
                assert (await client.call("POST", "/", json={})).status == outcome
            await client.close()

    @pytest.mark.parametrize("host", ["x" * 70, ".", "kasa..sklep"])
    async def test_an_address_that_no_host_can_have(self, host: str) -> None:
        outbound = Outbound(SystemClock())
        assert await Webhooks(outbound, SystemClock()).post(f"https://{host}/", b"{}", {}) in NOBODY
        assert await WhiteList(outbound, SystemClock(), f"https://{host}").find(NIP) is None
        await outbound.close()

    async def test_a_server_that_says_nothing(self) -> None:
        silent = asyncio.Event()

        async def never(_: web.Request) -> web.Response:
            await silent.wait()
            return web.Response()

        async with answering(never) as url, SwiftClock().running() as clock:
            outbound = Outbound(clock)
            assert await WhiteList(outbound, clock, url).find(NIP) is None
            assert await Webhooks(outbound, clock).post(url, b"{}", {}) == "brak odpowiedzi"
            await outbound.close()
            silent.set()


class TestWhyNobodyAnswered:
    """ "brak odpowiedzi" alone sent people to look at the line while the receiver's certificate had ended."""

    async def posted(self, url: str, tls: ssl.SSLContext | None = None) -> int | str:
        outbound = Outbound(SystemClock(), Route(tls=tls))
        try:
            return await Webhooks(outbound, SystemClock()).post(url, b"{}", {})
        finally:
            await outbound.close()

    @pytest.mark.parametrize(
        ("name", "ends", "trusted", "why"),
        [
            ("localhost", -1, True, "certificate has expired"),
            ("sklep.example", 1, True, "Hostname mismatch"),
            ("localhost", 1, False, "unable to get local issuer"),
        ],
    )
    async def test_a_certificate_that_is_not_to_be_trusted(self, name: str, ends: int, trusted: bool, why: str) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert(name, not_after=datetime.now(UTC) + timedelta(days=ends))
        tls = ssl.create_default_context()
        (authority if trusted else trustme.CA()).configure_trust(tls)
        async with tls_front("http://127.0.0.1:9/", certificate) as front:
            said = await self.posted(front.url, tls)
            assert str(said).startswith("certyfikat TLS odbiorcy nie jest zaufany: ")
            assert why in str(said)
            assert front.requests == 0

    async def test_a_port_where_nobody_listens(self) -> None:
        async with answering(known) as url:
            pass
        assert await self.posted(url) == "brak odpowiedzi: połączenie odrzucone"

    async def test_a_name_that_nobody_knows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown, raising=False)
        assert await self.posted("https://sklep.invalid/") == "brak odpowiedzi: takiej nazwy nie zna DNS"


class TestElsewhere:
    async def test_redirects_are_not_followed(self) -> None:
        asked_elsewhere = False

        async def elsewhere(_: web.Request) -> web.Response:
            nonlocal asked_elsewhere
            asked_elsewhere = True
            return web.json_response(SUBJECT)

        async with answering(elsewhere) as url:

            async def moved(_: web.Request) -> web.Response:
                return web.Response(status=302, headers={"Location": url})

            assert await asked(moved) is None
            async with answering(moved) as moved_url:
                outbound = Outbound(SystemClock())
                assert await Webhooks(outbound, SystemClock()).post(moved_url, b"{}", {}) == 302
                await outbound.close()
        assert not asked_elsewhere

    async def test_the_environment_names_no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert await asked(known) is not None

    async def test_the_settings_do(self) -> None:
        heads: list[str] = []

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

        async with listening(proxy) as port:
            outbound = Outbound(SystemClock(), Route(f"http://127.0.0.1:{port}", proxy_headers("kasa:hasło")))
            assert await WhiteList(outbound, SystemClock(), "https://register.invalid").find(NIP) is None
            await outbound.close()
        (head,) = heads
        assert head.startswith("CONNECT register.invalid:443 ")
        assert "Proxy-Authorization: Basic a2FzYTpoYXPFgm8=" in head
