"""A listener on loopback that can go away and come back on the same port, which it holds meanwhile."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiohttp import web

from agent.sandbox.accepting import accept_no_more, bound
from agent.sandbox.ksef.faults import abort

HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 0.1
"""A sandbox owes its callers no farewell; what a fault holds back ends with it."""


class Listener:
    """One application on one port."""

    def __init__(self, application: web.Application, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        self._placeholder: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Address without a path."""
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Bind and listen; OSError where the port is taken."""
        self._placeholder = bound(HOST, port)
        self.port = int(self._placeholder.getsockname()[1])
        await self._runner.setup()
        await self.up()

    async def up(self) -> None:
        """Listen."""
        if self._server is None and self._runner.server is not None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._runner.server, sock=bound(HOST, self.port), ssl=self._tls)

    async def down(self) -> None:
        """Refuse connections and reset the open ones."""
        await self._refuse()
        await _reset(self._open())

    async def stop(self) -> None:
        """Stop for good."""
        await self._refuse()
        left = self._open()
        await self._runner.cleanup()
        await _reset(left)  # who does not read his answer would keep its connection open
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None

    async def _refuse(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await accept_no_more(server)

    def _open(self) -> list[asyncio.BaseTransport | None]:
        server = self._runner.server
        return [] if server is None else [connection.transport for connection in server.connections]


async def _reset(transports: list[asyncio.BaseTransport | None]) -> None:
    for transport in transports:
        abort(transport)
    await asyncio.sleep(0)  # in which they are closed
