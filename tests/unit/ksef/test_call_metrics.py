"""What is counted of each call to KSeF: endpoint, outcome, seconds; the words stay few whatever KSeF answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.ksef.calls import PATH_WORDS, Call, RateLimitedClient
from agent.ksef.client import HttpClient
from agent.ksef.limits import Group, RateBudget
from agent.ksef.responses import Answer
from agent.ports import CallOutcome, KsefError
from tests.fakes.clock import FakeClock

ROOT = Path(__file__).parents[3]


class Counted:
    """CallMetrics that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, float | None]] = []

    def ksef_called(self, endpoint: str, outcome: str, seconds: float | None) -> None:
        self.calls.append((endpoint, outcome, seconds))


class Answering(HttpClient):
    """Takes two seconds and then does what it is told."""

    def __init__(self, clock: FakeClock, error: KsefError | None = None) -> None:
        super().__init__("http://127.0.0.1:1", clock)
        self.error = error

    async def call(self, *_: object, **__: object) -> Answer:
        assert isinstance(self.clock, FakeClock)
        await self.clock.advance(2.0)
        if self.error is not None:
            raise self.error
        return Answer(200, b"{}", {})


SEND = Call(Group.INVOICE_SEND, "POST", "/sessions/online/20261124-SO-2C3E6C8000-B675CF5D68-07/invoices", patience=0.0)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, "ok"),
        (KsefError("", outcome=CallOutcome.REFUSED, code=450), "refused"),
        (KsefError("", outcome=CallOutcome.REFUSED, code=429), "rate_limited"),
        (KsefError("", outcome=CallOutcome.UNKNOWN, code=500), "unknown"),
        (KsefError("", outcome=CallOutcome.NOT_SENT), "not_sent"),
    ],
)
async def test_a_call_is_counted_once_with_its_outcome(error: KsefError | None, word: str) -> None:
    clock, counted = FakeClock(), Counted()
    wire = RateLimitedClient(Answering(clock, error), RateBudget(clock), counted)
    if error is None:
        await wire.run(SEND)
    else:
        with pytest.raises(KsefError):
            await wire.run(SEND)
    assert counted.calls == [("POST /sessions/online/{}/invoices", word, 2.0)]


async def test_a_call_that_the_own_budget_holds_back_has_no_duration() -> None:
    clock, counted = FakeClock(), Counted()
    wire = RateLimitedClient(
        Answering(clock, KsefError("", outcome=CallOutcome.REFUSED, code=429, retry_after=60.0)),
        RateBudget(clock),
        counted,
    )
    for _ in range(2):
        with pytest.raises(KsefError):
            await wire.run(SEND)
    assert [call[1:] for call in counted.calls] == [("rate_limited", 2.0), ("held_back", None)]


async def test_limits_left_name_every_window_of_every_group() -> None:
    clock = FakeClock()
    budget = RateBudget(clock)
    async with budget.place(Group.INVOICE_SEND):
        pass
    left = {limit.group: limit for limit in budget.left()}
    assert left["invoiceSend"].windows == {"second": (9, 10), "minute": (29, 30), "hour": (179, 180)}
    assert left["anonymous"].windows == {"second": (60, 60)}
    assert left["invoiceSend"].blocked_seconds == 0.0


def test_a_reference_of_any_shape_is_no_word() -> None:
    for reference in ("20261124-SO-1", "abc", "..", "Sessions"):
        assert (
            Call(Group.SESSION_MISC, "GET", f"/sessions/{reference}/upo/{reference}").endpoint
            == "GET /sessions/{}/upo/{}"
        )


def test_every_step_of_a_path_that_is_called_is_a_word() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "agent" / "ksef").glob("*.py") if path.name != "latarnia.py")
    paths = [piece.split('"')[0] for piece in sources.split('"/')[1:]]
    steps = {step for path in paths for step in path.split("/") if step and not step.startswith("{")}
    assert steps - {""} == PATH_WORDS
