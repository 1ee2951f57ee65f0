"""The books of a large month over HTTP: seconds and memory of the agent, and presses meanwhile; the command `export`.

The books have read the month, as those of a till that runs have; last comes the same month where they have read nothing
of it, as after an upgrade from a version that kept no rows. The daily check of the database, which reads all of it on
another thread, has been done that day: half of a report's processor time would be its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.bench._filled import fill
from tests.bench.footprint import cpu_seconds, environment, megabytes
from tests.bench.growth import Till
from tests.bench.press import QUIET, milliseconds, percentile
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.tampering import without_triggers

SIZES = (20_000, 100_000)
FORMS = ("json", "csv", "jpk", "jpk-csv", "payments")
PIECE = 1 << 18
PAUSE = 0.2
"""Seconds between two presses."""
IDLE_PRESSES = 20


async def measure() -> None:
    """Print all."""
    for size in SIZES:
        await _measure(size)


async def _measure(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with agent_process(Path(folder), extra=QUIET, environment=environment()) as place:
            till = Till(place)
            first = await till.press()
            await place.empty_queue()
            day = (await place.get(f"/v1/invoices/{first}"))["issued_on"]
            month = day[:7]
            await place.get(f"/v1/register?month={month}&format=jpk")
            await place.stop()
            await asyncio.to_thread(fill, place.database, first, size)
            await asyncio.to_thread(_note_check, place.database)
            await till.start()
            idle = [await _press(till) for _ in range(IDLE_PRESSES)]
            print(f"{size} invoices of {month}; RSS {megabytes(place):.0f} MiB; a press {_told(idle)}", flush=True)
            for form in FORMS:
                await _one(till, form, f"/v1/register?month={month}&format={form}")
            await _one(till, "counts", f"/v1/register/counts?month={month}")
            await _one(till, "evidence", f"/v1/evidence?from={day}&to={day}")
            await place.stop()
            await asyncio.to_thread(_export, place)
            await asyncio.to_thread(_forget_books, place.database)
            await till.start()
            await _one(till, "jpk, unread", f"/v1/register?month={month}&format=jpk")


def _note_check(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        done = json.dumps(datetime.now(UTC).isoformat())
        connection.execute("INSERT OR REPLACE INTO notebook (name, value) VALUES ('chore:check-database', ?)", (done,))


def _forget_books(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection, without_triggers(connection):
        connection.execute("DELETE FROM books")


async def _one(till: Till, name: str, path: str) -> None:
    begun, size, highest = time.perf_counter(), 0, 0.0
    cpu = cpu_seconds(till.place)
    pressing = asyncio.create_task(_pressing(till))
    headers = {"Authorization": f"Bearer {till.place.facts['manager_token']}"}
    async with till.place.http.get(till.place.facts["api"] + path, headers=headers, timeout=None) as response:
        assert response.status == 200, await response.text()
        async for piece in response.content.iter_chunked(PIECE):
            size += len(piece)
            highest = max(highest, megabytes(till.place))
    took = time.perf_counter() - begun
    pressing.cancel()
    beside = till.times.pop("beside", [])
    print(
        f"  {name:11} {took:6.1f} s, CPU {cpu_seconds(till.place) - cpu:6.1f} s with {len(beside)} presses "
        f"({_told(beside)}), {size / 1e6:6.1f} MB, RSS at most {max(highest, megabytes(till.place)):.0f} MiB",
        flush=True,
    )


def _export(place: AgentProcess) -> None:
    """Run the command that writes all of them to an archive."""
    words = ("export", "--out", str(place.folder / "archive"), "--before", "2999-01-01")
    begun = time.perf_counter()
    process = subprocess.Popen((*place.program, *words, "--config", str(place.facts["config"])))
    highest = 0
    while True:
        time.sleep(PAUSE)
        told = Path(f"/proc/{process.pid}/status").read_text("utf-8")
        highest = max(highest, *map(int, re.findall(r"VmHWM:\s+(\d+)", told)))
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    took, cpu = time.perf_counter() - begun, used.ru_utime + used.ru_stime
    print(f"  export      {took:6.1f} s, CPU {cpu:6.1f} s, RSS at most {highest / 1024:.0f} MiB", flush=True)


async def _pressing(till: Till) -> None:
    while True:
        await asyncio.sleep(PAUSE)
        till.times.setdefault("beside", []).append(await _press(till))


async def _press(till: Till) -> float:
    return await milliseconds(till.press)


def _told(times: list[float]) -> str:
    if not times:
        return "none"
    return f"p50 {percentile(times, 0.5):.0f} ms, longest {max(times):.0f} ms"


def main() -> None:
    """Print all."""
    asyncio.run(measure())


if __name__ == "__main__":
    asyncio.run(_measure(int(sys.argv[1])))
