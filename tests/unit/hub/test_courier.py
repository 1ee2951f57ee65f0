"""The courier of one NIP: presses first, many together, doubts by hash, one number for each invoice."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from agent.domain import ksef_number
from agent.hub.courier.batches import Batches
from agent.hub.courier.state import STATE, written
from agent.hub.courier.verdicts import VerdictRecorder
from agent.hub.domain.states import HubState
from agent.hub.errors import LeadershipLost
from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import Work
from agent.hub.services.certificates import OfflineCertificates
from agent.hub.services.fleet import Fleet
from agent.hub.services.heartbeats import Heartbeats
from agent.hub.settings.model import FleetSettings
from agent.hub_contract.heartbeat import Budget
from agent.ports import Accepted, CallOutcome, Duplicate, KsefError, Outgoing, Rejected, SessionRef, Upo, Verdict
from tests.fakes.gateway import line_down, silence
from tests.fakes.hub_stores import NIP
from tests.fakes.hub_world import HubWorld, hub_world
from tests.unit.sandbox.sandbox_client import invoice as fa3


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubWorld]:
    async with hub_world(tmp_path) as world:
        yield world


async def numbers(hub: HubWorld) -> list[str]:
    """Numbers in KSeF's ledger, in the order they came."""
    return [number for _, _, number in hub.gateway.ledger]


async def test_a_press_has_its_number_within_its_time(hub: HubWorld) -> None:
    hub.start()
    await hub.clock.advance(1)
    invoice = await hub.offer("FV-1/1", urgent=3.0)
    till = await hub.till()
    waiting = asyncio.ensure_future(hub.outcomes.status(till, invoice.sha256, wait=3.0))
    await hub.clock.advance(1.0)
    status = await waiting
    assert (status.state, status.ksef_number is not None) == ("accepted", True)
    assert [each.offline for each in hub.gateway.sent] == [False]
    await hub.clock.advance(10)
    assert await hub.kinds() == ["sent", "accepted", "upo"]


async def test_what_nobody_waits_for_any_more_goes_as_an_offline_invoice(hub: HubWorld) -> None:
    hub.gateway.up = False
    hub.start()
    await hub.offer("FV-1/1", urgent=3.0)
    await hub.clock.advance(5)
    hub.gateway.up = True
    await hub.catch_up()
    assert [each.offline for each in hub.gateway.sent] == [True]


async def test_presses_go_before_an_older_backlog_and_no_till_before_the_others(hub: HubWorld) -> None:
    for number in range(3):
        await hub.offer(f"FV-1/{number}")
    for number in range(3):
        await hub.offer(f"FV-2/{number}", urgent=30.0)
    await hub.offer("FV-3/0", urgent=30.0)
    hub.start()
    await hub.catch_up()
    order = await numbers(hub)
    assert set(order[:4]) == {"FV-2/0", "FV-2/1", "FV-2/2", "FV-3/0"}
    assert order.index("FV-3/0") <= 1


async def test_a_backlog_of_many_tills_goes_as_one_batch(hub: HubWorld) -> None:
    offered = [await hub.offer(f"FV-{till}/{number}") for till in range(4) for number in range(5)]
    hub.start()
    await hub.catch_up()
    sessions = {(await hub.find(each)).session_ref for each in offered}
    assert len(sessions) == 1
    assert all(session is not None and session.startswith("SB-") for session in sessions)
    await hub.clock.advance(30)
    for till in range(4):
        kinds = await hub.kinds(str(till))
        assert sorted(kinds) == ["accepted"] * 5 + ["sent"] * 5 + ["upo"] * 5


async def test_a_batch_that_is_being_opened_is_not_asked_for_its_upo(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that it confirms nothing would settle it, and each of its invoices would need a UPO of its own."""
    opened, asked = hub.gateway.open_batch, list[str]()

    async def open_batch(invoices: Sequence[Outgoing], heard: Callable[[str], Awaitable[None]]) -> str:
        write = hub.lead.write

        async def looked_after(work: Work[object]) -> object:
            done = await write(work)
            asked.extend(each.reference for each in await hub.store.read(lambda tx: tx.sessions.without_upo(NIP)))
            return done

        with monkeypatch.context() as patched:
            patched.setattr(hub.lead, "write", looked_after)
            return await opened(invoices, heard)

    monkeypatch.setattr(hub.gateway, "open_batch", open_batch)
    offered = [await hub.offer(f"FV-1/{number}") for number in range(12)]
    hub.start()
    await hub.catch_up()
    assert asked == []
    assert len({(await hub.find(each)).session_ref for each in offered}) == 1


async def test_few_go_one_by_one_while_the_limits_leave_enough_to_presses(hub: HubWorld) -> None:
    offered = [await hub.offer(f"FV-1/{number}") for number in range(3)]
    hub.start()
    await hub.catch_up()
    assert {(await hub.find(each)).session_ref for each in offered} == {"SO-1"}


async def test_a_lost_answer_is_settled_by_hash_and_nothing_goes_twice(hub: HubWorld) -> None:
    hub.gateway.lost_answers = 1
    hub.start()
    await hub.offer("FV-1/1", urgent=3.0)
    await hub.catch_up()
    assert len(hub.gateway.sent) == 1
    assert (await hub.kinds())[:2] == ["doubt", "accepted"]


@pytest.mark.parametrize("many", [1, 6])
@pytest.mark.parametrize("taken", [True, False])
async def test_what_ksef_does_not_know_by_its_own_reference_is_looked_for_by_its_hash(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch, many: int, *, taken: bool
) -> None:
    send = hub.gateway.send

    async def answered_wrongly(session: SessionRef, invoice: Outgoing) -> str:
        if taken:
            await send(session, invoice)
        return "EE-nowhere"

    async def status(session_ref: str, invoice_ref: str) -> Verdict:
        raise KsefError("Nie ma takiej faktury.", outcome=CallOutcome.REFUSED, code=21405)

    with monkeypatch.context() as patched:
        patched.setattr(hub.gateway, "send", answered_wrongly)
        patched.setattr(hub.gateway, "status", status)
        offered = [await hub.offer(f"FV-1/{number}", urgent=3.0) for number in range(many)]
        hub.start()
        await hub.clock.advance(30)
        assert HubState.DOUBT not in {(await hub.find(each)).state for each in offered}, "KSeF may need a moment"
        await hub.clock.advance(60)
    await hub.clock.advance(300)
    assert {(await hub.find(each)).state for each in offered} == {HubState.ACCEPTED}
    assert len(hub.gateway.ledger) == many


async def test_an_invoice_without_a_upo_holds_up_no_other(hub: HubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await hub.offer("FV-1/1", urgent=3.0), await hub.offer("FV-1/2", urgent=3.0)
    given, refused = hub.gateway.upo, [first, second]

    async def upo(session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        if ksef_number in {(await hub.find(each)).ksef_number for each in refused}:
            raise KsefError("nie ma UPO", outcome=CallOutcome.REFUSED, code=404)
        return await given(session_ref, invoice_ref, ksef_number)

    monkeypatch.setattr(hub.gateway, "upo", upo)
    hub.start()
    await hub.catch_up()
    await hub.stop()
    refused.remove(second)
    await hub.clock.advance(3600)
    await hub.courier.upos.pass_once()
    assert [(await hub.find(each)).proven for each in (first, second)] == [False, True]


async def test_an_answer_lost_on_the_way_there_goes_again(hub: HubWorld) -> None:
    hub.gateway.send_plan.append(silence())
    hub.start()
    invoice = await hub.offer("FV-1/1")
    await hub.catch_up()
    assert (await hub.find(invoice)).state is HubState.ACCEPTED
    assert len(hub.gateway.sent) == 1


@pytest.mark.parametrize("batch", [False, True])
async def test_who_takes_over_settles_what_was_under_way(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch, *, batch: bool
) -> None:
    """The holder dies after KSeF took it and before it could write that down."""
    for number in range(12 if batch else 1):
        await hub.offer(f"FV-1/{number}")
    name = "open_batch" if batch else "send"
    call, reached = getattr(hub.gateway, name), asyncio.Event()

    async def never_heard_of(*arguments: object) -> None:
        await call(*arguments)
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(hub.gateway, name, never_heard_of)
        hub.start()
        await reached.wait()
        await hub.stop()
    await hub.take_over()
    await hub.catch_up()
    assert len(hub.gateway.ledger) == len(hub.gateway.sent) == (12 if batch else 1)
    assert {each.kind.value for each in await hub.told()} >= {"doubt", "accepted"}


async def test_a_batch_that_never_left_is_not_asked_for_where_its_invoices_were_before(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KSeF refused one, its till ordered another attempt, and the holder dies before that left."""
    hub.gateway.verdict_plan.append(Rejected(450, "Błąd"))
    hub.start()
    refused = await hub.offer("FV-1/0")
    await hub.catch_up()
    assert (await hub.find(refused)).state is HubState.REJECTED
    await hub.stop()
    reached = asyncio.Event()

    async def never_answered(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(hub.gateway, "open_batch", never_answered)
        offered = [await hub.offer(f"FV-1/{number}") for number in range(12)]
        hub.start()
        await hub.clock.advance(5)
        assert reached.is_set()
        assert (await hub.find(refused)).session_ref == ""
        await hub.stop()
    await hub.take_over()
    await hub.catch_up()
    assert {(await hub.find(each)).state for each in offered} == {HubState.ACCEPTED}


async def test_a_customer_does_not_wait_for_the_rest_after_an_earlier_attempt(hub: HubWorld) -> None:
    hub.gateway.send_plan.append(KsefError("KSeF: 500", outcome=CallOutcome.NOT_SENT, code=500))
    hub.start()
    invoice = await hub.offer("FV-1/1")
    await hub.clock.advance(3)
    assert (await hub.find(invoice)).not_before is not None
    await hub.offer("FV-1/1", urgent=3.0)
    await hub.clock.advance(1)
    assert (await hub.find(invoice)).state is HubState.ACCEPTED


async def test_a_number_ksef_knows_with_our_bytes_is_adopted(hub: HubWorld) -> None:
    """The till sent it itself, or another hub did before this one was restored from an older copy."""
    hub.start()
    invoice = await hub.offer("FV-1/1")
    await hub.catch_up()
    known = (await hub.find(invoice)).ksef_number
    await hub.stop()
    async with hub_world_of_same_ksef(hub) as other:
        again = await other.offer("FV-1/1")
        other.start()
        await other.catch_up()
        assert (await other.find(again)).ksef_number == known
    assert len(hub.gateway.ledger) == 1


@contextlib.asynccontextmanager
async def hub_world_of_same_ksef(hub: HubWorld) -> AsyncIterator[HubWorld]:
    """A hub that lost its memory."""
    with tempfile.TemporaryDirectory() as folder:
        async with hub_world(Path(folder), clock=hub.clock) as other:
            other.gateway = hub.gateway
            await other.lead.release()
            await other.begin()
            yield other


async def test_a_number_ksef_knows_with_other_bytes_is_a_collision(hub: HubWorld) -> None:
    hub.start()
    await hub.offer("FV-1/1")
    await hub.catch_up()
    await hub.stop()
    async with hub_world_of_same_ksef(hub) as other:
        again = await other.offer("FV-1/1", issued_on="2026-11-23")
        other.start()
        await other.catch_up()
        found = await other.find(again)
        assert found.state is HubState.REJECTED
        assert found.refusal is not None
        assert found.refusal.original is not None
        assert (await other.kinds())[-1] == "duplicate"
        status = await other.outcomes.status(await other.till(), again.sha256)
        assert status.state == "duplicate"
        assert status.original is not None
        assert status.original.sha256 != again.sha256


async def test_a_refusal_reaches_the_till_and_the_same_bytes_may_go_again(hub: HubWorld) -> None:
    hub.gateway.verdict_plan.append(Rejected(450, "Błąd", ("pole",)))
    hub.start()
    invoice = await hub.offer("FV-1/1")
    await hub.catch_up()
    status = await hub.outcomes.status(await hub.till(), invoice.sha256)
    assert (status.state, status.code, status.details) == ("rejected", 450, ("pole",))
    await hub.offer("FV-1/1")
    await hub.catch_up()
    assert (await hub.find(invoice)).state is HubState.ACCEPTED


async def test_what_ksef_cancelled_goes_again_by_itself(hub: HubWorld) -> None:
    hub.gateway.verdict_plan.append(Rejected(550, "Anulowano", retryable=True))
    hub.start()
    invoice = await hub.offer("FV-1/1")
    await hub.catch_up()
    assert (await hub.find(invoice)).state is HubState.ACCEPTED
    assert len(hub.gateway.sent) == 2


async def test_nobody_leads_once_a_leader_has_not_written_for_so_long(hub: HubWorld) -> None:
    """What people see and what tills hear; all is well and nothing changes meanwhile."""

    async def seen() -> tuple[str, bool, Budget | None, set[str]]:
        view = await Fleet(hub.store, hub.clock, FleetSettings(), "1.0").look()
        (seller,) = view.overview.sellers
        told = Heartbeats(hub.store, hub.clock, "1.0", OfflineCertificates(hub.store, hub.clock, OfflineKeys(0)))
        news = await told.news(await hub.till(), secure=False)
        assert (news.ksef == "up") is (seller.ksef == "up")
        return seller.ksef, seller.leader is not None, news.budget, {each.code for each in view.troubles}

    await hub.till()
    assert await seen() == ("unknown", False, None, {"no-courier"}), "the lead is taken, nothing is said yet"
    hub.start()
    for _ in range(5):
        await hub.clock.advance(119)
        ksef, leads, budget, troubles = await seen()
        assert (ksef, leads, budget is not None, troubles) == ("up", True, True, set())
    await hub.stop()
    await hub.clock.advance(55)
    assert (await seen())[1], "another process has the time to take over"
    await hub.clock.advance(40)
    assert await seen() == ("unknown", False, None, {"no-courier"})
    await hub.take_over()
    await hub.clock.advance(2)
    assert (await seen())[:2] == ("up", True)


async def test_a_line_that_is_down_costs_no_attempts_and_is_told(hub: HubWorld) -> None:
    hub.gateway.up = False
    hub.start()
    invoice = await hub.offer("FV-1/1")
    await hub.clock.advance(600)
    assert (await hub.find(invoice)).state is HubState.WAITING
    news = await hub.store.read(lambda tx: tx.log.value(STATE.format(invoice.nip)))
    assert isinstance(news, dict)
    assert news["ksef"] == "down"
    hub.gateway.up = True
    await hub.catch_up(minutes=15)


async def test_without_a_place_in_the_limits_nothing_is_tried(hub: HubWorld) -> None:
    hub.gateway.sends_left, hub.gateway.wait = 0, 600.0
    hub.start()
    invoice = await hub.offer("FV-1/1", urgent=3.0)
    await hub.clock.advance(2)
    assert (await hub.find(invoice)).attempts == 0
    await hub.catch_up()
    found = await hub.find(invoice)
    assert (found.session_ref or "").startswith("SB-"), "what single sends leave over goes as a batch"


async def test_a_correction_goes_after_its_base_of_another_till(hub: HubWorld) -> None:
    hub.gateway.verdict_plan.append(Rejected(550, "Anulowano", retryable=True))
    await hub.offer("FV-2/1")
    correction = fa3("FK-1/1", kind="KOR", after_kind=named("FV-2/1"))
    await hub.offer("FK-1/1", xml=correction)
    hub.start()
    await hub.catch_up()
    assert await numbers(hub) == ["FV-2/1", "FK-1/1"]


def named(number: str) -> str:
    """DaneFaKorygowanej of an invoice that has no KSeF number yet."""
    return (
        "<TypKorekty>1</TypKorekty><DaneFaKorygowanej><DataWystFaKorygowanej>2026-11-24</DataWystFaKorygowanej>"
        f"<NrFaKorygowanej>{number}</NrFaKorygowanej><NrKSeFN>1</NrKSeFN></DaneFaKorygowanej>"
    )


async def test_a_technical_correction_goes_alone_and_names_what_it_replaces(hub: HubWorld) -> None:
    hub.gateway.verdict_plan.append(Rejected(450, "Błąd"))
    hub.start()
    first = await hub.offer("FV-1/1")
    await hub.catch_up()
    for number in range(12):
        await hub.offer(f"FV-2/{number}")
    await hub.offer("FV-1/1", issued_on="2026-11-23", version=2, corrects=first.sha256)
    await hub.catch_up()
    corrections = [each for each in hub.gateway.sent if each.corrects is not None]
    assert [(each.corrects, each.offline) for each in corrections] == [(first.sha256, True)]


async def test_ksef_takes_no_technical_correction_is_the_end_of_it(hub: HubWorld) -> None:
    hub.gateway.send_plan.append(KsefError("nie", outcome=CallOutcome.REFUSED, code=21167))
    hub.start()
    invoice = await hub.offer("FV-1/1", version=2, corrects=bytes(32))
    await hub.catch_up()
    assert (await hub.find(invoice)).state is HubState.REJECTED
    assert await hub.kinds() == ["rejected"]


@pytest.mark.parametrize("code", [21155, 21173, 21180, 21184])
async def test_a_session_that_is_over_is_replaced_at_once(hub: HubWorld, code: int) -> None:
    hub.gateway.send_plan.append(KsefError("koniec sesji", outcome=CallOutcome.NOT_SENT, code=code))
    hub.start()
    await hub.clock.advance(1)
    invoice = await hub.offer("FV-1/1", urgent=3.0)
    await hub.clock.advance(1)
    assert (await hub.find(invoice)).state is HubState.ACCEPTED


async def test_a_batch_that_ksef_refuses_as_a_whole_is_split_until_the_culprit_is_alone(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = [await hub.offer(f"FV-1/{number}") for number in range(40)]
    culprit = offered[7].sha256
    refused: list[str] = []
    opened, asked = hub.gateway.open_batch, hub.gateway.batch_verdicts

    async def open_batch(invoices: Sequence[Outgoing], heard: Callable[[str], Awaitable[None]]) -> str:
        if all(each.sha256 != culprit for each in invoices):
            return await opened(invoices, heard)
        refused.append(f"SB-refused-{len(invoices)}")
        await heard(refused[-1])
        return refused[-1]

    async def batch_verdicts(session: str) -> dict[bytes, tuple[str, Verdict]] | None:
        if session in refused:
            raise KsefError("odrzucona", outcome=CallOutcome.REFUSED, code=430)
        return await asked(session)

    monkeypatch.setattr(hub.gateway, "open_batch", open_batch)
    monkeypatch.setattr(hub.gateway, "batch_verdicts", batch_verdicts)
    hub.start()
    await hub.catch_up()
    assert {(await hub.find(each)).state for each in offered} == {HubState.ACCEPTED}
    assert refused == ["SB-refused-40", "SB-refused-5"]


async def test_no_batch_is_larger_than_ksef_says(hub: HubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.gateway.largest_batch = 12
    opened, sizes = hub.gateway.open_batch, list[int]()

    async def open_batch(invoices: Sequence[Outgoing], heard: Callable[[str], Awaitable[None]]) -> str:
        sizes.append(len(invoices))
        return await opened(invoices, heard)

    monkeypatch.setattr(hub.gateway, "open_batch", open_batch)
    offered = [await hub.offer(f"FV-1/{number}") for number in range(30)]
    hub.start()
    await hub.catch_up()
    assert {(await hub.find(each)).state for each in offered} == {HubState.ACCEPTED}
    assert sizes == [12, 12], "the six that are left go singly"


async def test_what_no_batch_brings_goes_singly(hub: HubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """KSeF gives sessions, and the storage for the parts of a batch is out of reach."""
    tried: list[int] = []

    async def open_batch(invoices: Sequence[Outgoing], heard: Callable[[str], Awaitable[None]]) -> str:
        tried.append(len(invoices))
        await heard(f"SB-away-{len(tried)}")
        raise KsefError("magazyn nie odpowiada", outcome=CallOutcome.NOT_SENT, link_down=True)

    offered = [await hub.offer(f"FV-1/{number}") for number in range(40)]
    monkeypatch.setattr(hub.gateway, "open_batch", open_batch)
    hub.start()
    await hub.catch_up(minutes=10)
    assert tried == [40, 40, 40]
    assert {(await hub.find(each)).state for each in offered} == {HubState.ACCEPTED}
    assert await codes(hub) == {"ksef-batches-failing"}, "what goes singly says nothing of batches"
    monkeypatch.undo()
    await hub.clock.advance(300)
    for number in range(40):
        await hub.offer(f"FV-2/{number}")
    await hub.catch_up()
    await hub.clock.advance(2)
    assert await codes(hub) == set()


async def codes(hub: HubWorld) -> set[str]:
    """What people see of the hub itself."""
    return {each.code for each in (await Fleet(hub.store, hub.clock, FleetSettings(), "1.0").look()).troubles}


async def test_a_limit_of_batches_makes_nobody_wait_who_may_go_singly(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KSeF counts batches and single sends apart: 60 batches an hour are used up, 180 single sends are not."""
    tried: list[int] = []

    async def open_batch(invoices: Sequence[Outgoing], heard: Callable[[str], Awaitable[None]]) -> str:
        tried.append(len(invoices))
        raise KsefError("za dużo paczek", outcome=CallOutcome.REFUSED, code=429, retry_after=1800.0)

    offered = [await hub.offer(f"FV-1/{number}") for number in range(12)]
    monkeypatch.setattr(hub.gateway, "open_batch", open_batch)
    hub.start()
    await hub.clock.advance(5)
    pressed = await hub.offer("FV-1/3", urgent=3.0)
    await hub.clock.advance(1)
    assert (await hub.find(pressed)).state is HubState.ACCEPTED
    await hub.catch_up(minutes=2)
    assert {(await hub.find(each)).state for each in offered} == {HubState.ACCEPTED}
    assert tried == [12]
    assert await codes(hub) == set(), "a limit is no failure of batches"


async def test_a_upo_that_does_not_come_is_told_until_it_does(hub: HubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    given = hub.gateway.upo

    async def upo(session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        return replace(await given(session_ref, invoice_ref, ksef_number), sha256=bytes(32))

    monkeypatch.setattr(hub.gateway, "upo", upo)
    hub.start()
    for number in range(7):
        await hub.offer(f"FV-1/{number}", urgent=3.0)
        await hub.clock.advance(5)
    assert "upo-missing" not in await codes(hub)
    hub.clock.slept(timedelta(days=1))
    view = await Fleet(hub.store, hub.clock, FleetSettings(), "1.0").look()
    (trouble,) = [each for each in view.troubles if each.code == "upo-missing"]
    assert "FV-1/4 i dalsze. Faktury są w KSeF" in trouble.text
    monkeypatch.undo()
    await hub.clock.advance(3600)
    assert "upo-missing" not in await codes(hub)


@pytest.mark.parametrize("code", [200, 500])
async def test_what_ksef_cannot_say_of_one_invoice_holds_up_no_other(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    async def status(session_ref: str, invoice_ref: str) -> Verdict:
        raise KsefError("bez sensu", outcome=CallOutcome.UNKNOWN, code=code)

    hub.start()
    with monkeypatch.context() as patched:
        patched.setattr(hub.gateway, "status", status)
        await hub.offer("FV-1/1", urgent=3.0)
        await hub.clock.advance(20)
        assert hub.courier.link.up
    second = await hub.offer("FV-1/2", urgent=3.0)
    await hub.clock.advance(2)
    assert (await hub.find(second)).state is HubState.ACCEPTED


async def test_a_session_that_may_not_be_listed_says_nothing_of_the_document(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = await hub.offer("FV-1/1", urgent=3.0)
    number = ksef_number.make(NIP, date(2026, 11, 24), 1)
    hub.gateway.verdict_plan.append(Duplicate(number, "SO-other"))

    async def find_all(session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        raise KsefError("nie ta sesja", outcome=CallOutcome.REFUSED, code=403)

    async def invoice_sha256(ksef_number: str) -> bytes:
        return offered.sha256

    monkeypatch.setattr(hub.gateway, "find_all", find_all)
    monkeypatch.setattr(hub.gateway, "invoice_sha256", invoice_sha256)
    hub.start()
    await hub.clock.advance(2)
    assert ((found := await hub.find(offered)).state, found.ksef_number) == (HubState.ACCEPTED, number)


async def test_a_upo_of_other_bytes_is_told_once(hub: HubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    given = hub.gateway.upo

    async def upo(session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        return replace(await given(session_ref, invoice_ref, ksef_number), sha256=bytes(32))

    monkeypatch.setattr(hub.gateway, "upo", upo)
    hub.start()
    await hub.offer("FV-1/1", urgent=3.0)
    await hub.clock.advance(1800)
    await hub.stop()
    events = await hub.store.read(lambda tx: tx.log.after(0, 1000))
    assert [each.kind for each in events].count("upo_mismatch") == 1


async def test_a_holder_that_was_fenced_off_ends(hub: HubWorld) -> None:
    hub.start()
    await hub.clock.advance(1)
    await hub.lead.release()
    successor = await hub.store.lead(hub.lead.name)
    assert successor is not None
    await hub.offer("FV-1/1")
    assert hub.task is not None
    await hub.clock.advance(5)
    with pytest.raises(BaseExceptionGroup) as ended:
        await hub.task
    assert ended.value.subgroup(LeadershipLost) is not None
    assert hub.gateway.sent == []


async def test_trouble_of_the_line_in_a_batch_leaves_it_whole(hub: HubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = hub.gateway.open_batch
    trouble = [line_down(), silence()]

    async def open_batch(invoices: Sequence[Outgoing], heard: Callable[[str], Awaitable[None]]) -> str:
        if trouble:
            error = trouble.pop()
            if error.outcome is CallOutcome.UNKNOWN:
                await opened(invoices, heard)
            raise error
        return await opened(invoices, heard)

    monkeypatch.setattr(hub.gateway, "open_batch", open_batch)
    offered = [await hub.offer(f"FV-1/{number}") for number in range(15)]
    hub.start()
    await hub.catch_up()
    assert {(await hub.find(each)).state for each in offered} == {HubState.ACCEPTED}
    assert len(hub.gateway.ledger) == 15


@pytest.mark.parametrize("waiting", [1, 12])
async def test_who_read_the_queue_before_another_moved_it_leaves_it_to_him(hub: HubWorld, waiting: int) -> None:
    """The backlog reads a snapshot, and a press takes the same invoices to KSeF before the backlog gets there."""
    offered = [await hub.offer(f"FV-1/{number}") for number in range(waiting)]
    read = hub.store.read
    stale = await read(lambda tx: tx.invoices.backlog(NIP, 100))
    hub.start()
    await hub.catch_up()
    decided = await read(lambda tx: tx.invoices.in_state(NIP, HubState.ACCEPTED, 100))
    sent = [replace(each, state=HubState.SENT) for each in decided]
    link = hub.courier.link
    verdicts = VerdictRecorder(hub.lead, hub.store, hub.gateway, link, hub.clock)
    batches = Batches(NIP, hub.lead, hub.store, hub.gateway, link=link, verdicts=verdicts, clock=hub.clock)
    assert await batches.send(stale)
    await asyncio.gather(*(hub.courier.sender.deliver(each) for each in stale))
    for each in sent:
        assert each.ksef_number is not None
        assert each.accepted_at is not None
        again = Accepted(each.ksef_number, each.accepted_at, each.sha256)
        assert (await verdicts.apply(each, again)).state is HubState.ACCEPTED
    await hub.clock.advance(30)
    assert len(hub.gateway.sent) == len(hub.gateway.ledger) == len(offered)
    assert sorted(await hub.kinds()) == ["accepted"] * waiting + ["sent"] * waiting + ["upo"] * waiting


@pytest.mark.parametrize(
    "trouble",
    [
        KsefError("KSeF: brak uprawnień.", outcome=CallOutcome.REFUSED, code=403),
        KsefError("KSeF zwrócił błąd 502.", outcome=CallOutcome.NOT_SENT, code=502, link_down=True),
    ],
)
async def test_sending_that_fails_for_an_hour_while_probes_are_answered_is_told(
    hub: HubWorld, monkeypatch: pytest.MonkeyPatch, trouble: KsefError
) -> None:
    async def no_session(_: Outgoing | None = None) -> SessionRef:
        raise trouble

    link, invoice = hub.courier.link, await hub.offer("FV-1/1")
    monkeypatch.setattr(hub.gateway, "session", no_session)
    await link.probe()
    await hub.courier.sender.deliver(invoice)
    await hub.clock.advance(1800)
    link.answered()
    assert "failing" not in hub.courier.news()
    await hub.clock.advance(1801)
    state = written(hub.courier.news(), hub.clock.now())
    await hub.lead.write(lambda tx: tx.log.put(STATE.format(NIP), state))
    assert "ksef-sign-in-failing" in await codes(hub)
    monkeypatch.undo()
    await hub.courier.sender.deliver(invoice)
    assert "failing" not in hub.courier.news()


async def test_the_last_invoice_of_a_day_that_is_found_by_its_hash_leaves_no_trouble_for_the_night(
    hub: HubWorld,
) -> None:
    """Its answer was lost: nothing was known to be taken, and nothing more is sent until the morning."""
    hub.gateway.lost_answers = 1
    hub.start()
    await hub.clock.advance(1)
    invoice = await hub.offer("FV-1/1", urgent=3.0)
    await hub.clock.advance(400)
    assert (await hub.find(invoice)).state is HubState.ACCEPTED
    hub.clock.slept(timedelta(hours=3))
    assert "failing" not in hub.courier.news()
