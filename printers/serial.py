"""A serial line, real or virtual (USB-COM), 8N1.

pyserial sets the line up; writing goes by file.Descriptor, since pyserial's write() forgets on a timeout how much it
had written.
"""

from __future__ import annotations

import termios
from typing import TYPE_CHECKING

from printers.file import Descriptor, look
from printers.lane import LaneTransport

if TYPE_CHECKING:
    from serial import Serial


class SerialDevice(Descriptor):
    """An open line. ``flow``: rtscts, xonxoff or none."""

    def __init__(self, path: str, baud: int, flow: str) -> None:
        import serial  # noqa: PLC0415 - only where a serial printer is configured

        self._port: Serial = serial.Serial(
            path, baud, timeout=0, rtscts=flow == "rtscts", xonxoff=flow == "xonxoff", exclusive=True
        )
        self._held = False
        super().__init__(self._port.fileno(), answers=True)

    def write(self, data: bytes) -> int:
        """Return 0 where the printer holds the line."""
        taken = super().write(data)
        self._held = taken == 0
        return taken

    def close(self) -> None:
        """Close; a held line's rest is thrown away, since closing would wait for it 30 seconds."""
        if self._held:
            termios.tcflush(self._port.fileno(), termios.TCOFLUSH)
        self._port.close()


class SerialTransport(LaneTransport):
    """A printer on a serial line."""

    def __init__(self, path: str, baud: int, *, flow: str = "rtscts", name: str) -> None:
        super().__init__(name, lambda: SerialDevice(path, baud, flow), lambda: look(path))
