"""A hub: processor time of an invoice from intake to its UPO, of a sign of life, and what that means for a chain."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import resource
import sqlite3
import tempfile
import time
from pathlib import Path

from agent.hub.domain.offers import read_offer
from agent.hub.domain.records import Till
from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import HubTransaction
from agent.hub.services.certificates import OfflineCertificates
from agent.hub.services.fleet import Fleet
from agent.hub.services.heartbeats import Heartbeats
from agent.hub.settings.model import FleetSettings
from agent.hub.store.sqlite.file import DATABASE
from agent.hub_contract.heartbeat import heartbeat_from_json
from agent.hub_contract.offers import Claims
from tests.fakes.hub_stores import NIP
from tests.fakes.hub_world import DEADLINE, HubWorld, hub_world
from tests.unit.hub.test_web import BEAT
from tests.unit.sandbox.sandbox_client import invoice as fa3

TILLS, EACH = 40, 20
LARGEST_BATCH = 2000
BATCHES_AN_HOUR = 60
CHAINS = ((20, 30), (300, 30), (3000, 30), (50_000, 30))
"""Tills, and invoices an hour of each."""
BEAT_SECONDS = 20


async def measure(folder: Path) -> tuple[float, float, float, float]:
    """Return seconds of processor time of an invoice, of a sign of life, of a look at the fleet, and bytes a row."""
    async with hub_world(folder) as world:
        tills = [await world.till(str(number)) for number in range(1, TILLS + 1)]
        begun = time.process_time()
        for till in tills:
            await hand_over(world, till)
        taken = time.process_time() - begun
        world.start()
        begun = time.process_time()
        await world.catch_up()
        brought = time.process_time() - begun
        count = TILLS * EACH
        assert len(world.gateway.ledger) == count
        keys = OfflineKeys()
        hears = Heartbeats(world.store, world.clock, "1", OfflineCertificates(world.store, world.clock, keys))
        beat = heartbeat_from_json({**BEAT, "health": {"status": "ok", "padding": "x" * 3000}})
        begun = time.process_time()
        for till in tills:
            await hears.hear(till, beat, "10.0.0.1", secure=True)
        beats = (time.process_time() - begun) / TILLS
        begun = time.process_time()
        await Fleet(world.store, world.clock, FleetSettings(), "1").look()
        look = (time.process_time() - begun) / TILLS
        with contextlib.closing(sqlite3.connect(folder / DATABASE)) as beside:
            beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = await world.store.size() / count
        print(f"{count} invoices of {TILLS} tills, processor time each:")
        print(f"  intake {taken / count * 1000:.1f} ms, courier and outcomes {brought / count * 1000:.1f} ms")
        print(f"  a sign of life {beats * 1000:.1f} ms, the fleet page {look * 1000:.2f} ms a till")
        return (taken + brought) / count, beats, look, size


async def hand_over(world: HubWorld, till: Till) -> None:
    """Hand a backlog of one till over, as POST does."""
    claims = Claims(offline=True, group="g", deadline=DEADLINE)
    offers = []
    for number in range(EACH):
        xml = fa3(f"FV-{till.name}/{number}")
        offers.append(read_offer(till, hashlib.sha256(xml).digest(), xml, claims, world.clock.now()))
    taken = await world.intake.take_all(till, offers)
    assert all(each.invoice is not None for each in taken)

    async def rows(tx: HubTransaction) -> int:
        return await tx.invoices.backlog_count(NIP, LARGEST_BATCH)

    assert await world.store.read(rows)


def main() -> None:
    """Print both, and a table of chains."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        invoice, beat, look, size = asyncio.run(measure(Path(folder)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of the process {memory:.0f} MB, {size / 1000:.1f} kB of database an invoice")
    print("tills   invoices/h  a second  batches/h  one core  GB a year")
    for tills, hourly in CHAINS:
        count = tills * hourly
        batches = -(-count // LARGEST_BATCH)
        core = count / 3600 * invoice + tills / BEAT_SECONDS * beat + tills * look / 30
        year = count * 12 * 300 * size / 1e9
        limit = "" if batches <= BATCHES_AN_HOUR else "  more than 60 batches an hour"
        print(f"{tills:6} {count:11,} {count / 3600:9.1f} {batches:10} {core:8.1%} {year:10,.0f}{limit}")


if __name__ == "__main__":
    main()
