"""A till of yesterday: a quarter of a core and a disk that takes 10 ms a sync, against this machine as it is.

A control group holds the agent's processor time (1 ms in 4, so that short work does not slip through), strace delays
each fsync and fdatasync and stops no other call; needs root and strace. The data lies in memory: no other disk counts.
Printer, KSeF and whoever presses are not slowed down.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.footprint import cpu_seconds
from tests.bench.online import PROCESSING, ROUND_TRIP
from tests.bench.press import QUIET, milliseconds, percentile, sale
from tests.fakes.agent_process import PROGRAM, AgentProcess, agent_process

PERIOD, QUOTA = 4_000, 1_000
"""Microseconds: a quarter."""
SYNC = 10_000
"""Microseconds."""
CONTROL = Path("/sys/fs/cgroup")
MEMORY = Path("/dev/shm")
ROUNDS = {5: 60, 100: 20}
ONLINE = 20
STARTS = 3
BACKLOG = 100
OFFLINE_FIRST = f'{QUIET}\n[issue]\nprefer = "offline24"\n'
"""A press beside a backlog is to be timed without KSeF."""


@contextmanager
def quarter_of_a_core() -> Iterator[tuple[str, ...]]:
    """Make a control group; the words that start a program in it."""
    first = (CONTROL / "cgroup.controllers").exists()
    group = (CONTROL if first else CONTROL / "cpu") / f"ksef-agent-bench-{os.getpid()}"
    if first:
        (CONTROL / "cgroup.subtree_control").write_text("+cpu")
    group.mkdir()
    try:
        if first:
            (group / "cpu.max").write_text(f"{QUOTA} {PERIOD}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(QUOTA))
        yield "sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group / "cgroup.procs")
    finally:
        group.rmdir()


def slow_disk(microseconds: int) -> tuple[str, ...]:
    """Return the words that start a program whose syncs take so much longer; -D: it stays this process's own child."""
    calls = "fsync,fdatasync"
    delay = f"inject={calls}:delay_exit={microseconds}"
    return ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e", delay)


class Till:
    """Presses of one agent."""

    def __init__(self, place: AgentProcess) -> None:
        self.place = place
        self.count = 0

    async def press(self, lines: int = 5, *, mode: str = "offline24") -> None:
        self.count += 1
        status, answer = await self.place.post("/v1/invoices", sale(lines), f"slow-{self.count}")
        assert status == 201, answer
        assert (answer["mode"], answer["paper"]["state"]) == (mode, "printed"), answer

    async def presses(self, rounds: int, lines: int = 5, *, mode: str = "offline24") -> list[float]:
        return [await milliseconds(lambda: self.press(lines, mode=mode)) for _ in range(rounds)]


async def measure(program: tuple[str, ...]) -> dict[str, float]:
    """Return what is waited for, in milliseconds, by what it is."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        async with agent_process(Path(name), extra=QUIET, program=program) as place:
            till = Till(place)
            place.sandbox.behaviour.number_delay = PROCESSING
            await place.sandbox.plan("*", "slow_before", seconds=ROUND_TRIP)
            await till.presses(ONLINE // 2, mode="online")
            found["online, p50"] = statistics.median(await till.presses(ONLINE, mode="online"))
            await place.sandbox.plan("*", "refuse")
            await place.stop()
            starts = []
            for _ in range(STARTS):
                starts.append(await milliseconds(place.start))
                await place.stop()
            found["start to ready"] = statistics.median(starts)
            await place.start()
            found["first press after a start, line down"] = await milliseconds(till.press)
            cpu = cpu_seconds(place)
            for lines, rounds in ROUNDS.items():
                times = await till.presses(rounds, lines)
                found[f"{lines} lines, quickest"] = min(times)
                found[f"{lines} lines, p50"] = statistics.median(times)
                found[f"{lines} lines, p99"] = percentile(times, 0.99)
                found[f"{lines} lines, processor time"] = (cpu_seconds(place) - cpu) / rounds * 1000
                cpu = cpu_seconds(place)
    return found | await beside_a_backlog(program)


async def beside_a_backlog(program: tuple[str, ...]) -> dict[str, float]:
    """Return the same of presses while a backlog goes out, and how long that takes."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        async with agent_process(Path(name), limits="production", extra=OFFLINE_FIRST, program=program) as place:
            till = Till(place)
            await place.sandbox.plan("*", "refuse")
            await till.presses(BACKLOG)
            await place.sandbox.plan("*", "none")
            begun = asyncio.get_running_loop().time()
            times: list[float] = []
            while len(place.sandbox.ledger) < BACKLOG:
                times += await till.presses(1)
                await asyncio.sleep(0.5)
            took = (asyncio.get_running_loop().time() - begun) * 1000
    what = f"beside {BACKLOG} going out"
    return {f"{what}, p50": statistics.median(times), f"{what}, slowest": max(times), f"{BACKLOG} have gone out": took}


def main() -> None:
    """Print a table: the till as it is, with less processor, with both."""
    with quarter_of_a_core() as quarter:
        kinds: dict[str, tuple[str, ...]] = {
            "as it is": PROGRAM,
            "traced only": (*slow_disk(0), *PROGRAM),
            "quarter of a core": (*quarter, *PROGRAM),
            "and 10 ms a sync": (*slow_disk(SYNC), *quarter, *PROGRAM),
        }
        found: dict[str, Any] = {name: asyncio.run(measure(program)) for name, program in kinds.items()}
    print(f"{'ms':56}" + "".join(f"{name:>20}" for name in found))
    for what in next(iter(found.values())):
        print(f"{what:56}" + "".join(f"{each[what]:20.0f}" for each in found.values()))
