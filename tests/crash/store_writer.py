"""A process that issues invoices in a loop and says on stdout what was committed; made to be killed.

Usage: python store_writer.py DATABASE COUNT [WEAKNESS]. A line per commit: the serial and the hash of the bytes. The
weaknesses are those of powerloss/scenario.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import sys
from pathlib import Path

from agent.domain.event_kinds import EventKind
from agent.ports import KeyRecord, Transaction
from agent.store.sqlite import SqliteStore
from agent.system.clock import SystemClock
from tests.crash.powerloss.scenario import weaken
from tests.fakes.invoices import SERIES, new_invoice


async def issue(transaction: Transaction) -> tuple[int, bytes]:
    """All that one press commits; no two presses have the same bytes."""
    serial = await transaction.invoices.next_serial(SERIES)
    xml = f"<Faktura>{secrets.token_hex()}</Faktura>".encode() + b" " * 6000
    sha256 = hashlib.sha256(xml).digest()
    invoice = new_invoice(f"{serial}", serial, xml=xml, sha256=sha256)
    await transaction.invoices.add(invoice)
    await transaction.events.append(EventKind.LINE, {"serial": serial}, invoice.id)
    await transaction.keys.add(KeyRecord(f"key-{serial}", sha256, invoice.id))
    await transaction.prints.add(invoice.id, "invoice", "Faktura")
    return serial, sha256


async def main(database: Path, count: int) -> None:
    store = await SqliteStore.open(database, SystemClock())
    for _ in range(count):
        serial, sha256 = await store.write(issue)
        os.write(1, f"{serial} {sha256.hex()}\n".encode())
    await store.close()


if __name__ == "__main__":
    weaken(sys.argv[3] if len(sys.argv) > 3 else "none")
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
