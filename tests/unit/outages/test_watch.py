"""Watch: facts and breaker are durable, deadlines follow every fact, silence is never awaria, the clock is checked."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from agent.domain.errors import Conflict, Unavailable
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.circuit_breaker import LinkState
from agent.ports import CallOutcome, Event, KsefError, LatarniaReading, Work
from tests.fakes import counter
from tests.fakes.world import CASHIER, MANAGER, World, sale, world
from tests.sim.announcing import news_of
from tests.sim.oracle import Outage

T = TypeVar("T")
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""A Tuesday."""


async def press(place: World, key: str) -> InvoiceRecord:
    task = asyncio.ensure_future(counter.sale(place, json.dumps(sale()).encode(), key, CASHIER))
    while not task.done():
        await place.clock.advance(0.1)
    return (await task).invoices[0].record


def announce(place: World, kind: str, status: str, *, begin: datetime, end: datetime | None = None) -> None:
    """Make Latarnia say this outage, and its end where it has one."""
    place.latarnia.status = {"status": status}
    place.latarnia.messages = [item.message for item in news_of(Outage(kind, begin, begin, end), 7)]


async def last(place: World, invoice_id: str, kind: str) -> Event:
    return [event for event in await place.invoices.events(invoice_id) if event.kind == kind][-1]


async def test_half_a_character_of_latarnia_stops_neither_presses_nor_health(tmp_path: Path) -> None:
    """JSON allows "\\ud83d" alone; no UTF-8 does."""
    async with world(tmp_path) as place:
        place.latarnia.status = {"status": "NOWE\ud83d"}
        await place.announcements.poll()
        await place.problems.refresh()
        words = [problem.message for problem in place.health.report().problems]
        assert any("NOWE?" in word for word in words)
        assert all(word.encode() for word in words)
        announce(place, "failure", "FAILURE", begin=START - timedelta(hours=1))
        place.latarnia.messages = [{**each, "id": "K/1 \ud83d"} for each in place.latarnia.messages]
        await place.announcements.poll()
        sold = await press(place, "a")
        assert (sold.mode, "K/1 ?" in sold.reason) == (Mode.FAILURE, True)


async def test_messages_for_which_there_is_no_room_are_told(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        (known,) = [item.message for item in news_of(Outage("failure", START, START, None), 7)]
        for number in range(3):
            names = [f"{number}-{each}" for each in range(600)]
            place.latarnia.messages = [{**known, "id": each, "eventId": each} for each in names]
            await place.announcements.poll()
            await place.problems.refresh()
            told = [each.message for each in place.health.report().problems if each.code == "latarnia-unknown"]
            assert any("za dużo nowych komunikatów" in each for each in told) == (number > 0)
        assert len(await place.store.read(lambda tx: tx.facts.all())) < 1100


async def test_the_breaker_survives_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        await place.connection.probe()
        await place.connection.probe()
        assert place.connection.breaker.state is LinkState.OPEN
        clock, since = place.clock, place.connection.breaker.since
        events = [event for event in await place.all_events() if event.kind == "line"]
        assert (events[-1].data["state"], events[-1].data["problem"]) == ("open", "brak łączności")
    async with world(tmp_path, clock=clock) as place:
        assert (place.connection.breaker.state, place.connection.breaker.since) == (LinkState.OPEN, since)
        assert (await press(place, "a")).mode is Mode.OFFLINE24
        assert not await place.connection.probe()
        assert await place.connection.probe(), "the line has just come back"
        assert (await press(place, "b")).mode is Mode.ONLINE


async def test_refusals_of_ksef_do_not_open_the_breaker(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        for _ in range(5):
            place.connection.failed(KsefError("limit", outcome=CallOutcome.REFUSED, code=429))
        assert place.connection.breaker.allows
        place.connection.failed(KsefError("cisza", outcome=CallOutcome.UNKNOWN))
        place.connection.failed(KsefError("cisza", outcome=CallOutcome.UNKNOWN))
        assert not place.connection.breaker.allows


async def test_facts_are_learned_once_and_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        announce(place, "failure", "FAILURE", begin=START - timedelta(hours=1))
        await place.announcements.poll()
        kept = await place.store.read(lambda tx: tx.facts.all())
        assert kept
        await place.announcements.poll()
        assert await place.store.read(lambda tx: tx.facts.all()) == kept
        timeline, clock = place.timeline.current, place.clock
    async with world(tmp_path, clock=clock) as place:
        assert place.timeline.current == timeline
        assert place.mode.decide(clock.now()).mode is Mode.FAILURE


async def test_silence_of_latarnia_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as place:

        async def silent() -> LatarniaReading:
            raise KsefError("brak odpowiedzi", outcome=CallOutcome.UNKNOWN, link_down=True)

        place.latarnia.read = silent  # type: ignore[method-assign]
        await place.announcements.poll()
        await place.clock.advance(60)
        await place.announcements.poll()
        assert place.announcements.lost is not None
        assert place.announcements.lost.at == START
        assert place.mode.current().latarnia == "unreachable"
        assert place.timeline.current.facts == ()
        assert (await press(place, "a")).mode is Mode.ONLINE


async def test_unsent_deadlines_follow_each_fact_with_an_event(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        waiting = await press(place, "a")
        assert waiting.deadline == date(2026, 11, 25)
        begin = place.clock.now() + timedelta(hours=1)
        await place.clock.advance(7200)
        announce(place, "failure", "FAILURE", begin=begin)
        await place.announcements.poll()
        assert ((await place.record(waiting.id)).deadline, (await place.record(waiting.id)).deadline_state) == (
            None,
            "open",
        )
        announce(place, "failure", "AVAILABLE", begin=begin, end=begin + timedelta(hours=2))
        await place.clock.advance(3 * 3600)
        await place.announcements.poll()
        assert (await place.record(waiting.id)).deadline == date(2026, 12, 3)
        event = await last(place, waiting.id, "deadline")
        assert (event.data["from"], event.data["to"]) == (None, "2026-12-03")
        assert "106nha" in str(event.data["legal_basis"])
        accepted_before = len(await place.invoices.events(waiting.id))
        await place.deadlines.follow()
        assert len(await place.invoices.events(waiting.id)) == accepted_before, "nothing new, no event"


async def test_an_accepted_invoice_keeps_its_deadline(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        record = await press(place, "a")
        announce(place, "failure", "FAILURE", begin=place.clock.now())
        await place.clock.advance(60)
        await place.announcements.poll()
        assert (await place.record(record.id)).deadline == date(2026, 11, 25)


async def test_the_end_of_a_failure_closes_what_is_in_ksef_already(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        begin = place.clock.now()
        announce(place, "failure", "FAILURE", begin=begin)
        await place.announcements.poll()
        await place.lose_the_line()
        record = await press(place, "a")
        await place.restore_the_line()
        await place.clock.advance(60)
        await place.catch_up()
        record = await place.record(record.id)
        assert (record.state, record.mode) == (InvoiceState.ACCEPTED, Mode.FAILURE)
        assert (record.deadline, record.deadline_state) == (None, "open")
        await place.clock.advance(3 * 86400)
        later = place.clock.now()
        announce(place, "failure", "FAILURE", begin=begin, end=begin + timedelta(hours=2))
        second = [item.message | {"id": "K/2"} for item in news_of(Outage("failure", later, later, None), 8)]
        place.latarnia.messages = [*(place.latarnia.messages or []), *second]
        await place.announcements.poll()
        closed = await place.record(record.id)
        assert (closed.deadline, closed.deadline_state) == (date(2026, 12, 3), "due"), "it waits no more"
        assert (await last(place, record.id, "deadline")).data["to"] == "2026-12-03"
        (row,) = [each async for each in place.register.rows("2026-11", None)]
        assert (row["deadline"], row["deadline_state"], row["days_late"]) == ("2026-12-03", "due", 0)
        logged = len(await place.invoices.events(record.id))
        await place.deadlines.follow()
        assert len(await place.invoices.events(record.id)) == logged


async def confirmed_total_failure(place: World) -> tuple[InvoiceRecord, InvoiceRecord]:
    """Return an invoice that waited when it was confirmed, and one issued after."""
    place.gateway.up = False
    waiting = await press(place, "waiting")
    announce(place, "total", "TOTAL_FAILURE", begin=place.clock.now())
    await place.clock.advance(60)
    await place.announcements.poll()
    assert place.mode.current().total_failure_to_confirm
    assert place.mode.decide(place.clock.now()).mode is Mode.OFFLINE24, "nobody has confirmed it"
    assert (await place.record(waiting.id)).deadline == date(2026, 11, 25)
    await place.declarations.declare(Mode.TOTAL_FAILURE, "Komunikat w telewizji", MANAGER)
    within = await press(place, "within")
    place.gateway.up = True
    return waiting, within


async def test_a_confirmed_total_failure_stops_sending_and_lifts_the_duty(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        waiting, within = await confirmed_total_failure(place)
        assert (within.mode, within.deadline_state) == (Mode.TOTAL_FAILURE, "lifted")
        assert (await place.record(waiting.id)).deadline_state == "lifted"
        for _ in range(3):
            await place.connection.probe()
            await place.queue.pass_once()
            await place.clock.advance(60)
        assert place.gateway.sent == []
        await place.declarations.withdraw("Koniec", MANAGER)
        assert (await place.record(within.id)).state is InvoiceState.EXEMPT
        assert (await last(place, within.id, "exempt")).data["legal_basis"] == "art. 106ng"
        await place.catch_up()
        assert {number for _, _, number in place.gateway.ledger} == {waiting.number}, "late ones are still sent"


async def test_a_false_alarm_restores_every_duty(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        waiting, within = await confirmed_total_failure(place)
        await place.declarations.withdraw("Fałszywy alarm", MANAGER, false_alarm=True)
        for each in (waiting, within):
            now = await place.record(each.id)
            assert (now.deadline, now.deadline_state) == (date(2026, 11, 25), "due")
            assert now.state is InvoiceState.ISSUED
        await place.catch_up()
        assert {number for _, _, number in place.gateway.ledger} == {waiting.number, within.number}


async def test_a_declaration_and_a_poll_that_meet_are_both_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        announce(place, "failure", "FAILURE", begin=START - timedelta(hours=1))
        write = place.store.write

        async def busy(work: Work[T]) -> T:
            for _ in range(50):
                await asyncio.sleep(0)
            return await write(work)

        place.store.write = busy  # type: ignore[method-assign, assignment]
        await asyncio.gather(
            place.announcements.poll(), place.declarations.declare(Mode.OFFLINE24, "Remont łącza", MANAGER)
        )
        situation = place.timeline.at(place.clock.now())
        assert situation.failure is not None
        assert situation.offline24 is not None


async def test_nobody_declares_what_the_ministry_announces(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        for mode in (Mode.FAILURE, Mode.UNAVAILABILITY, Mode.ONLINE):
            with pytest.raises(Conflict):
                await place.declarations.declare(mode, "bo tak", MANAGER)
        with pytest.raises(Conflict):
            await place.declarations.withdraw("bo tak", MANAGER)
        assert await place.all_events() == []


class TestClock:
    async def test_a_clock_that_is_certainly_wrong_issues_nothing(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            place.gateway.skew = -16 * 60.0
            await place.connection.probe()
            with pytest.raises(Unavailable) as refused:
                await press(place, "a")
            assert refused.value.code == "clock-wrong"
            assert "16 min" in refused.value.detail
            assert (await place.invoices.queue()).invoices == []
            place.gateway.skew = -5 * 60.0
            await place.connection.probe()
            assert (await press(place, "a")).serial == 1

    @pytest.mark.parametrize(
        ("shows", "sentence"),
        [
            (
                datetime(1970, 1, 2, 0, 0, tzinfo=UTC),
                "Zegar kasy pokazuje 02.01.1970 01:00, a faktury FA(3) są od 01.09.2025.",
            ),
            (datetime(2025, 8, 31, 12, 0, tzinfo=UTC), "31.08.2025 14:00"),
        ],
    )
    async def test_a_new_till_with_a_flat_battery_and_no_line(
        self, tmp_path: Path, shows: datetime, sentence: str
    ) -> None:
        async with world(tmp_path, start=shows) as place:
            place.gateway.up = False
            with pytest.raises(Unavailable, match=re.escape(sentence)) as refused:
                await press(place, "a")
            assert refused.value.code == "clock-wrong"
            await place.problems.refresh()
            report = place.health.report()
            assert (report.status, [each.code for each in report.problems]) == ("critical", ["clock-skew"])

    async def test_a_clock_a_year_off_is_told_in_days(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            place.gateway.skew = 400 * 86_400.0
            await place.connection.probe()
            with pytest.raises(Unavailable, match="o 400 dni"):
                await press(place, "a")

    async def test_a_date_in_doubt_is_offline24(self, tmp_path: Path) -> None:
        """Five minutes before midnight in Warsaw, by a clock that is ten minutes slow."""
        async with world(tmp_path, start=datetime(2026, 11, 24, 22, 55, tzinfo=UTC)) as place:
            place.gateway.skew = 10 * 60.0
            await place.connection.probe()
            record = await press(place, "a")
            assert record.mode is Mode.OFFLINE24
            assert "egar" in record.reason

    async def test_a_wait_written_by_a_wrong_clock_does_not_hold_the_queue(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            place.clock.step(timedelta(days=90))
            place.gateway.up = False
            record = await press(place, "a")
            await place.clock.advance(60)
            place.gateway.up = True
            place.clock.step(timedelta(days=-90))
            await place.catch_up()
            assert (await place.record(record.id)).state is InvoiceState.ACCEPTED
