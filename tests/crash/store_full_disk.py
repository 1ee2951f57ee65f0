"""A process that issues invoices on a small disk until it is full, makes room, and goes on.

Usage: python store_full_disk.py DIRECTORY. Prints JSON: presses stored before and after room was made, presses refused.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from agent.domain.errors import Unavailable
from agent.store.sqlite import SqliteStore
from agent.system.clock import SystemClock
from tests.crash.store_writer import issue


async def fill(store: SqliteStore) -> list[int]:
    """Issue until the disk is full; return the serials."""
    serials: list[int] = []
    while True:
        try:
            serial, _ = await store.write(issue)
        except Unavailable as error:
            if error.code != "disk-full":
                raise
            return serials
        serials.append(serial)


async def main(folder: Path) -> None:
    filler = folder / "filler"
    await asyncio.to_thread(filler.write_bytes, b"x" * 300_000)
    store = await SqliteStore.open(folder / "data" / "agent.db", SystemClock())
    before = await fill(store)
    assert await fill(store) == [], "still full"
    os.unlink(filler)  # noqa: PTH108 - ruff dislikes Path.unlink in coroutines
    after = await fill(store)
    problem = await store.check()
    await store.close()
    os.write(1, json.dumps({"before": before, "after": after, "problem": problem}).encode())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
