"""A CUPS queue, raw: `lp -o raw`. The spooler takes the job; what the printer did with it, nobody says."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE, Process

from printers.transport import Connection, SpoolerRefused, TransportError


class CupsTransport:
    """A queue by name. ``lp`` and ``lpstat`` are CUPS' own programs (Debian: cups-client)."""

    def __init__(self, queue: str, *, lp: str = "lp", lpstat: str = "lpstat") -> None:
        self._queue = queue
        self._lp = lp
        self._lpstat = lpstat

    async def open(self) -> Connection:
        """Nothing is opened: each job is a process of its own."""
        return _CupsConnection([self._lp, "-d", self._queue, "-o", "raw", "-s", "--", "-"])

    async def present(self) -> None:
        """Ask whether the queue exists."""
        await _run([self._lpstat, "-p", self._queue], b"")


class _CupsConnection:
    def __init__(self, command: list[str]) -> None:
        self._command = command

    async def write(self, data: bytes) -> None:
        await _run(self._command, data)

    async def touched(self) -> bool:
        """Return True: lp was killed, perhaps too late."""
        return True

    async def read(self) -> bytes:
        """Nothing ever comes back."""
        raise TransportError("a CUPS queue does not answer")

    async def finish(self) -> None:
        """Return at once: lp has ended."""

    async def close(self) -> None:
        """Nothing is open."""


async def _run(command: list[str], data: bytes) -> None:
    """Run to the end; SpoolerRefused where it could not start or said no. Cancelled: it is killed."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL, stderr=PIPE)
    except OSError as error:
        raise SpoolerRefused(f"{command[0]}: {error}") from error
    try:
        _, complaint = await process.communicate(data)
    finally:
        await _kill(process)
    if process.returncode:
        raise SpoolerRefused(complaint.decode("utf-8", "replace").strip()[:500])


async def _kill(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
