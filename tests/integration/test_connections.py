"""Floods of connections, peers that dawdle and what is no HTTP, over real sockets: whoever behaves is always served."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from agent.serving.descriptors import RESERVE, WANTED, shares
from agent.serving.quiet import AcceptFailures
from agent.web.connections import Connection, Connections, Limits, Site, address_of, working_middleware

SLOW = 30.0
"""Seconds after which a test has surely failed; none waits for it."""


class Watched(Connections):
    """Tells when one came and when one left."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.came = asyncio.Semaphore(0)
        self.left = asyncio.Semaphore(0)

    def admit(self, newcomer: Connection, peer: object) -> bool:
        self.came.release()
        return super().admit(newcomer, peer)

    def forget(self, connection: Connection) -> None:
        self.left.release()
        super().forget(connection)


class Served:
    """A listener whose one handler answers when it may."""

    def __init__(self, limits: Limits) -> None:
        self.connections = Watched(limits)
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = asyncio.Semaphore(0)
        self.answer = b"answer"
        self.port = 0

    async def handle(self, _request: web.Request) -> web.Response:
        self.asked.release()
        await self.may_answer.wait()
        return web.Response(body=self.answer)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, and wait until the listener has seen it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await self.connections.came.acquire()
        return reader, writer

    async def get(self) -> int:
        """Ask over a connection of its own; return the status."""
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}/") as response:
            await response.read()
            await self.connections.came.acquire()
            return response.status


@asynccontextmanager
async def served(limits: Limits) -> AsyncIterator[Served]:
    found = Served(limits)
    app = web.Application(middlewares=[working_middleware])
    app.router.add_get("/", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await Site(runner, "127.0.0.1", 0, found.connections, backlog=16).start()
        found.port = runner.addresses[0][1]
        yield found
    finally:
        found.may_answer.set()
        await runner.cleanup()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what came until the other side closed."""
    async with asyncio.timeout(SLOW):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


class TestCaps:
    async def test_a_flood_only_pushes_out_its_own_idle_connections(self) -> None:
        async with served(Limits(total=4, per_address=4, idle_seconds=SLOW)) as place, AsyncExitStack() as stack:
            flood = []
            for _ in range(20):
                reader, writer = await place.open()
                stack.callback(writer.close)
                flood.append(reader)
            assert len(place.connections) == 4
            assert await place.get() == 200
            for reader in flood[:16]:
                assert await ended(reader) == b""

    async def test_an_address_has_its_share(self) -> None:
        async with served(Limits(total=50, per_address=3, idle_seconds=SLOW)) as place, AsyncExitStack() as stack:
            for _ in range(10):
                _, writer = await place.open()
                stack.callback(writer.close)
            assert len(place.connections) == 3
            assert await place.get() == 200

    async def test_a_request_under_way_is_never_pushed_out(self) -> None:
        async with served(Limits(total=3, per_address=3, idle_seconds=SLOW)) as place, AsyncExitStack() as stack:
            place.may_answer.clear()
            asking = asyncio.create_task(place.get())
            await place.asked.acquire()
            for _ in range(10):
                _, writer = await place.open()
                stack.callback(writer.close)
            place.may_answer.set()
            assert await asking == 200

    async def test_where_all_are_busy_the_newcomer_is_told_to_come_back(self) -> None:
        async with served(Limits(total=2, per_address=2, idle_seconds=SLOW)) as place:
            place.may_answer.clear()
            asking = [asyncio.create_task(place.get()) for _ in range(2)]
            for _ in asking:
                await place.asked.acquire()
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            answer = await ended(reader)
            writer.close()
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            problem = json.loads(body)
            assert (problem["code"], problem["retry_safe"]) == ("too-many-connections", True)
            place.may_answer.set()
            assert await asyncio.gather(*asking) == [200, 200]
            assert await place.get() == 200

    async def test_the_address_that_holds_most_gives_way(self) -> None:
        """HQ's one connection stays, whatever comes from elsewhere."""
        connections = Connections(Limits(total=6, per_address=4, idle_seconds=SLOW))
        loop = asyncio.get_running_loop()
        server = web.Server(_never)
        headquarters = Connection(server, connections, loop)
        assert connections.admit(headquarters, ("10.0.0.1", 1))
        for port in range(20):
            for host in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"):
                assert connections.admit(Connection(server, connections, loop), (host, port))
        assert len(connections) == 6
        assert headquarters in connections

    @pytest.mark.parametrize(
        ("peer", "address"),
        [
            (("192.0.2.7", 1), "192.0.2.7"),
            (("::ffff:192.0.2.7", 1, 0, 0), "192.0.2.7"),
            (("2001:db8::1", 1, 0, 0), "2001:db8::/64"),
            (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
            (None, ""),
            ("", ""),
        ],
    )
    def test_an_ipv6_host_is_one_however_many_addresses_it_takes(self, peer: object, address: str) -> None:
        assert address_of(peer) == address


async def _never(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("nobody asks")


class TestTimes:
    @pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
    async def test_who_says_nothing_or_dawdles_is_dropped(self, sent: bytes) -> None:
        async with served(Limits(total=4, per_address=4, idle_seconds=0.05, header_seconds=0.05)) as place:
            reader, writer = await place.open()
            writer.write(sent)
            assert await ended(reader) == b""
            writer.close()
            assert len(place.connections) == 0

    async def test_drops_of_a_header_do_not_lengthen_its_time(self) -> None:
        async with served(Limits(total=4, per_address=4, idle_seconds=SLOW, header_seconds=0.1)) as place:
            reader, writer = await place.open()
            writer.write(b"GET / HTTP/1.1\r\nX: ")
            ending = asyncio.create_task(ended(reader))
            while not ending.done():
                writer.write(b"x")
                await asyncio.sleep(0.005)
            assert await ending == b""
            writer.close()

    async def test_an_answer_may_take_longer_than_a_header(self) -> None:
        async with served(Limits(total=4, per_address=4, idle_seconds=SLOW, header_seconds=0.02)) as place:
            place.may_answer.clear()
            asking = asyncio.create_task(place.get())
            await place.asked.acquire()
            await asyncio.sleep(0.05)
            place.may_answer.set()
            assert await asking == 200

    async def test_a_kept_connection_serves_the_next_request_and_ends_when_idle(self) -> None:
        async with served(Limits(total=4, per_address=4, idle_seconds=0.1, header_seconds=SLOW)) as place:
            reader, writer = await place.open()
            for _ in range(3):
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                assert await reader.readexactly(6) == b"answer"
            assert await ended(reader) == b""
            writer.close()

    async def test_who_takes_nothing_of_the_answer_is_dropped(self) -> None:
        async with served(Limits(total=4, per_address=4, idle_seconds=SLOW, write_seconds=0.05)) as place:
            place.answer = bytes(32_000_000)
            deaf = socket.create_connection(("127.0.0.1", place.port))
            deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await place.asked.acquire()
            async with asyncio.timeout(SLOW):
                await place.connections.left.acquire()
            deaf.close()

    async def test_who_takes_a_long_answer_slowly_gets_it(self) -> None:
        async with served(Limits(total=4, per_address=4, idle_seconds=SLOW, write_seconds=0.3)) as place:
            place.answer = bytes(16_000_000)
            reader, writer = await place.open()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            got = 0
            while piece := await reader.read(400_000):
                got += len(piece)
                await asyncio.sleep(0.01)
            assert got > 16_000_000
            writer.close()


class TestForeignBytes:
    @pytest.mark.parametrize(
        "sent",
        [
            b"\x16\x03\x01\x02\x00TLS hello\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        ],
    )
    async def test_they_are_answered_in_the_api_s_own_form_and_not_logged(
        self, sent: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with served(Limits(total=4, per_address=4, idle_seconds=SLOW)) as place:
            reader, writer = await place.open()
            writer.write(sent)
            head, _, body = (await ended(reader)).partition(b"\r\n\r\n")
            writer.close()
        assert b" 400 " in head.splitlines()[0]
        assert b"Content-Type: application/problem+json" in head
        problem = json.loads(body)
        assert (problem["code"], problem["retry_safe"]) == ("bad-request", False)
        assert caplog.records == []


class TestDescriptors:
    @pytest.mark.parametrize("limit", [600, 800, 1024, WANTED, 65536])
    def test_connections_leave_the_reserve(self, limit: int) -> None:
        share = shares(limit)
        assert share.till + share.health + RESERVE <= limit
        assert share.till >= share.health

    def test_a_limit_that_is_far_too_small_still_serves(self) -> None:
        assert min(shares(64).till, shares(64).health) > 0

    def test_the_unit_gives_what_is_wanted(self) -> None:
        unit = (Path(__file__).parents[2] / "systemd" / "ksef-agent.service").read_text("utf-8")
        assert f"LimitNOFILE={WANTED}" in unit

    async def test_a_flood_of_failed_accepts_is_one_line_a_minute(self, caplog: pytest.LogCaptureFixture) -> None:
        loop = asyncio.get_running_loop()
        failures = AcceptFailures()
        context = {"message": "socket.accept()", "exception": OSError(errno.EMFILE, "Too many"), "socket": object()}
        for _ in range(500):
            failures(loop, context)
        assert len(caplog.records) == 1

    async def test_other_defects_of_the_loop_are_logged_as_ever(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR):
            AcceptFailures()(asyncio.get_running_loop(), {"message": "a callback failed", "exception": ValueError()})
        assert "a callback failed" in caplog.text
