"""A transport that tells what goes over it: bytes in both directions, as they come, with no meaning given to them."""

from __future__ import annotations

from collections.abc import Callable

from printers.transports.interface import Connection, Transport, TransportError

Tell = Callable[[str, bytes], None]
"""Called with what happened (opened, refused, sent, received, failed, closed) and its bytes; fast, never raises."""


class RecordingTransport:
    """Passes everything on as it is."""

    def __init__(self, inner: Transport, tell: Tell) -> None:
        self._inner = inner
        self._tell = tell

    async def open(self) -> Connection:
        """Connect (Transport.open)."""
        try:
            connection = await self._inner.open()
        except TransportError:
            self._tell("refused", b"")
            raise
        self._tell("opened", b"")
        return _RecordingConnection(connection, self._tell)

    async def present(self) -> None:
        """Look (Transport.present)."""
        await self._inner.present()


class _RecordingConnection:
    def __init__(self, inner: Connection, tell: Tell) -> None:
        self._inner = inner
        self._tell = tell

    async def write(self, data: bytes) -> None:
        """Told before it is done: of a write that hangs one wants to know that it began."""
        self._tell("sent", data)
        try:
            await self._inner.write(data)
        except TransportError:
            self._tell("failed", b"")
            raise

    async def touched(self) -> bool:
        return await self._inner.touched()

    async def read(self) -> bytes:
        try:
            data = await self._inner.read()
        except TransportError:
            self._tell("failed", b"")
            raise
        self._tell("received" if data else "failed", data)
        return data

    async def drained(self) -> None:
        try:
            await self._inner.drained()
        except TransportError:
            self._tell("failed", b"")
            raise

    async def finish(self) -> None:
        await self._inner.finish()

    async def close(self) -> None:
        await self._inner.close()
        self._tell("closed", b"")
