"""Starting and stopping sandboxes leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from tests.unit.sandbox.sandbox_client import invoice, running

DESCRIPTORS = Path("/proc/self/fd")


def count_descriptors() -> int:
    return len(list(DESCRIPTORS.iterdir()))


async def cycle() -> tuple[int, int, int]:
    """Use a sandbox, leave a request hanging and the line down; return (descriptors, threads, tasks) afterwards."""
    async with running() as client:
        await client.sign_in()
        await client.open()
        await client.settled(await client.send(invoice()))
        await client.sandbox.plan("send", "hang", 1)
        hanging = asyncio.create_task(client.send(invoice("FV/2")))
        while not client.sandbox.faults.hits:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0)
        await client.sandbox.plan("latarnia", "refuse", seconds=60)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
    return count_descriptors(), threading.active_count(), len(asyncio.all_tasks())


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="needs /proc")
async def test_descriptors_threads_and_tasks_stay_flat() -> None:
    first = await cycle()
    assert [await cycle() for _ in range(5)] == [first] * 5
