"""A CUPS queue, raw: `lp -o raw`. The spooler takes the job; what the printer did with it, nobody says."""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio.subprocess import DEVNULL, PIPE, Process

from printers.transports.interface import Connection, QueueStopped, SpoolerRefused, TransportError

STOPPED = b" disabled since "
"""In lpstat's words for a stopped queue."""


class CupsTransport:
    """A queue by name. ``lp`` and ``lpstat`` are CUPS' own programs (Debian: cups-client)."""

    def __init__(self, queue: str, *, lp: str = "lp", lpstat: str = "lpstat") -> None:
        self._queue = queue
        self._lp = lp
        self._lpstat = lpstat

    async def open(self) -> Connection:
        """Look at the queue: each job is a process of its own, and a stopped queue would print it some other day."""
        await self.present()
        return _CupsConnection([self._lp, "-d", self._queue, "-o", "raw", "-s", "--", "-"])

    async def present(self) -> None:
        """Ask whether the queue exists and prints."""
        said = await _run([self._lpstat, "-p", self._queue], stdout=PIPE)
        if STOPPED in said:
            raise QueueStopped(said.decode("utf-8", "replace").strip()[:500])


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

    async def drained(self) -> None:
        """Return at once: lp has ended."""

    async def finish(self) -> None:
        """Return at once, likewise."""

    async def close(self) -> None:
        """Nothing is open."""


async def _run(command: list[str], data: bytes = b"", *, stdout: int = DEVNULL) -> bytes:
    """Run to the end and return its ``stdout``, if piped; SpoolerRefused where it could not start or said no.

    Cancelled: it is killed.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=stdout, stderr=PIPE, env=environment
        )
    except (OSError, ValueError) as error:  # ValueError: a queue that no program can be told, with a zero byte in it
        raise SpoolerRefused(f"{command[0]}: {error}") from error
    try:
        said, complaint = await process.communicate(data)
    finally:
        await _kill(process)
    if process.returncode:
        raise SpoolerRefused(complaint.decode("utf-8", "replace").strip()[:500])
    return said or b""


async def _kill(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
