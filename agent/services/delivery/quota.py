"""What the backlog may take of the single sends KSeF allows; the rest is kept for presses."""

from __future__ import annotations

from agent.domain.values import dataclass
from agent.ports import NO_LIMIT, SendBudget

KEPT_FOR_PRESSES = 3
"""One in so many single sends of each minute and hour is left to presses."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many invoices of the backlog may be sent one by one: at once, and within this hour."""

    now: int
    this_hour: int


def backlog_share(budget: SendBudget, *, kept_for_presses: bool) -> Share:
    """Return what the backlog may take of the single sends KSeF still allows.

    A queue of customers finds a third of the minute and of the hour untouched by what can wait, so no press falls to
    offline24 because the backlog was quicker. ``kept_for_presses`` False: nothing is kept back.
    """
    minute = budget.sends_left_minute - (_kept(budget.per_minute) if kept_for_presses else 0)
    hour = budget.sends_left_hour - (_kept(budget.per_hour) if kept_for_presses else 0)
    return Share(now=0 if budget.wait > 0 else max(0, min(minute, hour)), this_hour=max(0, hour))


def _kept(allowed: int) -> int:
    return 0 if allowed >= NO_LIMIT else allowed // KEPT_FOR_PRESSES
