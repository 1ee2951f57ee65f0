"""The wall clock is set, in either direction, at any moment: what is refused, who ends it, and what goes on."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain.errors import Conflict, Unavailable
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import CallOutcome, KsefError, LatarniaReading
from agent.services.monitoring.webhooks import ALERT_TYPES, Subscriber
from tests.fakes import counter
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import CASHIER, MANAGER, World, world
from tests.sim.oracle import WARSAW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = datetime(2026, 11, 24, tzinfo=UTC)
RESETS = [datetime(1970, 1, 1, tzinfo=UTC) - TODAY, datetime(2020, 1, 1, tzinfo=UTC) - TODAY]
"""What a machine wakes in: without a battery clock, and with one that was reset to the year of its board."""
STEPS = [-HOUR, HOUR, -400 * DAY, 90 * DAY, *RESETS]


KEYS = itertools.count(1)


async def press(place: World) -> InvoiceRecord:
    """Sell the usual basket under a key of its own, also after a restart."""
    return await place.sell(f"press-{next(KEYS)}")


async def refused(place: World) -> Unavailable:
    """Press, be refused; no number is used and no paper printed."""
    before = len((await place.invoices.queue()).invoices), len(place.printer.papers)
    with pytest.raises(Unavailable) as answer:
        await press(place)
    assert (len((await place.invoices.queue()).invoices), len(place.printer.papers)) == before
    return answer.value


async def problems(place: World) -> dict[str, str]:
    await place.problems.refresh()
    return {each.code: each.severity for each in place.health.report().problems}


def set_clock(place: World, step: timedelta) -> None:
    """Set the till's clock; KSeF's goes on as it was."""
    place.clock.step(step)
    place.gateway.skew -= step.total_seconds()


# --- a till that KSeF has told the time -----------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_each_press_is_compared_with_the_time_of_ksef(tmp_path: Path, step: timedelta) -> None:
    """At once, without a probe in between, with and without a line; and all is well when the clock is."""
    async with world(tmp_path) as place:
        await place.connection.probe()
        first = await press(place)
        for up in (True, False):
            place.gateway.up = up
            set_clock(place, step)
            answer = await refused(place)
            assert answer.code == "clock-wrong"
            assert answer.detail.endswith("Ustaw zegar; faktury nie wystawiono.")
            assert await problems(place) == {"clock-skew": "critical"}
            assert place.health.report().status == "critical"
            assert place.clock_check.answer().state == "wrong"
            set_clock(place, -step)
            assert "clock-skew" not in await problems(place)
        place.gateway.up = True
        following = await press(place)
        assert (first.serial, following.serial) == (1, 2)
        assert following.issued_on == date(2026, 11, 24)


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_the_comparison_outlives_a_restart(tmp_path: Path, step: timedelta) -> None:
    """The clock is set while the agent does not run, and the line is down."""
    async with world(tmp_path) as place:
        await place.connection.probe()
        await place.clock.advance(3600)
        clock = place.clock
    clock.step(step)
    async with world(tmp_path, clock=clock) as place:
        place.gateway.up = False
        assert (await refused(place)).code == ("clock-unconfirmed" if step > timedelta(0) else "clock-wrong")
        clock.step(-step)
        assert (await press(place)).issued_on == date(2026, 11, 24)


async def test_a_press_asks_ksef_before_it_is_refused(tmp_path: Path) -> None:
    """A virtual machine was paused for a night: its monotonic clock, too. KSeF knows that the wall clock is right."""
    async with world(tmp_path) as place:
        await place.connection.probe()
        place.clock.step(10 * HOUR)
        assert (await press(place)).mode is Mode.ONLINE


async def test_suspend_is_no_step(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.connection.probe()
        place.clock.slept(64 * HOUR)
        place.gateway.up = False
        assert (await press(place)).issued_on == date(2026, 11, 27)
        await place.clock_check.keep()
        assert not [event for event in await place.all_events() if event.kind == "clock_stepped"]


async def test_the_word_of_ksef_counts_more_than_a_log_from_the_future(tmp_path: Path) -> None:
    async with world(tmp_path, start=datetime(2027, 11, 24, 9, 0, tzinfo=UTC)) as place:
        assert (await press(place)).issued_on.year == 2027
        clock, gateway = place.clock, place.gateway
    clock.reboot(-365 * DAY)
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        place.gateway.up = False
        answer = await refused(place)
        assert "a ostatnia faktura jest z 24.11.2027 10:00." in answer.detail
        place.gateway.up = True
        assert (await press(place)).issued_on == date(2026, 11, 24)
        place.gateway.up = False
        assert (await press(place)).issued_on == date(2026, 11, 24)


# --- a till without a line ------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [each for each in STEPS if abs(each) < 10_000 * DAY], ids=str)
async def test_a_step_that_nothing_confirms_waits_for_a_manager(tmp_path: Path, step: timedelta) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        assert (await press(place)).mode is Mode.OFFLINE24
        set_clock(place, step)
        answer = await refused(place)
        forward = step > timedelta(0)
        before_fa3 = place.clock.now() < datetime(2025, 9, 1, tzinfo=UTC)
        assert answer.code == ("clock-unconfirmed" if forward else "clock-wrong")
        assert await problems(place) == {"clock-unconfirmed" if forward else "clock-skew": "critical"}
        assert ("poproś kierownika" in answer.detail) is not before_fa3
        state = place.clock_check.answer()
        assert state.confirmable is not before_fa3
        today = place.clock.now().astimezone(WARSAW).date()
        with pytest.raises(Conflict) as moved:
            await place.trusted_time.confirm(today + DAY, MANAGER)
        assert moved.value.code == "clock-moved"
        if before_fa3:
            with pytest.raises(Conflict) as impossible:
                await place.trusted_time.confirm(today, MANAGER)
            assert impossible.value.code == "clock-not-confirmable"
            return
        state = await place.trusted_time.confirm(today, MANAGER)
        assert (state.state, state.confirmed_by, state.problem) == ("confirmed", "manager", None)
        assert not {"clock-skew", "clock-unconfirmed"} & set(await problems(place))
        assert (await press(place)).issued_on == today
        event = [each for each in await place.all_events() if each.kind == "clock_confirmed"][-1]
        assert event.data["by"] == MANAGER.name
        clock = place.clock
    async with world(tmp_path, clock=clock) as place:  # a restart asks no second time
        place.gateway.up = False
        assert (await press(place)).issued_on == today


async def test_what_a_press_believed_is_kept_with_its_invoice(tmp_path: Path) -> None:
    """A process that dies right after its first press, and starts again beside a clock set by two days."""
    async with world(tmp_path) as place:
        place.gateway.up = False
        await press(place)
        clock = place.clock
    clock.step(2 * DAY)
    async with world(tmp_path, clock=clock) as place:
        place.gateway.up = False
        assert (await refused(place)).code == "clock-unconfirmed"


async def test_a_time_server_confirms_a_step(tmp_path: Path) -> None:
    """The usual start of a till whose battery is flat: NTP comes a minute later."""
    async with world(tmp_path) as place:
        place.gateway.up = False
        await press(place)
        clock = place.clock
    clock.reboot(2 * DAY)
    right = clock.now()
    clock.step(datetime(2020, 1, 1, tzinfo=UTC) - right)
    async with world(tmp_path, clock=clock) as place:
        place.gateway.up = False
        assert (await refused(place)).code == "clock-wrong"
        clock.ntp = True  # and the clock is not right yet: a daemon that says so before it has set it
        assert (await refused(place)).code == "clock-wrong"
        clock.step(right - clock.now())
        assert (await press(place)).issued_on == date(2026, 11, 26)
        assert place.clock_check.answer().confirmed_by == "ntp"


@pytest.mark.parametrize(
    ("off", "issues"), [(16 * HOUR, True), (64 * HOUR, True), (5 * DAY, True), (8 * DAY, False), (200 * DAY, False)]
)
async def test_a_till_that_was_off_sells_without_a_line(tmp_path: Path, off: timedelta, issues: bool) -> None:
    """A night, a weekend, Christmas: yes. A summer: once a manager has looked at the date."""
    async with world(tmp_path) as place:
        await place.connection.probe()
        await press(place)
        clock = place.clock
    clock.reboot(off)
    async with world(tmp_path, clock=clock) as place:
        place.gateway.up = False
        if issues:
            assert (await press(place)).issued_on == clock.now().astimezone(WARSAW).date()
            assert place.clock_check.answer().state == "assumed"
        else:
            assert (await refused(place)).code == "clock-unconfirmed"
            await place.trusted_time.confirm(clock.now().astimezone(WARSAW).date(), MANAGER)
            assert (await press(place)).mode is Mode.OFFLINE24


async def test_a_machine_without_a_battery_clock_does_not_know_the_day(tmp_path: Path) -> None:
    """A small board goes on from the time it saved: on Monday it believes that it is still Friday."""
    async with world(tmp_path) as place:
        place.gateway.up = False
        await press(place)
        clock = place.clock
    clock.battery = False
    clock.reboot(timedelta(seconds=20))
    async with world(tmp_path, clock=clock) as place:
        place.gateway.up = False
        assert (await refused(place)).code == "clock-unconfirmed"
        place.gateway.up = True
        assert (await press(place)).mode is Mode.ONLINE


async def test_midnight_falls_back(tmp_path: Path) -> None:
    """Five past midnight an invoice, then the clock is set back by seven minutes: no yesterday's date after today's."""
    async with world(tmp_path, start=datetime(2026, 11, 24, 23, 5, tzinfo=UTC)) as place:
        place.gateway.up = False
        assert (await press(place)).issued_on == date(2026, 11, 25)
        place.clock.step(timedelta(minutes=-7))
        assert (await refused(place)).code == "clock-wrong"
        await place.clock.advance(180)
        assert (await press(place)).issued_on == date(2026, 11, 25)


@pytest.mark.parametrize("night", [datetime(2026, 10, 25, tzinfo=UTC), datetime(2027, 3, 28, tzinfo=UTC)])
async def test_the_nights_of_the_change_of_time_are_nights(tmp_path: Path, night: datetime) -> None:
    async with world(tmp_path, start=night - 3 * HOUR) as place:
        place.gateway.up = False
        for _ in range(8):
            record = await press(place)
            assert record.issued_on == place.clock.now().astimezone(WARSAW).date()
            await place.clock.advance(3600)
        assert set(await problems(place)) == {"ksef-unreachable"}


# --- what else is dated, or waits -------------------------------------------------------------------------


async def test_a_manager_declares_at_the_right_time(tmp_path: Path) -> None:
    """A declaration of a clock that runs ahead would sleep for ninety days, and wake up then."""
    async with world(tmp_path) as place:
        await place.connection.probe()
        right = place.clock.now()
        set_clock(place, 90 * DAY)
        await place.declarations.declare(Mode.OFFLINE24, "burza", MANAGER)
        assert place.mode.current().declared == "offline24"
        set_clock(place, -90 * DAY)
        assert place.mode.current().declared == "offline24"
        (fact,) = await place.store.read(lambda tx: tx.facts.all())
        assert fact.seen_at == right


async def test_a_declaration_of_a_time_that_nothing_confirms_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        await press(place)
        set_clock(place, 90 * DAY)
        with pytest.raises(Unavailable, match="trybu nie zmieniono") as answer:
            await place.declarations.declare(Mode.OFFLINE24, "burza", MANAGER)
        assert answer.value.code == "clock-unconfirmed"


async def waiting(place: World) -> InvoiceRecord:
    """Return an invoice that could not be sent, and whose next attempt has to wait."""
    await place.connection.probe()
    place.gateway.send_plan.append(KsefError("później", outcome=CallOutcome.REFUSED, code=429, retry_after=600.0))
    record = await press(place)
    assert record.state is InvoiceState.ISSUED
    return record


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_no_retry_waits_longer_because_the_clock_was_set(tmp_path: Path, step: timedelta) -> None:
    async with world(tmp_path) as place:
        record = await waiting(place)
        set_clock(place, step)
        await place.clock.advance(599)
        await place.queue.pass_once()
        assert (await place.record(record.id)).state is InvoiceState.ISSUED, "KSeF said when"
        await place.clock.advance(2)
        await place.queue.pass_once()
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


@pytest.mark.parametrize("step", [-HOUR, -400 * DAY], ids=str)
async def test_nor_after_a_restart(tmp_path: Path, step: timedelta) -> None:
    async with world(tmp_path) as place:
        record = await waiting(place)
        clock, gateway = place.clock, place.gateway
    clock.reboot(timedelta(minutes=1))
    clock.step(step)
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        await place.queue.pass_once()  # as the loop does at once
        await place.clock.advance(3600)
        await place.queue.pass_once()
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


async def test_a_total_failure_goes_on_whatever_the_clock_shows(tmp_path: Path) -> None:
    """Set back to before its begin, the queue would leave for KSeF: art. 106ng says never."""
    async with world(tmp_path) as place:
        await place.connection.probe()
        await place.declarations.declare(Mode.TOTAL_FAILURE, "telewizja", MANAGER)
        record = await press(place)
        assert record.mode is Mode.TOTAL_FAILURE
        set_clock(place, -400 * DAY)
        assert place.mode.sending_stopped()
        await place.queue.pass_once()
        assert place.gateway.sent == []
        assert place.mode.current().mode is Mode.TOTAL_FAILURE


async def test_ages_are_measured(tmp_path: Path) -> None:
    """A doubt, a silent Latarnia and a step: neither an alarm at once, nor none for a year."""
    for step in (-400 * DAY, 90 * DAY):
        folder = tmp_path / str(step.days)
        folder.mkdir()
        async with world(folder) as place:

            async def silent() -> LatarniaReading:
                raise KsefError("brak odpowiedzi", outcome=CallOutcome.UNKNOWN, link_down=True)

            place.latarnia.read = silent  # type: ignore[method-assign]
            await place.announcements.poll()
            place.gateway.send_plan.append(KsefError("cisza", outcome=CallOutcome.UNKNOWN))
            await press(place)
            assert not {"in-doubt", "latarnia-unreachable"} & set(await problems(place))
            place.clock.step(step)
            await place.clock.advance(60)
            assert not {"in-doubt", "latarnia-unreachable"} & set(await problems(place))
            await place.clock.advance(30 * 60)
            assert {"in-doubt", "latarnia-unreachable"} <= set(await problems(place))
            report = place.health.report()
            assert all(each.since <= report.at for each in report.problems)


async def test_the_limits_of_the_last_hour_survive_a_step(tmp_path: Path) -> None:
    """Sends of a quarter of an hour ago count, wherever the clock stands now; what a wrong clock wrote does not."""
    async with world(tmp_path) as place:
        await place.connection.probe()
        for _ in range(3):
            await press(place)
        await place.clock.advance(900)
        clock = place.clock
    for step in (-HOUR, HOUR, -400 * DAY, 90 * DAY):
        clock.step(step)
        async with world(tmp_path, clock=clock) as place:
            recent = await place.recent_calls()
            ages = [(clock.now() - sent).total_seconds() for sent in recent.sends]
            assert [round(age) for age in ages] == [885] * 3, "fifteen seconds a call may have taken"
        clock.step(-step)
    clock.reboot(-400 * DAY)  # nobody knows the time any more
    async with world(tmp_path, clock=clock) as place:
        assert (await place.recent_calls()).sends == []


async def test_corrections_of_one_invoice_keep_their_order(tmp_path: Path) -> None:
    """Each says what the one before it left; ten minutes back change nothing about who came first."""
    async with world(tmp_path) as place:
        place.gateway.up = False
        base = await press(place)
        for number, minutes in enumerate((0, -10, -4)):
            place.clock.step(timedelta(minutes=minutes))
            line: dict[str, str | int] = {"line": 1, "quantity": "0.5"}
            body = json.dumps({"kind": "return", "lines": [line], "reason": f"zwrot {number}"}).encode()
            await counter.correct(place, base.id, body, f"return-{number}", CASHIER)
        waiting = await place.store.read(lambda tx: tx.held.waiting())
        assert [json.loads(each.body)["reason"] for each in waiting] == ["zwrot 0", "zwrot 1", "zwrot 2"]


async def test_a_webhook_is_signed_at_the_right_time(tmp_path: Path) -> None:
    """A receiver refuses what was not signed just now: the news of a wrong clock would never arrive."""
    signed: list[int] = []

    class Receiver:
        async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | str:
            signed.append(int(headers["X-Ksef-Agent-Signature"].split(",")[0].removeprefix("t=")))
            return 200

    async with world(tmp_path) as place:
        await place.connection.probe()
        right = int(place.clock.now().timestamp())
        set_clock(place, -400 * DAY)
        await problems(place)
        subscriber = Subscriber("alerts", "https://hq.example/", b"secret", ALERT_TYPES)
        await place.outbox(Receiver(), subscriber).deliver_all()
        assert signed == [right]


async def test_alarms_of_the_day_wait_until_somebody_knows_it(tmp_path: Path) -> None:
    """Next year everything is overdue and no certificate valid, last year nothing."""
    async with world(tmp_path) as place:
        place.gateway.up = False
        await press(place)
        await place.clock.advance(3 * 86_400)
        assert "overdue" in await problems(place)
        for step in (-400 * DAY, 900 * DAY):
            place.clock.step(step)
            now = await problems(place)
            assert "overdue" in now, "it does not end"
            assert not {"certificate-expired", "certificate-expires"} & set(now)
            place.clock.step(-step)


async def test_that_the_clock_was_set_stands_in_the_log(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await place.clock_check.keep()
        for step in (timedelta(seconds=2), -HOUR, HOUR):
            place.clock.step(step)
            await place.clock.advance(10)
            await place.clock_check.keep()
        told = [event.data for event in await place.all_events() if event.kind == "clock_stepped"]
        assert [(each["seconds"], each["state"]) for each in told] == [(-3600.0, "wrong"), (3600.0, "assumed")]


# --- properties -------------------------------------------------------------------------------------------

MOVES = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 86_400)),
    st.tuples(st.just("set"), st.integers(-500 * 86_400, 500 * 86_400)),
    st.tuples(st.just("right"), st.just(0)),
    st.tuples(st.just("line"), st.integers(0, 1)),
    st.tuples(st.just("sleep"), st.integers(60, 3 * 86_400)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("boot"), st.integers(60, 5 * 86_400)),
    st.tuples(st.just("press"), st.just(0)),
)
ALLOWED = timedelta(minutes=16)


@pytest.mark.slow
@settings(max_examples=settings().max_examples // 4)
@given(moves=st.lists(MOVES, min_size=4, max_size=14))
async def test_no_invoice_bears_a_wrong_date(moves: Sequence[tuple[str, int]]) -> None:
    """Within a boot that begins right, whatever happens to the clock: a press is refused, or dated rightly."""
    with tempfile.TemporaryDirectory() as folder:
        await live_through(Path(folder), moves)


async def live_through(folder: Path, moves: Sequence[tuple[str, int]]) -> None:
    clock = FakeClock()
    gateway = FakeGateway(clock)
    off = timedelta(0)

    def show(wrong: timedelta) -> None:
        nonlocal off
        clock.step(wrong - off)
        off = wrong
        gateway.skew = -wrong.total_seconds()

    todo = [("press", 0), *moves, ("press", 0)]
    while todo:
        async with world(folder, clock=clock, gateway=gateway) as place:
            await place.clock_check.keep()  # as the loop does at once
            while todo:
                move, much = todo.pop(0)
                match move:
                    case "pass":
                        await clock.advance(much)
                        await place.clock_check.keep()
                    case "set":
                        show(timedelta(seconds=much))
                    case "right":
                        show(timedelta(0))
                    case "line":
                        gateway.up = bool(much)
                    case "sleep":
                        clock.slept(timedelta(seconds=much))
                    case "press":
                        await press_and_look(place, off)
                    case "restart":
                        break
                    case _:
                        show(timedelta(0))  # the battery clock is right
                        clock.reboot(timedelta(seconds=much))
                        break


async def press_and_look(place: World, off: timedelta) -> None:
    right = place.clock.now() - off
    try:
        record = await press(place)
    except Unavailable:
        assert abs(off) > timedelta(minutes=14), "a clock that is right stops nobody"
        return
    assert abs(record.issued_at - right) <= ALLOWED, (record.issued_at, right)
