"""A till whose way to KSeF is the hub: presses, hours without it, its own way before a deadline, what it reports."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from agent.domain.calendar import WARSAW
from agent.domain.errors import Conflict
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.hub.domain.records import HubInvoice, InvoiceFacts, OutcomeKind, Refusal, Till
from agent.hub.domain.states import HubState
from agent.hub.ports import HubTransaction
from agent.hub.services.books import BookQueries
from agent.hub_contract.heartbeat import LatarniaNews, News
from agent.hub_contract.offers import Claims
from agent.hub_route.books import BOOKED
from agent.hub_route.client import Handover, HubRefusal
from agent.hub_route.closings import TOLD
from agent.hub_route.gateway import is_hub_session
from agent.hub_route.latarnia import ChainLatarnia
from agent.hub_route.news import CURSOR
from agent.ports import Event
from agent.sandbox.server import NIP
from agent.store.log import SqliteEvents
from tests.fakes.clock import FakeClock
from tests.fakes.hub_till import TillOfAChain, till_of_a_chain
from tests.fakes.world import MANAGER, FakeLatarnia

CONSUMER = {"none": True, "name": "Jan Kowalski", "address": {"line1": "ul. Prosta 1", "line2": "00-001 Warszawa"}}
DECLARED = '\n[issue]\nprefer = "offline24"\n'


async def until(true: Callable[[], Awaitable[bool]], turn: Callable[[], Awaitable[None]]) -> None:
    for _ in range(300):
        if await true():
            return
        await turn()
        await asyncio.sleep(0.02)
    raise AssertionError("never came true")


def ledger(it: TillOfAChain) -> dict[str, bytes]:
    return {entry.key[2]: entry.sha256 for entry in it.joined.sandbox.ledger.entries()}


async def test_a_till_without_ksef_credentials_is_a_full_till(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, extra="\n[issue]\nbudget_seconds = 30.0\n") as it:
        agent = it.joined.agent
        assert not agent.settings.sends_itself
        await it.turn()
        record = await it.joined.sell()
        assert (record.mode, record.state) == (Mode.ONLINE, InvoiceState.ACCEPTED)
        assert record.session_ref is not None
        assert is_hub_session(record.session_ref)
        assert ledger(it) == {record.number: record.sha256}

        async def confirmed() -> bool:
            return await agent.store.read(lambda tx: tx.invoices.upo(record.id)) is not None

        await until(confirmed, it.turn)
        assert "hub" not in await it.joined.problems()
        (beat,) = await it.hub.store.read(lambda tx: tx.fleet.last_beats())
        assert beat.beat.series == ("FV-1", "FK-1")
        assert beat.beat.health["till"] == "1"


async def test_hours_without_the_hub_are_offline24_and_everything_arrives_afterwards(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path) as it:
        await it.turn()
        await it.hub.listener.down()
        for _ in range(3):
            await it.turn()
        records = [await it.joined.sell() for _ in range(3)]
        assert {record.mode for record in records} == {Mode.OFFLINE24}
        it.clock.jump(timedelta(minutes=6))
        assert "Centrala nie odpowiada" in (await it.joined.problems())["hub"]
        await it.hub.listener.up()

        async def all_there() -> bool:
            return ledger(it) == {record.number: record.sha256 for record in records}

        async def turn() -> None:
            it.clock.jump(timedelta(seconds=30))
            await it.turn()

        await until(all_there, turn)
        assert "hub" not in await it.joined.problems()


async def test_a_hub_without_ksef_makes_offline24_and_everything_arrives_afterwards(tmp_path: Path) -> None:
    """The hub is there and takes what it is handed; nobody at the counter waits for what it cannot have."""
    async with till_of_a_chain(tmp_path, extra="\n[issue]\nbudget_seconds = 30.0\n") as it:
        mode = it.joined.agent.mode
        await it.turn()
        await it.joined.sandbox.plan("*", "refuse")

        async def heard(word: str) -> None:
            async def told() -> bool:
                return mode.current().ksef == word

            async def turn() -> None:
                it.clock.jump(timedelta(seconds=30))
                await it.turn()

            await until(told, turn)

        await heard("down")
        begun = it.clock.monotonic()
        records = [await it.joined.sell() for _ in range(3)]
        assert it.clock.monotonic() - begun < 5
        assert {(record.mode, record.reason) for record in records} == {
            (Mode.OFFLINE24, "Centrala sieci nie ma łączności z KSeF.")
        }
        await it.turn()
        held = await it.hub.store.read(lambda tx: tx.invoices.get(records[0].sha256))
        assert held.number == records[0].number, "it is at the hub all the same"
        await it.joined.sandbox.plan("*", "none")
        await heard("up")
        assert (await it.joined.sell()).mode is Mode.ONLINE

        async def all_there() -> bool:
            return {record.number for record in records} < set(ledger(it))

        await until(all_there, it.turn)


async def said(it: TillOfAChain) -> tuple[int, int | None]:
    """Return what the till now says in its sign of life: unsent, and alone."""
    await it.joined.agent.problems.refresh()
    await it.talk.report()
    (last,) = await it.hub.store.read(lambda tx: tx.fleet.last_beats())
    return last.beat.unsent, last.beat.alone


async def test_an_outcome_wakes_the_till_and_its_cursor_moves_afterwards(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, extra=DECLARED, hub_works=False) as it:
        await it.turn()
        record = await it.joined.sell()

        async def handed_over() -> bool:
            return (await it.joined.record(record.id)).state is InvoiceState.SENT

        assert await said(it) == (1, 1), "nobody else has it"
        await until(handed_over, it.turn)
        assert await said(it) == (1, 0), "the hub has it"
        it.allowed[0] = True
        it.clock.jump(timedelta(minutes=2))

        async def accepted() -> bool:
            return (await it.joined.record(record.id)).state is InvoiceState.ACCEPTED

        async def hear() -> None:
            await it.talk.hear()
            it.clock.jump(timedelta(seconds=3))
            await it.joined.agent.queue.pass_once()

        await until(accepted, hear)
        assert await it.joined.agent.store.read(lambda tx: tx.key_values.get("hub:cursor"))


def near(day: date) -> timedelta:
    """How long it is until two hours before the shop closes on that day."""
    return datetime.combine(day, datetime.min.time(), WARSAW) + timedelta(hours=19) - datetime.now(WARSAW)


@pytest.mark.parametrize("hub", ["works for nobody", "is dead"])
async def test_what_the_hub_does_not_bring_in_time_goes_the_tills_own_way_once(tmp_path: Path, hub: str) -> None:
    async with till_of_a_chain(tmp_path, credentials=True, hub_works=False, extra=DECLARED) as it:
        await it.turn()
        record = await it.joined.sell()

        async def handed_over() -> bool:
            return (await it.joined.record(record.id)).state is InvoiceState.SENT

        await until(handed_over, it.turn)
        assert record.deadline is not None
        if hub == "is dead":
            await it.hub.listener.down()
        it.clock.jump(near(record.deadline) - timedelta(hours=3))
        await it.turn()
        assert ledger(it) == {}
        it.clock.jump(timedelta(hours=3))

        async def accepted() -> bool:
            return (await it.joined.record(record.id)).state is InvoiceState.ACCEPTED

        async def turn() -> None:
            it.clock.jump(timedelta(seconds=20))
            await it.turn()

        await until(accepted, turn)
        after = await it.joined.record(record.id)
        assert not is_hub_session(after.session_ref)
        assert ledger(it) == {record.number: record.sha256}
        it.allowed[0] = True
        it.clock.jump(timedelta(minutes=2))

        async def adopted() -> bool:
            found = await it.hub.store.read(lambda tx: tx.invoices.get(record.sha256))
            return found.ksef_number == after.ksef_number

        await until(adopted, turn)
        assert len(ledger(it)) == 1


async def test_a_till_without_credentials_waits_and_cries(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, hub_works=False, extra=DECLARED) as it:
        await it.turn()
        record = await it.joined.sell()
        assert record.deadline is not None
        it.clock.jump(near(record.deadline))
        await it.turn()
        assert "deadline-near" in await it.joined.problems()
        assert ledger(it) == {}


OUTSIDE = "\n[issue]\nconsumers_in_ksef = false\n"


async def exempt_at(it: TillOfAChain, record: InvoiceRecord) -> HubInvoice | None:
    return await it.hub.store.read(lambda tx: tx.invoices.find(record.sha256))


async def test_what_is_never_sent_is_in_the_books_of_the_hub_and_nowhere_else(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, extra=OUTSIDE) as it:
        await it.turn()
        consumer = await it.joined.sell(buyer=CONSUMER)
        firm = await it.joined.sell()
        assert consumer.state is InvoiceState.EXEMPT
        await it.hub.listener.down()
        await it.books.hand_over()
        assert await exempt_at(it, consumer) is None
        await it.hub.listener.up()
        for _ in range(2):
            await it.books.hand_over()
            found = await exempt_at(it, consumer)
            assert found is not None
            assert (found.state, found.mode) == (HubState.EXEMPT, Mode.OUTSIDE_KSEF)
        books = BookQueries(it.hub.store, it.clock)
        month = f"{consumer.issued_on:%Y-%m}"

        async def both() -> bool:
            return firm.number in ledger(it)

        await until(both, it.turn)
        markers = {str(row["number"]): row["marker"] async for page in books.register(NIP, month) for row in page}
        assert markers[consumer.number] == "BFK"
        assert consumer.number not in ledger(it)


async def test_what_is_no_matter_of_the_hubs_books_is_gone_past_without_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with till_of_a_chain(tmp_path, extra=OUTSIDE) as it:
        await it.turn()
        store, commits = it.joined.agent.store, list[object]()
        await it.joined.sell(buyer=CONSUMER)
        await it.books.hand_over()
        booked = await store.read(lambda tx: tx.key_values.get(BOOKED))
        assert isinstance(booked, int), "where something was handed over the place is durable"
        await it.joined.sell()
        asked: list[int] = []
        after = SqliteEvents.after

        def counted(events: SqliteEvents, seq: int, limit: int = 1000) -> Awaitable[list[Event]]:
            asked.append(seq)
            return after(events, seq, limit)

        with monkeypatch.context() as watched:
            watched.setattr(store, "write", commits.append)
            watched.setattr(SqliteEvents, "after", counted)
            await it.books.hand_over()
            await it.books.hand_over()
        newest = await store.read(lambda tx: tx.events.newest())
        assert (commits, set(asked[-2:])) == ([], {newest}), "a second look begins where the first one stopped"


def altered(record: InvoiceRecord) -> Handover:
    """Other bytes under the number of an invoice, as a till would hand them over for the books."""
    xml = record.xml.replace(b"Prosta 1", b"Krzywa 1")
    assert xml != record.xml
    return Handover(hashlib.sha256(xml).digest(), xml, Claims(offline=True, group="EXEMPT", mode=record.mode.value))


async def test_a_copy_that_the_hub_refuses_for_its_books_is_told_and_costs_itself_only(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, extra=OUTSIDE) as it:
        await it.turn()
        chain = it.joined.agent.chain
        assert chain is not None
        refused = await it.joined.sell(buyer=CONSUMER)
        taken = await it.joined.sell(buyer=CONSUMER)
        await chain.client.keep(altered(refused))
        await it.books.hand_over()
        assert await exempt_at(it, refused) is None
        assert await exempt_at(it, taken) is not None
        said = (await it.joined.problems())["hub"]
        assert refused.number in said
        assert "ma już inny dokument" in said
        assert taken.number not in said
        chain.refusals.of_books.reasons = {}
        await it.books.hand_over()
        assert refused.number in (await it.joined.problems())["hub"], "a new run of the program knows it, too"


async def test_a_manager_closes_the_case_of_a_copy_that_the_hub_will_never_take(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, extra=OUTSIDE) as it:
        await it.turn()
        chain = it.joined.agent.chain
        assert chain is not None
        refused, taken = [await it.joined.sell(buyer=CONSUMER) for _ in range(2)]
        await chain.client.keep(altered(refused))
        await it.books.hand_over()
        assert refused.number in (await it.joined.problems())["hub"]
        with pytest.raises(Conflict):
            await it.joined.agent.rejected.close(taken.id, "nic do zamknięcia", MANAGER)
        await it.joined.agent.rejected.close(refused.id, "inny dokument poprawiono", MANAGER)
        for _ in range(3):
            await it.books.hand_over()
            await it.talk.report()
            assert "hub" not in await it.joined.problems()
            it.clock.jump(timedelta(hours=1))
            await it.joined.agent.store.write(lambda tx: tx.key_values.put(BOOKED, None))  # the hub lost its data
        log = await it.joined.agent.store.read(lambda tx: tx.events.after(0, 1000))
        (closed,) = [each for each in log if each.kind == "closed"]
        assert (closed.invoice_id, closed.data["of"]) == (refused.id, "hub-copy")
        assert (await it.joined.agent.store.read(lambda tx: tx.invoices.get(refused.id))).closed_at is None


async def test_what_was_refused_for_the_books_is_offered_again_and_no_trouble_once_it_was_taken(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, extra=OUTSIDE) as it:
        await it.turn()
        record = await it.joined.sell(buyer=CONSUMER)
        database = tmp_path / "hub" / "hub.db"
        rename_series(database, "FV-1", "FV-9")
        await it.books.hand_over()
        assert record.number in (await it.joined.problems())["hub"]
        rename_series(database, "FV-9", "FV-1")
        await it.books.hand_over()
        it.clock.jump(timedelta(hours=1))
        await it.books.hand_over()
        assert await exempt_at(it, record) is not None
        await it.talk.report()
        assert "hub" not in await it.joined.problems()


async def test_a_case_that_a_manager_closed_is_closed_in_the_hubs_books(tmp_path: Path) -> None:
    """Also where the hub was of before and did not know the call, and where it never had the invoice."""
    async with till_of_a_chain(tmp_path, hub_works=False, extra=DECLARED) as it:
        await it.turn()
        first, store = await it.joined.sell(), it.joined.agent.store

        async def handed_over() -> bool:
            return await it.hub.store.read(lambda tx: tx.invoices.find(first.sha256)) is not None

        async def rejected() -> bool:
            return (await store.read(lambda tx: tx.invoices.get(first.id))).state is InvoiceState.REJECTED

        await until(handed_over, it.turn)
        books, month = BookQueries(it.hub.store, it.clock), f"{first.issued_on:%Y-%m}"
        (till,) = await it.hub.store.read(tills)

        async def refuse(tx: HubTransaction) -> None:
            for state in (HubState.SENDING, HubState.REJECTED):
                facts = InvoiceFacts(refusal=Refusal(450, "Błąd")) if state is HubState.REJECTED else InvoiceFacts()
                await tx.invoices.move(first.sha256, state, facts)
            await tx.outcomes.add([(await tx.invoices.get(first.sha256), OutcomeKind.REJECTED, {})])

        async def listed() -> set[object]:
            return {row["number"] async for page in books.register(NIP, month) for row in page}

        await it.hub.store.write(refuse)
        await it.talk.hear()
        await until(rejected, it.turn)
        assert await listed() == {first.number}
        await it.joined.agent.rejected.close(first.id, "sprzedaż wystawiono ponownie", MANAGER)
        await it.hub.listener.down()
        await it.books.hand_over()
        assert await store.read(lambda tx: tx.key_values.get(TOLD)) is None
        await it.hub.listener.up()
        await it.books.hand_over()
        assert await listed() == set()
        assert (await it.hub.store.read(lambda tx: tx.invoices.get(first.sha256))).till_id == till.id
        told = await store.read(lambda tx: tx.key_values.get(TOLD))
        assert isinstance(told, int)
        forget_everything(tmp_path / "hub" / "hub.db")
        await store.write(lambda tx: tx.key_values.put(CURSOR, "77.of-another-memory"))
        await it.talk.hear()
        assert await store.read(lambda tx: tx.key_values.get(TOLD)) is None
        await it.books.hand_over()
        assert await store.read(lambda tx: tx.key_values.get(TOLD)) == told, "what the hub does not know stops nothing"


async def tills(tx: HubTransaction) -> list[Till]:
    return await tx.parties.tills()


def rename_series(database: Path, old: str, new: str) -> None:
    """Bind the till's token to another series."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as opened:
        opened.execute("UPDATE tills SET series = replace(series, ?, ?)", (old, new))


@pytest.mark.nightly
async def test_a_hub_that_lost_its_data_gets_its_books_again(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, extra=OUTSIDE) as it:
        await it.turn()
        await it.joined.sell(buyer=CONSUMER)
        await it.books.hand_over()
        store = it.joined.agent.store
        assert await store.read(lambda tx: tx.key_values.get(BOOKED))
        await store.write(lambda tx: tx.key_values.put(CURSOR, "77.of-another-memory"))
        await it.talk.hear()
        assert await store.read(lambda tx: tx.key_values.get(BOOKED)) is None


def forget_everything(database: Path) -> None:
    """Let the hub's database hold no invoice, as one that was made anew."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as opened:
        for (trigger,) in opened.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            opened.execute(f"DROP TRIGGER {trigger}")
        for table in ("proofs", "upo_pages", "outcomes", "bases", "contents", "calls", "sessions", "invoices"):
            opened.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(True, id="by its cursor", marks=pytest.mark.nightly),  # half a minute
        pytest.param(False, id="by a question for the UPO"),
    ],
)
async def test_a_hub_that_lost_its_data_is_handed_what_has_its_number_and_no_proof(tmp_path: Path, told: bool) -> None:
    async with till_of_a_chain(tmp_path, extra="\n[issue]\nbudget_seconds = 30.0\n") as it:
        agent = it.joined.agent
        await it.joined.sandbox.plan("upo", "json_500")  # none comes before the data is gone
        await it.turn()
        record = await it.joined.sell()
        assert record.state is InvoiceState.ACCEPTED
        assert await agent.store.read(lambda tx: tx.invoices.upo(record.id)) is None
        forget_everything(tmp_path / "hub" / "hub.db")
        await it.joined.sandbox.plan("upo", "none")
        await it.again.run()
        assert await it.hub.store.read(lambda tx: tx.invoices.find(record.sha256)) is None, "nobody has noticed yet"
        if told:
            await agent.store.write(lambda tx: tx.key_values.put(CURSOR, "77.of-another-memory"))
            await it.talk.hear()

        async def confirmed() -> bool:
            return await agent.store.read(lambda tx: tx.invoices.upo(record.id)) is not None

        async def turn() -> None:
            it.clock.jump(timedelta(minutes=5))  # past the rests between two questions
            await it.turn()
            await it.again.run()

        await until(confirmed, turn)
        assert ledger(it) == {record.number: record.sha256}
        events = await agent.store.read(lambda tx: tx.events.of_invoice(record.id))
        assert [each.kind for each in events].count("accepted") == 1


async def test_what_a_hub_that_lost_its_data_refuses_to_take_again_is_told(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, extra="\n[issue]\nbudget_seconds = 30.0\n") as it:
        await it.turn()
        refused = await it.joined.sell()
        taken = await it.joined.sell()
        assert (refused.state, taken.state) == (InvoiceState.ACCEPTED, InvoiceState.ACCEPTED)
        forget_everything(tmp_path / "hub" / "hub.db")
        chain = it.joined.agent.chain
        assert chain is not None
        other = refused.xml.replace(b"Warszawa", b"Krosno")
        claims = Claims(offline=True, group="g")
        it.allowed[0] = False
        await chain.client.keep(Handover(hashlib.sha256(other).digest(), other, claims))
        chain.gateway.hub.forgot = True
        await it.again.run()
        assert await it.hub.store.read(lambda tx: tx.invoices.find(refused.sha256)) is None
        assert await it.hub.store.read(lambda tx: tx.invoices.find(taken.sha256)) is not None, "it costs itself only"
        said = (await it.joined.problems())["hub"]
        assert refused.number in said
        assert "ma już inny dokument" in said
        assert taken.number not in said
        chain.refusals.of_refill.reasons = {"another": "FV-1/77 – nie"}
        await it.again.run()
        assert "hub" not in await it.joined.problems(), "its UPO came meanwhile"


async def test_outcomes_that_are_told_again_change_nothing(tmp_path: Path) -> None:
    """A hub that was restored, or whoever replays its words: an outcome makes the till ask, it is no verdict."""
    async with till_of_a_chain(tmp_path, extra="\n[issue]\nbudget_seconds = 30.0\n") as it:
        await it.turn()
        record = await it.joined.sell()
        assert record.state is InvoiceState.ACCEPTED
        await it.talk.hear()
        store = it.joined.agent.store
        before = await store.read(lambda tx: tx.events.of_invoice(record.id))
        await store.write(lambda tx: tx.key_values.put(CURSOR, "77.of-another-memory"))
        await it.talk.hear()
        await it.joined.agent.queue.pass_once()
        after = await store.read(lambda tx: tx.events.of_invoice(record.id))
        assert [each.kind for each in after if each.kind != "upo"] == [e.kind for e in before if e.kind != "upo"]
        assert ledger(it) == {record.number: record.sha256}


async def test_what_is_exempt_no_longer_is_sent_after_all(tmp_path: Path) -> None:
    """A total failure that was none: the till hands the same bytes over to be sent."""
    async with till_of_a_chain(tmp_path, extra=OUTSIDE) as it:
        await it.turn()
        record = await it.joined.sell(buyer=CONSUMER)
        await it.books.hand_over()
        chain = it.joined.agent.chain
        assert chain is not None
        claims = Claims(offline=True, group="g", mode="offline24")
        answer = await chain.client.offer(Handover(record.sha256, record.xml, claims))
        assert answer.status is not None
        assert answer.status.state == "waiting"
        await chain.client.keep(Handover(record.sha256, record.xml, claims))

        async def arrived() -> bool:
            return record.number in ledger(it)

        found = await exempt_at(it, record)
        assert found is not None
        assert found.state in {HubState.EXEMPT, HubState.SENDING, HubState.SENT, HubState.ACCEPTED}
        await chain.client.offer(Handover(record.sha256, record.xml, claims))
        await until(arrived, it.turn)


async def test_two_tills_of_one_name_are_found_out(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path) as it:
        await it.talk.report()
        chain = it.joined.agent.chain
        assert chain is not None
        chain.client.database = "another"
        await it.talk.report()
        problems = {each.code: each for each in it.joined.agent.health.report().problems}
        await it.joined.agent.problems.refresh()
        problems = {each.code: each for each in it.joined.agent.health.report().problems}
        assert problems["hub"].severity == "critical"
        assert "działa już inna kasa" in problems["hub"].message


async def test_a_till_says_its_run_with_what_it_hands_over(tmp_path: Path) -> None:
    """So that the hub refuses a copy of its disk once that was heard, and none of its own."""
    async with till_of_a_chain(tmp_path, extra=DECLARED, hub_works=False) as it:
        await it.talk.report()
        (beat,) = await it.hub.store.read(lambda tx: tx.fleet.last_beats())
        chain = it.joined.agent.chain
        assert chain is not None
        assert beat.presence.process == chain.client.process != ""
        record = await it.joined.sell()
        handed = Handover(record.sha256, record.xml, Claims(offline=True, group="g"))
        assert (await chain.client.offer(handed)).status is not None
        chain.client.process = "copy"
        for act in (
            lambda: chain.client.heartbeat(replace(beat.beat, process="copy", machine="another")),
            lambda: chain.client.offer(handed),
        ):
            with pytest.raises(HubRefusal) as refused:
                await act()
            assert refused.value.problem_code == "till-name-duplicate"


def test_a_till_alone_does_not_load_the_route() -> None:
    script = (
        "import sys, agent.app, agent.serving.serve, agent.web.api\n"
        "print([name for name in sys.modules if name.startswith(('agent.hub', 'asyncpg', 'agent.serving.chain'))])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


async def test_latarnia_comes_from_the_hub_and_from_itself_when_the_hub_is_silent() -> None:
    clock = FakeClock()
    own = FakeLatarnia(clock)
    chain = ChainLatarnia(own, clock)
    assert '"AVAILABLE"' in (await chain.read()).status
    said = LatarniaNews('{"status": "FAILURE"}', "[]", clock.now() - timedelta(hours=5))
    chain.hear(News(said.seen_at + timedelta(seconds=30), "1", "up", latarnia=said))
    reading = await chain.read()
    assert reading.status == said.status
    assert reading.seen_at == clock.now() - timedelta(seconds=30), "by the till's clock"
    await clock.advance(200)
    assert '"AVAILABLE"' in (await chain.read()).status
    chain.hear(News(clock.now(), "1", "up", latarnia=LatarniaNews("{}", "[]", clock.now() - timedelta(minutes=9))))
    assert '"AVAILABLE"' in (await chain.read()).status, "the hub does not hear Latarnia either"
