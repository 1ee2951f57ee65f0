"""The real clock. Tests use tests/fakes/clock.py."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from agent.system.time_server import kept_by_ntp

T = TypeVar("T")

BOOT_VARIABLE = "KSEF_AGENT_BOOT_ID"
"""systemd's %b, since the service sees no /proc/sys (ProcSubset=pid)."""
BOOT_FILE = Path("/proc/sys/kernel/random/boot_id")
BATTERY_CLOCKS = Path("/sys/class/rtc")
DAY = 86_400.0
NAP_SECONDS = 5.0
"""The event loop's own timers stand still while the machine sleeps; so late at most does a wait notice it."""


class SystemClock:
    """Clock port over the operating system."""

    def __init__(self) -> None:
        self._boot = _boot_id()
        self._battery = [(each, self.monotonic()) for each in _battery_clocks()]

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return CLOCK_BOOTTIME in seconds: CLOCK_MONOTONIC stands still in suspend."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def awake(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def boot(self) -> str:
        """Return the kernel's boot id; one of this process where it cannot be read, so nothing compares with it."""
        return self._boot

    def kept_by_ntp(self) -> bool:
        """Ask the kernel, or the time service."""
        return kept_by_ntp()

    def has_battery_clock(self) -> bool:
        """Compare now() with the battery clocks as they stood at the start (in UTC or in local time)."""
        shown = self.now().timestamp()
        return any(abs(at + self.monotonic() - seen - shown) < DAY for at, seen in self._battery)

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        end = self.monotonic() + seconds
        left = seconds
        while left > NAP_SECONDS:
            await asyncio.sleep(NAP_SECONDS)
            left = end - self.monotonic()
        await asyncio.sleep(max(0.0, left))

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        """Await ``work`` at most so long; TimeoutError after that."""
        async with asyncio.timeout(seconds):
            return await work


def _boot_id() -> str:
    given = os.environ.get(BOOT_VARIABLE, "")
    try:
        text = given or BOOT_FILE.read_text("ascii")
    except (OSError, ValueError):
        text = uuid.uuid4().hex
    return text.strip().replace("-", "").lower()


def _battery_clocks() -> list[float]:
    """Return what the battery clocks show, Unix time; empty where the machine has none."""
    found = []
    for file in BATTERY_CLOCKS.glob("*/since_epoch"):
        try:
            found.append(float(file.read_text("ascii")))
        except (OSError, ValueError):
            continue
    return found
