"""The rate budget: an independent, strict KSeF on the other side of a slow line never has to say 429."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.ksef.limits import DEFAULTS, HOUR, MINUTE, SECOND, Group, Limit, RateBudget, Window
from agent.ksef.responses import Answer
from agent.ports import CallOutcome, KsefError
from agent.sandbox.ksef.limits import PRODUCTION
from tests.fakes.clock import FakeClock

SEND = Group.INVOICE_SEND


class StrictKsef:
    """Counts arrivals the plain way: so many in any window that ends now."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.arrivals: list[float] = []

    def take(self, now: float) -> None:
        self.arrivals.append(now)
        for span, allowed in (
            (SECOND, self.limit.per_second),
            (MINUTE, self.limit.per_minute),
            (HOUR, self.limit.per_hour),
        ):
            recent = sum(1 for arrival in self.arrivals if arrival > now - span)
            assert allowed < 0 or recent <= allowed, f"429: {recent} in {span:.0f} s"


def allow(clock: FakeClock, limit: Limit, tills: int = 1) -> RateBudget:
    """Return a budget whose invoiceSend has that limit."""
    budget = RateBudget(clock, tills_sharing_address=tills)
    values = {"perSecond": limit.per_second, "perMinute": limit.per_minute, "perHour": limit.per_hour}
    body = json.dumps({"invoiceSend": values}).encode()
    budget.learn(Answer(200, body, {"content-type": "application/json"}).fields())
    return budget


def per(second: object, minute: object, hour: object) -> dict[str, object]:
    return {"perSecond": second, "perMinute": minute, "perHour": hour}


@pytest.mark.parametrize(
    "wrong",
    [{"perSecond": 1}, per("1", 1, 1), [], "none", per(0, 0, 0), per(1, 1, 0), per(-2, 1, 1), per(1, 1, 10**30)],
)
def test_a_limit_that_cannot_be_read_costs_itself_only(wrong: object) -> None:
    budget = RateBudget(FakeClock())
    before = {left.group: left for left in budget.left()}
    values = {"perSecond": 1, "perMinute": 2, "perHour": 7}
    body = json.dumps({"onlineSession": wrong, "onlineSessionClose": wrong, "invoiceSend": values}).encode()
    budget.learn(Answer(200, body, {"content-type": "application/json"}).fields())
    assert budget.sends().sends_left_hour == 7
    after = {left.group: left for left in budget.left()}
    assert after[Group.ONLINE_SESSION_CLOSE] == before[Group.ONLINE_SESSION_CLOSE]


async def send(budget: RateBudget, clock: FakeClock, ksef: StrictKsef, there: float, back: float) -> None:
    """Make one call whose request travels ``there`` seconds and whose answer travels ``back``."""
    async with budget.place(SEND, patience=10 * HOUR):
        await clock.sleep(there)
        ksef.take(clock.monotonic())
        await clock.sleep(back)


delay = st.floats(min_value=0.0, max_value=20.0, allow_nan=False)


@given(
    limit=st.builds(Limit, st.integers(1, 4), st.integers(2, 8), st.integers(4, 16)),
    calls=st.lists(st.tuples(delay, delay, delay), min_size=1, max_size=30),
)
@settings(max_examples=25, deadline=None)
def test_no_delay_on_the_line_makes_ksef_count_more_than_allowed(
    limit: Limit, calls: list[tuple[float, float, float]]
) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        budget, ksef = allow(clock, limit), StrictKsef(limit)
        tasks = []
        for pause, there, back in calls:
            await clock.advance(pause)
            tasks.append(asyncio.create_task(send(budget, clock, ksef, there, back)))
        for _ in range(100):
            await clock.advance(HOUR / 4)
            if all(task.done() for task in tasks):
                break
        await asyncio.gather(*tasks)
        assert len(ksef.arrivals) == len(calls)

    asyncio.run(scenario())


def test_production_limits_are_used_up_and_never_exceeded() -> None:
    """250 invoices one by one, as fast as the budget lets them: 180 an hour, no 429, no time wasted."""

    async def scenario() -> None:
        clock = FakeClock()
        ksef = StrictKsef(DEFAULTS[SEND])
        budget = RateBudget(clock)
        begun = clock.monotonic()

        async def backlog() -> None:
            for _ in range(250):
                await send(budget, clock, ksef, 0.05, 0.05)

        task = asyncio.create_task(backlog())
        while not task.done():
            await clock.advance(60)
        await task
        assert clock.monotonic() - begun < 1.5 * HOUR

    asyncio.run(scenario())


class TestPlaces:
    async def test_beyond_its_patience_a_caller_is_told_how_long(self) -> None:
        clock = FakeClock()
        budget = allow(clock, Limit(10, 1, -1))
        async with budget.place(SEND):
            pass
        with pytest.raises(KsefError) as caught:
            async with budget.place(SEND, patience=1.0):
                pytest.fail("the minute is used up")
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.NOT_SENT, 429)
        assert caught.value.retry_after == pytest.approx(60, abs=0.01)
        await clock.advance(60.01)
        async with budget.place(SEND, patience=0.0):
            pass

    async def test_within_its_patience_it_waits(self) -> None:
        clock = FakeClock()
        budget = allow(clock, Limit(1))
        ksef = StrictKsef(Limit(1))
        tasks = [asyncio.create_task(send(budget, clock, ksef, 0.1, 0.1)) for _ in range(3)]
        await clock.advance(10)
        await asyncio.gather(*tasks)
        assert len(ksef.arrivals) == 3

    async def test_a_call_under_way_holds_its_place(self) -> None:
        clock = FakeClock()
        budget = allow(clock, Limit(1, 2, 2))
        async with budget.place(SEND):
            await clock.advance(3600)
            assert budget.sends().sends_left_hour == 1
            assert budget.sends().wait > 0
        assert budget.sends().wait > 0
        await clock.advance(1.01)
        assert budget.sends().wait == 0

    async def test_a_failed_call_counts_too(self) -> None:
        clock = FakeClock()
        budget = allow(clock, Limit(10, 10, 5))
        with pytest.raises(RuntimeError):
            async with budget.place(SEND):
                raise RuntimeError
        assert budget.sends().sends_left_hour == 4

    @pytest.mark.parametrize(("said", "rest"), [(1743.0, 1743.0), (None, 60.0)])
    async def test_a_429_blocks_its_group_alone(self, said: float | None, rest: float) -> None:
        clock = FakeClock()
        budget = RateBudget(clock)
        with pytest.raises(KsefError):
            async with budget.place(SEND):
                raise KsefError("429", outcome=CallOutcome.REFUSED, code=429, retry_after=said)
        assert budget.sends().wait == pytest.approx(rest)
        async with budget.place(Group.INVOICE_STATUS, patience=0.0):
            pass
        await clock.advance(rest)
        assert budget.sends().wait == 0

    @pytest.mark.parametrize(("said", "left"), [(61.0, 0), (1800.0, 0), (60.0, 179), (5.0, 179)])
    async def test_a_long_429_is_the_hour_that_others_used_up(self, said: float, left: int) -> None:
        clock = FakeClock()
        budget = RateBudget(clock)
        with pytest.raises(KsefError):
            async with budget.place(SEND):
                raise KsefError("429", outcome=CallOutcome.REFUSED, code=429, retry_after=said)
        assert budget.sends().sends_left_hour == left
        await clock.advance(said)
        assert budget.sends().sends_left_hour == 179

    async def test_the_address_as_a_whole_has_a_limit(self) -> None:
        clock = FakeClock()
        budget = RateBudget(clock)
        body = b'{"global": {"perSecond": 2, "perMinute": -1, "perHour": -1}}'
        budget.learn(Answer(200, body, {"content-type": "application/json"}).fields())
        for group in (Group.OTHER, Group.ANONYMOUS):
            async with budget.place(group):
                pass
        with pytest.raises(KsefError):
            async with budget.place(SEND, patience=0.0):
                pytest.fail("three in a second")


class TestSharing:
    @pytest.mark.parametrize(("tills", "left"), [(0, 180), (1, 180), (4, 45), (180, 1), (2000, 1)])
    def test_each_till_has_its_part_and_at_least_one(self, tills: int, left: int) -> None:
        assert RateBudget(FakeClock(), tills_sharing_address=tills).sends().sends_left_hour == left

    @pytest.mark.parametrize("tills", [1, 2, 7, 16, 31, 180, 1000])
    def test_the_parts_of_all_tills_are_never_more_than_the_limit(self, tills: int) -> None:
        for group, limit in DEFAULTS.items():
            whole = {share.window: share for share in limit.shared(1)}
            for share in limit.shared(tills):
                allowed = whole[share.window]
                assert share.calls >= 1
                assert tills * share.calls / share.span <= allowed.calls / allowed.span * (1 + 1e-9), (group, share)

    async def test_one_of_many_tills_waits_longer_than_the_window(self) -> None:
        """40 tills share 20 calls an hour: each has one in two hours."""
        clock = FakeClock()
        budget = allow(clock, Limit(-1, -1, 20), tills=40)
        async with budget.place(SEND):
            pass
        assert budget.sends().wait == pytest.approx(2 * HOUR, abs=1)
        await clock.advance(HOUR + 1)
        assert budget.sends().sends_left_hour == 0
        await clock.advance(HOUR)
        assert budget.sends().sends_left_hour == 1

    def test_a_limit_of_nothing_still_lets_one_call_ask(self) -> None:
        assert [share.calls for share in Limit(0, 0, 0).shared(3)] == [1, 1, 1]

    def test_no_limit_is_no_limit(self) -> None:
        budget = allow(FakeClock(), Limit(-1), tills=10)
        assert budget.sends().sends_left_hour > 100_000


def test_limits_below_those_of_production_are_known_as_such() -> None:
    clock = FakeClock()
    assert not RateBudget(clock, tills_sharing_address=20).is_lowered
    assert not allow(clock, Limit(10, 30, 180)).is_lowered
    assert not allow(clock, Limit(-1, -1, -1)).is_lowered
    assert allow(clock, Limit(10, 30, 179)).is_lowered


class TestRecall:
    async def test_a_restart_does_not_reopen_the_hour(self) -> None:
        clock = FakeClock()
        budget = allow(clock, Limit(10, 30, 3))
        ages = (59, 61, 10, -5)
        budget.recall_sends([clock.now() - timedelta(minutes=age) for age in ages])
        assert budget.sends().sends_left_hour == 0
        assert budget.sends().wait == pytest.approx(60, abs=0.01)


def test_unlimited_windows_never_wait() -> None:
    window = Window(Limit(-1).shared(1))
    for _ in range(1000):
        window.start()
    assert window.wait(0.0) == 0.0


@pytest.mark.parametrize("group", DEFAULTS, ids=str)
def test_what_is_allowed_before_ksef_says_it_is_what_the_sandbox_counts(group: Group) -> None:
    """Agent and sandbox share no code: each has the table of API 2.9.0 for itself."""
    own, counted = DEFAULTS[group], PRODUCTION[group.value]
    assert (own.per_second, own.per_minute, own.per_hour) == (counted.second, counted.minute, counted.hour)
