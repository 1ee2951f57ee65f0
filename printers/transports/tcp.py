"""TCP (port 9100): one connection per job, always closed.

Network cards of printers accept several connections, print from one and drop idle ones after 90 seconds or 5 minutes
(docs/printing.md, section 5), so nothing is kept open between jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from printers.transports.interface import Connection, TransportError

CHUNK = 4096


class TcpTransport:
    """A printer with an address."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def open(self) -> Connection:
        """Connect; the caller limits the time."""
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, ValueError) as error:  # ValueError: a host that cannot even be asked for, as 192.168.1..50
            raise TransportError(f"{self._host}:{self._port}: {error}", sent=False) from error
        link: socket.socket = writer.get_extra_info("socket")
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return _TcpConnection(reader, writer)

    async def present(self) -> None:
        """Connect and close."""
        await (await self.open()).close()


class _TcpConnection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)  # drain() waits until the kernel has everything

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise TransportError(str(error)) from error

    async def touched(self) -> bool:
        """Return True: the kernel has taken what it could."""
        return True

    async def read(self) -> bytes:
        try:
            return await self._reader.read(CHUNK)
        except OSError as error:
            raise TransportError(str(error)) from error

    async def drained(self) -> None:
        """Return at once: what the kernel has taken it sends, also after close()."""

    async def finish(self) -> None:
        """Send FIN and wait for the printer's: closing with data under way may cut the job's end off."""
        try:
            self._writer.write_eof()
            while await self._reader.read(CHUNK):
                pass
        except OSError as error:
            raise TransportError(str(error)) from error

    async def close(self) -> None:
        # abort() after close(): a peer that reads nothing would keep the buffer, and this socket, for ever.
        self._writer.close()
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
