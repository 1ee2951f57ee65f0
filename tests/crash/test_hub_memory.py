"""A hub whose database is gone, or an older copy of it, under tills that go on: nothing twice, nothing forgotten.

Real processes over either database. Presses fall into every state an invoice can be in: settled, at the hub while
KSeF is away, in KSeF while the till could not hear of it, and at its till alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.fakes.hub_chain import ChainTill, HubChain, hub_chain
from tests.fakes.sales import mixed_sale

pytestmark = [pytest.mark.nightly, pytest.mark.slow]

TILLS = 5
DEAF = 2
"""Tills that hear nothing of the hub before it dies."""
WAIT_SECONDS = 120.0
OF_A_TILL = "SELECT number, sha256, ksef_number FROM invoices JOIN versions ON invoice_id = id"
TOLD = "SELECT invoice_id FROM events WHERE kind = 'accepted'"


class Presses:
    """Sales on all tills; each has a key of its own."""

    def __init__(self, chain: HubChain) -> None:
        self._chain = chain
        self.count = 0

    async def on_each(self) -> None:
        """Press once on every till."""
        self.count += len(self._chain.tills)
        await asyncio.gather(*(self._press(till, self.count) for till in self._chain.tills))

    async def _press(self, till: ChainTill, number: int) -> None:
        status, answer = await till.post("/v1/invoices", mixed_sale(till.number * 1000 + number), f"key-{number}")
        assert status == 201, answer


async def until(seen: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for something to be so."""
    give_up = asyncio.get_running_loop().time() + WAIT_SECONDS
    while not await seen():
        assert asyncio.get_running_loop().time() < give_up, what
        await asyncio.sleep(0.2)


async def at_hub(chain: HubChain, count: int) -> None:
    """Wait until the hub holds at least so many that are not in KSeF."""

    async def seen() -> bool:
        return len(await chain.memory.ask("SELECT sha256 FROM invoices WHERE state <> 'accepted'")) >= count

    await until(seen, f"the hub never held {count}")


async def every_state(chain: HubChain, presses: Presses) -> None:
    """Press until there is one of each state on a till. Then the hubs are dead, and KSeF refuses."""

    async def all_in_ksef() -> bool:
        return len(chain.sandbox.ledger.entries()) == presses.count

    deaf = [till.line for till in chain.tills[:DEAF] if till.line is not None]
    for line in deaf:
        line.deaf = True
    await presses.on_each()
    await until(all_in_ksef, "KSeF never had all")
    await chain.sandbox.plan("ksef", "refuse")
    await presses.on_each()
    await at_hub(chain, TILLS - DEAF)  # a till that hears nothing may take the line for cut
    for hub in chain.hubs:
        await hub.kill()
    for line in deaf:
        line.mend()
    await presses.on_each()


async def check(chain: HubChain, presses: Presses) -> None:
    """Each invoice is in KSeF once, as issued; its till has that number, and was told it once."""
    ledger = Counter(entry.key[2] for entry in chain.sandbox.ledger.entries())
    assert len(ledger) == ledger.total() == presses.count
    hashes = {entry.key[2]: (entry.sha256, entry.ksef_number) for entry in chain.sandbox.ledger.entries()}
    issued: set[str] = set()
    for till in chain.tills:
        for number, sha256, ksef_number in till.rows(OF_A_TILL):
            assert hashes[number] == (sha256, ksef_number)
            issued.add(number)
        assert set(Counter(till.rows(TOLD)).values()) == {1}
    assert issued == set(ledger)
    for process in (*chain.hubs, *chain.tills):
        assert "Traceback" not in process.log.read_text("utf-8"), process.log.read_text("utf-8")[-3000:]


@pytest.mark.parametrize("sqlite", [True, False], ids=["sqlite", "postgresql"])
async def test_tills_fill_a_hub_that_lost_everything(tmp_path: Path, sqlite: bool) -> None:
    async with hub_chain(tmp_path, TILLS, sqlite=sqlite) as chain:
        presses = Presses(chain)
        await presses.on_each()
        await chain.settled()
        await every_state(chain, presses)

        await chain.memory.begin_anew()
        await chain.enter()
        for till in chain.tills:  # each has a new token
            await till.kill()
        await chain.mend()
        await presses.on_each()
        await chain.settled()
        await check(chain, presses)
        held = await chain.memory.ask("SELECT number FROM invoices WHERE state = 'accepted'")
        assert len(held) >= 3 * TILLS, "what was not settled is here again, and what came after"


@pytest.mark.parametrize("sqlite", [True, False], ids=["sqlite", "postgresql"])
async def test_a_hub_put_back_to_an_older_copy_sends_nothing_twice_and_forgets_nothing(
    tmp_path: Path, sqlite: bool
) -> None:
    async with hub_chain(tmp_path, TILLS, sqlite=sqlite) as chain:
        presses = Presses(chain)
        await presses.on_each()
        await chain.settled()
        await chain.sandbox.plan("ksef", "refuse")
        await presses.on_each()
        await at_hub(chain, TILLS)
        await chain.memory.copy(tmp_path / "copy")  # five wait in it; the tills will know their numbers
        await chain.sandbox.plan("*", "none")
        await chain.settled()
        await presses.on_each()
        await chain.settled()
        await every_state(chain, presses)

        await chain.memory.put_back(tmp_path / "copy")
        await chain.mend()
        await presses.on_each()
        await chain.settled()
        await check(chain, presses)
