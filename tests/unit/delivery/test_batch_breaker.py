"""When batches make way for single sends, of a till as of a hub."""

from __future__ import annotations

import pytest

from agent.ports import TOO_MANY, CallOutcome, KsefError
from agent.services.delivery.batch_breaker import (
    LARGEST,
    OPEN_SECONDS,
    PROBE,
    REST_SECONDS,
    BatchBreaker,
    is_refused_whole,
)
from agent.services.outages.sending_trouble import BatchTrouble
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import line_down

STORAGE_AWAY = KsefError("magazyn nie odpowiada", outcome=CallOutcome.NOT_SENT, link_down=True)


@pytest.fixture
def trouble() -> BatchTrouble:
    return BatchTrouble(FakeClock())


async def test_after_three_failures_a_small_one_finds_out_whether_they_go(trouble: BatchTrouble) -> None:
    clock = FakeClock()
    breaker = BatchBreaker(clock, trouble)
    assert [breaker.failed(STORAGE_AWAY, of_batches=True) for _ in range(2)] == [REST_SECONDS] * 2
    assert (breaker.is_open, breaker.largest) == (False, LARGEST)
    assert trouble.since is None
    assert breaker.failed(STORAGE_AWAY, of_batches=True) is None
    assert (breaker.is_open, breaker.largest) == (True, PROBE)
    assert trouble.words
    await clock.advance(OPEN_SECONDS)
    assert not breaker.is_open
    breaker.went()
    assert breaker.largest == LARGEST
    assert trouble.since is None


def test_a_line_that_gave_no_session_says_nothing_of_batches(trouble: BatchTrouble) -> None:
    breaker = BatchBreaker(FakeClock(), trouble)
    assert [breaker.failed(line_down(), of_batches=False) for _ in range(9)] == [REST_SECONDS] * 9
    assert breaker.largest == LARGEST
    assert trouble.since is None


async def test_a_limit_keeps_batches_back_and_no_invoice(trouble: BatchTrouble) -> None:
    clock = FakeClock()
    breaker = BatchBreaker(clock, trouble)
    limit = KsefError("za dużo", outcome=CallOutcome.REFUSED, code=TOO_MANY, retry_after=900.0)
    for _ in range(9):
        assert breaker.failed(limit, of_batches=False) is None
    assert (breaker.is_open, breaker.largest) == (True, LARGEST)
    assert trouble.since is None
    await clock.advance(900)
    assert not breaker.is_open


def test_ksef_takes_nothing_of_a_batch_only_where_it_says_so() -> None:
    assert is_refused_whole(KsefError("nie", outcome=CallOutcome.REFUSED, code=430))
    assert not is_refused_whole(KsefError("nie", outcome=CallOutcome.UNKNOWN, code=500))
    assert not is_refused_whole(KsefError("nie", outcome=CallOutcome.REFUSED, code=TOO_MANY))
