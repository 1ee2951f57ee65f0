"""SIGKILL at random moments while four cashiers issue and the queue syncs (docs/reliability.md: I1 to I4, I6 to I9).

The checker reads only what a stranger could: the cashiers' answers, KSeF's ledger, the printer's papers, the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import zxingcpp
from PIL import Image

from agent.domain.lifecycle import INVOICE_MOVES, InvoiceState
from tests.fakes.agent_process import AgentProcess, agent_process
from tests.fakes.sales import mixed_sale
from tests.fakes.seeds import Note, drawn

FULL_KILLS = 25
CASHIERS = 4
SETTINGS = "\n[watch]\nprobe_seconds = 1\n\n[issue]\nbudget_seconds = 1.0\n"


@dataclass
class History:
    """What the cashiers saw: per key every answer they got."""

    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)


async def cashier(place: AgentProcess, name: int, history: History, stop: asyncio.Event) -> None:
    """Press; where no answer came, press again with the same key, as till software does."""
    number = name
    while not stop.is_set():
        key = f"sale-{number}"
        history.unanswered.add(key)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            status, answer = await place.post("/v1/invoices", mixed_sale(number), key)
            if status in {200, 201}:
                history.answers.setdefault(key, []).append(answer)
                history.unanswered.discard(key)
                number += CASHIERS
                continue
            assert status == 503, answer
        await asyncio.sleep(0.05)


async def run_killing(place: AgentProcess, kills: int, seed: int) -> History:
    draw = random.Random(seed)
    history = History()
    stop = asyncio.Event()
    cashiers = [asyncio.create_task(cashier(place, name, history, stop)) for name in range(CASHIERS)]
    for kill in range(kills):
        if kill % 5 == 2:
            await place.sandbox.plan("*", "refuse")
        if kill % 5 == 4:
            await place.sandbox.plan("*", "none")
        await asyncio.sleep(draw.uniform(0.01, 1.5))
        await place.kill()
        await place.start()
    await place.sandbox.plan("*", "none")
    stop.set()
    await asyncio.gather(*cashiers)
    for key in sorted(history.unanswered):
        status, answer = await place.post("/v1/invoices", mixed_sale(int(key.removeprefix("sale-"))), key)
        assert status in {200, 201}, answer
        history.answers.setdefault(key, []).append(answer)
    await place.empty_queue()
    return history


async def check(place: AgentProcess, history: History) -> None:
    for key, answers in history.answers.items():
        identities = {(answer["id"], answer["number"], answer["sha256"]) for answer in answers}
        assert len(identities) == 1, (key, identities)
        now = await place.get(f"/v1/invoices/{answers[0]['id']}")
        assert now["state"] == "accepted", now
    ledger = place.sandbox.ledger.entries()
    assert len({entry.key for entry in ledger}) == len(ledger)
    stored = read_database(place.database)
    assert {entry.key[2]: entry.sha256 for entry in ledger} == stored.hashes
    assert len(history.answers) == len(stored.hashes), "an invoice without an answered press, or the other way round"
    for series, serials in stored.serials.items():
        assert sorted(serials) == list(range(1, len(serials) + 1)), series
    for paper in place.sandbox.printer.papers:
        links = scan(paper.png)
        assert any(link in stored.links for link in links), (paper.id, links, paper.complete)
    check_log(place.database)


@dataclass
class Stored:
    """What lies in the database, read without the agent's code."""

    hashes: dict[str, bytes]
    serials: dict[str, list[int]]
    links: set[str]


def read_database(path: Path) -> Stored:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = database.execute(
            "SELECT number, series, serial, sha256, link_invoice FROM invoices JOIN versions ON invoice_id = id"
        ).fetchall()
    serials: dict[str, list[int]] = {}
    for _, series, serial, _, _ in rows:
        serials.setdefault(series, []).append(serial)
    return Stored({row[0]: row[3] for row in rows}, serials, {row[4] for row in rows})


MOVES_BY_EVENT = {
    "issued": "issued",
    "sending": "sending",
    "sent": "sent",
    "in_doubt": "in_doubt",
    "accepted": "accepted",
    "doubt_cleared": "issued",
}


def check_log(path: Path) -> None:
    """Only legal transitions in the event log (I8)."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT invoice_id, kind FROM events ORDER BY seq").fetchall()
    state: dict[str, str] = {}
    for invoice_id, kind in rows:
        new = MOVES_BY_EVENT.get(kind)
        if new is None or invoice_id is None:
            continue
        old = state.get(invoice_id)
        legal = old is None or old == new or (InvoiceState(old), InvoiceState(new)) in INVOICE_MOVES
        failed_send = old == "sending" and new in {"sending", "sent", "accepted", "issued", "in_doubt"}
        assert legal or failed_send or kind == "sending", (invoice_id, old, new)
        state[invoice_id] = new


def scan(picture: bytes) -> set[str]:
    with Image.open(io.BytesIO(picture)) as image:
        return {code.text for code in zxingcpp.read_barcodes(image.convert("L"))}


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(1, 2)))
async def test_killed_twenty_five_times(tmp_path: Path, seed: int, record_property: Note) -> None:
    async with agent_process(tmp_path, extra=SETTINGS) as place:
        history = await run_killing(place, FULL_KILLS, seed)
        record_property("kills", FULL_KILLS)
        record_property("presses", sum(len(answers) for answers in history.answers.values()))
        await check(place, history)
