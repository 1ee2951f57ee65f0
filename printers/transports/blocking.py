"""Blocking device calls beside the loop: one daemon thread per printer, which a hung driver may keep for ever.

Not a ThreadPoolExecutor: its threads are joined at exit, so a printer that hangs in the kernel would keep the
process from ending. While a call hangs, later jobs wait behind it, time out and are NOT_SENT.
"""

from __future__ import annotations

import asyncio
import errno
import queue
import termios
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from printers.transports.interface import Connection, DeviceInUse, TransportError

T = TypeVar("T")
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

    def read(self) -> bytes:
        """Return what has come within about 0.2 s, b"" for nothing."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class Lane:
    """Runs calls one after the other in its own thread, which starts with the first call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, call: Callable[[], T], *, undo: Callable[[T], None] | None = None) -> asyncio.Future[T]:
        """Queue a call; its future ends as the call does.

        Cancelling the future skips a call that has not begun; ``undo`` gets the result of one that had.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def deliver(result: T) -> None:
            if not future.done():
                future.set_result(result)
            elif undo is not None:
                self._calls.put(partial(undo, result))

        def fail(error: BaseException) -> None:
            if not future.done():
                future.set_exception(error)

        def work() -> None:
            if future.cancelled():
                return
            settle: Callable[[], None]
            try:
                settle = partial(deliver, call())
            except BaseException as error:  # noqa: BLE001 - handed to whoever awaits
                settle = partial(fail, error)
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle)

        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"printer-{self._name}", daemon=True)
            self._thread.start()
        self._calls.put(work)
        return future

    def _work(self) -> None:
        while True:
            self._calls.get()()


class LaneTransport:
    """A Transport over a blocking device. ``find`` raises FAILURES while the device is not there."""

    def __init__(self, name: str, open_device: Callable[[], Device], find: Callable[[], None]) -> None:
        self._lane = Lane(name)
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
    def __init__(self, lane: Lane, device: Device) -> None:
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

    async def finish(self) -> None:
        """Return at once: write() ends when the device has everything."""

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
