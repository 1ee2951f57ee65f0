"""When KSeF is asked first what became of an invoice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.domain.lifecycle import InvoiceState
from agent.ports import Accepted, Outgoing, Pending, SessionRef, Verdict
from agent.services.delivery.first_question import LONGEST_SECONDS, FirstQuestion
from agent.services.delivery.sender import POLL_STEPS
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import press_until_answered, world


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


def test_a_question_sets_out_so_early_that_it_arrives_at_the_decision() -> None:
    question = FirstQuestion()
    assert question.pause(0.0) == 0.0, "nothing is known"
    question.learn(0.5, None, 0.3)
    assert question.pause(0.0) == pytest.approx(0.3)
    for took in (0.2, 0.04, 0.9):
        question.answered(took)
    assert question.way == pytest.approx(0.02), "of the quickest: the others waited for something else"
    assert question.pause(0.0) == pytest.approx(0.28)
    assert question.pause(0.01) == pytest.approx(0.27)
    assert question.pause(5.0) == 0.0


class FarGateway(FakeGateway):
    """KSeF decides 0.3 s after an invoice came, and each question takes 0.02 s there and as long back."""

    way, takes = 0.02, 0.3
    came = 0.0

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.arrived: list[float] = []
        """Questions about the last invoice, in seconds since it came."""

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        self.came = self.clock.monotonic()
        self.arrived = []
        return await super().send(session, invoice)

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        await self.clock.sleep(self.way)
        found = await super().status(session_ref, invoice_ref)
        decided = self.clock.monotonic() >= self.came + self.takes
        self.arrived.append(self.clock.monotonic() - self.came)
        await self.clock.sleep(self.way)
        if not decided:
            return Pending()
        assert isinstance(found, Accepted)
        return replace(found, took=self.takes)


async def test_a_far_ksef_is_asked_once_and_just_then(tmp_path: Path) -> None:
    clock = FakeClock()
    gateway = FarGateway(clock)
    async with world(tmp_path, clock=clock, gateway=gateway) as place:
        for key in "abcdef":
            record = await press_until_answered(place, key)
            assert record.state is InvoiceState.ACCEPTED
        assert len(gateway.arrived) == 1
        assert gateway.arrived[0] == pytest.approx(0.3, abs=0.011)


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
