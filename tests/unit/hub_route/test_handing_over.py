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
from agent.hub_route.client import Handover, HubClient, Offered
from agent.hub_route.gateway import HubGateway
from agent.hub_route.routed import TAKEN_BACK, UNKNOWN_HERE, RoutedGateway
from agent.ports import CallOutcome, KsefError, Outgoing, Pending, Rejected
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
    ksef: FakeGateway
    """What the hub brings it to."""


@pytest.fixture
async def route(tmp_path: Path) -> AsyncIterator[Route]:
    clock = FakeClock()
    ksef = FakeGateway(clock)
    async with served_hub(tmp_path, clock, lambda _: ksef) as hub:
        _, token = await hub.till("1", series=("FV-1",))
        client = hub.client(token)
        yield Route(hub, client, HubGateway(client, clock), ksef)


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
    assert not verdict.by_ksef
    assert "OFF-7/1 nie należy do serii kasy" in verdict.description
    await route.gateway.open_batch([own], unheard)
    assert await route.gateway.batch_verdicts(group) is not None


async def test_what_the_hub_refused_is_said_before_ksef_decides_about_the_rest(route: Route) -> None:
    route.ksef.up = False
    own, other, last = (outgoing(number) for number in ("FV-1/1", "OFF-7/1", "FV-1/2"))
    group = await route.gateway.open_batch([own, other], unheard)
    verdicts = await route.gateway.batch_verdicts(group)
    assert verdicts is not None
    assert verdicts[own.sha256] == ("", Pending()), "it is asked for with its backlog again"
    assert isinstance(verdicts[other.sha256][1], Rejected)
    routed = RoutedGateway(route.gateway, FakeGateway(FakeClock()))
    routed.late = frozenset({group})
    assert await routed.batch_verdicts(group) == {
        own.sha256: ("", TAKEN_BACK),
        other.sha256: verdicts[other.sha256],
    }, "what is late goes the till's own way"
    whole = await route.gateway.open_batch([last], unheard)
    assert await route.gateway.batch_verdicts(whole) is None
    started_again = HubGateway(route.client, FakeClock())
    assert await started_again.batch_verdicts(group) == {own.sha256: ("", Pending())}, "the other is not there"


async def test_what_the_hub_was_too_busy_for_goes_again_during_an_outage_of_ksef(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, hub_works=False, extra='\n[issue]\nprefer = "offline24"\n') as it:
        await it.turn()
        await it.hub.listener.down()
        records = [await it.joined.sell() for _ in range(3)]
        await it.joined.agent.connection.probe()
        it.joined.agent.queue._dispatcher._batch_from = 2
        chain = it.joined.agent.chain
        assert chain is not None
        offer_all = chain.client.offer_all
        busy = [True]

        async def half(given: list[Handover]) -> list[Offered]:
            taken = 1 if busy.pop() else len(given)
            busy.append(False)
            refused = Offered(None, code=503, detail="Centrala jest zajęta.")
            return await offer_all(given[:taken]) + [refused] * (len(given) - taken)

        chain.client.offer_all = half  # type: ignore[assignment,method-assign]
        await it.hub.listener.up()
        it.clock.jump(timedelta(seconds=90))
        for _ in range(3):
            await it.turn()
            it.clock.jump(timedelta(seconds=2))
        states = [(await it.joined.record(each.id)).state for each in records]
        assert states == [InvoiceState.SENT, InvoiceState.ISSUED, InvoiceState.ISSUED], "only the till has two"
        await it.talk.report()
        (beat,) = await it.hub.store.read(lambda tx: tx.fleet.last_beats())
        assert beat.beat.alone == 2
        it.clock.jump(timedelta(seconds=90))
        for _ in range(2):
            await it.turn()
        after = [await it.joined.record(each.id) for each in records]
        assert [each.state for each in after] == [InvoiceState.SENT] * 3
        assert not after[0].invoice_ref, "it is asked for with its backlog"
        await it.talk.report()
        (beat,) = await it.hub.store.read(lambda tx: tx.fleet.last_beats())
        assert beat.beat.alone == 0


async def test_what_the_hub_does_not_know_is_no_word_of_ksef(route: Route) -> None:
    verdict = await route.gateway.status("HUB-1", "00" * 32)
    assert isinstance(verdict, Rejected)
    assert (verdict.code, verdict.retryable, verdict.by_ksef) == (404, True, False)
    assert not TAKEN_BACK.by_ksef
    assert not UNKNOWN_HERE.by_ksef


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
        it.joined.agent.queue._dispatcher._batch_from = 2
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
