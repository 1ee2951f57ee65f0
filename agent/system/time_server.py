"""Whether a time server keeps this machine's clock: the kernel's word, else that of systemd-timesyncd."""

from __future__ import annotations

import ctypes
import time
from functools import cache
from pathlib import Path

STA_UNSYNC = 0x0040
"""linux/timex.h: set by every settimeofday, and when no time server was heard for about nine hours."""
FAILED = -1
SAME_SECONDS = 2.0
TIMESYNCD = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches it each time it has compared the clock (systemd-timesyncd.service(8))."""
TIMESYNCD_SECONDS = 2500.0
"""It compares at least every 2048 seconds (timesyncd.conf: PollIntervalMaxSec)."""


class _Timex(ctypes.Structure):
    """struct timex of 64-bit Linux (adjtimex(2)); what is not read here is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


def kept_by_ntp() -> bool:
    """Tell whether a time server keeps the clock that this process sees. False where nobody can be asked."""
    told = _told_by_kernel()
    return _told_by_timesyncd() if told is None else told


def _told_by_kernel() -> bool | None:
    """Ask adjtimex; None where it may not be asked (systemd's ProtectClock)."""
    libc = _libc()
    timex = _Timex()  # modes 0: only read
    if libc is None or libc.adjtimex(ctypes.byref(timex)) == FAILED:
        return None
    same = abs(timex.seconds - time.time()) <= SAME_SECONDS
    return same and not timex.status & STA_UNSYNC


def _told_by_timesyncd() -> bool:
    """Look when it last compared the clock: a clock that was set since is not where that was."""
    try:
        ago = time.time() - TIMESYNCD.stat().st_mtime
    except OSError:
        return False
    return -SAME_SECONDS <= ago <= TIMESYNCD_SECONDS


@cache
def _libc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except OSError:
        return None
    return libc if hasattr(libc, "adjtimex") else None
