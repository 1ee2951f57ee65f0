"""The breaker opens after failures, closes after good probes, and never flaps on one of either."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.outages.circuit_breaker import Breaker, LinkState

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def test_one_failure_does_not_open() -> None:
    assert Breaker().on_failure(NOW).allows
    assert not Breaker().on_failure(NOW).on_failure(NOW).allows


def test_a_good_probe_in_between_starts_the_count_anew() -> None:
    assert Breaker().on_failure(NOW).on_probe(NOW).on_failure(NOW).allows


def test_one_good_probe_does_not_close() -> None:
    opened = Breaker(failures_to_open=1).on_failure(NOW)
    half = opened.on_probe(LATER)
    assert half.state is LinkState.HALF_OPEN
    assert not half.allows
    assert half.on_probe(LATER).state is LinkState.CLOSED
    assert half.on_failure(LATER).state is LinkState.OPEN


def test_a_taken_invoice_closes_at_once() -> None:
    assert Breaker(failures_to_open=1).on_failure(NOW).on_success(LATER).allows


def test_since_tells_when_the_state_changed() -> None:
    opened = Breaker(failures_to_open=1).on_failure(NOW)
    assert opened.since == NOW
    assert opened.on_failure(LATER).since == NOW
    assert opened.on_success(LATER).since == LATER


@given(st.lists(st.sampled_from(["failure", "probe", "success"]), max_size=30))
def test_kept_and_restored(moves: list[str]) -> None:
    breaker = Breaker()
    for step, move in enumerate(moves):
        now = NOW + timedelta(seconds=step)
        match move:
            case "failure":
                breaker = breaker.on_failure(now)
            case "probe":
                breaker = breaker.on_probe(now)
            case _:
                breaker = breaker.on_success(now)
        assert breaker.allows == (breaker.state is LinkState.CLOSED)
    assert Breaker().restored(breaker.to_json()) == breaker


def test_nonsense_is_not_restored() -> None:
    with pytest.raises(ValueError, match="ajar"):
        Breaker().restored({"state": "ajar", "failures": 0, "probes": 0, "since": None})
