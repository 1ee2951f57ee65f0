"""A USB printer by vendor, product and, of several alike, socket, through libusb (Debian: libusb-1.0-0); waits end.

Without a bus reset at open, as common libraries do it: that may kill a job still printing.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from printers.transports.blocking import LaneTransport

WRITE_MS = 1000
"""A printer that takes nothing for so long gives 0 and is asked again until the job's time is over."""
READ_MS = 200
STALE_MS = 20
"""How long an earlier job's last answers are waited for at open."""
STALE_READS = 16
PRINTER_CLASS = 7
PACKETS = 3
"""Protocol IEEE 1284.4: no plain bytes."""
DIRECTION_IN = 0x80
BULK = 2


class Endpoint(Protocol):
    """What is used of a pyusb endpoint."""

    @property
    def bEndpointAddress(self) -> int: ...  # noqa: N802 - USB's own name
    @property
    def bmAttributes(self) -> int: ...  # noqa: N802 - USB's own name
    @property
    def wMaxPacketSize(self) -> int: ...  # noqa: N802 - USB's own name
    def write(self, data: bytes, timeout: int) -> int: ...
    def read(self, size: int, timeout: int) -> Any: ...


class Identifier(NamedTuple):
    """Which printer is meant. ``socket``: bus and ports as Linux writes them ("1-1.4"), empty for any."""

    vendor: int
    product: int
    socket: str = ""


def parse_identifier(device: str) -> Identifier:
    """Read "04b8:0202" or "04b8:0202@1-1.4". ValueError otherwise."""
    match = re.fullmatch(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?:@([0-9]+-[0-9]+(?:\.[0-9]+)*))?", device)
    if match is None:
        raise ValueError(device)
    return Identifier(int(match[1], 16), int(match[2], 16), match[3] or "")


def find(wanted: Identifier) -> Any:
    """Return pyusb's device. OSError while it is not plugged in, or libusb is not installed."""
    import usb.core  # noqa: PLC0415 - only where a USB printer is configured

    try:
        device = usb.core.find(
            idVendor=wanted.vendor,
            idProduct=wanted.product,
            custom_match=lambda found: wanted.socket in ("", _socket(found)),
        )
    except usb.core.NoBackendError as error:
        raise OSError("libusb-1.0 is not installed") from error
    if device is None:
        raise OSError(f"USB {wanted.vendor:04x}:{wanted.product:04x} {wanted.socket} is not plugged in")
    return device


def _socket(device: Any) -> str:
    """Return the name of the socket a device is plugged into; a hub of the machine itself has none."""
    return f"{device.bus}-{'.'.join(str(port) for port in device.port_numbers or ())}"


class UsbDevice:
    """A claimed printer interface."""

    def __init__(self, device: Any) -> None:
        import usb.core  # noqa: PLC0415
        import usb.util  # noqa: PLC0415

        self._timeout: type[OSError] = usb.core.USBTimeoutError
        self._util = usb.util
        self._device = device
        interface = max(_printer_interfaces(device), key=_directions, default=None)
        if interface is None:
            raise OSError("this USB device has no printer interface")
        with contextlib.suppress(NotImplementedError):
            if device.is_kernel_driver_active(interface.bInterfaceNumber):
                device.detach_kernel_driver(interface.bInterfaceNumber)  # usblp
        usb.util.claim_interface(device, interface.bInterfaceNumber)
        if interface.bAlternateSetting:
            device.set_interface_altsetting(interface.bInterfaceNumber, interface.bAlternateSetting)
        bulk: list[Endpoint] = [end for end in interface if end.bmAttributes & 3 == BULK]
        self._out = next((end for end in bulk if not end.bEndpointAddress & DIRECTION_IN), None)
        self._in = next((end for end in bulk if end.bEndpointAddress & DIRECTION_IN), None)
        self._forget_stale()

    def write(self, data: bytes) -> int:
        """Return how much was taken within a second."""
        if self._out is None:
            raise OSError("this USB printer takes no data")
        try:
            return self._out.write(data, WRITE_MS)
        except self._timeout:
            return 0

    def drained(self) -> bool:
        """Return True: a transfer ends when the printer has taken it."""
        return True

    def read(self) -> bytes:
        """Return what the printer says."""
        if self._in is None:
            return b""
        try:
            return bytes(self._in.read(self._in.wMaxPacketSize, READ_MS))
        except self._timeout:
            return b""

    def _forget_stale(self) -> None:
        """Throw away what the printer still had to say of an earlier job: it would answer for the next one."""
        if self._in is not None:
            with contextlib.suppress(self._timeout):
                for _ in range(STALE_READS):
                    self._in.read(self._in.wMaxPacketSize, STALE_MS)

    def close(self) -> None:
        """Release the interface; the kernel's driver stays off until replugged, as this agent owns the printer."""
        self._util.dispose_resources(self._device)


def _printer_interfaces(device: Any) -> Iterator[Any]:
    for configuration in device:
        for interface in configuration:
            if interface.bInterfaceClass == PRINTER_CLASS and interface.bInterfaceProtocol != PACKETS:
                yield interface


def _directions(interface: Any) -> int:
    """Count the ways data can go: some printers offer a setting that cannot answer before one that can."""
    return len({end.bEndpointAddress & DIRECTION_IN for end in interface if end.bmAttributes & 3 == BULK})


class UsbTransport(LaneTransport):
    """A printer on USB; it may be plugged in later."""

    def __init__(self, wanted: Identifier, *, name: str) -> None:
        super().__init__(name, lambda: UsbDevice(find(wanted)), lambda: _look(wanted))


def _look(wanted: Identifier) -> None:
    """Raise OSError where the printer is not plugged in, or this user may not open it."""
    device = find(wanted)
    node = f"/dev/bus/usb/{device.bus:03}/{device.address:03}"
    if not os.access(node, os.R_OK | os.W_OK):
        raise OSError(f"{node}: not accessible")
