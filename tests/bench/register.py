"""The books of a large month over HTTP: seconds and memory of the agent; the first one reads the documents."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from tests.bench._filled import fill
from tests.bench.footprint import megabytes
from tests.bench.growth import Till
from tests.bench.press import QUIET
from tests.fakes.agent_process import agent_process

SIZES = (20_000, 100_000)
FORMS = ("json", "csv", "jpk", "jpk-csv", "payments")


async def measure() -> None:
    """Print all."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            async with agent_process(Path(folder), extra=QUIET) as place:
                till = Till(place)
                first = await till.press()
                await place.empty_queue()
                month = (await place.get(f"/v1/invoices/{first}"))["issued_on"][:7]
                await place.stop()
                await asyncio.to_thread(fill, place.database, first, size)
                await till.start()
                print(f"{size} invoices of {month}; RSS {megabytes(place):.0f} MB before")
                for form in ("json", *FORMS):
                    await _one(till, month, form)


async def _one(till: Till, month: str, form: str) -> None:
    begun, size, highest = time.perf_counter(), 0, 0.0
    url = f"{till.place.facts['api']}/v1/register?month={month}&format={form}"
    headers = {"Authorization": f"Bearer {till.place.facts['manager_token']}"}
    async with till.place.http.get(url, headers=headers) as response:
        assert response.status == 200, await response.text()
        async for piece in response.content.iter_chunked(1 << 18):
            size += len(piece)
            highest = max(highest, megabytes(till.place))
    print(
        f"  {form:8} {time.perf_counter() - begun:6.1f} s, {size / 1e6:6.1f} MB, RSS at most {highest:.0f} MB",
        flush=True,
    )


def main() -> None:
    """Print all."""
    asyncio.run(measure())
