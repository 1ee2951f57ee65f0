"""Outcomes (docs/protocol.md, section 4): each fault at each step ends in the one class that a resend may trust."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from agent.ksef import client
from agent.ksef.crypto import sha256
from agent.ksef.gateway import Gateway, open_gateway
from agent.ksef.latarnia import open_latarnia
from agent.ports import CallOutcome, KsefError, Outgoing
from agent.settings.model import KsefSettings
from tests.contract import ksef_wire as wire
from tests.contract.ksef_wire import Fault, Reply, WireServer, problem
from tests.fakes.clock import FakeClock
from tests.fakes.listener import listening, say_nothing
from tests.fakes.swift_clock import SwiftClock

INVOICE = Outgoing("1", wire.XML, sha256(wire.XML), offline=False)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
HALF = json.dumps(wire.accepted()).encode()[:40]
HTML = b"<html>Zaloguj sie do sieci</html>"

# name: (what happens, class of the call itself, is it the line's fault)
FAULTS: dict[str, tuple[Reply | Fault, CallOutcome, bool]] = {
    "reset": (Fault(then="reset"), CallOutcome.UNKNOWN, True),
    "closed without reply": (Fault(), CallOutcome.UNKNOWN, True),
    "silence": (Fault(then="hold"), CallOutcome.UNKNOWN, True),
    "slow drip": (Fault(HEAD % 1000 + HALF, then="hold"), CallOutcome.UNKNOWN, True),
    "truncated body": (Fault(HEAD % 1000 + HALF), CallOutcome.UNKNOWN, True),
    "truncated JSON": (Reply(body=HALF), CallOutcome.UNKNOWN, False),
    "garbage": (Fault(b"\x16\x03\x01 no HTTP\r\n\r\n"), CallOutcome.UNKNOWN, True),
    "captive portal": (Reply(200, HTML, content_type="text/html"), CallOutcome.UNKNOWN, True),
    "redirect": (Reply(302, b"", {"Location": "https://portal.example/"}), CallOutcome.UNKNOWN, True),
    "error page 502": (Reply(502, HTML, content_type="text/html"), CallOutcome.UNKNOWN, True),
    "error page 403": (Reply(403, HTML, content_type="text/html"), CallOutcome.UNKNOWN, True),
    "overload 503": (problem(503, status=503), CallOutcome.UNKNOWN, True),
    "error 500 of KSeF": (problem(500, status=500), CallOutcome.UNKNOWN, False),
    "request timeout 408": (problem(408, status=408), CallOutcome.UNKNOWN, False),
    "limit 429": (problem(429, status=429, Retry_After="30"), CallOutcome.REFUSED, False),
    "refusal 400": (problem(21405), CallOutcome.REFUSED, False),
    "no permission 403": (problem(403, status=403), CallOutcome.REFUSED, False),
}

Step = Callable[[Gateway], Awaitable[object]]


async def _send(gateway: Gateway) -> str:
    return await gateway.send(await gateway.session(), INVOICE)


STEPS: dict[str, tuple[str, Step]] = {
    "auth": ("POST /auth/xades-signature", lambda gateway: gateway.session()),
    "open": ("POST /sessions/online", lambda gateway: gateway.session()),
    "send": ("POST /sessions/online/*/invoices", _send),
    "status": ("GET /sessions/*/invoices/*", lambda gateway: gateway.status(wire.SESSION, wire.INVOICE)),
    "upo": (
        "GET /sessions/*/invoices/*/upo",
        lambda gateway: gateway.upo(wire.SESSION, wire.INVOICE, wire.KSEF_NUMBER),
    ),
}


def expected(step: str, raw: CallOutcome) -> CallOutcome:
    """Authentication and opening come before the invoice's bytes: what became of them does not put it in doubt."""
    if step == "auth" or (step == "open" and raw is CallOutcome.UNKNOWN):
        return CallOutcome.NOT_SENT
    return raw


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with WireServer() as running:
        yield running


@pytest.fixture
def clock() -> SwiftClock:
    return SwiftClock(wire.START)


async def outcome(clock: SwiftClock, work: Awaitable[object]) -> KsefError:
    """Return the error ``work`` ends with; where the server holds the line, the call's time runs out."""
    async with clock.running():
        with pytest.raises(KsefError) as caught:
            await work
    return caught.value


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
async def test_matrix(server: WireServer, clock: SwiftClock, step: str, fault: str) -> None:
    happens, raw, link_down = FAULTS[fault]
    route, work = STEPS[step]
    server.on(route, happens)
    gateway = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
    error = await outcome(clock, work(gateway))
    await gateway.close()
    assert error.outcome is expected(step, raw), error
    assert error.link_down is link_down
    assert error.retry_after == (30.0 if fault == "limit 429" else None)
    if step == "send":
        assert len(server.seen(route)) == 1, "a send is never repeated by itself"


@pytest.mark.parametrize("step", STEPS)
async def test_refused_connection(clock: SwiftClock, step: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = KsefSettings(url=f"http://127.0.0.1:{port}/v2")
    gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials())
    with pytest.raises(KsefError) as caught:
        await STEPS[step][1](gateway)
    assert (caught.value.outcome, caught.value.link_down) == (CallOutcome.NOT_SENT, True)
    await gateway.close()


async def test_line_lost_between_opening_and_sending(clock: SwiftClock) -> None:
    async with WireServer() as server:
        gateway = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
        session = await gateway.session()
    with pytest.raises(KsefError) as caught:
        await gateway.send(session, INVOICE)
    assert (caught.value.outcome, caught.value.link_down) == (CallOutcome.NOT_SENT, True)
    await gateway.close()


async def test_no_name_resolution(clock: SwiftClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_names(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_names)
    settings = KsefSettings(url="https://api.ksef.mf.gov.pl/v2")
    gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials())
    with pytest.raises(KsefError) as caught:
        await gateway.probe()
    assert (caught.value.outcome, caught.value.link_down) == (CallOutcome.NOT_SENT, True)
    await gateway.close()


async def test_everything_goes_through_the_proxy_of_the_settings(server: WireServer, clock: SwiftClock) -> None:
    """No name of KSeF is resolved here: the host does not exist."""
    settings = KsefSettings(url="http://ksef.invalid/v2", proxy_url=server.url.removesuffix("/v2"))
    gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials())
    await gateway.probe()
    await gateway.close()
    (request,) = server.requests
    assert request.headers["Host"] == "ksef.invalid"


async def test_proxies_of_the_environment_are_ignored(
    server: WireServer, clock: SwiftClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    gateway = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
    await gateway.probe()
    await gateway.close()


class TestTls:
    """A server that is not proven to be KSeF gets nothing."""

    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def ca_file(self, authority: trustme.CA, tmp_path: Path) -> Path:
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return path

    async def _probe(self, leaf: trustme.LeafCert, ca_file: Path | None) -> tuple[float | KsefError, int]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        leaf.configure_cert(context)
        reached = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal reached
            reached += 1
            await reader.readuntil(b"\r\n\r\n")
            challenge = {
                "challenge": wire.CHALLENGE,
                "timestamp": wire.stamp(wire.START),
                "timestampMs": 1,
                "clientIp": "127.0.0.1",
            }
            body = json.dumps(challenge).encode()
            writer.write(HEAD % len(body) + body)
            await writer.drain()

        async with listening(answer, context) as port:
            settings = KsefSettings(url=f"https://localhost:{port}/v2", ca_file=ca_file)
            gateway = open_gateway(settings, wire.NIP, FakeClock(wire.START), credentials=wire.credentials())
            try:
                return await gateway.probe(), reached
            except KsefError as error:
                return error, reached
            finally:
                await gateway.close()

    async def test_the_extra_anchor_is_trusted(self, authority: trustme.CA, ca_file: Path) -> None:
        skew, reached = await self._probe(authority.issue_cert("localhost"), ca_file)
        assert isinstance(skew, float)
        assert reached == 1

    @pytest.mark.parametrize("wrong", ["expired", "other host", "unknown authority"])
    async def test_anyone_else_is_not(self, authority: trustme.CA, ca_file: Path, wrong: str) -> None:
        leaf = {
            "expired": lambda: authority.issue_cert("localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
            "other host": lambda: authority.issue_cert("ksef.example"),
            "unknown authority": lambda: trustme.CA().issue_cert("localhost"),
        }[wrong]()
        error, reached = await self._probe(leaf, ca_file)
        assert isinstance(error, KsefError)
        assert (error.outcome, error.link_down, reached) == (CallOutcome.NOT_SENT, True, 0)

    @pytest.mark.parametrize("limit", ["of the connection", "of the call"])
    async def test_a_handshake_that_hangs(self, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
        if limit == "of the connection":
            monkeypatch.setattr(client, "CONNECT_SECONDS", 0.05)
        clock = FakeClock(wire.START)
        accepted = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set()
            await say_nothing(reader, writer)

        async with listening(hang) as port:
            settings = KsefSettings(url=f"https://127.0.0.1:{port}/v2")
            gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials())
            probing = asyncio.ensure_future(gateway.probe())
            await accepted.wait()
            if limit == "of the call":
                await clock.advance(15.0)
            with pytest.raises(KsefError) as caught:
                await probing
            await gateway.close()
        assert (caught.value.outcome, caught.value.link_down) == (CallOutcome.NOT_SENT, True)

    def test_a_missing_anchor_is_a_wrong_setting(self, tmp_path: Path) -> None:
        settings = KsefSettings(ca_file=tmp_path / "missing.pem")
        with pytest.raises(Exception, match=r"missing\.pem"):
            open_gateway(settings, wire.NIP, FakeClock(), credentials=wire.credentials())


class TestLatarnia:
    async def test_both_texts_exactly_as_received(self, server: WireServer, clock: SwiftClock) -> None:
        server.on("GET /status", Reply(body=b'{ "status":"AVAILABLE" }'))
        server.on("GET /messages", Reply(body=b"null"))
        latarnia = open_latarnia(KsefSettings(latarnia_url=server.url), clock)
        reading = await latarnia.read()
        await latarnia.close()
        assert (reading.status, reading.messages) == ('{ "status":"AVAILABLE" }', "null")
        assert reading.seen_at == clock.now()

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(200, HTML, content_type="text/html"),
            Reply(200, b'{"status":"FAILURE"}', content_type="text/plain"),
            Reply(200, b'{"status":"FAILU'),
            Reply(200, b'{"status":"\xff"}'),
            Reply(403, HTML, content_type="text/html"),
            Reply(502, HTML, content_type="text/html"),
        ],
    )
    async def test_anything_else_is_no_news(self, server: WireServer, clock: SwiftClock, reply: Reply) -> None:
        server.on("GET /status", Reply(body={"status": "AVAILABLE"}))
        server.on("GET /messages", reply)
        latarnia = open_latarnia(KsefSettings(latarnia_url=server.url), clock)
        with pytest.raises(KsefError) as caught:
            await latarnia.read()
        await latarnia.close()
        assert caught.value.link_down
