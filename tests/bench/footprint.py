"""What a till costs while nobody presses: start, memory, CPU, wake-ups; and what is installed."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from tests.bench import _results as results
from tests.bench.press import milliseconds
from tests.fakes.agent_process import AgentProcess, agent_process

STARTS = 5
IDLE_SECONDS = 60.0
SETTLE_SECONDS = 15.0
TICKS = 100
"""Clock ticks of /proc a second (USER_HZ)."""


def bare_imports() -> float:
    """Milliseconds of an interpreter that imports what the service imports, and ends."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import agent.serving.serve, agent.cli"], check=True)
    return (time.perf_counter() - begun) * 1000


def cpu_seconds(place: AgentProcess) -> float:
    fields = stat(place, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wake_ups(place: AgentProcess) -> int:
    """Voluntary context switches of all threads."""
    assert place.process is not None
    tasks = Path(f"/proc/{place.process.pid}/task").iterdir()
    texts = [(task / "status").read_text("utf-8") for task in tasks]
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)


def megabytes(place: AgentProcess, name: str = "VmRSS") -> float:
    return int(stat(place, "status").partition(f"{name}:")[2].split()[0]) / 1024


def stat(place: AgentProcess, name: str) -> str:
    assert place.process is not None
    return Path(f"/proc/{place.process.pid}/{name}").read_text("utf-8")


async def measure() -> None:
    """Print all."""
    with tempfile.TemporaryDirectory() as name:
        async with agent_process(Path(name)) as place:
            starts, imports = [], []
            for _ in range(STARTS):
                await place.stop()
                starts.append(await milliseconds(place.start))
                imports.append(await asyncio.to_thread(bare_imports))
            results.ratio(
                "footprint: start to ready against bare imports",
                statistics.median(starts),
                statistics.median(imports),
                limit=1.5,
                unit="ms",
            )
            await asyncio.sleep(SETTLE_SECONDS)
            cpu, woken = cpu_seconds(place), wake_ups(place)
            await asyncio.sleep(IDLE_SECONDS)
            share = (cpu_seconds(place) - cpu) / IDLE_SECONDS * 100
            results.ratio("footprint: idle, per cent of a core", share, 1.0, limit=0.2, unit="%")
            results.ratio("footprint: idle, RSS against 64 MiB", megabytes(place), 64.0, limit=1.0, unit="MiB")
            print(f"wake-ups a second, idle: {(wake_ups(place) - woken) / IDLE_SECONDS:.1f}")


def main() -> None:
    """Print all."""
    asyncio.run(measure())
    print(f"libraries of this environment: {sysconfig.get_path('purelib')}")
