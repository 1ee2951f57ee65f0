"""The real clock: it counts suspend, knows its boot, and asks who keeps it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from agent.system import clock as system_clock
from agent.system import time_server
from agent.system.clock import BOOT_VARIABLE, SystemClock


def test_the_time_spent_in_suspend_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 7.0}.__getitem__)
    assert SystemClock().monotonic() == 7.0


async def test_a_wait_notices_that_the_machine_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's timers stand still in suspend: an hour's wait ends with the slice in which the till woke."""
    passed, waits = 0.0, []

    async def sleep(seconds: float) -> None:
        nonlocal passed
        waits.append(seconds)
        passed += seconds
        if len(waits) == 3:
            passed += 8 * 3600  # asleep

    clock = SystemClock()
    monkeypatch.setattr(clock, "monotonic", lambda: passed)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await clock.sleep(3600)
    assert waits == [5.0, 5.0, 5.0, 0.0]
    waits.clear()
    await clock.sleep(0.2)
    assert waits == [0.2]
    waits.clear()
    await clock.sleep(12)
    assert waits == [5.0, 5.0, 2.0]


def test_one_boot_has_one_name_in_and_outside_of_the_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "boot_id"
    file.write_text("EE2912CF-dc26-4e22-89e3-514e33f0305d\n")
    monkeypatch.setattr(system_clock, "BOOT_FILE", file)
    assert SystemClock().boot() == "ee2912cfdc264e2289e3514e33f0305d"
    monkeypatch.setattr(system_clock, "BOOT_FILE", tmp_path / "nothing")
    monkeypatch.setenv(BOOT_VARIABLE, "ee2912cfdc264e2289e3514e33f0305d")  # systemd's %b
    assert SystemClock().boot() == "ee2912cfdc264e2289e3514e33f0305d"
    monkeypatch.delenv(BOOT_VARIABLE)
    assert SystemClock().boot() != SystemClock().boot(), "unknown: nothing compares"


@pytest.mark.parametrize(
    ("shows", "found"),
    [(None, False), (0.0, True), (7200.0, True), (-3600.0, True), (-90_000.0, False), ("rubbish", False)],
)
def test_a_battery_clock_agrees_to_the_day(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shows: float | str | None, found: bool
) -> None:
    if shows is not None:
        folder = tmp_path / "rtc0"
        folder.mkdir()
        at = shows if isinstance(shows, str) else int(time.time() + shows)
        (folder / "since_epoch").write_text(f"{at}\n")
    monkeypatch.setattr(system_clock, "BATTERY_CLOCKS", tmp_path)
    assert SystemClock().has_battery_clock() is found


class Kernel:
    """adjtimex."""

    def __init__(self, *, result: int = 0, status: int = 0, ahead: int = 0) -> None:
        self.result, self.status, self.ahead = result, status, ahead

    def adjtimex(self, reference: object) -> int:
        timex = reference._obj  # type: ignore[attr-defined]
        assert timex.modes == 0, "nothing is set"
        timex.status = self.status
        timex.seconds = int(time.time()) + self.ahead
        return self.result


@pytest.mark.parametrize(
    ("kernel", "kept"),
    [
        (Kernel(), True),
        (Kernel(result=5, status=time_server.STA_UNSYNC), False),
        (Kernel(ahead=90 * 86_400), False),
        (Kernel(result=-1), False),
        (None, False),
    ],
    ids=["in step", "out of step", "another clock than ours", "forbidden", "no such call"],
)
def test_the_kernel_tells_who_keeps_the_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: Kernel | None, kept: bool
) -> None:
    monkeypatch.setattr(time_server, "_libc", lambda: kernel)
    monkeypatch.setattr(time_server, "TIMESYNCD", tmp_path / "nothing")
    assert SystemClock().kept_by_ntp() is kept


@pytest.mark.parametrize(("ago", "kept"), [(10.0, True), (2400.0, True), (3600.0, False), (-3600.0, False)])
def test_where_the_kernel_may_not_be_asked_timesyncd_tells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ago: float, kept: bool
) -> None:
    """Its mark is dated by the clock that it compared: one that was set since stands elsewhere."""
    file = tmp_path / "synchronized"
    file.touch()
    at = file.stat().st_mtime
    monkeypatch.setattr(time_server, "_libc", lambda: Kernel(result=-1))
    monkeypatch.setattr(time_server, "TIMESYNCD", file)
    monkeypatch.setattr(time, "time", lambda: at + ago)
    assert time_server.kept_by_ntp() is kept


def test_the_real_kernel_answers() -> None:
    assert isinstance(SystemClock().kept_by_ntp(), bool)
