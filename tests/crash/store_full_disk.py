"""A process that issues invoices on a small disk until it is full, makes room, and goes on.

Usage: python store_full_disk.py DIRECTORY [ROOM]. ROOM: bytes left for all that follows the first checkpoint, less than
the next one needs. Prints JSON: presses stored before and after room was made.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from agent.domain.errors import Unavailable
from agent.store.sqlite import CHECKPOINT_EVERY, SqliteStore
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


def leave(folder: Path, room: int) -> None:
    """Fill a disk but for so many bytes."""
    facts = os.statvfs(folder)
    (folder / "filler").write_bytes(b"x" * (facts.f_bavail * facts.f_frsize - room))


async def main(folder: Path, room: int | None) -> None:
    filler = folder / "filler"
    before: list[int] = []
    store = await SqliteStore.open(folder / "data" / "agent.db", SystemClock())
    if room is None:
        await asyncio.to_thread(leave, folder, 1_000_000)
    else:  # the log is as long as it gets, and begun anew
        before += [(await store.write(issue))[0] for _ in range(CHECKPOINT_EVERY + 5)]
        await asyncio.to_thread(leave, folder, room)
    before += await fill(store)
    assert await fill(store) == [], "still full"
    os.unlink(filler)  # noqa: PTH108 - ruff dislikes Path.unlink in coroutines
    after = await fill(store)
    problem = await store.check()
    await store.close()
    os.write(1, json.dumps({"before": before, "after": after, "problem": problem}).encode())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
