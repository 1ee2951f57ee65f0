"""sync.backlog_hours in a whole agent: what waits, what goes at once, and what health says meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import Unsent
from agent.services.delivery.backlog_window import BacklogWindow
from agent.settings.model import Settings, SyncSettings
from agent.web.answers.health import health_of
from tests.fakes.clock import FakeClock, at
from tests.fakes.world import MANAGER, World, press_until_answered, settings, world


def at_night(data_dir: Path, prefer: str = "online") -> Settings:
    own = settings(data_dir)
    return replace(own, sync=SyncSettings("22:00-06:00"), issue=replace(own.issue, prefer=prefer))


def clock_at(text: str) -> FakeClock:
    return FakeClock(at(text))


def window_of(place: World) -> BacklogWindow:
    return place.queue.window


async def sold_offline(place: World) -> str:
    await place.lose_the_line()
    record = await place.sell()
    await place.restore_the_line()
    return record.id


async def passes(place: World, hours: float) -> None:
    """Let time pass as the loops do: a pass of the sync every half hour."""
    for _ in range(int(hours * 2)):
        await place.queue.pass_once()
        await place.clock.advance(1800)
    await place.queue.pass_once()


async def test_the_backlog_waits_for_its_window_and_a_press_does_not(tmp_path: Path) -> None:
    async with world(tmp_path, given=at_night(tmp_path), clock=clock_at("2026-11-24 10:00")) as place:
        offline = await sold_offline(place)
        await passes(place, 2)
        assert (await place.record(offline)).state is InvoiceState.ISSUED
        pressed = await press_until_answered(place, "at the counter")
        assert pressed.state is InvoiceState.ACCEPTED
        await passes(place, 10)
        assert (await place.record(offline)).state is InvoiceState.ACCEPTED


async def test_health_says_what_it_waits_for_and_no_alarm_begins(tmp_path: Path) -> None:
    async with world(tmp_path, given=at_night(tmp_path), clock=clock_at("2026-11-24 10:00")) as place:
        await sold_offline(place)
        for _ in range(20):
            await place.queue.pass_once()
            await place.problems.refresh()
            codes = {each.code for each in place.problems.open}
            assert not codes & {"deadline-near", "overdue"}, codes
            await place.clock.advance(1800)
        queue = health_of(place.health.report()).queue
        assert (queue.unsent, queue.waiting_for_window) == (1, 1)
        assert queue.window_opens_at is not None
        assert queue.window_opens_at.isoformat() == "2026-11-24T22:00:00+01:00"
        await passes(place, 3)
        await place.problems.refresh()
        queue = health_of(place.health.report()).queue
        assert (queue.unsent, queue.waiting_for_window, queue.window_opens_at) == (0, 0, None)


async def test_what_missed_its_window_goes_at_once(tmp_path: Path) -> None:
    """The line was down all night; the next window would be too late."""
    async with world(tmp_path, given=at_night(tmp_path), clock=clock_at("2026-11-24 18:00")) as place:
        await place.lose_the_line()
        offline = (await place.sell()).id
        await passes(place, 14)
        assert (await place.record(offline)).state is InvoiceState.ISSUED
        await place.restore_the_line()
        await place.queue.pass_once()
        assert (await place.record(offline)).state is InvoiceState.ACCEPTED


async def test_a_person_may_send_now(tmp_path: Path) -> None:
    async with world(tmp_path, given=at_night(tmp_path), clock=clock_at("2026-11-24 10:00")) as place:
        offline = await sold_offline(place)
        await place.queue.pass_once()
        assert await place.queue.send_now() == 1
        health_of(place.health.report())  # a look in between changes nothing
        await place.queue.pass_once()
        assert (await place.record(offline)).state is InvoiceState.ACCEPTED


async def test_a_shop_that_prefers_offline24_sends_at_night(tmp_path: Path) -> None:
    given = at_night(tmp_path, prefer="offline24")
    async with world(tmp_path, given=given, clock=clock_at("2026-11-24 10:00")) as place:
        sold = await place.sell()
        await passes(place, 11.5)
        assert (await place.record(sold.id)).state is InvoiceState.ISSUED
        await passes(place, 1)
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED


async def test_a_technical_correction_waits_for_no_window(tmp_path: Path) -> None:
    async with world(tmp_path, given=at_night(tmp_path), clock=clock_at("2026-11-24 10:00")) as place:
        offline = await sold_offline(place)
        await place.be_rejected(offline)
        await place.rejected.correct_technically(offline, MANAGER)
        await place.queue.pass_once()
        assert (await place.record(offline)).state is InvoiceState.ACCEPTED


async def test_a_clock_that_nobody_vouches_for_keeps_no_window(tmp_path: Path) -> None:
    async with world(tmp_path, given=at_night(tmp_path), clock=clock_at("2026-11-24 10:00")) as place:
        offline = await sold_offline(place)
        place.clock_check.knows_the_day = lambda: False  # type: ignore[method-assign]
        await place.queue.pass_once()
        assert (await place.record(offline)).state is InvoiceState.ACCEPTED


async def test_a_base_goes_with_its_correction(tmp_path: Path) -> None:
    """The base has days left (its awaria goes on), its correction is due: KSeF takes the base first."""
    async with world(tmp_path, given=at_night(tmp_path), clock=clock_at("2026-11-25 10:00")) as place:
        opens = datetime(2026, 11, 25, 21, tzinfo=UTC)
        base = unsent("base", None)
        assert window_of(place).waiting([base]) == {"base": opens}
        due = replace(unsent("kor", date(2026, 11, 25)), base_id="base")
        later = replace(unsent("kor", date(2026, 11, 27)), base_id="base")
        assert window_of(place).waiting([base, due]) == {}
        assert window_of(place).waiting([base, later]) == {"base": opens, "kor": opens}


async def test_what_still_says_online_leaves_on_its_day(tmp_path: Path) -> None:
    async with world(tmp_path, given=at_night(tmp_path), clock=clock_at("2026-11-25 10:00")) as place:
        record = replace(unsent("online", date(2026, 11, 26)), mode=Mode.ONLINE)
        assert window_of(place).waiting([record]) == {}


def unsent(name: str, deadline: date | None) -> Unsent:
    return Unsent(
        id=name,
        number=name,
        state=InvoiceState.ISSUED,
        mode=Mode.OFFLINE24,
        version=1,
        attempts=0,
        deadline=deadline,
        deadline_state="open" if deadline is None else "due",
        issued_on=date(2026, 11, 24),
        issued_at=datetime(2026, 11, 24, 9, tzinfo=UTC),
        place=1,
    )
