"""Why a printer cannot be opened although it is there: this user may not, or the service. Asked after a failed open."""

from __future__ import annotations

import errno
import getpass
import os
from pathlib import Path

from printers.settings import PrinterSettings

USB_DEVICES = Path("/sys/bus/usb/devices")
USB_NODES = Path("/dev/bus/usb")


def refusal(printer: PrinterSettings) -> str | None:
    """Return a Polish sentence with the remedy where the device exists and is closed to this user; None otherwise."""
    node = _node(printer)
    if node is None or not node.exists() or os.access(node, os.R_OK | os.W_OK):
        return None
    user, group = _user(), _group(node)
    if _kept_by_systemd(node):
        return (
            f"Usługa nie ma dostępu do urządzenia {node}, choć użytkownik {user} ma do niego uprawnienia. Dla serwisu: "
            f"systemctl edit ksef-agent, w sekcji [Service] wiersz „DeviceAllow={node} rw”, "
            "a potem uruchom usługę ponownie."
        )
    if group == "root":  # the udev rule that comes with the package did not match: it makes the group lp
        remedy = "odłącz i podłącz drukarkę; jeśli to nie pomoże, nadaj urządzeniu grupę lp regułą udev."
    else:
        remedy = f"usermod -aG {group} {user}, a potem uruchom usługę ponownie."
    return f"Użytkownik {user} nie ma uprawnień do urządzenia {node}. Dla serwisu: {remedy}"


def _user() -> str:
    """Return this user's name, or the number where it has none (a container)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _group(node: Path) -> str:
    try:
        return node.group()
    except KeyError:
        return str(node.stat().st_gid)


def _kept_by_systemd(node: Path) -> bool:
    """Tell a device that the unit's DeviceAllow leaves out (EPERM) from one whose group or mode forbids it (EACCES)."""
    try:
        os.close(os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError as error:
        return error.errno == errno.EPERM
    return False


def _node(printer: PrinterSettings) -> Path | None:
    """Return the device's file; None for network printers and queues, and for USB devices that are not plugged in."""
    if printer.connection in {"file", "serial"}:
        return Path(printer.device)
    if printer.connection == "usb":
        return _usb_node(printer.device)
    return None


def _usb_node(device: str) -> Path | None:
    model, _, socket = device.lower().partition("@")
    vendor, _, product = model.partition(":")
    for found in sorted(USB_DEVICES.glob(f"{socket or '*'}/idVendor")):
        if _word(found) == vendor and _word(found.with_name("idProduct")) == product:
            bus, number = (int(_word(found.with_name(name)) or 0) for name in ("busnum", "devnum"))
            return USB_NODES / f"{bus:03}" / f"{number:03}"
    return None


def _word(file: Path) -> str:
    try:
        return file.read_text("ascii").strip().lower()
    except (OSError, ValueError):
        return ""
