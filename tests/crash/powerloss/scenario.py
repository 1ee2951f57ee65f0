"""The program under test: the production store lives a till's day and says what it promises.

Usage: python -m tests.crash.powerloss.scenario NAME WEAKNESS ROOT. A line of JSON on stdout per promise, written before
the reply, the send or the paper it stands for. The weaknesses are the mutants that the checker must catch.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import InvoiceChange, KeyRecord, Transaction
from agent.store import connection, mark, open_files, opening, sqlite
from agent.store.sqlite import DATABASE, SqliteStore
from agent.system import durable_files
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import SERIES, new_invoice

CHECKPOINT_EVERY = 7  # commits; small, so that a short day has several checkpoints and the WAL starts anew
XML_BYTES = 2000

PRAGMAS: Mapping[str, Mapping[str, int | str]] = {
    "normal": {"synchronous": 1},
    "off": {"synchronous": 0},
    "delete-full": {"journal_mode": "delete", "synchronous": 2},
    "delete-extra": {"journal_mode": "delete"},
}
"""Weaker settings than the production's; delete-extra is not weaker, only slower."""


def say(**promise: Any) -> None:
    """Promise something, as a reply, a send or a paper would."""
    os.write(1, json.dumps(promise).encode() + b"\n")


def database(root: Path) -> Path:
    """Where the data lies: in a folder that the agent makes."""
    return root / "data" / DATABASE


class Till:
    """Presses, sends and prints over the store, each promised after its commit."""

    def __init__(self, store: SqliteStore, weakness: str) -> None:
        self.store = store
        self.weakness = weakness

    async def commit(self, work: Callable[[Transaction], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Commit, then promise what the work returns and the newest line of the log."""

        async def whole(transaction: Transaction) -> dict[str, Any]:
            promise = await work(transaction)
            newest = await transaction.events.newest()
            (event,) = await transaction.events.after(newest - 1)
            promise |= {"event": event.seq, "chain": event.chain}
            if self.weakness == "early":
                say(**promise)
            return promise

        promise = await self.store.write(whole)
        if self.weakness != "early":
            say(**promise)
        return promise

    async def sell(self, *, online: bool = True) -> None:
        """One customer: press, send, number, paper."""
        pressed = await self.commit(_press)
        invoice_id = pressed["id"]
        if online:
            for state in (InvoiceState.SENDING, InvoiceState.SENT, InvoiceState.ACCEPTED):
                await self.commit(partial(_move, invoice_id=invoice_id, state=state))
        await self.paper(invoice_id)

    async def paper(self, invoice_id: str) -> None:
        """The print job, the bytes durably recorded, the paper, the printer's answer."""
        queued = await self.store.write(lambda transaction: transaction.prints.add(invoice_id, "invoice", "Faktura"))
        slip = hashlib.sha256(invoice_id.encode()).digest() * 20
        paper = {"job": queued.id, "slip": hashlib.sha256(slip).hexdigest()}
        if self.weakness == "print-first":
            say(**paper)
        await self.commit(lambda transaction: _print(transaction, queued.id, PrintState.PRINTING, slip))
        say(**paper)
        await self.commit(lambda transaction: _print(transaction, queued.id, PrintState.PRINTED, None))


async def _press(transaction: Transaction, corrects: str | None = None) -> dict[str, Any]:
    serial = await transaction.invoices.next_serial(SERIES)
    xml = f"<Faktura>{serial}</Faktura>".encode().ljust(XML_BYTES)
    sha256 = hashlib.sha256(xml).digest()
    kind = "VAT" if corrects is None else "KOR"
    invoice = new_invoice(f"{serial}", serial, xml=xml, sha256=sha256, kind=kind, base_id=corrects)
    await transaction.invoices.add(invoice)
    await transaction.events.append(EventKind.ISSUED, {"serial": serial}, invoice.id)
    await transaction.keys.add(KeyRecord(f"key-{serial}", sha256, invoice.id))
    return {"serial": serial, "handed_out": serial, "id": invoice.id, "sha256": sha256.hex(), "key": f"key-{serial}"}


async def _move(transaction: Transaction, invoice_id: str, state: InvoiceState) -> dict[str, Any]:
    change = InvoiceChange(ksef_number=f"KSEF-{invoice_id}") if state is InvoiceState.ACCEPTED else None
    await transaction.invoices.move(invoice_id, state, change)
    await transaction.events.append(EventKind(state.value), {}, invoice_id)
    return {"id": invoice_id, "state": state.value}


async def _batch(
    transaction: Transaction, together: Sequence[Mapping[str, Any]], state: InvoiceState
) -> dict[str, Any]:
    """Move all invoices of a batch in one unit of work; their intent names the session."""
    for each in together:
        change = InvoiceChange(attempted=True, session_ref="20261124-SB") if state is InvoiceState.SENDING else None
        if state is InvoiceState.ACCEPTED:
            change = InvoiceChange(ksef_number=f"KSEF-{each['id']}")
        await transaction.invoices.move(each["id"], state, change)
        await transaction.events.append(EventKind(state.value), {}, each["id"])
    return {}


async def _print(transaction: Transaction, job: int, state: PrintState, slip: bytes | None) -> dict[str, Any]:
    moved = await transaction.prints.move(job, state, data=slip)
    if state is not PrintState.PRINTING:  # the bytes are stored, and nothing is told yet
        await transaction.events.append(EventKind(f"print_{state.value}"), {"job": job}, moved.invoice_id)
    return {"job_state": [job, state.value]}


async def day(root: Path, weakness: str) -> None:
    """A new till: sales, a backup beside them, a restart, more sales."""
    store = await SqliteStore.open(database(root), FakeClock())
    till = Till(store, weakness)
    await till.sell()
    await till.sell(online=False)
    copied = await store.backup(root / "copy.db")
    say(backup="copy.db", invoices=copied.invoices)
    await till.sell()
    await store.close()
    rest(root)
    store = await SqliteStore.open(database(root), FakeClock())
    await Till(store, weakness).sell(online=False)
    await store.close()


def rest(root: Path) -> None:
    """Promise what the file holds that the mark says to be at rest."""
    found = mark.read_mark(mark.mark_path(database(root)))
    assert found is not None
    assert found.at_rest is not None
    say(at_rest=list(found.at_rest), file=hashlib.sha256(database(root).read_bytes()).hexdigest())


async def backlog(root: Path, weakness: str) -> None:
    """Presses without a line, a correction of the first, all of it in a batch, a restart after its intent."""
    store = await SqliteStore.open(database(root), FakeClock())
    till = Till(store, weakness)
    pressed = [await till.commit(_press) for _ in range(3)]
    pressed.append(await till.commit(partial(_press, corrects=pressed[0]["id"])))
    await till.commit(partial(_batch, together=pressed, state=InvoiceState.SENDING))
    for each in pressed:
        say(sent=each["sha256"])
    await store.close()
    store = await SqliteStore.open(database(root), FakeClock())
    till = Till(store, weakness)
    for state in (InvoiceState.SENT, InvoiceState.ACCEPTED):
        await till.commit(partial(_batch, together=pressed, state=state))
    await till.sell()
    await store.close()


async def short(root: Path, weakness: str) -> None:
    """A new till and its first two sales, for the mutants."""
    store = await SqliteStore.open(database(root), FakeClock())
    till = Till(store, weakness)
    await till.sell(online=False)
    await till.sell(online=False)
    await store.close()


async def upgrade(root: Path, weakness: str) -> None:
    """A database of an older schema is there: it is migrated, then a sale."""
    store = await SqliteStore.open(database(root), FakeClock())
    await Till(store, weakness).sell(online=False)
    await store.close()


SCENARIOS: dict[str, Callable[[Path, str], Coroutine[Any, Any, None]]] = {
    "day": day,
    "backlog": backlog,
    "short": short,
    "upgrade": upgrade,
}


def weaken(weakness: str) -> None:
    """Plant a mutant; "none" leaves the production's settings."""
    connection.WRITER_PRAGMAS = {**connection.WRITER_PRAGMAS, **PRAGMAS.get(weakness, {})}
    if weakness.startswith("delete"):  # the database itself changes with every commit
        open_files.OpenFiles.changed = property(lambda files: False)  # type: ignore[assignment, method-assign]
    if weakness == "no-folder-sync":
        for module in (opening, durable_files):
            module.sync_names = lambda path: None  # type: ignore[attr-defined]
    if weakness == "rest-kept":
        write_mark = mark.write_mark

        def keeping(path: Path, new: mark.Mark, boot: str = "") -> None:
            before = mark.read_mark(path)
            write_mark(path, new if before is None or new.at_rest else replace(new, at_rest=before.at_rest), boot)

        mark.write_mark = keeping  # type: ignore[assignment]


if __name__ == "__main__":
    sqlite.CHECKPOINT_EVERY = CHECKPOINT_EVERY
    weaken(sys.argv[2])
    asyncio.run(SCENARIOS[sys.argv[1]](Path(sys.argv[3]), sys.argv[2]))
