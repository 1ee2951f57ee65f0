"""sd_notify(3), without a library: one datagram to $NOTIFY_SOCKET; nothing where there is none."""

from __future__ import annotations

import os
import socket


def notify(message: str) -> bool:
    """Send ``READY=1``, ``STATUS=...``, ``WATCHDOG=1`` or ``STOPPING=1``; return whether systemd was told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            channel.sendto(message.encode(), address)
        except OSError:
            return False
    return True


def watchdog_seconds() -> float | None:
    """Return how often to feed the watchdog (half its limit), None where systemd does not ask for it."""
    limit = os.environ.get("WATCHDOG_USEC")
    if not limit or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(limit) / 1_000_000 / 2
