"""A chain under SIGKILL: hubs, their database, tills, and lines cut at random (docs/proof.md, the chain).

The checker reads only what a stranger could: the cashiers' answers, KSeF's ledger, the databases of tills and hub.
A small run is part of every change; nights run fifty tills, and ten seeds of them are 10,000 presses.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.domain.calendar import WARSAW
from tests.fakes.hub_chain import ChainTill, HubChain, hub_chain
from tests.fakes.sales import mixed_sale
from tests.fakes.seeds import Note, drawn

LONGEST_AWAY = 3.0
"""Seconds a killed or cut part is away at most."""
OF_THE_CHAIN = ("hub", "till", "database", "line", "deaf", "all-lines")
OF_KSEF = ("ksef", "lost-answers")
"""After these the courier rests for a minute: the nights have it."""
KSEF_FAULTS = ("reset_after", "reset_before", "json_500", "truncated")


@dataclass
class Presses:
    """What the cashiers did and heard."""

    draw: random.Random
    wanted: int
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    done: asyncio.Condition = field(default_factory=asyncio.Condition)
    faults: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)

    async def answered(self, key: str, answer: dict[str, Any]) -> None:
        """Note an answer."""
        async with self.done:
            self.answers.setdefault(key, []).append(answer)
            self.modes[answer["mode"]] += 1
            self.done.notify_all()

    async def reached(self, count: int) -> None:
        """Wait until so many presses have their answer."""
        async with self.done:
            await self.done.wait_for(lambda: len(self.answers) >= count)


async def cashier(till: ChainTill, presses: Presses, count: int) -> None:
    """Press; where no answer came, press again with the same key, as till software does."""
    for number in range(count):
        key = f"till-{till.number}-{number}"
        while key not in presses.answers:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                status, answer = await till.post("/v1/invoices", mixed_sale(till.number * 10_000 + number), key)
                if status in {200, 201}:
                    await presses.answered(key, answer)
                    break
                assert status == 503, answer
            await asyncio.sleep(0.1)
        if presses.draw.random() < 0.1:  # a second click
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                status, answer = await till.post("/v1/invoices", mixed_sale(till.number * 10_000 + number), key)
                if status in {200, 201}:
                    await presses.answered(key, answer)
        await asyncio.sleep(presses.draw.uniform(0, 0.5))


async def fault(chain: HubChain, presses: Presses, kind: str) -> None:
    """Let one thing go wrong, and be right again."""
    away = presses.draw.uniform(0.1, LONGEST_AWAY)
    presses.faults[kind] += 1
    match kind:
        case "hub" | "till":
            hit = presses.draw.choice(chain.hubs if kind == "hub" else chain.tills)
            async with hit.busy:
                await hit.kill()
                await asyncio.sleep(away)
                await hit.start()
        case "database":
            await chain.kill_database(away)
        case "line" | "deaf" | "all-lines":
            hit_tills = chain.tills if kind == "all-lines" else [presses.draw.choice(chain.tills)]
            for till in hit_tills:
                assert till.line is not None
                if kind == "deaf":
                    till.line.deaf = True
                else:
                    till.line.cut()
            await asyncio.sleep(away)
            for till in hit_tills:
                assert till.line is not None
                till.line.mend()
        case "ksef":
            await chain.sandbox.plan("ksef", "refuse")
            await asyncio.sleep(away)
            await chain.sandbox.plan("*", "none")
        case "lost-answers":
            for call in ("send", "batch", "close", "open"):
                await chain.sandbox.plan(call, presses.draw.choice(KSEF_FAULTS), 2)


async def run_killing(chain: HubChain, count: int, kinds: list[str], seed: int) -> Presses:
    """Press ``count`` times on every till while things go wrong, in an order and at moments that the seed draws."""
    draw = random.Random(seed)
    presses = Presses(draw, count * len(chain.tills))
    draw.shuffle(kinds)
    whens = sorted(draw.randint(1, presses.wanted * 9 // 10) for _ in kinds)

    async def at(kind: str, when: int) -> None:
        await presses.reached(when)
        await fault(chain, presses, kind)

    async with asyncio.TaskGroup() as group:
        for till in chain.tills:
            group.create_task(cashier(till, presses, count))
        for kind, when in zip(kinds, whens, strict=True):
            group.create_task(at(kind, when))
    await chain.mend()
    return presses


OF_A_TILL = (
    "SELECT number, series, serial, sha256, deadline, ksef_number, accepted_at FROM invoices"
    " JOIN versions ON invoice_id = id"
)


async def check(chain: HubChain, presses: Presses) -> None:
    """Each invoice is in KSeF once, as issued, before its deadline; its till was told once; series are untouched."""
    assert len(presses.answers) == presses.wanted
    for key, answers in presses.answers.items():
        assert len({(each["id"], each["number"], each["sha256"]) for each in answers}) == 1, key
    ledger = {entry.key[2]: entry for entry in chain.sandbox.ledger.entries()}
    assert len(ledger) == len(chain.sandbox.ledger.entries()) == presses.wanted
    held = {row["number"]: row for row in await chain.memory.ask("SELECT * FROM invoices")}
    told = await chain.memory.ask("SELECT sha256 FROM outcomes WHERE kind = 'accepted'")
    assert Counter(row["sha256"] for row in told) == Counter({row["sha256"]: 1 for row in held.values()})
    issued = set()
    for till in chain.tills:
        assert till.rows("PRAGMA integrity_check") == [("ok",)]
        serials: dict[str, list[int]] = {}
        for number, series, serial, sha256, deadline, ksef_number, accepted_at in till.rows(OF_A_TILL):
            issued.add(number)
            serials.setdefault(series, []).append(serial)
            assert ledger[number].sha256 == sha256 == held[number]["sha256"]
            assert ksef_number == held[number]["ksef_number"]
            if deadline is not None:
                assert datetime.fromisoformat(accepted_at).astimezone(WARSAW).date() <= date.fromisoformat(deadline)
        assert set(serials) == {f"FV-{till.number}"}
        for found in serials.values():
            assert sorted(found) == list(range(1, len(found) + 1))
    assert issued == set(ledger) == set(held)
    for process in (*chain.hubs, *chain.tills):
        assert "Traceback" not in process.log.read_text("utf-8"), process.log.read_text("utf-8")[-3000:]


def counts_of(chain: HubChain, presses: Presses) -> dict[str, int]:
    """Return what was lived through, for docs/proof.md."""
    cut = ("line", "deaf", "all-lines")
    return {
        "presses": presses.wanted,
        "kills of hubs": sum(each.kills for each in chain.hubs),
        "kills of PostgreSQL": chain.database_kills,
        "kills of tills": sum(each.kills for each in chain.tills),
        "cut lines": sum(presses.faults[kind] for kind in cut),
        "faults of KSeF": sum(presses.faults[kind] for kind in OF_KSEF),
        "answers with offline24": presses.modes["offline24"],
    }


@pytest.mark.nightly
@pytest.mark.slow
async def test_a_chain_whose_parts_are_killed_loses_nothing_and_sends_nothing_twice(tmp_path: Path) -> None:
    async with hub_chain(tmp_path, 3) as chain:
        presses = await run_killing(chain, 8, list(OF_THE_CHAIN), seed=20261129)
        await chain.settled()
        await check(chain, presses)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", drawn(range(1000, 1001)))
async def test_fifty_tills_press_a_thousand_times_under_fifty_faults(
    tmp_path: Path, seed: int, record_property: Note
) -> None:
    async with hub_chain(tmp_path, 50) as chain:
        presses = await run_killing(chain, 20, 6 * [*OF_THE_CHAIN, *OF_KSEF], seed)
        await chain.settled()
        await check(chain, presses)
        for what, count in counts_of(chain, presses).items():
            record_property(what, count)
