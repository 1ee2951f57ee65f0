"""The Store port's obligations, over every way to open the real store."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from agent.domain.books.entry import BookEntry, BookPart
from agent.domain.errors import Conflict, IllegalTransition, KeyReused, NotFound, Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import Buyer, BuyerKind, CorrectedBase, Mode
from agent.domain.json_io.canonical import canonical
from agent.domain.lifecycle import UNSENT, HeldState, InvoiceState, PrintState
from agent.domain.records.hash_chain import GENESIS, chain
from agent.ports import Fact, HeldCorrection, InvoiceChange, InvoiceFilter, Json, KeyRecord, Transaction
from agent.store.sqlite import SqliteStore
from tests.fakes.clock import FakeClock
from tests.fakes.invoices import ROUTES, SERIES, add_next, lead, new_invoice

BASES = (
    CorrectedBase("FV-1/1", date(2026, 11, 24), None, "inv-a"),
    CorrectedBase("STARA/7", date(2026, 1, 2), "5265877635-20260102-0100001AF629-AF"),
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["threaded", "inline"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "agent.db", clock, threaded=request.param == "threaded")
    yield store
    await store.close()


@pytest.fixture
async def threaded(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    """For what happens while a unit is under way: units of an inline store follow one another."""
    store = await SqliteStore.open(tmp_path / "agent.db", clock)
    yield store
    await store.close()


class Pause:
    """Where a unit, in its thread, waits for the test."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._inside, self._go = asyncio.Event(), threading.Event()

    def wait(self) -> None:
        """Stand still here, for a minute at most; called by the unit."""
        self._loop.call_soon_threadsafe(self._inside.set)
        assert self._go.wait(60)

    async def reached(self) -> None:
        await self._inside.wait()

    def end(self) -> None:
        self._go.set()


async def add(store: SqliteStore, name: str, **changes: object) -> int:
    return await store.write(lambda transaction: add_next(transaction, name, **changes))


async def bring(store: SqliteStore, name: str, state: InvoiceState, **changes: object) -> str:
    """Add an invoice and lead it into a state; return its id."""

    async def work(transaction: Transaction) -> None:
        await add_next(transaction, name, **changes)
        await lead(transaction, f"inv-{name}", state)

    await store.write(work)
    return f"inv-{name}"


async def move_invoice(transaction: Transaction, state: InvoiceState) -> None:
    await transaction.invoices.move("inv-a", state)


async def move_print(transaction: Transaction, state: PrintState) -> None:
    await transaction.prints.move(1, state)


async def note(transaction: Transaction, value: Json) -> None:
    await transaction.key_values.put("name", value)


# --- units of work ----------------------------------------------------------------------------------


async def test_a_unit_is_stored_as_a_whole_or_not_at_all(store: SqliteStore) -> None:
    async def work(transaction: Transaction) -> None:
        await add_next(transaction, "a")
        await transaction.events.append(EventKind.ISSUED, {}, "inv-a")
        await transaction.key_values.put("seen", True)
        raise ValueError("the rule after it fails")

    with pytest.raises(ValueError, match="the rule after it fails"):
        await store.write(work)

    async def look(transaction: Transaction) -> tuple[int, int, object]:
        found = await transaction.invoices.find(InvoiceFilter())
        return len(found), len(await transaction.events.after(0)), await transaction.key_values.get("seen")

    assert await store.read(look) == (0, 0, None)
    assert await add(store, "b") == 1, "a unit that failed burns no number"


async def test_a_cancelled_caller_does_not_cancel_the_work(threaded: SqliteStore) -> None:
    pause = Pause()

    async def slow(transaction: Transaction) -> None:
        pause.wait()
        await add_next(transaction, "a")

    first = asyncio.create_task(threaded.write(slow))
    await pause.reached()
    queued = asyncio.create_task(add(threaded, "b"))
    await asyncio.sleep(0)
    first.cancel()
    queued.cancel()
    await asyncio.gather(first, queued, return_exceptions=True)
    pause.end()
    assert await add(threaded, "c") == 3


async def test_a_unit_that_waits_for_anything_else_is_a_defect_and_stores_nothing(store: SqliteStore) -> None:
    async def waits(transaction: Transaction) -> None:
        await add_next(transaction, "a")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaits nothing but its transaction"):
        await store.write(waits)
    assert await add(store, "b") == 1


async def test_a_unit_that_waits_for_another_one_is_a_defect_not_a_deadlock(store: SqliteStore) -> None:
    async def nested(transaction: Transaction) -> None:
        await add(store, "a")

    with pytest.raises(RuntimeError, match="must not wait"):
        await store.write(nested)
    with pytest.raises(RuntimeError, match="must not wait"):
        await store.read(nested)
    assert await add(store, "b") == 1


async def test_a_transaction_is_useless_after_its_unit(store: SqliteStore) -> None:
    kept: list[Transaction] = []

    async def keep(transaction: Transaction) -> None:
        kept.append(transaction)

    await store.write(keep)
    with pytest.raises(RuntimeError, match="had ended"):
        await kept[0].key_values.put("a", 1)
    await store.read(keep)
    with pytest.raises(RuntimeError, match="had ended"):
        await kept[1].key_values.get("a")


async def test_a_work_that_raises_cancelled_error_does_not_stop_the_writer(store: SqliteStore) -> None:
    async def work(transaction: Transaction) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await store.write(work)
    assert await add(store, "a") == 1


async def test_a_reader_sees_one_snapshot_while_the_writer_goes_on(threaded: SqliteStore) -> None:
    await add(threaded, "a")
    pause = Pause()

    async def count_twice(transaction: Transaction) -> tuple[int, int]:
        before = len(await transaction.invoices.find(InvoiceFilter()))
        pause.wait()
        return before, len(await transaction.invoices.find(InvoiceFilter()))

    reading = asyncio.create_task(threaded.read(count_twice))
    await pause.reached()
    await add(threaded, "b")
    pause.end()
    assert await reading == (1, 1)
    assert len(await threaded.read(lambda transaction: transaction.invoices.find(InvoiceFilter()))) == 2


async def test_more_reads_than_readers_all_get_their_turn(store: SqliteStore) -> None:
    await add(store, "a")
    found = await asyncio.gather(
        *(store.read(lambda transaction: transaction.invoices.get("inv-a")) for _ in range(20))
    )
    assert {record.id for record in found} == {"inv-a"}


async def test_a_read_must_not_write(store: SqliteStore) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.read(lambda transaction: transaction.key_values.put("a", 1))
    await store.read(lambda transaction: transaction.key_values.get("a"))


async def test_close_finishes_what_waits_and_refuses_the_rest(tmp_path: Path, clock: FakeClock) -> None:
    store = await SqliteStore.open(tmp_path / "agent.db", clock)
    waiting = [asyncio.create_task(add(store, f"{number}")) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.gather(store.close(), store.close())
    assert [task.result() for task in waiting] == [1, 2, 3, 4, 5]
    for refused in (add(store, "x"), store.read(lambda transaction: transaction.key_values.get("a"))):
        with pytest.raises(Unavailable) as caught:
            await refused
        assert caught.value.code == "store-closed"
    await store.watch()
    reopened = await SqliteStore.open(tmp_path / "agent.db", clock)
    assert len(await reopened.read(lambda transaction: transaction.invoices.find(InvoiceFilter()))) == 5
    await reopened.close()


# --- invoices ---------------------------------------------------------------------------------------


async def test_an_invoice_comes_back_as_it_went_in(store: SqliteStore) -> None:
    new = new_invoice("a", deadline_state="due")
    await store.write(lambda transaction: transaction.invoices.add(new))
    record = await store.read(lambda transaction: transaction.invoices.get(new.id))
    for name in type(new).__slots__:
        assert getattr(record, name) == getattr(new, name), name
    assert (record.state, record.version, record.deadline_state) == (InvoiceState.ISSUED, 1, "due")
    assert (record.copies, record.attempts, record.ksef_number) == (0, 0, None)


@pytest.mark.parametrize(
    ("mode", "deadline", "expected"),
    [(Mode.FAILURE, None, "open"), (Mode.TOTAL_FAILURE, None, "lifted"), (Mode.OFFLINE24, date(2026, 11, 25), "due")],
)
async def test_the_deadline_state_follows_the_mode(
    store: SqliteStore, mode: Mode, deadline: date | None, expected: str
) -> None:
    await add(store, "a", mode=mode, deadline=deadline)
    record = await store.read(lambda transaction: transaction.invoices.get("inv-a"))
    assert (record.deadline, record.deadline_state) == (deadline, expected)


async def test_naive_instants_are_refused(store: SqliteStore) -> None:
    naive = datetime(2026, 11, 24, 9, 0)  # noqa: DTZ001 - the mistake under test
    with pytest.raises(ValueError, match="naive"):
        await add(store, "a", issued_at=naive)


async def test_bytes_and_hash_have_to_agree(store: SqliteStore) -> None:
    with pytest.raises(ValueError, match="sha256"):
        await add(store, "a", sha256=b"\0" * 32)
    assert await add(store, "b") == 1


@pytest.mark.parametrize("serial", [0, 2, 7])
async def test_a_gap_in_a_series_is_refused(store: SqliteStore, serial: int) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await store.write(lambda transaction: transaction.invoices.add(new_invoice("a", serial)))
    assert await add(store, "b") == 1


async def test_series_count_on_their_own_and_ready_invoices_take_no_serial(store: SqliteStore) -> None:
    assert await add(store, "a") == 1
    await store.write(lambda transaction: transaction.invoices.add(new_invoice("ready", None)))
    other = new_invoice("b", 1, series="FK-1", number="FK-1/1", kind="KOR", base_id="inv-a", bases=BASES)
    await store.write(lambda transaction: transaction.invoices.add(other))
    assert await add(store, "c") == 2
    corrections = await store.read(lambda transaction: transaction.invoices.find(InvoiceFilter(base_id="inv-a")))
    assert [record.id for record in corrections] == ["inv-b"]


@pytest.mark.parametrize(
    "query",
    [
        InvoiceFilter(base_id="inv-a"),
        InvoiceFilter(base_number="STARA/7"),
        InvoiceFilter(base_ksef_number="5265877635-20260102-0100001AF629-AF"),
    ],
)
async def test_a_correction_is_found_by_each_of_its_bases(store: SqliteStore, query: InvoiceFilter) -> None:
    await add(store, "a")
    correction = new_invoice("b", 1, series="FK-1", number="FK-1/1", kind="KOR", base_id="inv-a", bases=BASES)
    await store.write(lambda transaction: transaction.invoices.add(correction))
    (found,) = await store.read(lambda transaction: transaction.invoices.find(query))
    assert found.bases == BASES


async def test_a_held_correction_is_found_by_each_of_its_bases_and_closed_once(store: SqliteStore) -> None:
    await add(store, "a")
    await add(store, "other")
    moment = datetime(2026, 11, 24, 9, tzinfo=UTC)
    held = HeldCorrection("h1", "inv-a", b"{}", "key", "kasa 1", moment, bases=BASES)
    await store.write(lambda transaction: transaction.held.add(held))
    assert await store.read(lambda transaction: transaction.held.waiting()) == [held]
    assert await store.read(lambda transaction: transaction.held.of_base("inv-a")) == [held]
    assert await store.read(lambda transaction: transaction.held.of_number("STARA/7")) == [held]
    assert await store.read(lambda transaction: transaction.held.of_base("inv-other")) == []
    await store.write(lambda transaction: transaction.held.close("h1", HeldState.REFUSED, problem="Nie."))
    assert await store.read(lambda transaction: transaction.held.waiting()) == []
    with pytest.raises(sqlite3.IntegrityError):
        await store.write(lambda transaction: transaction.held.close("h1", HeldState.ISSUED, invoice_id="inv-a"))


async def test_a_series_goes_on_after_numbers_that_a_restore_lost(store: SqliteStore) -> None:
    await add(store, "a")
    await store.write(lambda transaction: transaction.invoices.resume_series(SERIES, 41, "restored"))
    assert await add(store, "b") == 42
    with pytest.raises(Conflict):
        await store.write(lambda transaction: transaction.invoices.resume_series(SERIES, 41, "again"))


async def test_a_number_is_used_once_until_ksef_rejects_it(store: SqliteStore) -> None:
    await store.write(lambda transaction: transaction.invoices.add(new_invoice("a", None, number="X/1")))
    twin = new_invoice("b", None, number="X/1")
    with pytest.raises(Conflict) as caught:
        await store.write(lambda transaction: transaction.invoices.add(twin))
    assert caught.value.code == "number-taken"
    await store.write(lambda transaction: lead(transaction, "inv-a", InvoiceState.REJECTED))
    await store.write(lambda transaction: transaction.invoices.add(twin))
    with pytest.raises(Conflict):
        await store.write(lambda transaction: transaction.invoices.move("inv-a", InvoiceState.ISSUED))


async def test_an_unknown_invoice_is_not_found(store: SqliteStore) -> None:
    with pytest.raises(NotFound):
        await store.read(lambda transaction: transaction.invoices.get("no"))
    with pytest.raises(NotFound):
        await store.read(lambda transaction: transaction.invoices.versions("no"))
    with pytest.raises(NotFound):
        await store.write(lambda transaction: transaction.invoices.move("no", InvoiceState.SENDING))
    with pytest.raises(NotFound):
        await store.write(lambda transaction: transaction.invoices.note("no", InvoiceChange()))
    with pytest.raises(NotFound):
        await store.write(lambda transaction: transaction.invoices.set_deadline("no", None, "open"))
    with pytest.raises(NotFound):
        await store.write(lambda transaction: transaction.invoices.add_upo("no", b"<UPO/>"))


async def test_facts_are_added_and_none_leaves_them(store: SqliteStore, clock: FakeClock) -> None:
    await add(store, "a")
    moment = clock.now() + timedelta(hours=1)

    async def work(transaction: Transaction) -> None:
        await transaction.invoices.move("inv-a", InvoiceState.SENDING, InvoiceChange(attempted=True, session_ref="S"))
        await transaction.invoices.note("inv-a", InvoiceChange(not_before=moment, attempted=True))
        await transaction.invoices.move("inv-a", InvoiceState.SENT, InvoiceChange(sent_at=moment, invoice_ref="I"))
        await transaction.invoices.move(
            "inv-a", InvoiceState.ACCEPTED, InvoiceChange(ksef_number="K-1", accepted_at=moment, mode=Mode.OFFLINE24)
        )
        await transaction.invoices.set_deadline("inv-a", date(2026, 12, 1), "due")

    await store.write(work)
    record = await store.read(lambda transaction: transaction.invoices.get("inv-a"))
    assert (record.session_ref, record.invoice_ref, record.ksef_number) == ("S", "I", "K-1")
    assert (record.sent_at, record.accepted_at, record.not_before) == (moment, moment, moment)
    assert (record.attempts, record.mode, record.deadline) == (2, Mode.OFFLINE24, date(2026, 12, 1))


async def test_many_are_changed_together_or_not_at_all(store: SqliteStore) -> None:
    await bring(store, "a", InvoiceState.ISSUED)
    await bring(store, "b", InvoiceState.ISSUED)
    await bring(store, "c", InvoiceState.ACCEPTED)
    change = InvoiceChange(session_ref="SB-1", attempted=True)

    async def found(name: str) -> tuple[InvoiceState, str | None, int]:
        record = await store.read(lambda transaction: transaction.invoices.get(f"inv-{name}"))
        return record.state, record.session_ref, record.attempts

    before = await found("a")
    for other, error in (("c", IllegalTransition), ("none", NotFound)):
        ids = ["inv-a", f"inv-{other}"]
        with pytest.raises(error):
            await store.write(lambda tx, ids=ids: tx.invoices.change_all(ids, InvoiceState.SENDING, change))  # type: ignore[misc]
    assert await found("a") == before
    with pytest.raises(NotFound):
        await store.write(lambda tx: tx.invoices.change_all(["inv-a", "inv-none"], None, change))
    await store.write(lambda tx: tx.invoices.change_all(["inv-a", "inv-b"], InvoiceState.SENDING, change))
    assert [await found(name) for name in "ab"] == [(InvoiceState.SENDING, "SB-1", before[2] + 1)] * 2
    await store.write(lambda tx: tx.invoices.change_all(["inv-a"], None, InvoiceChange(session_ref="SB-2")))
    assert await found("a") == (InvoiceState.SENDING, "SB-2", before[2] + 1)


async def test_illegal_moves_are_refused_before_sqlite_would(store: SqliteStore) -> None:
    await add(store, "a")
    for state in (InvoiceState.ISSUED, InvoiceState.SENT, InvoiceState.ACCEPTED, InvoiceState.REJECTED):
        work = partial(move_invoice, state=state)
        with pytest.raises(IllegalTransition):
            await store.write(work)


async def test_accepted_needs_a_number_and_no_number_is_given_twice(store: SqliteStore) -> None:
    await bring(store, "a", InvoiceState.SENT)
    with pytest.raises(sqlite3.IntegrityError):
        await store.write(lambda transaction: transaction.invoices.move("inv-a", InvoiceState.ACCEPTED))
    await bring(store, "b", InvoiceState.ACCEPTED)
    same = InvoiceChange(ksef_number="KSEF-inv-b")
    with pytest.raises(Conflict) as caught:
        await store.write(lambda transaction: transaction.invoices.move("inv-a", InvoiceState.ACCEPTED, same))
    assert caught.value.code == "ksef-number-taken"


async def test_a_technical_correction_adds_bytes_and_keeps_the_old_ones(store: SqliteStore) -> None:
    invoice_id = await bring(store, "a", InvoiceState.SENT)
    xml = b"<Faktura>poprawiona</Faktura>"
    digest = hashlib.sha256(xml).digest()

    async def correct(transaction: Transaction) -> None:
        await transaction.invoices.add_version(invoice_id, xml, digest, ("https://new", None))

    with pytest.raises(Conflict) as caught:
        await store.write(correct)
    assert caught.value.code == "not-rejected"
    await store.write(lambda transaction: transaction.invoices.move(invoice_id, InvoiceState.REJECTED))
    await store.write(correct)
    record = await store.write(lambda transaction: transaction.invoices.move(invoice_id, InvoiceState.ISSUED))
    assert (record.version, record.xml, record.sha256) == (2, xml, digest)
    assert (record.link_invoice, record.link_certificate) == ("https://new", None)
    versions = await store.read(lambda transaction: transaction.invoices.versions(invoice_id))
    assert versions == (new_invoice("a").xml, xml)


async def test_the_first_upo_stays(store: SqliteStore) -> None:
    await add(store, "a")
    assert await store.read(lambda transaction: transaction.invoices.upo("inv-a")) is None
    await store.write(lambda transaction: transaction.invoices.add_upo("inv-a", b"<first/>"))
    await store.write(lambda transaction: transaction.invoices.add_upo("inv-a", b"<second/>"))
    assert await store.read(lambda transaction: transaction.invoices.upo("inv-a")) == b"<first/>"


async def test_find_by_each_condition_and_by_page(store: SqliteStore) -> None:
    other = Buyer(BuyerKind.EU_VAT, "999999999", "DE", "Müller GmbH")
    for name, day, buyer in (("a", 20, None), ("b", 21, other), ("c", 22, None), ("d", 23, other)):
        changes = {"issued_on": date(2026, 11, day)} | ({"buyer": buyer} if buyer else {})
        await add(store, name, **changes)
    await store.write(lambda transaction: lead(transaction, "inv-c", InvoiceState.ACCEPTED))

    async def names(query: InvoiceFilter) -> str:
        found = await store.read(lambda transaction: transaction.invoices.find(query))
        return "".join(record.id.removeprefix("inv-") for record in found)

    assert await names(InvoiceFilter()) == "dcba"
    assert await names(InvoiceFilter(limit=2)) == "dc"
    assert await names(InvoiceFilter(limit=2, after_id="inv-c")) == "ba"
    assert await names(InvoiceFilter(states=frozenset({InvoiceState.ACCEPTED, InvoiceState.SENT}))) == "c"
    assert await names(InvoiceFilter(states=frozenset())) == ""
    assert await names(InvoiceFilter(issued_from=date(2026, 11, 21), issued_to=date(2026, 11, 22))) == "cb"
    assert await names(InvoiceFilter(number="FV-1/2")) == "b"
    assert await names(InvoiceFilter(text="MÜLLER")) == "db"
    assert await names(InvoiceFilter(text="gęśl")) == "ca"
    for typed in ("gesl", "GESL ", "muller"):
        assert await names(InvoiceFilter(text=typed)) == ("db" if typed == "muller" else "ca")
    for typed in ("526-104-08-28", "PL 526 104", "526-10"):
        assert await names(InvoiceFilter(text=typed)) == "ca", typed
    record = await store.read(lambda transaction: transaction.invoices.get("inv-c"))
    assert await names(InvoiceFilter(text=(record.ksef_number or "").lower())) == "c"
    gross = str(record.totals.gross)
    for typed in (gross, gross.replace(".", ","), f"{gross} zł", f"-{gross}"):
        assert await names(InvoiceFilter(text=typed)) == "dcba", typed
    assert await names(InvoiceFilter(text=f"1{gross}")) == ""
    assert await names(InvoiceFilter(text="zam-d")) == "d"
    assert await names(InvoiceFilter(text="52610408")) == "ca"
    assert await names(InvoiceFilter(text="%")) == "", "no wildcards"
    assert await names(InvoiceFilter(text="müller", issued_from=date(2026, 11, 22))) == "d"


async def test_find_by_the_newest_print(store: SqliteStore) -> None:
    for name in "abc":
        await add(store, name)
    failed, uncertain = PrintState.FAILED, PrintState.UNCERTAIN
    for name, state in (("a", failed), ("a", PrintState.PRINTED), ("b", uncertain), ("c", failed)):
        await print_once(store, f"inv-{name}", state)
    wanted = InvoiceFilter(papers=frozenset({failed, uncertain}))
    found = await store.read(lambda transaction: transaction.invoices.find(wanted))
    assert [record.id for record in found] == ["inv-c", "inv-b"]


async def print_once(store: SqliteStore, invoice_id: str, state: PrintState) -> None:
    async def work(transaction: Transaction) -> None:
        job = await transaction.prints.add(invoice_id, "invoice", "Faktura")
        await transaction.prints.move(job.id, PrintState.PRINTING)
        await transaction.prints.move(job.id, state)

    await store.write(work)


async def test_unsent_is_exactly_the_open_duty_in_order_of_urgency(store: SqliteStore) -> None:
    for state in ROUTES:
        await bring(store, state.value, state)
    await add(store, "late", deadline=date(2026, 11, 20))
    await add(store, "waiting", deadline=None)
    found = await store.read(lambda transaction: transaction.invoices.unsent())
    names = [record.id.removeprefix("inv-") for record in found]
    assert names[:2] == ["in_doubt", "late"]
    assert names[-1] == "waiting"
    assert set(names[2:-1]) == {state.value for state in UNSENT - {InvoiceState.IN_DOUBT}}
    assert names[2:-1] == [state.value for state in ROUTES if state in UNSENT and state is not InvoiceState.IN_DOUBT]
    limited = await store.read(lambda transaction: transaction.invoices.unsent(limit=2))
    assert [record.id for record in limited] == ["inv-in_doubt", "inv-late"]


# --- log, keys, facts, notebook -----------------------------------------------------------------------


async def test_events_form_a_chain_that_can_be_followed(store: SqliteStore, clock: FakeClock) -> None:
    await add(store, "a")
    await store.write(lambda transaction: transaction.events.append(EventKind.ISSUED, {"żółw": [1, None]}, "inv-a"))
    clock.step(timedelta(seconds=90))
    await store.write(lambda transaction: transaction.events.append(EventKind.MODE, {"b": 1.5, "a": True}))
    events = await store.read(lambda transaction: transaction.events.after(0))
    previous = GENESIS
    for event in events:
        previous = chain(previous, event.at.isoformat(), event.kind, event.invoice_id, canonical(event.data))
        assert event.chain == previous
    assert [event.seq for event in events] == [1, 2]
    assert events[1].at == clock.now()
    assert await store.read(lambda transaction: transaction.events.of_invoice("inv-a")) == events[:1]
    assert await store.read(lambda transaction: transaction.events.after(1)) == events[1:]
    assert await store.read(lambda transaction: transaction.events.after(0, limit=1)) == events[:1]


async def test_an_event_or_key_of_no_invoice_is_refused_at_commit(store: SqliteStore) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        await store.write(lambda transaction: transaction.events.append(EventKind.ISSUED, {}, "nobody"))
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        await store.write(lambda transaction: transaction.keys.add(KeyRecord("k", b"\1" * 32, "nobody")))
    assert await store.read(lambda transaction: transaction.events.after(0)) == []
    assert await add(store, "a") == 1


async def test_a_key_is_used_once(store: SqliteStore) -> None:
    await add(store, "a")
    record = KeyRecord("klucz", b"\1" * 32, "inv-a")
    assert await store.read(lambda transaction: transaction.keys.get("klucz")) is None
    await store.write(lambda transaction: transaction.keys.add(record))
    assert await store.read(lambda transaction: transaction.keys.get("klucz")) == record
    with pytest.raises(KeyReused):
        await store.write(lambda transaction: transaction.keys.add(record))


async def test_keys_are_found_by_what_they_name(store: SqliteStore) -> None:
    """A correction that waits has a key of its own, which names its base as the key of the sale does."""
    await add(store, "a")
    await add(store, "b")
    sold, returned = KeyRecord("sprzedaż", b"\1" * 32, "inv-a"), KeyRecord("zwrot", b"\2" * 32, "inv-a")
    await store.write(lambda transaction: transaction.keys.add(sold))
    await store.write(lambda transaction: transaction.keys.add(returned))
    found = await store.read(lambda transaction: transaction.keys.of_invoice("inv-a"))
    assert sorted(found, key=lambda record: record.key) == [sold, returned]
    assert await store.read(lambda transaction: transaction.keys.of_invoice("inv-b")) == []


async def test_facts_and_notes(store: SqliteStore) -> None:
    seen = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    first = await store.write(lambda transaction: transaction.facts.add(Fact("latarnia", {"id": "1"}, seen)))
    second = await store.write(lambda transaction: transaction.facts.add(Fact("manager", {"ł": [1]}, seen)))
    assert await store.read(lambda transaction: transaction.facts.all()) == [first, second]
    assert (first.id, second.id) == (1, 2)
    values: list[Json] = [{"a": [1, "ż", None]}, 5, None, "x"]
    for value in values:
        await store.write(partial(note, value=value))
        assert await store.read(lambda transaction: transaction.key_values.get("name")) == value


async def test_notes_are_found_by_how_their_names_begin(store: SqliteStore) -> None:
    async def work(transaction: Transaction) -> None:
        for name in ("buyer", "buyer:", "buyer:1", "buyer:\U0010ffff", "buyer;", "buyer;1", "buyers"):
            await transaction.key_values.put(name, True)

    await store.write(work)
    found = await store.read(lambda transaction: transaction.key_values.beginning("buyer:"))
    assert found == {"buyer:": True, "buyer:1": True, "buyer:\U0010ffff": True}


# --- print journal ------------------------------------------------------------------------------------


async def printed(store: SqliteStore, *route: PrintState) -> int:
    """Add a job and lead it along a route; return its copy number."""

    async def work(transaction: Transaction) -> int:
        job = await transaction.prints.add("inv-a", "invoice", "Faktura")
        for state in route:
            job = await transaction.prints.move(job.id, state)
        return job.copy

    return await store.write(work)


async def test_copies_count_what_reached_or_may_have_reached_paper(store: SqliteStore) -> None:
    await add(store, "a")
    assert await printed(store, PrintState.PRINTING, PrintState.FAILED) == 1
    assert await printed(store, PrintState.PRINTING, PrintState.PRINTED) == 1, "a failed job left no paper"
    assert await printed(store, PrintState.PRINTING, PrintState.UNCERTAIN) == 2
    assert await printed(store) == 3
    record = await store.read(lambda transaction: transaction.invoices.get("inv-a"))
    assert record.copies == 2
    requeued = await store.write(lambda transaction: transaction.prints.move(1, PrintState.QUEUED))
    assert requeued.copy == 4, "other papers came out since"


async def test_a_job_keeps_printer_problem_and_bytes(store: SqliteStore) -> None:
    await add(store, "a")

    async def work(transaction: Transaction) -> None:
        job = await transaction.prints.add("inv-a", "invoice", "Faktura")
        await transaction.prints.move(job.id, PrintState.PRINTING, printer="paragon", data=b"1")
        await transaction.prints.move(job.id, PrintState.PRINTING, printer="biuro", data=b"2")
        await transaction.prints.move(job.id, PrintState.FAILED, problem="Brak papieru.")

    await store.write(work)
    jobs = await store.read(lambda transaction: transaction.prints.of_invoice("inv-a"))
    assert [(job.printer, job.problem, job.data) for job in jobs] == [("biuro", "Brak papieru.", b"2")]
    assert await store.read(lambda transaction: transaction.prints.in_state(PrintState.FAILED)) == jobs
    again = await store.write(lambda transaction: transaction.prints.move(1, PrintState.QUEUED))
    assert again.problem is None


async def test_uncertain_never_prints_again_by_itself(store: SqliteStore) -> None:
    await add(store, "a")
    await printed(store, PrintState.PRINTING, PrintState.UNCERTAIN)
    for state in PrintState:
        work = partial(move_print, state=state)
        with pytest.raises(IllegalTransition):
            await store.write(work)
    with pytest.raises(NotFound):
        await store.write(lambda transaction: transaction.prints.move(9, PrintState.PRINTING))


# --- exports ------------------------------------------------------------------------------------------


async def test_only_final_and_exported_invoices_lose_their_bytes(store: SqliteStore) -> None:
    await bring(store, "a", InvoiceState.ACCEPTED)
    await bring(store, "b", InvoiceState.SENT)
    await printed(store, PrintState.PRINTING, PrintState.PRINTED)
    await store.write(lambda transaction: transaction.invoices.add_upo("inv-a", b"<UPO/>"))
    tomorrow = date(2026, 11, 25)
    assert await store.read(lambda transaction: transaction.exports.due(tomorrow)) == [(1, "inv-a")]
    assert await store.read(lambda transaction: transaction.exports.due(date(2026, 11, 24))) == []
    with pytest.raises(Conflict):
        await store.write(lambda transaction: transaction.exports.prune("inv-a"))
    with pytest.raises(sqlite3.IntegrityError, match="final"):
        await store.write(lambda transaction: transaction.exports.add("inv-b", "/x", b"\2" * 32))
    await store.write(lambda transaction: transaction.exports.add("inv-a", "/x/a.zip", b"\2" * 32))
    assert await store.read(lambda transaction: transaction.exports.due(tomorrow)) == []
    assert await store.read(lambda transaction: transaction.exports.prunable(tomorrow)) == [
        (1, "inv-a", "/x/a.zip", b"\2" * 32)
    ]
    before = await store.read(lambda transaction: transaction.invoices.get("inv-a"))
    with pytest.raises(sqlite3.IntegrityError, match="the books have not read"):
        await store.write(lambda transaction: transaction.exports.prune("inv-a"))
    entry = BookEntry((BookPart(date(2026, 11, 24), None, ()),))
    await store.write(lambda transaction: transaction.books.put("inv-a", entry))
    await store.write(lambda transaction: transaction.exports.prune("inv-a"))
    after = await store.read(lambda transaction: transaction.invoices.get("inv-a"))
    assert (after.xml, after.sha256, after.ksef_number) == (b"", before.sha256, before.ksef_number)
    assert await store.read(lambda transaction: transaction.invoices.upo("inv-a")) is None
    assert await store.read(lambda transaction: transaction.exports.prunable(tomorrow)) == []
    assert await store.check() is None
