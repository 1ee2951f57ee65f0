"""A hub: processor time of an invoice from intake to its UPO, of a sign of life, and what that means for a chain."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import resource
import sqlite3
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agent.hub.domain.offers import read_offer
from agent.hub.domain.records import Till
from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.services.certificates import OfflineCertificates
from agent.hub.services.fleet import Fleet
from agent.hub.services.heartbeats import Heartbeats
from agent.hub.settings.model import FleetSettings
from agent.hub.store.sqlite.file import DATABASE
from agent.hub_contract.heartbeat import heartbeat_from_json
from agent.hub_contract.offers import Claims
from agent.system.clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import NIP, postgresql_hub, sqlite_hub
from tests.fakes.hub_world import DEADLINE, HubWorld, world_over
from tests.fakes.postgres import Cluster, cluster, execute
from tests.unit.hub.test_web import BEAT
from tests.unit.sandbox.sandbox_client import invoice as fa3

TILLS, EACH = 40, 20
ROUNDS = 5
"""Of signs of life and looks at the page."""
LARGEST_BATCH = 2000
BATCHES_AN_HOUR = 60
CHAINS = ((20, 30), (300, 30), (3000, 30), (50_000, 30))
"""Tills, and invoices an hour of each."""
BEAT_SECONDS = 20


class Meter:
    """Processor time of this process, and of a database server beside it."""

    def __init__(self, server: Cluster | None = None) -> None:
        self._server = server

    def begin(self) -> None:
        self._own, self._servers = time.process_time(), self._of_server()

    def spent(self) -> tuple[float, float]:
        """Return seconds since begin(): the hub's, the server's."""
        return time.process_time() - self._own, self._of_server() - self._servers

    def _of_server(self) -> float:
        if self._server is None:
            return 0.0
        main = self._server.process.pid
        backends = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        ticks = sum(map(_ticks, (str(main), *backends)))
        return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: str) -> int:
    """proc(5): user and system time, also of children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


@dataclass
class Costs:
    """Seconds of processor time, the hub's and the server's: an invoice, a sign of life, a till on the page."""

    invoice: tuple[float, float]
    beat: tuple[float, float]
    look: tuple[float, float]
    row: float
    """Bytes of database an invoice."""


async def measure(folder: Path, server: Cluster | None) -> Costs:
    """Measure over SQLite, or over PostgreSQL."""
    clock, meter = SystemClock(), Meter(server)
    async with AsyncExitStack() as stack:
        if server is None:
            store: HubStore = await stack.enter_async_context(sqlite_hub(folder, clock, threaded=False))
        else:
            await execute(server.dsn("postgres"), "CREATE DATABASE chain")
            store = await stack.enter_async_context(postgresql_hub(server.dsn("chain"), clock))
        empty = await store.size()
        world = await stack.enter_async_context(world_over(store, cast(FakeClock, clock)))
        tills = [await world.till(str(number)) for number in range(TILLS + 1)]
        await hand_over(world, tills.pop(0))  # what a first time costs more
        meter.begin()
        for till in tills:
            await hand_over(world, till)
        taken = meter.spent()
        world.start()
        meter.begin()
        await settled(store)
        brought = meter.spent()
        await world.stop()
        count = TILLS * EACH
        assert len(world.gateway.ledger) == count + EACH
        keys = OfflineKeys()
        hears = Heartbeats(world.store, world.clock, "1", OfflineCertificates(world.store, world.clock, keys))
        beat = heartbeat_from_json({**BEAT, "health": {"status": "ok", "padding": "x" * 3000}})
        meter.begin()
        for _ in range(ROUNDS):
            for till in tills:
                await hears.hear(till, beat, "10.0.0.1", secure=True)
        beats = meter.spent()
        fleet = Fleet(world.store, world.clock, FleetSettings(), "1")
        meter.begin()
        for _ in range(ROUNDS):
            await fleet.look()
        look = meter.spent()
        if server is None:
            with contextlib.closing(sqlite3.connect(folder / DATABASE)) as beside:
                beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = (await world.store.size() - empty) / (count + EACH)
        print(f"{count} invoices of {TILLS} tills, processor time each, hub + database server:")
        print(f"  intake {_ms(taken, count)}, courier and outcomes {_ms(brought, count)}")
        print(f"  a sign of life {_ms(beats, TILLS * ROUNDS)}, the fleet page {_ms(look, TILLS * ROUNDS)} a till")
        print(f"  {size / 1000:.1f} kB of database an invoice")
        return Costs(
            _each((taken[0] + brought[0], taken[1] + brought[1]), count),
            _each(beats, TILLS * ROUNDS),
            _each(look, TILLS * ROUNDS),
            size,
        )


def _each(spent: tuple[float, float], count: int) -> tuple[float, float]:
    return spent[0] / count, spent[1] / count


def _ms(spent: tuple[float, float], count: int) -> str:
    own, servers = _each(spent, count)
    return f"{own * 1000:.2f} + {servers * 1000:.2f} ms"


async def settled(store: HubStore) -> None:
    """Wait until everything is in KSeF and confirmed; a look costs next to nothing."""

    async def work(tx: HubTransaction) -> bool:
        return bool(await tx.fleet.open_counts() or await tx.sessions.without_upo(NIP))

    while await store.read(work):  # noqa: ASYNC110 - real time, as of a hub
        await asyncio.sleep(0.5)


async def hand_over(world: HubWorld, till: Till) -> None:
    """Hand a backlog of one till over, as POST does."""
    claims = Claims(offline=True, group="g", deadline=DEADLINE)
    offers = []
    for number in range(EACH):
        xml = fa3(f"FV-{till.name}/{number}")
        offers.append(read_offer(till, hashlib.sha256(xml).digest(), xml, claims, world.clock.now()))
    taken = await world.intake.take_all(till, offers)
    assert all(each.invoice is not None for each in taken)


def main() -> None:
    """Print both databases' costs, and a table of chains for each."""
    logging.disable(logging.WARNING)
    print(f"load of the machine {os.getloadavg()[0]:.0f}")
    with tempfile.TemporaryDirectory() as folder:
        print("SQLite")
        table(asyncio.run(measure(Path(folder), None)))
        print(f"peak of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        with cluster() as server:
            print("PostgreSQL")
            table(asyncio.run(measure(Path(folder), server)))


def table(costs: Costs) -> None:
    """Print what chains of some sizes need."""
    print("tills   invoices/h  a second  batches/h  hub's cores  server's  GB a year")
    for tills, hourly in CHAINS:
        count = tills * hourly
        batches = -(-count // LARGEST_BATCH)
        hub, database = (
            count / 3600 * costs.invoice[side] + tills / BEAT_SECONDS * costs.beat[side] + tills * costs.look[side] / 30
            for side in (0, 1)
        )
        year = count * 12 * 300 * costs.row / 1e9
        limit = "" if batches <= BATCHES_AN_HOUR else "  more than 60 batches an hour"
        print(
            f"{tills:6} {count:11,} {count / 3600:9.1f} {batches:10} {hub:12.1%} {database:9.1%} {year:10,.0f}{limit}"
        )


if __name__ == "__main__":
    main()
