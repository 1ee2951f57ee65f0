"""The obligations of the hub's store, over SQLite and over a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from agent.domain.errors import Conflict, IllegalTransition, NotFound, Unavailable
from agent.domain.json_io.canonical import Json
from agent.hub.domain.books import Find, Question
from agent.hub.domain.records import (
    BacklogSize,
    Base,
    Cursor,
    HubInvoice,
    HubRole,
    InvoiceFacts,
    Offer,
    Original,
    OutcomeKind,
    Person,
    Refusal,
    Till,
)
from agent.hub.domain.states import MOVES, OPEN, HubState
from agent.hub.errors import LeadershipLost
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.services.intake import Intake
from agent.hub.store.postgresql import store as postgresql
from agent.hub.store.sqlite import store as sqlite
from agent.ports import SessionKind, UpoPage
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import (
    NIP,
    OTHER_NIP,
    Postgres,
    offer,
    postgresql_hub,
    seller_and_till,
    sqlite_hub,
    token,
)
from tests.fakes.postgres import execute

NUMBER = "5265877635-20261124-0100001AF629-AF"
ROUTES: dict[HubState, tuple[HubState, ...]] = {
    HubState.WAITING: (),
    HubState.SENDING: (HubState.SENDING,),
    HubState.DOUBT: (HubState.SENDING, HubState.DOUBT),
    HubState.SENT: (HubState.SENDING, HubState.SENT),
    HubState.ACCEPTED: (HubState.SENDING, HubState.SENT, HubState.ACCEPTED),
    HubState.REJECTED: (HubState.SENDING, HubState.REJECTED),
    HubState.EXEMPT: (HubState.EXEMPT,),
}


@dataclass
class Place:
    """A store and its clock."""

    store: HubStore
    clock: FakeClock


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            store: HubStore = await stack.enter_async_context(sqlite_hub(tmp_path, clock))
        else:
            postgres: Postgres = request.getfixturevalue("postgres")
            dsn = await postgres.database()
            store = await stack.enter_async_context(postgresql_hub(dsn, clock))
        yield Place(store, clock)


@pytest.fixture
def store(place: Place) -> HubStore:
    return place.store


@pytest.fixture
async def till(store: HubStore) -> Till:
    return await seller_and_till(store)


async def bring(store: HubStore, till: Till, number: str, state: HubState, **changes: object) -> bytes:
    """Add an invoice and lead it into a state."""
    given = offer(number, nip=till.nip, **changes)

    async def work(tx: HubTransaction) -> None:
        assert await tx.invoices.add(till, given) is not None
        for step in ROUTES[state]:
            facts = InvoiceFacts(session_ref="SO-1", ksef_number=number if step is HubState.ACCEPTED else None)
            await tx.invoices.move(given.sha256, step, facts)

    await store.write(work)
    return given.sha256


async def move(sha256: bytes, to: HubState, facts: InvoiceFacts, tx: HubTransaction) -> HubInvoice:
    return await tx.invoices.move(sha256, to, facts)


async def get(sha256: bytes, tx: HubTransaction) -> HubInvoice:
    return await tx.invoices.get(sha256)


async def put(value: Json, tx: HubTransaction) -> None:
    await tx.log.put("x", value)


async def until(store: HubStore, name: str) -> None:
    """Wait for a value of the notebook."""
    for _ in range(1000):
        if await store.read(lambda tx: tx.log.value(name)) is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(name)


# --- units of work ----------------------------------------------------------------------------------------------


async def test_a_unit_is_stored_as_a_whole_or_not_at_all(store: HubStore, till: Till) -> None:
    async def work(tx: HubTransaction) -> None:
        await tx.invoices.add(till, offer())
        await tx.log.put("seen", True)
        raise ValueError("the rule after it fails")

    with pytest.raises(ValueError, match="the rule after it fails"):
        await store.write(work)
    assert await store.read(lambda tx: tx.invoices.find(offer().sha256)) is None
    assert await store.read(lambda tx: tx.log.value("seen")) is None


async def test_a_cancelled_caller_leaves_whole_units(store: HubStore, till: Till) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(tx: HubTransaction) -> None:
        await tx.log.put("one", 1)
        begun.set()
        await go_on.wait()
        await tx.log.put("two", 2)

    task = asyncio.ensure_future(store.write(work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await store.write(lambda tx: tx.log.put("three", 3))
    await until(store, "two")
    assert await store.read(lambda tx: tx.log.value("one")) == 1


async def test_readers_see_one_snapshot(store: HubStore) -> None:
    await store.write(lambda tx: tx.log.put("x", 1))
    first, written = asyncio.Event(), asyncio.Event()

    async def look(tx: HubTransaction) -> tuple[object, object]:
        before = await tx.log.value("x")
        first.set()
        await written.wait()
        return before, await tx.log.value("x")

    looking = asyncio.ensure_future(store.read(look))
    await first.wait()
    await store.write(lambda tx: tx.log.put("x", 2))
    written.set()
    assert await looking == (1, 1)


async def test_values_come_back_as_they_were(store: HubStore, till: Till) -> None:
    now = (await store.read(lambda tx: tx.parties.till(till.id))).added_at
    given = offer(
        buyer_name="Zażółć „gęślą” jaźń",
        urgent_until=now + timedelta(seconds=2.5),
        bases=(Base("FV-9/1", None), Base("FV-9/2", NUMBER)),
        version=2,
        corrects=bytes(range(32)),
        offline=False,
    )
    added = await store.write(lambda tx: tx.invoices.add(till, given))
    assert added is not None
    assert await store.read(lambda tx: tx.invoices.get(given.sha256)) == added
    assert await store.read(lambda tx: tx.invoices.xml(given.sha256)) == given.xml
    for name in (
        *("nip", "kind", "number", "issued_on", "gross", "currency", "buyer_identifier", "buyer_name", "offline"),
        *("group", "version", "corrects", "deadline", "urgent_until"),
    ):
        assert getattr(added, name) == getattr(given, name), name
    refusal = Refusal(440, "Duplikat", ("a", "b"), Original(NUMBER, None, "00ff"))
    facts = InvoiceFacts(refusal=refusal, not_before=now, trouble="nie", attempted=True)
    noted = await store.write(lambda tx: tx.invoices.note(given.sha256, facts))
    assert (noted.refusal, noted.not_before, noted.trouble, noted.attempts) == (refusal, now, "nie", 1)


async def test_more_work_than_the_store_can_take_is_told_to_come_back(
    store: HubStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MOST_WAITING", 2)
    monkeypatch.setattr(postgresql, "MOST_WAITING", 2)
    go_on = asyncio.Event()

    async def slow(tx: HubTransaction) -> None:
        await tx.log.put("x", 1)
        await go_on.wait()

    tasks = [asyncio.ensure_future(store.write(slow)) for _ in range(20)]
    done, _ = await asyncio.wait(tasks, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    go_on.set()
    assert done
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [each for each in outcomes if each is not None]
    assert 0 < len(refused) < 20
    assert {type(each) for each in refused} == {Unavailable}
    assert {each.code for each in refused if isinstance(each, Unavailable)} == {"hub-busy"}
    await store.write(lambda tx: tx.log.put("x", 2))


async def test_couriers_are_ahead_of_tills_and_never_refused_for_how_many_wait(
    store: HubStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MOST_WAITING", 10)
    monkeypatch.setattr(postgresql, "MOST_WAITING", 10)
    may_end = asyncio.Semaphore(0)

    async def slow(number: int, tx: HubTransaction) -> None:
        await tx.log.put(f"till {number}", 1)
        await may_end.acquire()

    couriers = store.for_couriers()
    held = await couriers.lead(NIP)
    assert held is not None
    tills = [asyncio.ensure_future(store.write(partial(slow, number))) for number in range(20)]
    refused, _ = await asyncio.wait(tills, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert {getattr(each.exception(), "code", None) for each in refused} == {"hub-busy"}
    ours = [couriers.write(lambda tx: tx.log.put("courier", 1)), held.write(lambda tx: tx.log.put("leader", 1))]
    bringing = asyncio.ensure_future(asyncio.gather(*ours))
    await asyncio.sleep(0)
    may_end.release()  # the one that has SQLite's writer
    try:
        await asyncio.wait_for(bringing, 20)
        assert await couriers.read(lambda tx: tx.log.value("leader")) == 1
        assert sum(each.done() for each in tills) <= len(refused) + 1
    finally:
        for _ in tills:
            may_end.release()
        await asyncio.gather(*tills, return_exceptions=True)


async def test_who_waits_for_a_channel_hears_of_it_after_the_commit(store: HubStore) -> None:
    heard, other = store.changed("till:7"), store.changed("till:8")

    async def work(tx: HubTransaction) -> None:
        await tx.log.put("x", 1)
        await tx.tell("till:7")

    await store.write(work)
    await asyncio.wait_for(heard, 10)
    assert not other.done()
    again = store.changed("till:7")

    async def failing(tx: HubTransaction) -> None:
        await tx.tell("till:7")
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it is the one above
        await store.write(failing)
    await store.write(lambda tx: tx.tell("till:8"))
    await asyncio.wait_for(other, 10)
    assert not again.done(), "nothing is told of what was rolled back"


async def test_a_connection_given_back_keeps_nothing_of_its_session(postgres: Postgres) -> None:
    """The pool's own reset: 0.2 of the 0.8 ms of an empty unit, and what keeps one till's unit from another's."""
    dsn = await postgres.database()
    async with postgresql_hub(dsn, FakeClock(), connections=1) as store:
        async with store._connection() as connection:
            await connection.execute("SET work_mem = '99MB'")
            await connection.execute("SELECT pg_advisory_lock(7)")
            await connection.execute("LISTEN anybody")
            await connection.execute("BEGIN")
            backend = await connection.fetchval("SELECT pg_backend_pid()")
        async with store._connection() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") == backend
            assert await connection.fetchval("SHOW work_mem") != "99MB"
            mine = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            assert await connection.fetchval(mine) == 0
            assert await connection.fetchval("SELECT count(*) FROM pg_listening_channels()") == 0
            assert not connection.is_in_transaction()


async def test_a_closed_store_refuses(store: HubStore) -> None:
    await store.close()
    await store.close()
    with pytest.raises(Unavailable):
        await store.write(lambda tx: tx.log.put("x", 1))
    await store.watch()


# --- parties ------------------------------------------------------------------------------------------------------


async def test_a_token_binds_a_till_to_its_nip_name_and_series(store: HubStore, till: Till) -> None:
    assert (till.nip, till.name, till.series) == (NIP, "kasa 1", ("FV-kasa 1",))
    assert await store.read(lambda tx: tx.parties.till_of(token(f"{NIP} kasa 1"))) == till
    assert await store.read(lambda tx: tx.parties.till_of(token("x"))) is None
    with pytest.raises(Conflict) as known:
        await seller_and_till(store)
    assert known.value.code == "till-known"
    other = await seller_and_till(store, nip=OTHER_NIP)
    assert other.id != till.id
    assert await store.read(lambda tx: tx.parties.tills()) == [other, till]
    assert await store.read(lambda tx: tx.parties.tills(NIP)) == [till]


async def test_a_token_taken_back_is_nobodys(store: HubStore, till: Till) -> None:
    await store.write(lambda tx: tx.parties.renew_token(NIP, "kasa 1", token("new")))
    assert await store.read(lambda tx: tx.parties.till_of(token(f"{NIP} kasa 1"))) is None
    revoked = await store.write(lambda tx: tx.parties.revoke_till(NIP, "kasa 1"))
    assert revoked.revoked_at is not None
    assert await store.read(lambda tx: tx.parties.till_of(token("new"))) is None
    assert await store.read(lambda tx: tx.parties.till(till.id)) == revoked
    for again in (
        store.write(lambda tx: tx.parties.revoke_till(NIP, "kasa 1")),
        store.write(lambda tx: tx.parties.renew_token(NIP, "kasa 1", token("x"))),
    ):
        with pytest.raises(NotFound):
            await again
    successor = await store.write(lambda tx: tx.parties.add_till(NIP, "kasa 1", "", (), token("successor")))
    assert successor.id != till.id, "the name is free again"


async def _move(sha256: bytes, state: HubState, tx: HubTransaction) -> None:
    await tx.invoices.move(sha256, state)


async def test_a_seller_is_removed_only_without_tills_and_open_invoices_and_may_come_back(
    store: HubStore, till: Till
) -> None:
    with pytest.raises(Conflict):
        await store.write(lambda tx: tx.parties.remove_seller(NIP))
    await store.write(lambda tx: tx.parties.revoke_till(NIP, "kasa 1"))
    waiting = await store.write(lambda tx: tx.invoices.add(till, offer("FV-1/1")))
    assert waiting is not None
    for state in (HubState.SENDING, HubState.REJECTED):
        with pytest.raises(Conflict, match="nie ma jeszcze w KSeF"):
            await store.write(lambda tx: tx.parties.remove_seller(NIP))
        await store.write(partial(_move, waiting.sha256, state))
    await store.write(lambda tx: tx.parties.remove_seller(NIP))
    for gone in (store.read(lambda tx: tx.parties.seller(NIP)), store.write(lambda tx: tx.parties.remove_seller(NIP))):
        with pytest.raises(NotFound):
            await gone
    again = await store.write(lambda tx: tx.parties.add_seller(NIP, "Inny", {"auth": "certificate"}))
    assert (again.name, again.access) == ("Inny", {"auth": "certificate"})
    with pytest.raises(Conflict):
        await store.write(lambda tx: tx.parties.add_seller(NIP, "Inny", {}))
    with pytest.raises(NotFound):
        await store.write(lambda tx: tx.parties.add_till(OTHER_NIP, "kasa", "", (), token("x")))


async def test_people_of_one_seller(store: HubStore, till: Till) -> None:
    await store.write(lambda tx: tx.parties.add_person("Anna", HubRole.VIEWER, token("a"), NIP))
    assert await store.read(lambda tx: tx.parties.person_of(token("a"))) == Person("Anna", HubRole.VIEWER, NIP)
    with pytest.raises(NotFound):
        await store.write(lambda tx: tx.parties.add_person("Jan", HubRole.VIEWER, token("b"), OTHER_NIP))


async def test_people(store: HubStore) -> None:
    await store.write(lambda tx: tx.parties.add_person("Anna", HubRole.AUDITOR, token("a")))
    assert await store.read(lambda tx: tx.parties.person_of(token("a"))) == Person("Anna", HubRole.AUDITOR)
    with pytest.raises(Conflict):
        await store.write(lambda tx: tx.parties.add_person("Anna", HubRole.VIEWER, token("b")))
    assert await store.read(lambda tx: tx.parties.people()) == [Person("Anna", HubRole.AUDITOR)]
    await store.write(lambda tx: tx.parties.revoke_person("Anna"))
    assert await store.read(lambda tx: tx.parties.person_of(token("a"))) is None
    with pytest.raises(NotFound):
        await store.write(lambda tx: tx.parties.revoke_person("Anna"))


# --- invoices -----------------------------------------------------------------------------------------------------


async def test_the_same_bytes_or_the_same_number_are_there_once(store: HubStore, till: Till) -> None:
    added = await store.write(lambda tx: tx.invoices.add(till, offer()))
    assert added is not None
    assert (added.state, added.attempts, added.till_id) == (HubState.WAITING, 0, till.id)
    assert await store.write(lambda tx: tx.invoices.add(till, offer())) is None
    other = offer(xml=b"<other/>")
    assert await store.write(lambda tx: tx.invoices.add(till, other)) is None
    assert await store.read(lambda tx: tx.invoices.holder(NIP, "VAT", "FV-1/1")) == added
    assert await store.read(lambda tx: tx.invoices.holder(NIP, "KOR", "FV-1/1")) is None


async def test_two_processes_that_add_at_once_have_one_invoice(store: HubStore, till: Till) -> None:
    added = await asyncio.gather(*(store.write(lambda tx: tx.invoices.add(till, offer())) for _ in range(8)))
    assert len([each for each in added if each is not None]) == 1


async def test_a_till_that_offers_the_same_bytes_twice_at_once_hears_twice_that_they_are_here(
    store: HubStore, till: Till
) -> None:
    """It gave up on an answer and asked again, while the first request was still being stored."""
    intake = Intake(store)
    for _ in range(5):
        found = await asyncio.gather(*(intake.take(till, offer("FV-1/1")) for _ in range(4)))
        assert {each.sha256 for each in found} == {offer("FV-1/1").sha256}
    assert await store.read(lambda tx: tx.log.after(0, 10)) == []


async def test_the_number_of_a_rejected_invoice_is_free_again(store: HubStore, till: Till) -> None:
    await bring(store, till, "FV-1/1", HubState.REJECTED)
    again = offer(xml=b"<new/>", version=2)
    assert await store.write(lambda tx: tx.invoices.add(till, again)) is not None


@pytest.mark.parametrize("old", HubState)
async def test_only_moves_of_the_table_are_possible(store: HubStore, till: Till, old: HubState) -> None:
    for number, new in enumerate(HubState):
        sha256 = await bring(store, till, f"FV-1/{number}", old)
        facts = InvoiceFacts(ksef_number=f"N{number}")
        if (old, new) in MOVES:
            assert (await store.write(partial(move, sha256, new, facts))).state is new
            continue
        with pytest.raises(IllegalTransition):
            await store.write(partial(move, sha256, new, facts))
        assert (await store.read(partial(get, sha256))).state is old


async def test_many_move_together_or_not_at_all(store: HubStore, till: Till) -> None:
    hashes = [await bring(store, till, f"FV-1/{n}", HubState.WAITING) for n in range(3)]
    stray = await bring(store, till, "FV-1/9", HubState.SENT)
    facts = InvoiceFacts(session_ref="SB-1", attempted=True)
    with pytest.raises(IllegalTransition):
        await store.write(lambda tx: tx.invoices.move_all([*hashes, stray], HubState.WAITING, HubState.SENDING, facts))
    assert len(await store.read(lambda tx: tx.invoices.in_state(NIP, HubState.WAITING, 10))) == 3
    await store.write(lambda tx: tx.invoices.move_all(hashes, HubState.WAITING, HubState.SENDING, facts))
    found = await store.read(lambda tx: tx.invoices.of_session("SB-1"))
    assert {each.sha256 for each in found} == set(hashes)
    assert {(each.state, each.attempts) for each in found} == {(HubState.SENDING, 1)}


async def test_the_most_pressing_comes_first(place: Place, till: Till) -> None:
    store, clock = place.store, place.clock
    soon, late = date(2026, 11, 25), date(2026, 11, 30)
    await bring(store, till, "never", HubState.WAITING, deadline=None)
    await bring(store, till, "late", HubState.WAITING, deadline=late)
    await bring(store, till, "soon", HubState.WAITING, deadline=soon)
    await clock.advance(1)
    await bring(store, till, "soon, younger", HubState.WAITING, deadline=soon)
    await bring(store, till, "customer", HubState.WAITING, urgent_until=clock.now() + timedelta(seconds=2))
    rest = await bring(store, till, "later", HubState.WAITING)
    await store.write(lambda tx: tx.invoices.note(rest, InvoiceFacts(not_before=clock.now() + timedelta(seconds=60))))
    other = await seller_and_till(store, nip=OTHER_NIP)
    await bring(store, other, "other NIP", HubState.WAITING)

    async def numbers() -> tuple[list[str], list[str]]:
        urgent = await store.read(lambda tx: tx.invoices.urgent(NIP, 10))
        backlog = await store.read(lambda tx: tx.invoices.backlog(NIP, 10))
        counted = await store.read(lambda tx: tx.invoices.backlog_size(NIP, soon, 10))
        assert counted == BacklogSize(len(backlog), [each.deadline for each in backlog].count(soon))
        assert await store.read(lambda tx: tx.invoices.backlog_size(NIP, soon, 1)) == BacklogSize(1, 1)
        return [each.number for each in urgent], [each.number for each in backlog]

    assert await numbers() == (["customer"], ["soon", "soon, younger", "late", "never"])
    await clock.advance(3)
    assert await numbers() == ([], ["soon", "soon, younger", "customer", "late", "never"])
    await clock.advance(60)
    assert "later" in (await numbers())[1]


@pytest.mark.parametrize("state", HubState)
async def test_a_correction_waits_for_a_base_that_is_under_way(store: HubStore, till: Till, state: HubState) -> None:
    """Also where the base is another till's; one that KSeF numbered, refused or nobody knows holds nothing up."""
    other = await seller_and_till(store, "kasa 2")
    await bring(store, other, "base", state)
    await bring(store, till, "correction", HubState.WAITING, kind="KOR", bases=(Base("base", None),))
    await bring(store, till, "named", HubState.WAITING, kind="KOR", bases=(Base("base", NUMBER), Base("?", None)))
    ready = {each.number for each in await store.read(lambda tx: tx.invoices.backlog(NIP, 10))}
    counted = await store.read(lambda tx: tx.invoices.backlog_size(NIP, date(2026, 11, 25), 10))
    assert counted.size == len(ready)
    assert ready == {"named"} | ({"base"} if state is HubState.WAITING else set()) | (
        set() if state in OPEN else {"correction"}
    )


async def test_what_is_undecided_is_found_by_its_session(place: Place, till: Till) -> None:
    store, clock = place.store, place.clock

    async def of(session: str, number: str, state: HubState, rest: float = 0.0, nip: str = NIP) -> None:
        whose = till if nip == NIP else await seller_and_till(store, nip=nip)
        sha256 = await bring(store, whose, number, state)
        until = clock.now() + timedelta(seconds=rest) if rest else None
        facts = InvoiceFacts(session_ref=session, not_before=until)
        await store.write(lambda tx: tx.invoices.note(sha256, facts))
        await clock.advance(1)

    await of("SB-1", "sent", HubState.SENT)
    await of("SB-2", "sent too", HubState.SENT)
    await of("SB-2", "doubt", HubState.DOUBT)
    await of("SB-2", "being sent", HubState.SENDING)
    await of("SB-2", "done", HubState.ACCEPTED)
    await of("", "nowhere", HubState.DOUBT)
    await of("SB-3", "rests", HubState.DOUBT, rest=60.0)
    await of("SB-4", "other NIP", HubState.SENT, nip=OTHER_NIP)
    assert await store.read(lambda tx: tx.invoices.undecided_sessions(NIP)) == ["SB-2", "", "SB-1"]

    async def numbers(session: str, limit: int = 10) -> list[str]:
        found = await store.read(lambda tx: tx.invoices.undecided(NIP, session, limit))
        return [each.number for each in found]

    assert await numbers("SB-2") == ["sent too", "doubt"]
    assert await numbers("SB-2", 1) == ["sent too"]
    assert await numbers("") == ["nowhere"]
    assert await numbers("SB-3") == await numbers("SB-4") == []
    await clock.advance(60)
    assert await store.read(lambda tx: tx.invoices.undecided_sessions(NIP)) == ["SB-2", "", "SB-3", "SB-1"]
    assert await numbers("SB-3") == ["rests"]


async def renew(sha256: bytes, anew: Offer, tx: HubTransaction) -> None:
    await tx.invoices.renew(sha256, anew)


async def test_a_till_may_say_anew_by_when_and_for_whom(place: Place, till: Till) -> None:
    store = place.store
    sha256 = await bring(store, till, "FV-1/1", HubState.WAITING)
    anew = offer("FV-1/1", deadline=date(2026, 12, 4), group="HB-2", offline=False)
    await store.write(lambda tx: tx.invoices.renew(sha256, anew))
    found = await store.read(lambda tx: tx.invoices.get(sha256))
    assert (found.deadline, found.urgent_until, found.group, found.offline) == (date(2026, 12, 4), None, "HB-2", False)
    assert await store.read(lambda tx: tx.invoices.of_group(till.id, "HB-2")) == [found]
    rest = place.clock.now() + timedelta(minutes=5)
    await store.write(lambda tx: tx.invoices.note(sha256, InvoiceFacts(not_before=rest)))
    for urgent_until, left in ((None, rest), (place.clock.now() + timedelta(seconds=3), None)):
        again = replace(anew, urgent_until=urgent_until)
        await store.write(partial(renew, sha256, again))
        assert (await store.read(lambda tx: tx.invoices.get(sha256))).not_before == left
    other = await seller_and_till(store, "kasa 2")
    await store.write(lambda tx: tx.invoices.hand_on(sha256, other))
    assert (await store.read(lambda tx: tx.invoices.get(sha256))).till_id == other.id


async def test_sends_of_the_last_hour_are_known(place: Place, till: Till) -> None:
    store, clock = place.store, place.clock
    for _ in range(3):
        await store.write(lambda tx: tx.invoices.sending_alone(NIP))
        await clock.advance(1200)
    since = clock.now() - timedelta(hours=1)
    assert await store.read(lambda tx: tx.invoices.sent_since(NIP, since)) == [
        clock.now() - timedelta(seconds=seconds) for seconds in (3600, 2400, 1200)
    ]
    assert await store.read(lambda tx: tx.invoices.sent_since(OTHER_NIP, since)) == []


# --- outcomes ------------------------------------------------------------------------------------------------------


async def test_a_till_reads_its_outcomes_in_order_from_where_it_was(store: HubStore, till: Till) -> None:
    other = await seller_and_till(store, "kasa 2")
    mine = await bring(store, till, "FV-1/1", HubState.SENT)
    theirs = await bring(store, other, "FV-2/1", HubState.SENT)

    async def tell(kind: OutcomeKind) -> None:
        async def work(tx: HubTransaction) -> None:
            lines = [(await tx.invoices.get(sha256), kind, {"n": 1}) for sha256 in (mine, theirs, mine)]
            await tx.outcomes.add(lines)

        await store.write(work)

    woken = store.changed(f"till:{till.id}")
    await tell(OutcomeKind.SENT)
    await asyncio.wait_for(woken, 10)
    first, known = await store.read(lambda tx: tx.outcomes.after(till.id, Cursor(), 10))
    assert known
    assert [(each.seq, each.sha256, each.kind, each.data) for each in first] == [
        (1, mine, OutcomeKind.SENT, {"n": 1}),
        (2, mine, OutcomeKind.SENT, {"n": 1}),
    ]
    cursor = Cursor(first[-1].seq, first[-1].mark)
    assert await store.read(lambda tx: tx.outcomes.last(till.id)) == cursor
    assert await store.read(lambda tx: tx.outcomes.after(till.id, cursor, 10)) == ([], True)
    await tell(OutcomeKind.ACCEPTED)
    more, known = await store.read(lambda tx: tx.outcomes.after(till.id, cursor, 1))
    assert known
    assert [(each.seq, each.kind) for each in more] == [(3, OutcomeKind.ACCEPTED)]


@pytest.mark.parametrize("cursor", [Cursor(1, "other"), Cursor(2, "beyond")])
async def test_a_cursor_of_another_memory_reads_from_the_beginning(store: HubStore, till: Till, cursor: Cursor) -> None:
    """A hub restored from an older copy has other lines at that place, or none yet."""
    sha256 = await bring(store, till, "FV-1/1", HubState.SENT)

    async def work(tx: HubTransaction) -> None:
        await tx.outcomes.add([(await tx.invoices.get(sha256), OutcomeKind.SENT, {})])

    await store.write(work)
    lines, known = await store.read(lambda tx: tx.outcomes.after(till.id, cursor, 10))
    assert not known
    assert [each.seq for each in lines] == [1]


async def refused(store: HubStore, till: Till, number: str, kind: OutcomeKind = OutcomeKind.REJECTED) -> Cursor:
    """Let KSeF refuse an invoice, and return where the till stands once it has read it."""
    sha256 = await bring(store, till, number, HubState.REJECTED)

    async def work(tx: HubTransaction) -> Cursor:
        await tx.outcomes.add([(await tx.invoices.get(sha256), kind, {})])
        return await tx.outcomes.last(till.id)

    return await store.write(work)


async def unread(till: Till, cursor: Cursor, tx: HubTransaction) -> bool:
    return await tx.outcomes.unread(till.id, cursor)


async def read(till: Till, cursor: Cursor, tx: HubTransaction) -> None:
    await tx.outcomes.read(till.id, cursor)


async def numbers(store: HubStore, till: Till) -> list[str]:
    return [each.number for each in await store.read(lambda tx: tx.outcomes.refusals_of(till.id, 10))]


async def test_a_refusal_is_unread_until_its_till_goes_on_from_it(place: Place, till: Till) -> None:
    store, told_at = place.store, place.clock.now()
    other = await seller_and_till(store, "kasa 2")
    first = await refused(store, till, "FV-1/1")
    await place.clock.advance(60)
    second = await refused(store, till, "FV-1/2", OutcomeKind.DUPLICATE)
    await refused(store, other, "FV-2/1")
    before, _ = sorted(await store.read(lambda tx: tx.outcomes.refusals()), key=lambda each: each.till_id)
    assert (before.nip, before.till_id, before.count, before.oldest) == (NIP, till.id, 2, told_at)
    assert before.deadline == offer().deadline
    assert await numbers(store, till) == ["FV-1/1", "FV-1/2"]
    for cursor, left in ((Cursor(2, "of another memory"), 2), (first, 1), (second, 0)):
        assert await store.read(partial(unread, till, cursor))
        await store.write(partial(read, till, cursor))
        assert len(await numbers(store, till)) == left
        assert await store.read(partial(unread, till, cursor)) is (left == 2)
    (rest,) = await store.read(lambda tx: tx.outcomes.refusals())
    assert rest.till_id == other.id


async def test_a_refusal_is_no_longer_unread_once_it_goes_again_or_somebody_settled_it(
    store: HubStore, till: Till
) -> None:
    for number in ("FV-1/1", "FV-1/2"):
        await refused(store, till, number)
    await store.write(lambda tx: tx.invoices.move(offer("FV-1/1").sha256, HubState.WAITING, InvoiceFacts()))
    assert await numbers(store, till) == ["FV-1/2"]
    settled = offer("FV-1/2").sha256
    assert await store.write(lambda tx: tx.outcomes.settle(settled))
    assert not await store.write(lambda tx: tx.outcomes.settle(settled))
    assert await store.read(lambda tx: tx.outcomes.refusals()) == []


async def test_a_case_is_closed_once_and_opened_by_another_attempt(place: Place, till: Till) -> None:
    store, at = place.store, place.clock.now() - timedelta(days=2)
    refused_one, waiting = await bring(store, till, "FV-1/1", HubState.REJECTED), offer("FV-1/2").sha256
    await bring(store, till, "FV-1/2", HubState.WAITING)

    async def closed_at(sha256: bytes) -> datetime | None:
        return (await store.read(lambda tx: tx.invoices.get(sha256))).closed_at

    assert not await store.write(lambda tx: tx.invoices.close(waiting))
    assert await store.write(lambda tx: tx.invoices.close(refused_one, at))
    assert not await store.write(lambda tx: tx.invoices.close(refused_one)), "the first one counts"
    assert (await closed_at(refused_one), await closed_at(waiting)) == (at, None)
    await store.write(lambda tx: tx.invoices.move(refused_one, HubState.WAITING, InvoiceFacts()))
    assert await closed_at(refused_one) is None


async def test_what_a_till_that_is_gone_had_read_and_nobody_closed_is_unread_again(place: Place, till: Till) -> None:
    store = place.store
    other = await seller_and_till(store, "kasa 2")
    for number in ("FV-1/1", "FV-1/2"):
        await refused(store, till, number)
    cursor = await refused(store, till, "FV-1/3")
    await refused(store, other, "FV-2/1")
    online = offer("FV-1/4", offline=False)
    await store.write(lambda tx: tx.invoices.add(till, online))
    for state in (HubState.SENDING, HubState.REJECTED):
        await store.write(partial(to_state, online.sha256, state))
    await store.write(partial(read, till, cursor))
    assert await numbers(store, till) == []
    await store.write(lambda tx: tx.invoices.close(offer("FV-1/1").sha256))
    again = offer("FV-1/2", xml=b"<again/>", version=2, corrects=offer("FV-1/2").sha256)
    await store.write(lambda tx: tx.invoices.add(till, again))
    for _ in range(2):
        await store.write(lambda tx: tx.outcomes.reopen(till.id))
        assert await numbers(store, till) == ["FV-1/3"]
    await store.write(partial(read, till, cursor))
    assert await numbers(store, till) == ["FV-1/3"], "its question that was open meanwhile reads nothing"


async def to_state(sha256: bytes, state: HubState, tx: HubTransaction) -> None:
    await tx.invoices.move(sha256, state, InvoiceFacts())


async def test_outcomes_written_at_once_leave_no_gap(store: HubStore, till: Till) -> None:
    sha256 = await bring(store, till, "FV-1/1", HubState.SENT)

    async def work(tx: HubTransaction) -> None:
        await tx.outcomes.add([(await tx.invoices.get(sha256), OutcomeKind.SENT, {})])

    await asyncio.gather(*(store.write(work) for _ in range(10)))
    lines, _ = await store.read(lambda tx: tx.outcomes.after(till.id, Cursor(), 100))
    assert [each.seq for each in lines] == list(range(1, 11))
    assert len({each.mark for each in lines}) == 10


# --- sessions and UPO -----------------------------------------------------------------------------------------------


async def test_a_session_asks_for_its_upo_once_nothing_is_on_its_way(store: HubStore, till: Till) -> None:
    await store.write(lambda tx: tx.sessions.use(NIP, "SO-1", SessionKind.ONLINE))
    await store.write(lambda tx: tx.sessions.use(NIP, "SO-1", SessionKind.ONLINE))
    await store.write(lambda tx: tx.sessions.use(NIP, "SB-2", SessionKind.BATCH))
    sha256 = await bring(store, till, "FV-1/1", HubState.SENT)
    assert await store.read(lambda tx: tx.sessions.is_batch("SB-2"))
    assert not await store.read(lambda tx: tx.sessions.is_batch("SO-1"))
    assert not await store.read(lambda tx: tx.sessions.is_batch("SO-unknown"))
    waiting = await store.read(lambda tx: tx.sessions.without_upo(NIP))
    assert [(each.reference, each.kind) for each in waiting] == [("SB-2", SessionKind.BATCH)]
    await store.write(lambda tx: tx.invoices.move(sha256, HubState.ACCEPTED, InvoiceFacts(ksef_number=NUMBER)))
    waiting = await store.read(lambda tx: tx.sessions.without_upo(NIP))
    assert {each.reference for each in waiting} == {"SO-1", "SB-2"}
    await store.write(lambda tx: tx.sessions.finish("SB-2"))
    assert [each.reference for each in await store.read(lambda tx: tx.sessions.without_upo(NIP))] == ["SO-1"]


async def test_a_page_proves_what_it_names_with_number_and_hash(place: Place, till: Till) -> None:
    store, clock = place.store, place.clock
    await store.write(lambda tx: tx.sessions.use(NIP, "SO-1", SessionKind.ONLINE))
    sha256 = await bring(store, till, "FV-1/1", HubState.SENT)
    facts = InvoiceFacts(ksef_number=NUMBER, accepted_at=clock.now())
    await store.write(lambda tx: tx.invoices.move(sha256, HubState.ACCEPTED, facts))
    later = clock.now() + timedelta(seconds=1)

    async def missing(kind: SessionKind) -> list[bytes]:
        found = await store.read(lambda tx: tx.sessions.without_proof(NIP, kind, later, 10))
        return [each.sha256 for each in found]

    assert await missing(SessionKind.ONLINE) == [sha256]
    assert await missing(SessionKind.BATCH) == []
    page = UpoPage(1, "EU-1", b"<Potwierdzenie/>", ((NUMBER, sha256),))
    assert await store.write(lambda tx: tx.sessions.add_page("SO-1", page))
    assert not await store.write(lambda tx: tx.sessions.add_page("SO-1", page))
    wrong = [("other", sha256), (NUMBER, bytes(32))]
    assert await store.write(lambda tx: tx.sessions.confirm("SO-1", 1, wrong)) == []
    (proven,) = await store.write(lambda tx: tx.sessions.confirm("SO-1", 1, page.documents))
    assert proven.sha256 == sha256
    assert await store.write(lambda tx: tx.sessions.confirm("SO-1", 1, page.documents)) == [], "told once"
    assert await missing(SessionKind.ONLINE) == []
    assert await store.read(lambda tx: tx.sessions.upo(sha256)) == ("SO-1", 1)
    assert await store.read(lambda tx: tx.sessions.page("SO-1", 1)) == page.xml
    assert not await store.write(lambda tx: tx.sessions.add_upo(sha256, b"<own/>"))


async def test_what_its_sessions_upo_came_without_does_not_wait_for_it(place: Place, till: Till) -> None:
    """Its batch was doubted and went again, and KSeF held the first one: found after the UPO of that batch was read."""
    store, clock = place.store, place.clock
    await store.write(lambda tx: tx.sessions.use(NIP, "SO-1", SessionKind.BATCH))
    sha256 = await bring(store, till, "FV-1/1", HubState.SENT)
    facts = InvoiceFacts(ksef_number=NUMBER, accepted_at=clock.now())
    await store.write(lambda tx: tx.invoices.move(sha256, HubState.ACCEPTED, facts))

    async def missing() -> list[bytes]:
        hour_ago = clock.now() - timedelta(hours=1)
        found = await store.read(lambda tx: tx.sessions.without_proof(NIP, SessionKind.BATCH, hour_ago, 10))
        return [each.sha256 for each in found]

    assert await missing() == []
    await store.write(lambda tx: tx.sessions.finish("SO-1"))
    assert await missing() == [sha256]


async def test_what_nothing_confirms_long_after_its_number_is_found(place: Place, till: Till) -> None:
    store, clock = place.store, place.clock
    for serial in (1, 2, 3):
        sha256 = await bring(store, till, f"FV-1/{serial}", HubState.SENT)
        facts = InvoiceFacts(ksef_number=f"{NUMBER}{serial}", accepted_at=clock.now())
        await store.write(partial(accept, sha256, facts))
        await clock.advance(60)
    first = offer("FV-1/1").sha256

    async def late(limit: int, nip: str = NIP) -> tuple[str, ...]:
        return await store.read(lambda tx: tx.sessions.late_upo(nip, clock.now() - timedelta(seconds=90), limit))

    assert await late(10) == ("FV-1/1", "FV-1/2")
    assert await late(1) == ("FV-1/1",)
    assert await late(10, "5261040828") == ()
    assert await store.write(lambda tx: tx.sessions.add_upo(first, b"<own/>"))
    assert await late(10) == ("FV-1/2",)


async def accept(sha256: bytes, facts: InvoiceFacts, tx: HubTransaction) -> None:
    await tx.invoices.move(sha256, HubState.ACCEPTED, facts)


async def test_an_invoice_has_its_own_upo(place: Place, till: Till) -> None:
    store = place.store
    sha256 = await bring(store, till, "FV-1/1", HubState.ACCEPTED)
    assert await store.read(lambda tx: tx.sessions.upo(sha256)) is None
    assert await store.write(lambda tx: tx.sessions.add_upo(sha256, b"<own/>"))
    assert await store.read(lambda tx: tx.sessions.upo(sha256)) == b"<own/>"
    with pytest.raises(NotFound):
        await store.read(lambda tx: tx.sessions.page("SO-1", 1))


# --- log, leadership -------------------------------------------------------------------------------------------------


async def test_the_log_keeps_what_was_done(store: HubStore, till: Till) -> None:
    await store.write(lambda tx: tx.log.append("till_added", {"by": "root"}, nip=NIP, till_id=till.id))
    await store.write(lambda tx: tx.log.append("drain", {}))
    first, second = await store.read(lambda tx: tx.log.after(0, 10))
    assert (first.kind, first.nip, first.till_id, first.data) == ("till_added", NIP, till.id, {"by": "root"})
    assert (second.nip, second.till_id) == (None, None)
    assert await store.read(lambda tx: tx.log.after(first.seq, 10)) == [second]


async def test_small_values_change_freely(store: HubStore) -> None:
    values: tuple[Json, ...] = ({"a": [1, "ż"]}, [True], None)
    for value in values:
        await store.write(partial(put, value))
        assert await store.read(lambda tx: tx.log.value("x")) == value


async def test_one_leads_a_name_at_a_time_and_each_holder_has_a_higher_number(store: HubStore) -> None:
    first = await store.lead(NIP)
    assert first is not None
    assert await store.lead(NIP) is None
    other = await store.lead(OTHER_NIP)
    assert other is not None
    await first.write(lambda tx: tx.log.put("x", 1))
    await first.release()
    await asyncio.wait_for(first.lost(), 10)
    second = await store.lead(NIP)
    assert second is not None
    assert second.token > first.token
    with pytest.raises(LeadershipLost):
        await first.write(lambda tx: tx.log.put("x", 2))
    assert await store.read(lambda tx: tx.log.value("x")) == 1, "a holder that does not know it is fenced off"
    await second.release()
    await other.release()


async def test_certificates_keep_their_order_and_their_key(place: Place, till: Till) -> None:
    store, ends = place.store, place.clock.now() + timedelta(days=730)

    async def work(tx: HubTransaction) -> None:
        refused = await tx.certificates.draw(NIP, 1, b"key 0")
        await tx.certificates.drop(refused)
        first = await tx.certificates.requested(await tx.certificates.draw(NIP, 1, b"key 1"), "CE-1")
        await tx.certificates.issued(first, "01F20A5D352AE590", b"PEM", ends)
        await tx.certificates.drop(first)
        await tx.certificates.draw(NIP, 1, b"key 2")
        await tx.certificates.draw(NIP, 2, b"key 3")

    await store.write(work)
    kept = await store.read(lambda tx: tx.certificates.of(NIP))
    assert [(each.slot, each.key) for each in kept] == [(1, b"key 1"), (1, b"key 2"), (2, b"key 3")]
    assert (kept[0].reference, kept[0].serial, kept[0].certificate) == ("CE-1", "01F20A5D352AE590", b"PEM")
    assert kept[0].expires_at == ends
    assert await store.read(lambda tx: tx.certificates.of(OTHER_NIP)) == []
    await store.write(lambda tx: tx.certificates.withdraw("01F20A5D352AE590"))
    assert [each.key for each in await store.read(lambda tx: tx.certificates.of(NIP))] == [b"key 2", b"key 3"]
    with pytest.raises(NotFound):
        await store.write(lambda tx: tx.certificates.withdraw("01F20A5D352AE590"))


async def test_check_and_size(store: HubStore, till: Till) -> None:
    await store.write(lambda tx: tx.log.put("x", 1))
    assert await store.check() is None
    assert await store.size() > 10_000


async def test_check_tells_of_bytes_that_are_not_those_of_their_hash(place: Place, till: Till) -> None:
    """In a database that is sound otherwise; what is older than two days is not looked at."""
    sound, changed = offer("FV-1/1"), replace(offer("FV-1/2"), xml=b"<Faktura>FV-1/3</Faktura>")
    await place.store.write(lambda tx: tx.invoices.add(till, sound))
    assert await place.store.check() is None
    await place.store.write(lambda tx: tx.invoices.add(till, changed))
    for _ in range(2):
        problem = await place.store.check()
        assert problem is not None
        assert "treść nie zgadza się ze skrótem: 1." in problem
        place.clock.slept(timedelta(hours=30))
    assert await place.store.check() is None


async def test_questions_across_tills(place: Place) -> None:
    first, second = await seller_and_till(place.store), await seller_and_till(place.store, "kasa 2")
    await place.store.write(lambda tx: tx.invoices.add(first, offer("FV-1/1", mode="failure")))
    urgent: dict[str, object] = {"offline": False, "urgent_until": place.clock.now() + timedelta(seconds=3)}
    await place.store.write(lambda tx: tx.invoices.add(second, offer("FV-2/1", **urgent)))
    taken = offer("FV-2/1")
    moves = (HubState.SENDING, HubState.SENT)
    for to in moves:
        await place.store.write(partial(move, taken.sha256, to, InvoiceFacts()))
    facts = InvoiceFacts(ksef_number="number", accepted_at=place.clock.now())
    await place.store.write(partial(move, taken.sha256, HubState.ACCEPTED, facts))
    day = taken.issued_on
    books = await place.store.read(lambda tx: tx.books.of_day(NIP, day, None, 10))
    assert [(each.number, each.mode) for each in books] == [("FV-1/1", "failure"), ("FV-2/1", "")]
    assert await place.store.read(lambda tx: tx.books.of_day(NIP, day, None, 1)) == books[:1]
    assert await place.store.read(lambda tx: tx.books.of_day(NIP, day, books[0], 10)) == books[1:]
    assert await place.store.read(lambda tx: tx.books.of_day(NIP, day, books[1], 10)) == []
    assert await place.store.read(lambda tx: tx.books.of_day(NIP, day - timedelta(days=1), None, 10)) == []
    for by, value, numbers in (
        (Find.NUMBER, "FV-1/1", {"FV-1/1"}),
        (Find.BUYER, "5261040828", {"FV-1/1", "FV-2/1"}),
        (Find.AMOUNT, "123.00", {"FV-1/1", "FV-2/1"}),
        (Find.KSEF_NUMBER, "number", {"FV-2/1"}),
        (Find.HASH, taken.sha256.hex(), {"FV-2/1"}),
    ):
        found = await place.store.read(partial(find, Question(by, value), day))
        assert {each.number for each in found} == numbers, by
    since = place.clock.now() - timedelta(hours=1)
    assert await place.store.read(lambda tx: tx.books.shares(since)) == {first.id: (1, 0), second.id: (1, 1)}
    days = await place.store.read(lambda tx: tx.books.days(NIP, day, day + timedelta(days=1)))
    assert [(each.till_id, each.day, each.count, each.online) for each in days] == [
        (first.id, day, 1, 0),
        (second.id, day, 1, 1),
    ]
    assert [each.number for each in await place.store.read(lambda tx: tx.books.open_of(first.id, 10))] == ["FV-1/1"]
    assert await place.store.read(lambda tx: tx.books.open_of(second.id, 10)) == []
    assert len(await place.store.read(lambda tx: tx.books.newest_of(second.id, 10))) == 1
    assert await place.store.read(lambda tx: tx.books.outcomes_of(taken.sha256)) == []


async def find(question: Question, day: date, tx: HubTransaction, limit: int = 10) -> list[HubInvoice]:
    return await tx.books.find(question, day, limit)


NAMED = ("FV-1/1", "FV-1/10", "fv-1/11", "FV-1/2", "FV-1%", "FV-1_", "FV\\1", "Żółć/1", "żółć/2", "FV-1")
"""Numbers; the last one is also the beginning of others."""


BEGINNINGS: tuple[tuple[str, list[str]], ...] = (
    ("FV-1", ["FV-1", "FV-1_", "FV-1/2", "fv-1/11", "FV-1/10", "FV-1/1", "FV-1%"]),
    ("fv-1/1", ["fv-1/11", "FV-1/10", "FV-1/1"]),
    ("FV-1/1", ["FV-1/1", "fv-1/11", "FV-1/10"]),
    ("FV-1%", ["FV-1%"]),
    ("FV_1", []),
    ("%", []),
    ("FV\\", ["FV\\1"]),
    ("Żółć", ["Żółć/1"]),
    ("V-1", []),
    ("' OR 1=1 --", []),
)


async def test_a_file_that_a_technical_correction_replaced_is_no_row_of_its_own(store: HubStore, till: Till) -> None:
    """KSeF refused three: one goes again as new bytes, one of the same number at another seller, one for good."""
    for number in ("FV-1/1", "FV-1/2"):
        await bring(store, till, number, HubState.REJECTED)
    first = offer("FV-1/1")
    other = await seller_and_till(store, "kasa 2", OTHER_NIP)
    second = offer("FV-1/1", xml=b"<again/>", version=2, corrects=first.sha256)
    elsewhere = offer("FV-1/2", xml=b"<other/>", nip=OTHER_NIP, version=2, corrects=offer("FV-1/2").sha256)
    await store.write(lambda tx: tx.invoices.add(till, second))
    await store.write(lambda tx: tx.invoices.add(other, elsewhere))
    day = first.issued_on
    found = await store.read(lambda tx: tx.books.of_day(NIP, day, None, 10))
    assert [(each.number, each.version) for each in found] == [("FV-1/1", 2), ("FV-1/2", 1)]
    (counted,) = await store.read(lambda tx: tx.books.days(NIP, day, day + timedelta(days=1)))
    assert counted.count == 2


async def test_a_number_is_found_by_its_beginning(store: HubStore) -> None:
    """In whatever case of ASCII letters, the last first, the whole number before all; nothing is a wildcard."""
    till = await seller_and_till(store)
    for each in NAMED:
        await store.write(partial(add, till, offer(each)))
    for beginning, numbers in BEGINNINGS:
        question, day = Question(Find.NUMBER, beginning), offer().issued_on
        assert [each.number for each in await store.read(partial(find, question, day))] == numbers, beginning
        few = await store.read(partial(find, question, day, limit=2))
        assert [each.number for each in few] == numbers[:2], beginning


async def test_a_server_that_sorts_as_a_language_does_finds_the_same(postgres: Postgres) -> None:
    """Polish order passes over case and signs at first: a range of it is no beginning."""
    name = "hub_of_poland"
    language = "LOCALE_PROVIDER icu ICU_LOCALE 'pl' TEMPLATE template0"
    await execute(postgres.running().dsn("postgres"), f"CREATE DATABASE {name} {language}")
    async with postgresql_hub(postgres.running().dsn(name), FakeClock()) as store:
        await test_a_number_is_found_by_its_beginning(store)


async def add(till: Till, given: Offer, tx: HubTransaction) -> None:
    assert await tx.invoices.add(till, given) is not None


async def test_a_beginning_finds_those_of_the_sellers_one_may_see(store: HubStore) -> None:
    for nip in (NIP, OTHER_NIP):
        till = await seller_and_till(store, nip=nip)
        await bring(store, till, f"{nip}-20261124-0100001AF629-AF", HubState.ACCEPTED, xml=nip.encode())
    day = offer().issued_on
    for by in (Find.NUMBER, Find.KSEF_BEGINNING):
        own = await store.read(partial(of_seller, Question(by, f"{NIP}-2"), day))
        assert [each.nip for each in own] == [NIP]
        assert await store.read(partial(of_seller, Question(by, f"{OTHER_NIP}-2"), day)) == []
        assert len(await store.read(partial(find, Question(by, f"{OTHER_NIP}-20261124-01"), day))) == 1
    assert len(await store.read(partial(find, Question(Find.NUMBER, ""), day))) == 2, "of all sellers"
    assert await store.read(partial(find, Question(Find.KSEF_BEGINNING, f"{NIP}-20261124-02"), day)) == []


async def of_seller(question: Question, day: date, tx: HubTransaction) -> list[HubInvoice]:
    return await tx.books.find(question, day, 10, NIP)


async def test_what_begins_like_a_ksef_number_may_be_a_number(store: HubStore, till: Till) -> None:
    await store.write(partial(add, till, offer(f"{NIP}-1a")))
    found = await store.read(partial(find, Question(Find.KSEF_BEGINNING, f"{NIP}-1A"), offer().issued_on))
    assert [each.number for each in found] == [f"{NIP}-1a"]


async def test_of_a_till_the_nearest_deadline_stands_first_and_none_last(store: HubStore, till: Till) -> None:
    for number, deadline in (("none", None), ("late", date(2026, 11, 30)), ("soon", date(2026, 11, 25))):
        await bring(store, till, number, HubState.WAITING, deadline=deadline)
    await bring(store, till, "done", HubState.ACCEPTED)
    found = await store.read(lambda tx: tx.books.open_of(till.id, 10))
    assert [each.number for each in found] == ["soon", "late", "none"]
