"""A backlog that the hub takes in part, or not at all: what the till concludes, and what it does next."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from agent.domain.event_kinds import EventKind
from agent.domain.lifecycle import InvoiceState
from agent.hub.services.intake import DRAINING
from agent.hub_contract.offers import Claims
from agent.hub_route.client import Handover, HubClient
from agent.hub_route.gateway import HubGateway
from agent.ports import CallOutcome, KsefError, Outgoing, Rejected
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway, unheard
from tests.fakes.hub_served import ServedHub, served_hub
from tests.fakes.hub_till import till_of_a_chain
from tests.unit.sandbox.sandbox_client import invoice as fa3


def outgoing(number: str) -> Outgoing:
    xml = fa3(number)
    return Outgoing(number, xml, hashlib.sha256(xml).digest(), offline=True)


def handovers(count: int) -> list[Handover]:
    xml = fa3("FV-1/1")
    return [Handover(hashlib.sha256(xml).digest(), xml, Claims(offline=True, group="g"))] * count


@dataclass
class Route:
    """A till's second route, and the hub at its end."""

    hub: ServedHub
    client: HubClient
    gateway: HubGateway


@pytest.fixture
async def route(tmp_path: Path) -> AsyncIterator[Route]:
    clock = FakeClock()
    async with served_hub(tmp_path, clock, lambda _: FakeGateway(clock)) as hub:
        _, token = await hub.till("1", series=("FV-1",))
        client = hub.client(token)
        yield Route(hub, client, HubGateway(client, clock))


@pytest.mark.parametrize(("count", "outcome"), [(100, CallOutcome.NOT_SENT), (101, CallOutcome.UNKNOWN)])
async def test_a_hub_that_takes_nothing_now_may_hold_some_of_more_than_a_hundred(
    route: Route, count: int, outcome: CallOutcome
) -> None:
    """A hub of 0.2 says so of the whole request when its first hundred are on their way to KSeF."""
    await route.hub.store.write(lambda tx: tx.log.put(DRAINING, {"by": "root"}))
    with pytest.raises(KsefError) as refused:
        await route.client.offer_all(handovers(count))
    assert (refused.value.outcome, refused.value.code) == (outcome, 503)
    assert refused.value.retry_after is not None


async def test_why_a_line_was_refused_is_remembered_until_it_is_asked_for(route: Route) -> None:
    own, other = outgoing("FV-1/1"), outgoing("OFF-7/1")
    group = await route.gateway.open_batch([other], unheard)
    verdicts = await route.gateway.batch_verdicts(group)
    assert verdicts is not None
    _, verdict = verdicts[other.sha256]
    assert isinstance(verdict, Rejected)
    assert (verdict.code, verdict.retryable) == (403, True), "it rests, and goes again once the hub knows the series"
    assert "OFF-7/1 nie należy do serii kasy" in verdict.description
    await route.gateway.open_batch([own], unheard)
    assert await route.gateway.batch_verdicts(group) is not None


async def test_a_line_that_is_refused_rests_and_its_invoice_says_why(tmp_path: Path) -> None:
    """A token without the series of the till: no round after round of the same refusal."""
    posts: list[str] = []
    async with till_of_a_chain(tmp_path, extra='\n[issue]\nprefer = "offline24"\n') as it:
        await it.turn()
        with contextlib.closing(sqlite3.connect(tmp_path / "hub" / "hub.db", isolation_level=None)) as opened:
            opened.execute("UPDATE tills SET series = ?", (json.dumps(["OFF-7"]),))
        await it.hub.listener.down()
        records = [await it.joined.sell() for _ in range(2)]
        await it.joined.agent.connection.probe()
        it.joined.agent.queue._batch_from = 2
        chain = it.joined.agent.chain
        assert chain is not None
        offer_all = chain.client.offer_all

        async def counted(given: list[Handover]) -> object:
            posts.append("POST")
            return await offer_all(given)

        chain.client.offer_all = counted  # type: ignore[assignment,method-assign]
        await it.hub.listener.up()
        it.clock.jump(timedelta(seconds=90))
        for _ in range(6):
            await it.turn()
            it.clock.jump(timedelta(seconds=2))
        record = await it.joined.record(records[0].id)
        assert record.state is InvoiceState.ISSUED
        assert record.not_before is not None
        events = await it.joined.agent.store.read(lambda tx: tx.events.of_invoice(record.id))
        said = [each.data for each in events if each.kind == EventKind.CANCELLED_BY_KSEF]
        assert said, [each.kind for each in events]
        assert said[0]["code"] == 403
        assert "nie należy do serii kasy" in str(said[0]["description"])
        assert len(posts) <= 2, "it rests"
