"""How bytes reach a printer: the seam between the dialogue and sockets, USB, serial lines, files, CUPS.

A transport opens one connection per job. Every call ends in finite time or can be cancelled; none blocks the loop.
"""

from __future__ import annotations

from typing import Protocol


class TransportError(Exception):
    """The way to the printer failed. ``sent`` is False where surely no byte of this call left."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class SpoolerRefused(TransportError):
    """The print system did not take the job. Nothing was printed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class DeviceInUse(TransportError):
    """Another program has the device open for itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class QueueStopped(TransportError):
    """The queue takes jobs and prints none until somebody lets it go on."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class Connection(Protocol):
    """One open way to a printer, for one job."""

    async def write(self, data: bytes) -> None:
        """Hand all bytes over. Raises TransportError. Cancelled: bytes may have left."""
        ...

    async def touched(self) -> bool:
        """Tell, after a write that was cut short, whether any byte may have left."""
        ...

    async def read(self) -> bytes:
        """Wait for bytes from the printer; b"" when it closed. Raises TransportError.

        Cancelling loses nothing: the next read gets the bytes.
        """
        ...

    async def drained(self) -> None:
        """Wait until close() would throw away nothing of what was written, however long. Raises TransportError.

        A printer that cannot answer has no other proof.
        """
        ...

    async def finish(self) -> None:
        """Say that nothing more comes, and wait until the printer says so too. Raises TransportError."""
        ...

    async def close(self) -> None:
        """Close, whatever happened. Never raises."""
        ...


class Transport(Protocol):
    """The way to one printer. The device need not be there yet: hot-plug is an open() that works later."""

    async def open(self) -> Connection:
        """Connect. Raises TransportError (``sent`` False)."""
        ...

    async def present(self) -> None:
        """Look whether the printer can be reached, for printers that do not answer. Raises TransportError."""
        ...
