"""A serial line, real or virtual (USB-COM), 8N1.

pyserial sets the line up; writing goes by file.Descriptor, since pyserial's write() forgets on a timeout how much it
had written.
"""

from __future__ import annotations

import termios
import time
from typing import TYPE_CHECKING

from printers.transports.blocking import LaneTransport
from printers.transports.file import Descriptor, look

if TYPE_CHECKING:
    from serial import Serial


HELD_SECONDS = 0.5
"""A line that sends nothing for so long is held by the printer, or has no printer."""


class SerialDevice(Descriptor):
    """An open line. ``flow``: rtscts, xonxoff or none."""

    def __init__(self, path: str, baud: int, flow: str) -> None:
        import serial  # noqa: PLC0415 - only where a serial printer is configured

        self._port: Serial = serial.Serial(
            path, baud, timeout=0, rtscts=flow == "rtscts", xonxoff=flow == "xonxoff", exclusive=True
        )
        super().__init__(self._port.fileno(), answers=True)

    def close(self) -> None:
        """Let the line send what it still has. Once it holds that back, the rest is thrown away: closing would wait
        for it 30 seconds, and it would come out beside a reprint.
        """
        left = self._port.out_waiting
        while left:
            time.sleep(HELD_SECONDS)
            before, left = left, self._port.out_waiting
            if left >= before:
                termios.tcflush(self._port.fileno(), termios.TCOFLUSH)
                break
        self._port.close()


class SerialTransport(LaneTransport):
    """A printer on a serial line."""

    def __init__(self, path: str, baud: int, *, flow: str = "rtscts", name: str) -> None:
        super().__init__(name, lambda: SerialDevice(path, baud, flow), lambda: look(path))
