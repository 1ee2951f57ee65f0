"""Sync: doubts first, deadlines in order, batches that split, questions that pace themselves, UPO later."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from agent.domain.errors import Unavailable
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.circuit_breaker import LinkState
from agent.ports import (
    Accepted,
    CallOutcome,
    InvoiceChange,
    KsefError,
    Outgoing,
    Pending,
    Rejected,
    SessionRef,
    Transaction,
    Upo,
    Verdict,
    Work,
)
from agent.services.delivery import batches
from agent.services.presses import LONGEST_SECONDS
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway, silence
from tests.fakes.invoices import new_invoice
from tests.fakes.world import CASHIER, World, press_until_answered, sale, settings, world

T = TypeVar("T")


class Recorder(FakeGateway):
    """Keeps the order of calls; spoils what a test names."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.calls: list[str] = []
        self.batches: list[list[bytes]] = []
        self.culprit: bytes | None = None
        """A batch with this file is refused as a whole."""
        self.lists_fail = False
        self.upo_fails = False
        self.wrong_upo = False
        self.batch_plan: list[KsefError] = []
        """What the next batches end with."""

    async def send(self, session: object, invoice: Outgoing) -> str:
        self.calls.append(f"send {invoice.invoice_id}")
        return await super().send(session, invoice)  # type: ignore[arg-type]

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        self.calls.append("status")
        return await super().status(session_ref, invoice_ref)

    async def find_all(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        self.calls.append("find_all")
        if self.lists_fail:
            raise KsefError("limit", outcome=CallOutcome.NOT_SENT, code=429)
        return await super().find_all(session_ref)

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        self.calls.append("batch")
        self._check()
        if self.batch_plan:
            raise self.batch_plan.pop(0)
        self.batches.append([invoice.sha256 for invoice in invoices])
        if self.culprit in self.batches[-1]:
            await opened("SB-refused")
            return "SB-refused"
        return await super().open_batch(invoices, opened)

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        if session_ref == "SB-refused":
            raise KsefError("odrzucona", outcome=CallOutcome.REFUSED, code=430)
        return await super().batch_verdicts(session_ref)

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        self.calls.append("upo")
        if self.upo_fails:
            raise KsefError("jeszcze nie ma", outcome=CallOutcome.REFUSED, code=21178)
        found = await super().upo(session_ref, invoice_ref, ksef_number)
        return replace(found, sha256=bytes(32)) if self.wrong_upo else found

    def count(self, call: str) -> int:
        return sum(name.startswith(call) for name in self.calls)


@asynccontextmanager
async def shop(tmp_path: Path, *, batch_from: int = 50) -> AsyncIterator[tuple[World, Recorder]]:
    clock = FakeClock()
    gateway = Recorder(clock)
    base = settings(tmp_path)
    given = replace(base, ksef=replace(base.ksef, batch_from=batch_from))
    async with world(tmp_path, given=given, clock=clock, gateway=gateway) as place:
        yield place, gateway


async def line_back(place: World) -> None:
    place.gateway.up = True
    await place.clock.advance(60)
    await place.connection.probe()
    await place.connection.probe()


async def backlog(place: World, count: int) -> list[InvoiceRecord]:
    """Issue without a line, then bring it back."""
    place.gateway.up = False
    day = place.clock.now().date()
    records = [await press_until_answered(place, f"{day}-{number}") for number in range(count)]
    await line_back(place)
    return records


async def passes(place: World, count: int, seconds: float = 5.0) -> None:
    for _ in range(count):
        await place.queue.pass_once()
        await place.upos.pass_once()
        await place.clock.advance(seconds)


async def states(place: World) -> set[InvoiceState]:
    records = await place.store.read(lambda tx: tx.invoices.unsent())
    return {record.state for record in records}


UNREADABLE = KsefError("Nieznany status faktury w KSeF: 201.", outcome=CallOutcome.UNKNOWN, code=200)
BROKEN = KsefError("KSeF zwrócił błąd 500.", outcome=CallOutcome.UNKNOWN, code=500)
NOT_YET = KsefError("Tokenów jeszcze nie ma.", outcome=CallOutcome.NOT_SENT, code=450)


@pytest.mark.parametrize("said", [UNREADABLE, BROKEN], ids=["unreadable", "500"])
async def test_what_ksef_cannot_say_of_one_invoice_sends_no_other_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: KsefError
) -> None:
    async with shop(tmp_path) as (place, gateway):
        known, stuck = gateway.status, set[str]()

        async def status(session_ref: str, invoice_ref: str) -> Verdict:
            if not stuck or invoice_ref in stuck:
                stuck.add(invoice_ref)
                raise said
            return await known(session_ref, invoice_ref)

        with monkeypatch.context() as patched:
            patched.setattr(gateway, "status", status)
            first = await press_until_answered(place, "a")
            await passes(place, 12)
            assert (await place.record(first.id)).state is InvoiceState.SENT
            second = await press_until_answered(place, "b")
            assert (second.mode, second.state) == (Mode.ONLINE, InvoiceState.ACCEPTED)
        await passes(place, 60)
        assert (await place.record(first.id)).state is InvoiceState.ACCEPTED


async def seconds_of_a_press(place: World, key: str) -> float:
    begun = place.clock.monotonic()
    pressed = await press_until_answered(place, key)
    assert pressed.mode is Mode.ONLINE
    return place.clock.monotonic() - begun


@pytest.mark.parametrize("said", [UNREADABLE, BROKEN, None], ids=["unreadable", "500", "150"])
async def test_where_ksef_decides_nothing_a_press_does_not_wait_for_ever_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: KsefError | None
) -> None:
    async with shop(tmp_path) as (place, gateway):
        budget = place.settings.issue.budget_seconds

        async def status(session_ref: str, invoice_ref: str) -> Verdict:
            if said is not None:
                raise said
            return Pending()

        with monkeypatch.context() as patched:
            patched.setattr(gateway, "status", status)
            first = [await seconds_of_a_press(place, f"a{number}") for number in range(3)]
            assert min(first) >= budget
            later = [await seconds_of_a_press(place, f"b{number}") for number in range(3)]
            assert max(later) < 0.3
            await passes(place, 60)
            assert await seconds_of_a_press(place, "c") < 0.3
            assert await states(place) == {InvoiceState.SENT}
        await passes(place, 70)
        assert await states(place) == set()
        assert (await press_until_answered(place, "d")).state is InvoiceState.ACCEPTED


@pytest.mark.parametrize("ends", [True, False], ids=["fails", "never-decided"])
async def test_where_signing_in_takes_its_time_and_fails_a_press_does_not_wait_for_ever_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """For hours, it may be: three presses hope for a session, the others ask for it behind their answer."""
    async with shop(tmp_path) as (place, gateway):
        budget = place.settings.issue.budget_seconds
        over = asyncio.Event()

        async def session(invoice: Outgoing | None = None) -> SessionRef:
            if ends:
                await place.clock.sleep(2 * budget)
                raise NOT_YET
            await over.wait()
            raise NOT_YET

        async def seconds(key: str) -> float:
            begun = place.clock.monotonic()
            pressed = await press_until_answered(place, key)
            assert pressed.mode is Mode.OFFLINE24
            return place.clock.monotonic() - begun

        with monkeypatch.context() as patched:
            patched.setattr(gateway, "session", session)
            first = [await seconds(f"a{number}") for number in range(3)]
            assert min(first) >= budget
            later = [await seconds(f"b{number}") for number in range(3)]
            assert max(later) < 0.3
            await place.clock.advance(3 * budget)
            assert await seconds("c") < 0.3
        over.set()
        await place.clock.advance(3 * budget)
        await passes(place, 70)
        assert await states(place) == set()
        assert (await press_until_answered(place, "d")).state is InvoiceState.ACCEPTED


async def test_a_press_that_ksef_did_not_take_in_time_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the line that is slow then: the breaker's business."""
    async with shop(tmp_path) as (place, gateway):
        gateway.open.clear()
        for number in range(4):
            await press_until_answered(place, f"a{number}")
        gateway.open.set()
        await passes(place, 3)
        assert (await press_until_answered(place, "b")).state is InvoiceState.ACCEPTED


async def test_doubts_come_before_what_waits(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.lost_answers = 1
        doubtful = await press_until_answered(place, "a")
        assert doubtful.state is InvoiceState.IN_DOUBT
        await backlog(place, 2)
        gateway.calls.clear()
        await place.queue.pass_once()
        sends = [number for number, call in enumerate(gateway.calls) if call.startswith("send")]
        assert gateway.calls.index("find_all") < min(sends)
        assert f"send {doubtful.id}" not in gateway.calls
        assert await states(place) == set()


async def test_the_queue_is_gone_over_once_for_each_wake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path) as (place, _):
        times: list[float] = []

        async def counted() -> None:
            times.append(place.clock.monotonic())
            assert len(times) < 4, "it never rests"

        monkeypatch.setattr(place.queue, "pass_once", counted)
        running = asyncio.ensure_future(place.queue.run())
        for wakes in (1, 2):
            place.queue.wake()
            place.queue.wake()
            await place.clock.advance(60)
            assert len(times) == wakes
        running.cancel()


async def test_the_queue_lets_a_press_be_answered_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path) as (place, _):
        begun = asyncio.Event()

        async def passed() -> None:
            begun.set()

        monkeypatch.setattr(place.queue, "pass_once", passed)
        running = asyncio.ensure_future(place.queue.run())
        with place.presses.under_way():
            place.queue.wake()
            await place.clock.advance(LONGEST_SECONDS / 2)
            assert not begun.is_set()
        await place.clock.advance(LONGEST_SECONDS / 4)
        assert begun.is_set()
        running.cancel()


async def test_a_file_ksef_does_not_have_is_sent_again_as_the_same_bytes(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.send_plan.append(silence())
        record = await press_until_answered(place, "a")
        assert record.state is InvoiceState.IN_DOUBT
        await place.catch_up()
        assert [sent.sha256 for sent in gateway.sent] == [record.sha256]
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
        kinds = await place.log(record.id)
        assert kinds.index("doubt_cleared") < len(kinds) - 1 - kinds[::-1].index("sending")


async def test_a_correction_waits_for_its_base(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        (base,) = await backlog(place, 1)
        xml = base.xml.replace(base.number.encode(), b"EXT/kor")
        correction = new_invoice(
            "kor",
            None,
            base_id=base.id,
            deadline=date(2020, 1, 1),
            mode=Mode.OFFLINE24,
            xml=xml,
            sha256=hashlib.sha256(xml).digest(),
        )
        await place.store.write(lambda tx: tx.invoices.add(correction))
        waiting = await place.store.read(lambda tx: tx.invoices.waiting(10))
        assert [each.id for each in waiting] == [base.id]
        await place.catch_up()
        assert [sent.sha256 for sent in gateway.sent] == [base.sha256, correction.sha256]


async def test_a_backlog_goes_in_batches_by_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LARGEST", 10)
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        older = await backlog(place, 12)
        await place.clock.advance(24 * 3600)
        newer = await backlog(place, 13)
        await place.queue.pass_once()
        assert [len(batch) for batch in gateway.batches] == [10, 10, 5]
        order = [sha256 for batch in gateway.batches for sha256 in batch]
        assert order == [record.sha256 for record in (*older, *newer)]
        await passes(place, 2)
        assert await states(place) == set()
        assert gateway.count("send") == 0
        assert len(gateway.ledger) == 25


async def test_no_batch_is_larger_than_ksef_says(tmp_path: Path) -> None:
    """KSeF's own limit may be far below ours (GET /limits/context); it may become known between two batches."""
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        records = await backlog(place, 25)
        gateway.largest_batch = 10
        await place.queue.pass_once()
        assert [len(batch) for batch in gateway.batches] == [10, 10, 5]
        await passes(place, 2)
        assert len(gateway.ledger) == len(records)


@pytest.mark.parametrize("largest", [1, 0, -1])
async def test_where_ksef_takes_no_batch_to_speak_of_all_goes_singly(tmp_path: Path, largest: int) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        await backlog(place, 8)
        gateway.largest_batch = largest
        await passes(place, 3)
        assert (gateway.count("batch"), len(gateway.ledger)) == (0, 8)


async def test_a_batch_holds_no_more_than_memory_bears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        records = await backlog(place, 7)
        monkeypatch.setattr(batches, "MOST_BYTES", 3 * len(records[0].xml) + 10)
        await place.queue.pass_once()
        assert [len(batch) for batch in gateway.batches] == [3, 3, 1]
        monkeypatch.setattr(batches, "MOST_BYTES", 1)
        await place.lose_the_line()
        for _ in range(5):
            await place.sell()
        await place.restore_the_line()
        await place.queue.pass_once()
        assert [len(batch) for batch in gateway.batches[3:]] == [1] * 5, "one that is too large goes alone"
        await passes(place, 2)
        assert len(gateway.ledger) == 12


async def test_a_refused_batch_splits_until_the_culprit_is_alone(tmp_path: Path) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        records = await backlog(place, 100)
        gateway.culprit = records[40].sha256
        await passes(place, 20, seconds=30.0)
        assert await states(place) == set()
        assert len(gateway.ledger) == 100
        assert gateway.count("send") <= 12, "all but the culprit's own piece went in batches"
        assert f"send {records[40].id}" in gateway.calls
        assert sum(len(batch) for batch in gateway.batches) < 250


async def test_a_line_that_flaps_does_not_end_batches(tmp_path: Path) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        await backlog(place, 10)
        for _ in range(6):
            gateway.up = False
            await place.queue.pass_once()
            await line_back(place)
        await passes(place, 2)
        assert await states(place) == set()
        assert gateway.count("send") == 0


async def test_trouble_with_a_batch_ends_the_pass_also_for_what_goes_singly(tmp_path: Path) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        first, *_ = await backlog(place, 6)
        xml = first.xml.replace(first.number.encode(), b"EXT/online")
        alone = new_invoice("online", None, mode=Mode.ONLINE, xml=xml, sha256=hashlib.sha256(xml).digest())
        await place.store.write(lambda tx: tx.invoices.add(alone))
        gateway.batch_plan.append(BROKEN)
        gateway.calls.clear()
        await place.queue.pass_once()
        assert gateway.calls == ["batch"]


async def test_one_list_settles_all_doubts_of_a_batch(tmp_path: Path) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        records = await backlog(place, 30)

        async def crashed(tx: Transaction) -> None:
            for record in records:
                await tx.invoices.move(record.id, InvoiceState.SENDING, InvoiceChange(session_ref="SB-lost"))

        await place.store.write(crashed)
        await place.queue.recover()
        assert await states(place) == {InvoiceState.IN_DOUBT}
        gateway.lists_fail = True
        await passes(place, 12)
        assert gateway.count("find_all") <= 6, "a session that cannot be asked is left in peace"
        gateway.lists_fail = False
        gateway.calls.clear()
        await passes(place, 6, seconds=60.0)
        assert gateway.count("find_all") == 1
        assert await states(place) == set()
        assert len(gateway.ledger) == 30


async def test_questions_about_doubts_tell_that_the_line_is_down(tmp_path: Path) -> None:
    """Two that the line broke are enough: the third session is not asked, and a press waits for no KSeF."""
    async with shop(tmp_path) as (place, gateway):
        records = await backlog(place, 3)

        async def crashed(tx: Transaction) -> None:
            for record in records:
                await tx.invoices.move(record.id, InvoiceState.SENDING, InvoiceChange(session_ref=f"SO-{record.id}"))

        await place.store.write(crashed)
        await place.queue.recover()
        assert await states(place) == {InvoiceState.IN_DOUBT}
        gateway.up = False
        gateway.calls.clear()
        await place.queue.pass_once()
        assert gateway.calls == ["find_all", "find_all"]
        assert place.connection.breaker.state is LinkState.OPEN


async def batch_sent(place: World, count: int) -> list[InvoiceRecord]:
    """A batch whose verdicts nobody has asked for yet."""
    records = await backlog(place, count)
    await place.queue.pass_once()
    assert await states(place) == {InvoiceState.SENT}
    return records


def commits(place: World, monkeypatch: pytest.MonkeyPatch, *, lost: int | None = None) -> list[object]:
    """Count units of work; the one behind ``lost`` finds a full disk, and so does all that follows."""
    write = place.store.write
    found: list[object] = []

    async def counted(work: Work[T]) -> T:
        if len(found) == lost:
            raise Unavailable("pełny dysk", code="disk-full")
        found.append(work)
        return await write(work)

    monkeypatch.setattr(place.store, "write", counted)
    return found


async def test_a_batch_that_ksef_accepted_is_recorded_a_slice_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, batch_from=5) as (place, _):
        records = await batch_sent(place, 60)
        made = commits(place, monkeypatch)
        await place.queue.pass_once()
        assert len(made) == 3, "60 invoices, 25 in a transaction"
        for record in records:
            now = await place.record(record.id)
            assert (now.state, bool(now.invoice_ref)) == (InvoiceState.ACCEPTED, True)
            assert (await place.log(record.id)).count("accepted") == 1


async def test_what_was_recorded_before_a_crash_stays_and_the_rest_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, batch_from=5) as (place, _):
        records = await batch_sent(place, 60)
        with monkeypatch.context() as patched:
            commits(place, patched, lost=1)
            with pytest.raises(Unavailable):
                await place.queue.pass_once()
        waiting = await place.store.read(lambda tx: tx.invoices.unsent())
        assert len(waiting) == 35
        await passes(place, 12)
        assert await states(place) == set()
        assert {(await place.log(record.id)).count("accepted") for record in records} == {1}


async def test_of_a_batch_that_is_decided_in_part_the_rest_is_asked_for_again_without_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        records = await batch_sent(place, 6)
        busy = Rejected(503, "zajęta", retryable=True)
        said = {each.sha256: ("", Pending()) for each in records[1:]} | {records[0].sha256: ("ref", busy)}

        async def in_part(_: str) -> dict[bytes, tuple[str, Verdict]]:
            return dict(said)

        with monkeypatch.context() as patched:
            patched.setattr(gateway, "batch_verdicts", in_part)
            found = commits(place, patched)
            (session,) = await place.store.read(lambda tx: tx.invoices.asked_sessions())
            for _ in range(2):
                members = await place.store.read(lambda tx: tx.invoices.in_session(session, 10))
                await place.queue._batches.ask(session, members)
                assert len(found) == 3, "a look for numbers, the reference and the refusal; then nothing"
        waiting = await place.store.read(lambda tx: tx.invoices.waiting(10))
        assert [each.id for each in waiting] == [records[0].id]
        await passes(place, 12)
        assert await states(place) == set()


def storage_away(gateway: Recorder, patched: pytest.MonkeyPatch) -> None:
    """KSeF gives a batch session, and the storage for its parts is out of reach."""

    async def open_batch(invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        gateway.calls.append("batch")
        await opened(f"SB-away-{len(gateway.calls)}")
        raise KsefError("magazyn nie odpowiada", outcome=CallOutcome.NOT_SENT, link_down=True)

    patched.setattr(gateway, "open_batch", open_batch)


def batches_are_reset(gateway: Recorder, patched: pytest.MonkeyPatch) -> None:
    """A proxy on the way breaks what is long, and lets all else through."""

    async def open_batch(invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        gateway.calls.append("batch")
        raise silence()

    patched.setattr(gateway, "open_batch", open_batch)


async def alert_codes(place: World) -> set[str]:
    await place.problems.refresh()
    return {problem.code for problem in place.health.report().problems}


async def work(place: World, seconds: float) -> None:
    """Probe and sync as the schedule does."""
    for _ in range(int(seconds / 5)):
        await place.connection.probe()
        await place.in_time(place.queue.pass_once())
        await place.clock.advance(5)


@pytest.mark.parametrize("spoil", [storage_away, batches_are_reset])
async def test_what_no_batch_brings_goes_singly_the_most_urgent_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Recorder, pytest.MonkeyPatch], None]
) -> None:
    """A backlog of fifty never left, for hours, with all single sends free."""
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        records = await backlog(place, 60)
        with monkeypatch.context() as patched:
            spoil(gateway, patched)
            await work(place, 180)
            assert place.connection.breaker.allows, "presses go online all the while"
            assert [each.invoice_id for each in gateway.sent] == [each.id for each in records]
            assert gateway.count("batch") == 3
            assert "ksef-batches-failing" in await alert_codes(place)
            await place.sell()
            await place.connection.probe()
            await place.connection.probe()
            assert "ksef-batches-failing" in await alert_codes(place), "what goes singly says nothing of batches"
            assert "ksef-sign-in-failing" not in await alert_codes(place)
        await place.lose_the_line()
        for _ in range(60):
            await place.sell()
        await place.restore_the_line()
        await place.clock.advance(300)
        gateway.calls.clear()
        await work(place, 60)
        assert (gateway.count("send"), [len(batch) for batch in gateway.batches]) == (0, [25, 35])
        assert "ksef-batches-failing" not in await alert_codes(place)


def answer(gateway: FakeGateway, sha256: bytes, verdict: Verdict) -> None:
    """Let KSeF say this about a document it has."""
    for reference, (known, _, answers) in list(gateway._verdicts.items()):
        if known == sha256:
            gateway._verdicts[reference] = (known, verdict, answers)


async def test_a_number_that_ksef_gives_twice_costs_that_invoice_only(tmp_path: Path) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        records = await batch_sent(place, 30)
        taken, second = await place.record(records[0].id), await place.record(records[1].id)
        given = {sha256: verdict for sha256, verdict, _ in gateway._verdicts.values()}
        told = given[taken.sha256]
        assert isinstance(told, Accepted)
        answer(gateway, second.sha256, replace(told, sha256=None))
        await place.queue.pass_once()
        assert await states(place) == {InvoiceState.IN_DOUBT}
        (left,) = await place.store.read(lambda tx: tx.invoices.unsent())
        assert left.id == second.id
        (doubt,) = [event for event in await place.invoices.events(left.id) if event.kind == "in_doubt"]
        assert doubt.data["why"] == "KSeF podał numer, który ma już inna faktura"
        answer(gateway, second.sha256, given[second.sha256])
        await passes(place, 12, seconds=60.0)
        assert await states(place) == set()
        assert len(gateway.ledger) == 30


async def test_what_ksef_refuses_in_a_batch_leaves_the_others_accepted(tmp_path: Path) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        records = await batch_sent(place, 30)
        spoilt, missing = records[3].sha256, records[7].sha256
        answer(gateway, spoilt, Rejected(450, "błąd"))
        for session in gateway._sessions.values():
            session[:] = [reference for reference in session if gateway._verdicts[reference][0] != missing]
        await place.queue.pass_once()
        assert (await place.record(records[3].id)).state is InvoiceState.REJECTED
        assert "not_in_batch" in await place.log(records[7].id)
        others = [await place.record(each.id) for number, each in enumerate(records) if number not in {3, 7}]
        assert {each.state for each in others} == {InvoiceState.ACCEPTED}


async def test_what_its_sender_left_behind_is_a_doubt(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        (record,) = await backlog(place, 1)

        async def orphaned(tx: Transaction) -> None:
            await tx.invoices.move(record.id, InvoiceState.SENDING, InvoiceChange(session_ref="SO-1"))

        await place.store.write(orphaned)
        await passes(place, 3)
        assert "in_doubt" in await place.log(record.id)
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
        assert len(gateway.sent) == 1


async def test_a_verdict_that_does_not_come_is_asked_for_less_and_less(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.pending_answers = 1_000_000
        record = await press_until_answered(place, "a")
        await place.clock.advance(60)
        gateway.calls.clear()
        await passes(place, 720)
        assert 10 <= gateway.count("status") <= 25, "an hour of asking"
        reference = (await place.record(record.id)).invoice_ref
        assert reference is not None
        sha256, verdict, _ = gateway._verdicts[reference]
        gateway._verdicts[reference] = (sha256, verdict, 0)
        await passes(place, 61)
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


async def test_a_upo_comes_later(tmp_path: Path) -> None:
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        gateway.upo_fails = True
        records = await backlog(place, 8)
        gateway.calls.clear()
        await passes(place, 3)
        assert gateway.count("upo") <= 3, "the first refusal ends a pass"
        gateway.upo_fails = False
        await passes(place, 12, seconds=10.0)
        for record in records:
            assert (await place.invoices.one(record.id)).record.has_upo


async def test_a_upo_of_another_file_is_an_event_and_no_flood(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.wrong_upo = True
        record = await press_until_answered(place, "a")
        await passes(place, 720)
        assert not (await place.invoices.one(record.id)).record.has_upo
        assert (await place.log(record.id)).count("upo_mismatch") == 1
        assert "upo-missing" not in await alert_codes(place)
        await place.clock.advance(24 * 3600)
        assert "upo-missing" in await alert_codes(place)
        gateway.wrong_upo = False
        await passes(place, 3, seconds=300.0)
        assert (await place.invoices.one(record.id)).record.has_upo
        assert "upo-missing" not in await alert_codes(place)


async def test_with_no_single_sends_left_a_small_batch_goes_now_and_then(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        gateway.sends_left = 0
        record = await press_until_answered(place, "a")
        assert record.mode is Mode.OFFLINE24
        assert "limit" in record.reason
        await passes(place, 3)
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
        second = await press_until_answered(place, "b")
        await passes(place, 3)
        assert (await place.record(second.id)).state is InvoiceState.ISSUED
        await passes(place, 60)
        assert (await place.record(second.id)).state is InvoiceState.ACCEPTED
        assert (gateway.count("batch"), gateway.count("send")) == (2, 0)


def limit(seconds: float) -> KsefError:
    return KsefError("limit", outcome=CallOutcome.REFUSED, code=429, retry_after=seconds)


async def test_a_long_429_that_others_caused_makes_a_small_batch_at_once(tmp_path: Path) -> None:
    """67 invoices stood still for five minutes, though single sends and batches have limits of their own."""
    async with shop(tmp_path, batch_from=100) as (place, gateway):
        await backlog(place, 67)
        gateway.send_plan.extend(limit(300.0) for _ in range(67))
        await place.queue.pass_once()
        gateway.sends_left, gateway.wait = 0, 300.0  # as RateBudget says it after a 429 of five minutes
        await passes(place, 12)
        assert await states(place) == set()
        assert [len(batch) for batch in gateway.batches] == [67]


async def test_a_429_of_batches_leaves_single_sends_alone(tmp_path: Path) -> None:
    """The sibling: others have used up the batches of the hour."""
    async with shop(tmp_path, batch_from=5) as (place, gateway):
        await backlog(place, 8)
        gateway.batch_plan.append(limit(1800.0))
        await passes(place, 4)
        assert await states(place) == set()
        assert (gateway.count("batch"), gateway.count("send")) == (1, 8)
        await place.clock.advance(1800)
        await backlog(place, 14)  # six new ones
        await passes(place, 2)
        assert gateway.count("batch") == 2


async def test_a_short_429_is_waited_for(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        await backlog(place, 2)
        gateway.send_plan.extend(limit(30.0) for _ in range(2))
        await place.queue.pass_once()
        gateway.wait = 30.0
        await passes(place, 5)
        assert (gateway.count("batch"), gateway.count("send")) == (0, 2)
        gateway.wait = 0.0
        await passes(place, 3)
        assert await states(place) == set()


async def test_the_backlog_stands_back_for_a_press(tmp_path: Path) -> None:
    async with shop(tmp_path) as (place, gateway):
        await backlog(place, 3)
        with place.queue.press_under_way():
            working = asyncio.ensure_future(place.queue.pass_once())
            await place.clock.advance(10)
            assert gateway.count("send") == 0
        await place.clock.advance(1)
        await working
        assert gateway.count("send") == 3


async def test_an_online_invoice_that_missed_its_day_leaves_as_offline24(tmp_path: Path) -> None:
    """The process died between the commit and the send, shortly before midnight in Warsaw."""
    clock = FakeClock(datetime(2026, 11, 24, 22, 59, 50, tzinfo=UTC))
    gateway = Recorder(clock)
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        dead = asyncio.Event()
        gateway.session = lambda _: dead.wait()  # type: ignore[assignment, method-assign, misc]
        task = asyncio.ensure_future(counter.sale(place, json.dumps(sale()).encode(), "a", CASHIER))
        for _ in range(500):
            await asyncio.sleep(0)
        (waiting,) = await place.store.read(lambda tx: tx.invoices.unsent())
        assert (waiting.mode, waiting.state) == (Mode.ONLINE, InvoiceState.ISSUED)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    del gateway.session
    await clock.advance(3600)
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        await place.catch_up()
        after = await place.record(waiting.id)
        assert (after.mode, after.state) == (Mode.OFFLINE24, InvoiceState.ACCEPTED)
        assert gateway.sent[0].offline
        assert after.issued_on.isoformat() == "2026-11-24"
        assert "mode" in await place.log(waiting.id)


REFUSED_LOGIN = KsefError("KSeF odrzucił token KSeF.", outcome=CallOutcome.REFUSED, code=450, body="{}")
NO_TOKEN = KsefError("KSeF odrzucił token KSeF.", outcome=CallOutcome.NOT_SENT, code=450)


def refuse_sessions(gateway: Recorder, patched: pytest.MonkeyPatch) -> list[str]:
    """Let KSeF give no session; return who asked for one, as it goes on."""
    asked: list[str] = []

    async def session(invoice: Outgoing | None = None) -> SessionRef:
        asked.append("" if invoice is None else invoice.invoice_id)
        raise REFUSED_LOGIN

    patched.setattr(gateway, "session", session)
    return asked


def refuse_tokens(gateway: Recorder, patched: pytest.MonkeyPatch) -> list[str]:
    """Let every send in a session that is open fail, since there is no token for it any more."""
    asked: list[str] = []

    async def send(session: object, invoice: Outgoing) -> str:
        asked.append(invoice.invoice_id)
        raise NO_TOKEN

    patched.setattr(gateway, "send", send)
    return asked


@pytest.mark.parametrize("refuse", [refuse_sessions, refuse_tokens])
async def test_while_ksef_lets_nobody_in_a_few_try_and_the_others_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuse: Callable[[Recorder, pytest.MonkeyPatch], list[str]]
) -> None:
    async with shop(tmp_path) as (place, gateway):
        await backlog(place, 30)
        written = len(await place.all_events())
        with monkeypatch.context() as patched:
            asked = refuse(gateway, patched)
            await passes(place, 120)
            assert 10 <= len(asked) <= 60, "ten minutes: some at a time, once a minute"
            assert len(await place.all_events()) - written <= 2 * len(asked) + 10
        await passes(place, 13)
        assert await states(place) == set(), "a minute after its end everything is there"


async def test_a_press_that_gets_in_frees_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shop(tmp_path) as (place, gateway):
        await backlog(place, 12)
        with monkeypatch.context() as patched:
            refuse_sessions(gateway, patched)
            await passes(place, 20)
        assert (await press_until_answered(place, "now")).state is InvoiceState.ACCEPTED
        await passes(place, 2)
        assert await states(place) == set()


async def test_one_way_that_gives_no_session_says_nothing_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A till of a chain has two: what is late goes its own, by deadline before all others."""
    async with shop(tmp_path) as (place, gateway):
        late, other = await backlog(place, 2)
        known = gateway.session

        async def session(invoice: Outgoing | None = None) -> SessionRef:
            if invoice is not None and invoice.invoice_id == late.id:
                raise REFUSED_LOGIN
            return await known(invoice)

        monkeypatch.setattr(gateway, "way_of", lambda invoice_id: "own" if invoice_id == late.id else "hub")
        monkeypatch.setattr(gateway, "session", session)
        await passes(place, 2)
        assert (await place.record(other.id)).state is InvoiceState.ACCEPTED
        assert (await place.record(late.id)).state is InvoiceState.ISSUED
