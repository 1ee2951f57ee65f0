"""When KSeF is asked first what became of an invoice."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.domain.lifecycle import InvoiceState
from agent.services.delivery.first_question import LONGEST_SECONDS, FirstQuestion
from agent.services.delivery.sender import POLL_STEPS
from tests.fakes.world import world


def press(question: FirstQuestion, takes: float) -> tuple[float, int]:
    """Ask as the sender does; how long after the send the decision was found, and by how many questions."""
    asked = [question.seconds]
    for step in POLL_STEPS:
        if asked[-1] >= takes:
            break
        asked.append(asked[-1] + step)
    question.learn(asked[-1], asked[-2] if len(asked) > 1 else None)
    return asked[-1], len(asked)


def test_nothing_is_known_at_first() -> None:
    assert FirstQuestion().seconds == 0


@pytest.mark.parametrize("takes", [0.08, 0.26, 0.9, 1.7])
def test_a_steady_ksef_is_asked_once_and_in_time(takes: float) -> None:
    question = FirstQuestion()
    for _ in range(10):
        press(question, takes)
    presses = [press(question, takes) for _ in range(40)]
    late = sorted(after - takes for after, _ in presses)
    assert late[20] <= 0.1 * takes + 0.03
    assert sum(number for _, number in presses) / len(presses) < 2


def test_a_quick_ksef_is_not_waited_for_because_it_was_slow_once() -> None:
    question = FirstQuestion()
    for takes in (0.1, 0.1, 0.1, 10.0, 0.1):
        press(question, takes)
    assert question.seconds < 0.2


@pytest.mark.parametrize("takes", [0.08, 0.31, 1.7])
def test_a_steady_ksef_that_says_how_long_it_took_is_asked_just_then(takes: float) -> None:
    question = FirstQuestion()
    question.learn(takes + 0.2, None, takes)
    for _ in range(10):
        after = question.seconds
        assert after == takes
        question.learn(after, None, takes)


@pytest.mark.parametrize("told", [-3.0, 0.1])
def test_what_the_questions_contradict_is_not_believed(told: float) -> None:
    question = FirstQuestion()
    question.learn(0.4, 0.2, told)
    assert question.seconds == pytest.approx(0.3)


def test_nobody_waits_for_the_first_question_longer_than_the_limit() -> None:
    question = FirstQuestion()
    for _ in range(5):
        question.learn(60.0, 55.0)
    assert question.seconds == LONGEST_SECONDS


async def test_the_sender_learns(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        invoices = [await place.sell() for _ in range(3)]
        await place.restore_the_line()
        place.gateway.pending_answers = 2
        asked = []
        for invoice in invoices:
            before = place.clock.monotonic()
            delivery = place.tasks.start(f"test-{invoice.id}", place.sender.deliver(invoice.id))
            while not delivery.done():
                await place.clock.advance(0.01)
            asked.append(place.clock.monotonic() - before)
            assert (await place.record(invoice.id)).state is InvoiceState.ACCEPTED
            place.gateway.pending_answers = 0
        assert asked[0] == pytest.approx(sum(POLL_STEPS[:2]), abs=0.05)
        assert asked[1] == pytest.approx(POLL_STEPS[0] + POLL_STEPS[1] / 2, abs=0.05)
        assert asked[2] < asked[1]
