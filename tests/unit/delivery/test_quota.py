"""What the backlog leaves to presses: a third of every minute and hour, wherever KSeF sets a limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.ports import NO_LIMIT, SendBudget
from agent.services.delivery.quota import Share, backlog_share


def budget(minute: int, hour: int, wait: float = 0.0, tills: int = 1) -> SendBudget:
    return SendBudget(hour, wait, minute, 30 // tills, 180 // tills)


def test_a_third_of_the_minute_and_of_the_hour_is_kept() -> None:
    assert backlog_share(budget(30, 180), kept_for_presses=True) == Share(20, 120)
    assert backlog_share(budget(10, 180), kept_for_presses=True) == Share(0, 120)
    assert backlog_share(budget(11, 61), kept_for_presses=True) == Share(1, 1)
    assert backlog_share(budget(30, 60), kept_for_presses=True) == Share(0, 0)


def test_nothing_is_kept_where_no_press_is_tried_online() -> None:
    assert backlog_share(budget(1, 180), kept_for_presses=False) == Share(1, 180)
    assert backlog_share(budget(30, 2), kept_for_presses=False) == Share(2, 2)


def test_a_wait_is_a_wait_and_no_used_up_hour() -> None:
    assert backlog_share(budget(30, 180, wait=2.0), kept_for_presses=False) == Share(0, 180)


def test_where_ksef_sets_no_limit_none_is_kept() -> None:
    free = SendBudget(NO_LIMIT, 0.0, NO_LIMIT, NO_LIMIT, NO_LIMIT)
    assert backlog_share(free, kept_for_presses=True) == Share(NO_LIMIT, NO_LIMIT)


@given(st.integers(0, 30), st.integers(0, 180), st.integers(1, 180), st.booleans())
def test_the_share_never_exceeds_what_is_left_and_a_free_hour_is_never_refused(
    minute: int, hour: int, tills: int, kept: bool
) -> None:
    limits = (max(1, 30 // tills), max(1, 180 // tills))
    left = (min(minute, limits[0]), min(hour, limits[1]))
    share = backlog_share(SendBudget(left[1], 0.0, left[0], *limits), kept_for_presses=kept)
    assert 0 <= share.now <= min(left)
    assert share.now <= share.this_hour <= left[1]
    if left == limits:
        assert share.now > 0, "however small a till's part: an unused limit lets the backlog through"
