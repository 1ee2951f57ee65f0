"""A small chain's day at the hub, told through the store of the program that runs it, and dumped as SQL text.

python -m tests.contract.hub_schemas.story writes the snapshots of the newest schema into this folder.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.hub.domain.presence import presence_after
from agent.hub.domain.records import Base, HubRole, InvoiceFacts, OutcomeKind
from agent.hub.domain.states import HubState
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.store.sqlite.file import DATABASE, MIGRATIONS
from agent.hub_contract.heartbeat import Heartbeat
from agent.ports import Rejected, SessionKind
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import NIP, OTHER_NIP, offer, postgresql_hub, seller_and_till, sqlite_hub, token
from tests.fakes.hub_world import HubWorld, world_over
from tests.fakes.postgres import binaries, cluster, execute
from tests.unit.sandbox.sandbox_client import invoice as fa3

FOLDER = Path(__file__).parent
LEFT = {
    HubState.WAITING: "FV-1/20",
    HubState.SENDING: "FV-1/21",
    HubState.DOUBT: "FV-1/22",
    HubState.SENT: "FV-1/23",
}
"""What the hub had in hand when it was switched off."""
CORRECTION = "FK-1/1"
UNPROVEN = "FV-1/24"
EXEMPT = "FV-2/30"
PROVEN = 8
"""Accepted in the day and confirmed by a UPO."""
SERIAL = "01F20A5D352AE590"


async def day(store: HubStore, clock: FakeClock) -> None:
    """Let a chain of three tills and two sellers do everything a hub keeps."""
    async with world_over(store, clock, batch_from=5) as world:
        await _day(world)
        await world.lead.release()


async def _day(world: HubWorld) -> None:
    await _people_and_tills(world)
    world.start()
    await world.offer("FV-1/1", urgent=3.0)
    await world.offer("FV-2/1", urgent=3.0)
    await world.catch_up()
    await world.stop()
    for number in range(2, 5):
        await world.offer(f"FV-1/{number}")
        await world.offer(f"FV-2/{number}")
    world.start()
    await world.catch_up()
    world.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki dokumentu faktury", ("P_13_1",)))
    await world.offer("FV-1/8", urgent=3.0)
    await world.catch_up()
    while sum([(await world.kinds(name)).count("upo") for name in ("1", "2")]) < PROVEN:
        await world.clock.advance(2)
    await world.stop()
    await _left_in_hand(world)


async def _people_and_tills(world: HubWorld) -> None:
    await world.till("1")
    await world.till("2")
    await seller_and_till(world.store, "kasa obca", OTHER_NIP)
    await seller_and_till(world.store, "kasa stara")

    async def work(tx: HubTransaction) -> None:
        await tx.parties.revoke_till(NIP, "kasa stara")
        await tx.parties.add_person("Anna", HubRole.MANAGER, token("Anna"))
        await tx.parties.add_person("Biuro", HubRole.AUDITOR, token("Biuro"), NIP)
        await tx.log.append("till_revoked", {"name": "kasa stara"}, nip=NIP)
        await tx.log.put("latarnia", {"status": "AVAILABLE"})
        for name in ("1", "2"):
            beat = Heartbeat(
                *(f"database-{name}", f"run-{name}", f"machine-{name}", datetime(2026, 11, 24, 8, tzinfo=UTC)),
                *("0.1.0", (f"FV-{name}",), 2, date(2026, 11, 25)),
                health={"status": "ok", "problems": []},
            )
            presence = presence_after(None, beat, world.clock.now())
            assert presence is not None
            await tx.fleet.beat(world.tills[name].id, presence, beat, f"10.0.0.{name}")
        await tx.fleet.duplicate(world.tills["2"].id)

    await world.store.write(work)


async def _left_in_hand(world: HubWorld) -> None:
    now, till, second = world.clock.now(), world.tills["1"], world.tills["2"]

    async def work(tx: HubTransaction) -> None:
        await tx.sessions.use(NIP, "SO-9", SessionKind.ONLINE)
        routes = {
            HubState.DOUBT: (HubState.SENDING, HubState.DOUBT),
            HubState.SENT: (HubState.SENDING, HubState.SENT),
        }
        for state, number in LEFT.items():
            given = offer(number, xml=fa3(number))
            await tx.invoices.add(till, given)
            for step in routes.get(state, () if state is HubState.WAITING else (state,)):
                await tx.invoices.move(
                    given.sha256, step, InvoiceFacts(session_ref="SO-9", sent_at=now, attempted=True)
                )
        told = await tx.invoices.find(offer(xml=fa3(LEFT[HubState.SENT])).sha256)
        assert told is not None
        await tx.outcomes.add([(told, OutcomeKind.SENT, {})])
        correction = offer(CORRECTION, xml=fa3(CORRECTION), kind="KOR", bases=(Base(LEFT[HubState.WAITING], None),))
        await tx.invoices.add(till, correction)
        unproven = offer(UNPROVEN, xml=fa3(UNPROVEN))
        await tx.invoices.add(till, unproven)
        facts = InvoiceFacts("SO-9", "EE-9", now, f"{NIP}-20261124-00009000009F-9F", now)
        for step in (HubState.SENDING, HubState.SENT, HubState.ACCEPTED):
            await tx.invoices.move(unproven.sha256, step, facts)
        exempt = offer(EXEMPT, xml=fa3(EXEMPT), mode="total_failure")
        await tx.invoices.add(second, exempt)
        await tx.invoices.move(exempt.sha256, HubState.EXEMPT, InvoiceFacts())
        issued = await tx.certificates.requested(await tx.certificates.draw(NIP, 1, b"encrypted key 1"), "CE-1")
        await tx.certificates.issued(issued, SERIAL, b"PEM", now + timedelta(days=730))
        await tx.certificates.draw(NIP, 2, b"encrypted key 2")

    await world.store.write(work)


def dump_of_sqlite(path: Path) -> str:
    """Return a file as SQL text."""
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def dump_of_postgresql(dsn: str) -> str:
    """Return a database as SQL text that a connection can run, of whatever version the server is."""
    program = (binaries() / "pg_dump", "--inserts", "--no-owner", "--no-privileges", "--schema=public", dsn)
    text = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    session = ("SET ", "SELECT pg_catalog.set_config", "\\", "CREATE SCHEMA ", "COMMENT ON SCHEMA ", "--")
    return "\n".join(line for line in text.splitlines() if line and not line.startswith(session)) + "\n"


async def record() -> None:
    """Write the snapshots of the newest schema."""
    name = f"{MIGRATIONS[-1].version:04}"
    with TemporaryDirectory() as folder, cluster() as server:
        clock = FakeClock()
        async with sqlite_hub(Path(folder), clock, threaded=False) as file:
            await day(file, clock)
        (FOLDER / f"{name}.sqlite.sql").write_text(dump_of_sqlite(Path(folder) / DATABASE), "utf-8")
        await execute(server.dsn("postgres"), "CREATE DATABASE chain")
        clock = FakeClock()
        async with postgresql_hub(server.dsn("chain"), clock) as database:
            await day(database, clock)
        (FOLDER / f"{name}.postgresql.sql").write_text(dump_of_postgresql(server.dsn("chain")), "utf-8")


if __name__ == "__main__":
    asyncio.run(record())
