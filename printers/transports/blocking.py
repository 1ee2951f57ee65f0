"""Blocking device calls beside the loop: one daemon thread per printer, which a hung driver may keep for ever.

While a call hangs, later jobs wait behind it, time out and are NOT_SENT.
"""

from __future__ import annotations

import asyncio
import errno
import termios
from collections.abc import Callable
from functools import partial
from typing import Protocol

from agent.system.daemon_thread import DaemonThread
from printers.transports.interface import Connection, DeviceInUse, TransportError

PIECE = 4096
"""Bytes per write call."""
IN_USE = (errno.EBUSY, errno.EAGAIN)
"""How the kernel says that a device is somebody else's: usblp and libusb the one, a locked serial line the other."""
FAILURES = (OSError, ValueError, termios.error)
"""What drivers raise where a device is away or will not be set up; termios.error is no OSError."""


class Device(Protocol):
    """An open device. All calls block for a finite time and raise FAILURES."""

    def write(self, data: bytes) -> int:
        """Hand over some of ``data``; return how much was taken, 0 for nothing for now."""
        ...

    def drained(self) -> bool:
        """Tell whether nothing that was written can be lost by close(); waits about 0.2 s for it."""
        ...

    def read(self) -> bytes:
        """Return what has come within about 0.2 s, b"" for nothing."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class LaneTransport:
    """A Transport over a blocking device. ``find`` raises FAILURES while the device is not there."""

    def __init__(self, name: str, open_device: Callable[[], Device], find: Callable[[], None]) -> None:
        self._lane = DaemonThread(f"printer-{name}")
        self._open = open_device
        self._find = find

    async def open(self) -> Connection:
        """Open the device; one that hangs costs this lane, not the loop."""
        try:
            device = await self._lane.run(self._open, undo=_close)
        except FAILURES as error:
            if isinstance(error, OSError) and error.errno in IN_USE:
                raise DeviceInUse(str(error)) from error
            raise TransportError(str(error), sent=False) from error
        return _LaneConnection(self._lane, device)

    async def present(self) -> None:
        """Look for the device without opening it."""
        try:
            await self._lane.run(self._find)
        except FAILURES as error:
            raise TransportError(str(error), sent=False) from error


class _LaneConnection:
    def __init__(self, lane: DaemonThread, device: Device) -> None:
        self._lane = lane
        self._device = device
        self._reading: asyncio.Future[bytes] | None = None
        self._writing: asyncio.Future[int] | None = None
        self._touched = False

    async def write(self, data: bytes) -> None:
        """Write piece by piece, so that a cancelled job stops at the next one."""
        done = 0
        while done < len(data):
            self._writing = self._lane.run(partial(self._device.write, data[done : done + PIECE]))
            try:
                taken = await asyncio.shield(self._writing)
            except FAILURES as error:
                raise TransportError(str(error)) from error
            done += taken
            self._touched = self._touched or taken > 0

    async def touched(self) -> bool:
        """Wait for the call still running in the lane; a device that took nothing at all has printed nothing."""
        if self._touched or self._writing is None:
            return self._touched
        try:
            return await asyncio.shield(self._writing) > 0
        except FAILURES:
            return True

    async def read(self) -> bytes:
        """Ask the device again and again; a cancelled wait leaves its answer to the next."""
        while True:
            if self._reading is None:
                self._reading = self._lane.run(self._device.read)
            try:
                data = await asyncio.shield(self._reading)
            except FAILURES as error:
                self._reading = None
                raise TransportError(str(error)) from error
            self._reading = None
            if data:
                return data

    async def drained(self) -> None:
        """Ask the device again and again."""
        done = False
        while not done:
            try:
                done = await self._lane.run(self._device.drained)
            except FAILURES as error:
                raise TransportError(str(error)) from error

    async def finish(self) -> None:
        """Return at once: there is nobody who could be told."""

    async def close(self) -> None:
        """Close in the lane, behind what still runs there."""
        if self._reading is not None:
            self._reading.cancel()
        await asyncio.shield(self._lane.run(partial(_close, self._device)))


def _close(device: Device) -> None:
    try:
        device.close()
    except FAILURES:
        return
