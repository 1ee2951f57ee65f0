"""What tills are told: one look a question, held back while there is nothing new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.domain.errors import BadInput
from agent.hub.domain.records import Cursor, InvoiceFacts, OutcomeKind
from agent.hub.domain.states import HubState
from agent.hub.ports import HubTransaction, Work
from agent.hub.services.administration import Administration
from agent.ports import Rejected
from tests.fakes.hub_stores import NIP, OTHER_NIP, offer
from tests.fakes.hub_world import HubWorld, hub_world


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubWorld]:
    async with hub_world(tmp_path) as world:
        yield world


async def refused(hub: HubWorld) -> Cursor:
    """Let KSeF refuse an invoice, and return where its till stands once it has read that."""
    hub.gateway.verdict_plan.append(Rejected(450, "Błąd"))
    hub.start()
    await hub.offer("FV-1/1")
    await hub.catch_up()
    till = await hub.till()
    return await hub.store.read(lambda tx: tx.outcomes.last(till.id))


async def unread(hub: HubWorld) -> int:
    return sum(each.count for each in await hub.store.read(lambda tx: tx.outcomes.refusals()))


async def test_a_question_is_one_read_and_a_write_only_where_a_refusal_was_read(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor, till, looked = await refused(hub), await hub.till(), list[str]()
    await hub.stop()
    for name in ("read", "write"):
        call = getattr(hub.store, name)

        async def counted(work: Work[object], name: str = name, call: object = call) -> object:
            looked.append(name)
            return await call(work)  # type: ignore[operator]

        monkeypatch.setattr(hub.store, name, counted)
    assert len((await hub.outcomes.lines(till, Cursor()))[0]) == 2
    assert looked == ["read"]
    looked.clear()
    await hub.outcomes.lines(till, cursor)
    assert "write" in looked
    looked.clear()
    await hub.outcomes.lines(till, cursor)
    assert looked == ["read"]
    monkeypatch.undo()
    assert await unread(hub) == 0


async def test_a_till_that_has_just_read_a_refusal_waits_for_what_comes_next(hub: HubWorld) -> None:
    cursor, till = await refused(hub), await hub.till()
    waiting = asyncio.ensure_future(hub.outcomes.lines(till, cursor, wait=30.0))
    await hub.clock.advance(10)
    assert not waiting.done()
    assert await unread(hub) == 0, "not only once something came"
    await hub.offer("FV-1/2", urgent=3.0)
    await hub.clock.advance(1)
    lines, _, known = await waiting
    assert (known, bool(lines)) == (True, True)
    waiting = asyncio.ensure_future(hub.outcomes.lines(till, await last(hub), wait=30.0))
    await hub.clock.advance(31)
    assert (await waiting)[0] == []


async def test_a_refusal_is_settled_by_its_number_alone_and_of_its_seller_alone(hub: HubWorld) -> None:
    """`ksef-agent hub till settle`: three refusals, two of one number at different sellers."""
    own, other = await hub.till("1"), await hub.till("of the other", nip=OTHER_NIP)
    given = [(own, offer("FV-1/1")), (own, offer("FV-1/2")), (other, offer("FV-1/1", nip=OTHER_NIP, xml=b"<other/>"))]

    async def work(tx: HubTransaction) -> None:
        for till, each in given:
            await tx.invoices.add(till, each)
            for state in (HubState.SENDING, HubState.REJECTED):
                await tx.invoices.move(each.sha256, state, InvoiceFacts())
            await tx.outcomes.add([(await tx.invoices.get(each.sha256), OutcomeKind.REJECTED, {})])

    await hub.store.write(work)
    administration = Administration(hub.store)
    with pytest.raises(BadInput):
        await administration.settle_number("FV-1/1", "", "bez NIP, a sprzedawców jest dwóch")
    assert await administration.settle_number("FV-1/3", NIP, "nie ma takiej") == 0
    assert await administration.settle_number("FV-1/1", NIP, "wystawiona ponownie") == 1
    assert await administration.settle_number("FV-1/1", NIP, "drugi raz") == 0
    left = {each.nip: each.count for each in await hub.store.read(lambda tx: tx.outcomes.refusals())}
    assert left == {NIP: 1, OTHER_NIP: 1}
    (entry,) = await hub.store.read(lambda tx: tx.log.after(0, 10))
    assert (entry.kind, entry.data["why"]) == ("refusal_settled", "wystawiona ponownie")


async def last(hub: HubWorld) -> Cursor:
    till = await hub.till()
    await hub.clock.advance(10)
    return await hub.store.read(lambda tx: tx.outcomes.last(till.id))
