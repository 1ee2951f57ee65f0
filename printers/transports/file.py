"""A device file (/dev/usb/lp0, a FIFO) or a plain file, opened per job."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import struct
import termios
import time
from pathlib import Path

from printers.transports.blocking import LaneTransport

WAIT = 0.2
"""Seconds one call waits for the device."""
CHUNK = 4096
GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL
STALE_READS = 16
"""At most so many at open: a device that never stops talking is no printer."""


class Descriptor:
    """A non-blocking file descriptor whose waits are finite. ``answers``: a character device; others are never read."""

    def __init__(self, descriptor: int, *, answers: bool) -> None:
        self._descriptor = descriptor
        self._answers = answers

    def write(self, data: bytes) -> int:
        """Return 0 where the device takes nothing for 0.2 s."""
        _, ready, _ = select.select([], [self._descriptor], [], WAIT)
        if not ready:
            return 0
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0

    def drained(self) -> bool:
        """Tell whether the device has taken all that it was given.

        usblp cancels at close what is still under way, and is ready to write again when nothing is; a line has an
        amount. A plain file and a pipe keep everything.
        """
        if not self._answers:
            return True
        if unsent(self._descriptor):
            time.sleep(WAIT)
            return not unsent(self._descriptor)
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        events = sum(event for _, event in poll.poll(WAIT * 1000))
        if events & GONE:
            raise OSError(errno.EIO, "the device is gone")
        return bool(events)

    def read(self) -> bytes:
        """Return what the printer says; usblp gives b"" where it says nothing."""
        ready, _, _ = select.select([self._descriptor] if self._answers else [], [], [], WAIT)
        if not ready:
            return b""
        try:
            return os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Close."""
        os.close(self._descriptor)


def unsent(descriptor: int) -> int:
    """Return how many bytes a line still has to send, 0 where it is none."""
    if not os.isatty(descriptor):
        return 0
    (amount,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
    return int(amount)


class FileTransport(LaneTransport):
    """A printer behind a path. The path must exist: a device that is away must not become a plain file."""

    def __init__(self, path: str, *, name: str) -> None:
        super().__init__(name, lambda: open_path(path), lambda: look(path))


def open_path(path: str) -> Descriptor:
    """Open; a character device can answer, a plain file is appended to."""
    answers = stat.S_ISCHR(Path(path).stat().st_mode)
    access = os.O_RDWR if answers else os.O_WRONLY | os.O_APPEND
    descriptor = os.open(path, access | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if answers:
        with contextlib.suppress(OSError):  # what the printer still had to say of an earlier job
            for _ in range(STALE_READS):
                os.read(descriptor, CHUNK)
    return Descriptor(descriptor, answers=answers)


def look(path: str) -> None:
    """Raise OSError while the path is missing or may not be written."""
    if not os.access(path, os.W_OK):
        raise OSError(f"{path}: missing or not writable")
