"""Who may hold a connection: caps, a fair share for each address, and a time limit for everything a peer does.

A connection costs a file descriptor, and the till's store and printers need theirs. So a listener holds at most
``Limits.total`` connections. Whoever comes when it is full is let in all the same, and the one that did nothing for
longest leaves, of the address that holds most: a network that opens thousands only ever pushes out its own. A request
under way is never pushed out; where all are busy, the newcomer is told to come back.

Times (aiohttp has only the first): between requests and before the first (``idle_seconds``), from the first byte of a
request to the end of its headers (``header_seconds``), a peer that takes nothing of an answer (``write_seconds``). How
long a body may take, request_body.py knows. Nothing here logs a line a connection: a flood must not fill the disk.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, cast

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from agent.domain.values import dataclass
from agent.web.problems import CONTENT_TYPE, problem_response, unexpected
from agent.web.security import SECURITY_HEADERS

LINGERING_SECONDS: Final = 2.0
"""How long the rest of a refused body is read, so that the peer gets to see the answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one listener allows. ``per_address``: an IPv4 address, or an IPv6 network of 64 bits."""

    total: int
    per_address: int
    idle_seconds: float
    header_seconds: float = 10.0
    write_seconds: float = 30.0


class Connections:
    """The connections of one listener."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._open: dict[Connection, str] = {}
        """In the order of their last activity, with their address."""

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, connection: object) -> bool:
        return connection in self._open

    def admit(self, newcomer: Connection, peer: object) -> bool:
        """Take a connection in, at another's cost where need be; False where all others are busy."""
        address = address_of(peer)
        held = Counter(self._open.values())
        if held[address] >= self.limits.per_address:
            if not self._push_out({address}):
                return False
        elif len(self._open) >= self.limits.total:
            most = max(held.values())
            if not self._push_out({each for each, count in held.items() if count == most}) and not self._push_out():
                return False
        self._open[newcomer] = address
        return True

    def active(self, connection: Connection) -> None:
        """Note that a request of this one has ended just now."""
        address = self._open.pop(connection, None)
        if address is not None:
            self._open[connection] = address

    def forget(self, connection: Connection) -> None:
        """Leave out a connection that has ended."""
        self._open.pop(connection, None)

    def _push_out(self, addresses: set[str] | None = None) -> bool:
        """End the idle connection of one of these addresses (None: of any) that was active longest ago."""
        for connection, address in self._open.items():
            if not connection.busy and not connection.writing_paused and (addresses is None or address in addresses):
                del self._open[connection]
                connection.abort()
                return True
        return False


class Connection(web.RequestHandler):
    """aiohttp's connection, admitted and timed. Its own refusals (what is no HTTP) are problem documents too."""

    __slots__ = ("_connections", "_deadline", "busy")

    def __init__(self, server: web.Server, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=connections.limits.idle_seconds,
            lingering_time=LINGERING_SECONDS,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # as AppRunner passes it for "none"
        )
        self._connections = connections
        self._deadline: asyncio.TimerHandle | None = None
        self.busy = False
        """A handler is at work."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the peer in, or tell it to come back."""
        if self._connections.admit(self, transport.get_extra_info("peername")):
            super().connection_made(transport)
            return
        self.force_close()
        refused = cast(asyncio.Transport, transport)
        refused.write(_full())
        refused.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._in_time()
        self._connections.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start the time in which the headers of a request have to be there."""
        if data and not self.busy and self._deadline is None:
            self._at_most(self._connections.limits.header_seconds)
        super().data_received(data)

    def pause_writing(self) -> None:
        """Start the time in which a peer has to take something of its answer."""
        self._in_time()
        super().pause_writing()
        self._watch_writing(None)

    def resume_writing(self) -> None:
        """Stop that time."""
        self._in_time()
        super().resume_writing()

    def abort(self) -> None:
        """End the connection now, whatever was still to be written."""
        if self.transport is not None:
            self.transport.abort()
        self.force_close()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Mark a request under way."""
        self._in_time()
        self.busy = True
        try:
            yield
        finally:
            self.busy = False
            self._connections.active(self)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or a defect of the library. What a peer sent is not logged: it may hold a token."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if exc is None or isinstance(exc, HttpProcessingError):
            response = problem_response(status, "bad-request", "Nieprawidłowe zapytanie.")
        else:
            response = unexpected(exc)
        response.headers.update(SECURITY_HEADERS)
        response.force_close()
        return response

    def _watch_writing(self, left_before: int | None) -> None:
        """End a connection whose peer took nothing since the last look; an answer of megabytes may take its time."""
        if self.transport is None:
            return
        left = self.transport.get_write_buffer_size()
        if left_before is not None and left >= left_before:
            self.abort()
            return
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._connections.limits.write_seconds, self._watch_writing, left)

    def _at_most(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _full() -> bytes:
    """Return the whole answer to a peer for whom there is no room; nothing of its request was read."""
    problem = problem_response(503, "too-many-connections", "Za dużo połączeń naraz. Ponów za chwilę.", retry_safe=True)
    body = (problem.text or "").encode()
    head = (
        "HTTP/1.1 503 Service Unavailable",
        "Connection: close",
        "Retry-After: 2",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(head).encode("ascii") + b"\r\n\r\n" + body


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def working_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep the connection of a request under way from being pushed out."""
    connection = request.protocol
    if not isinstance(connection, Connection):  # a test's own server
        return await handler(request)
    with connection.working():
        return await handler(request)


class Site(web.BaseSite):
    """A listening address whose connections are admitted and timed."""

    __slots__ = ("_connections", "_host", "_port")

    def __init__(
        self,
        runner: web.BaseRunner,
        host: str,
        port: int,
        connections: Connections,
        *,
        backlog: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(runner, backlog=backlog, ssl_context=tls)
        self._host = host
        self._port = port
        self._connections = connections

    @property
    def name(self) -> str:
        """Return the address, for messages."""
        return f"{'http' if self._ssl_context is None else 'https'}://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. OSError where the address is taken."""
        await super().start()
        loop = asyncio.get_running_loop()
        server = self._runner.server
        assert server is not None
        server.request_handler = _without_expectations(server.request_handler)
        self._server = await loop.create_server(
            lambda: Connection(server, self._connections, loop),
            self._host,
            self._port,
            ssl=self._ssl_context,
            backlog=self._backlog,
        )


def _without_expectations(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    """Answer an Expect that nobody meets here (RFC 9110, 10.1.1): aiohttp would, in plain text and before all else."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get(hdrs.EXPECT, "100-continue").lower() == "100-continue":
            return await handler(request)
        response = problem_response(417, "expectation-failed", "Nieobsługiwany nagłówek Expect.")
        response.headers.update(SECURITY_HEADERS)
        return response

    return handle


def address_of(peer: object) -> str:
    """Return what a peer name counts as: its IPv4 address, or the 64 bits an IPv6 host can choose below."""
    if not isinstance(peer, tuple) or not peer:
        return ""
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return str(peer[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
