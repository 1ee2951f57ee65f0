"""A TLS server in front of the sandbox whose certificate a test chooses: what a till meets in a strange network."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import trustme

from agent.sandbox.accepting import accept_no_more


class TlsFront:
    """Passes bytes on to ``target`` once a client trusts it."""

    def __init__(self, target: str) -> None:
        place = urlsplit(target)
        self._target = (place.hostname, place.port)
        self._path = place.path
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server: asyncio.Server | None = None
        self.url = ""
        self.requests = 0
        """Connections that got through the handshake."""

    def present(self, certificate: trustme.LeafCert) -> None:
        """Use this certificate for new connections."""
        self._leaf = certificate
        certificate.configure_cert(self._context)

    async def start(self) -> None:
        self._context.sni_callback = self._choose
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.url = f"https://localhost:{self._server.sockets[0].getsockname()[1]}{self._path}"

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Present the newest certificate, also where the server began with another one."""
        fresh = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._leaf.configure_cert(fresh)
        connection.context = fresh

    async def stop(self) -> None:
        assert self._server is not None
        await accept_no_more(self._server)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        try:
            await asyncio.gather(_pass(reader, onward_writer), _pass(onward_reader, writer))
        finally:
            for each in (writer, onward_writer):
                each.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


@asynccontextmanager
async def tls_front(target: str, certificate: trustme.LeafCert) -> AsyncIterator[TlsFront]:
    """Run one."""
    front = TlsFront(target)
    front.present(certificate)
    await front.start()
    try:
        yield front
    finally:
        await front.stop()
