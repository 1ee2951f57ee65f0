"""A till's line to the hub's processes: it picks one that answers, as a balancer does, and can be cut in two ways."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from agent.sandbox.accepting import accept_no_more


class CutLine:
    """TCP from a port of its own to the first port that answers; TLS and HTTP stay between both ends."""

    def __init__(self, targets: Sequence[int], first: int) -> None:
        self._targets = targets
        self._next = first
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.up = True
        self.deaf = False
        """What the hub answers gets lost, what it is asked does not."""
        self.cuts = 0

    @property
    def port(self) -> int:
        """Where the till connects."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Break what is open and refuse what comes."""
        self.up = False
        self.cuts += 1
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        """Let everything through again; what lost an answer breaks, so that it is noticed."""
        if self.deaf:
            self.cut()
        self.up, self.deaf = True, False

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def close(self) -> None:
        """End everything."""
        assert self._server is not None
        await accept_no_more(self._server)
        self.cut()
        await asyncio.sleep(0)

    async def _accept(self, from_till: asyncio.StreamReader, to_till: asyncio.StreamWriter) -> None:
        self._open.add(to_till)
        found = await self._connect() if self.up else None
        if found is None:
            self._open.discard(to_till)
            to_till.transport.abort()
            return
        from_hub, to_hub = found
        pair = {to_till, to_hub}
        self._open |= pair
        try:
            pumps = [
                asyncio.ensure_future(self._pump(from_till, to_hub, answers=False)),
                asyncio.ensure_future(self._pump(from_hub, to_till, answers=True)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        finally:
            self._open -= pair
            for writer in pair:
                writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if not (answers and self.deaf):
                    target.write(data)
                    await target.drain()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in self._targets:
            port = self._targets[self._next % len(self._targets)]
            self._next += 1
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None


@asynccontextmanager
async def cut_line(targets: Sequence[int], first: int) -> AsyncIterator[CutLine]:
    """Open a line."""
    line = CutLine(targets, first)
    await line.open()
    try:
        yield line
    finally:
        await line.close()
