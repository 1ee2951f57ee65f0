"""The largest invoice KSeF takes, shown four times at once, under the memory a till's service has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MOST = 250
"""Megabytes at the peak, half of MemoryMax; the interpreter, the schema and the fonts are about 70 of them."""

PROGRAM = """
import asyncio, json, pathlib, sys
from tests.fakes import counter
from tests.fakes.world import CASHIER, sale, world

async def main(folder):
    lines = [
        {"name": f"Towar numer {number} z nazwą", "quantity": "1", "unit": "szt.", "unit_price": "1.23", "vat": "23"}
        for number in range(5000)
    ]
    async with world(folder) as place:
        selling = asyncio.ensure_future(counter.sale(place, json.dumps(sale(lines=lines)).encode(), "k", CASHIER))
        while not selling.done():
            await place.clock.advance(0.1)
        one = (await selling).invoices[0].record.id
        previews = place.previews
        await asyncio.gather(*(previews.picture(one) for _ in range(4)))
        await asyncio.gather(previews.pdf(one, "a4"), previews.pdf(one, "receipt"), previews.text(one))

asyncio.run(main(pathlib.Path(sys.argv[1])))
status = pathlib.Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.nightly
def test_four_previews_of_five_thousand_lines(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) / 1024 < MOST
