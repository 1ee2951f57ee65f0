"""What a failed call says of other calls."""

from __future__ import annotations

import pytest

from agent.ports import TOO_MANY, CallOutcome, KsefError


@pytest.mark.parametrize(
    ("outcome", "code", "link_down", "refused_alone", "of_this_call_alone"),
    [
        (CallOutcome.REFUSED, 403, False, True, True),
        (CallOutcome.REFUSED, TOO_MANY, False, False, False),
        (CallOutcome.NOT_SENT, TOO_MANY, False, False, False),
        (CallOutcome.UNKNOWN, 200, False, False, True),
        (CallOutcome.UNKNOWN, 200, True, False, False),
        (CallOutcome.UNKNOWN, 500, False, False, False),
        (CallOutcome.NOT_SENT, 0, True, False, False),
    ],
)
def test_what_else_is_asked_may_go_well(
    outcome: CallOutcome, code: int, *, link_down: bool, refused_alone: bool, of_this_call_alone: bool
) -> None:
    error = KsefError("", outcome=outcome, code=code, link_down=link_down)
    assert (error.refused_alone, error.of_this_call_alone) == (refused_alone, of_this_call_alone)
