"""Which way a backlog goes: one by one, as a batch, or not yet (docs/decisions.md, number 139)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from agent.domain.calendar import end_of_day, local_date
from agent.ports import NO_LIMIT, SendBudget

KEPT_FOR_PRESSES = 2
"""One in so many single sends of each minute and hour is left to presses."""
BATCH_SECONDS = 90.0
"""From any batch to one that is not full. KSeF opens 60 an hour; at this pace 20 of them stay free for what is full."""
LAST_MINUTES = timedelta(minutes=3)
"""So long before the end of a day what has to be at KSeF by then waits LAST_BATCH_SECONDS only."""
LAST_BATCH_SECONDS = 15.0


class Way(StrEnum):
    """How the backlog goes now."""

    SINGLY = "singly"
    BATCH = "batch"
    WAIT = "wait"
    """The next batch takes it."""


def rest_after_batch(now: datetime, *, due_today: bool) -> float:
    """Return how many seconds after a batch what waits may go as one that is not full.

    A deadline that is over asks for nothing: what is late is not less late for a batch of its own.
    """
    is_pressing = due_today and end_of_day(local_date(now)) - now <= LAST_MINUTES
    return LAST_BATCH_SECONDS if is_pressing else BATCH_SECONDS


def way_for(
    count: int, budget: SendBudget, *, batch_from: int, full: bool, since_batch: float | None, rest: float
) -> Way:
    """Return the way of ``count`` invoices.

    ``full``         they fill the next batch, or cannot all go in it
    ``since_batch``  seconds since the last batch, None where there was none
    ``rest``         what rest_after_batch() says of them

    Few go one by one while at least half of the single sends is left to presses; more go as batches, merged over all
    tills, at a pace that the limit of 60 an hour bears. A full batch goes at once; what it leaves behind is judged
    like anything else, so it takes no batch of its own.
    """
    rested = since_batch is None or since_batch >= rest
    if count == 0:
        return Way.WAIT
    if full or (count >= batch_from and rested):
        return Way.BATCH
    if count < batch_from and left_for_backlog(budget) >= count:
        return Way.SINGLY
    return Way.BATCH if rested else Way.WAIT


def left_for_backlog(budget: SendBudget, *, kept_for_presses: bool = True) -> int:
    """Return how many of the backlog may go one by one now."""
    if budget.wait > 0:
        return 0
    minute = budget.sends_left_minute - (_kept(budget.per_minute) if kept_for_presses else 0)
    hour = budget.sends_left_hour - (_kept(budget.per_hour) if kept_for_presses else 0)
    return max(0, min(minute, hour))


def _kept(allowed: int) -> int:
    return 0 if allowed >= NO_LIMIT else allowed // KEPT_FOR_PRESSES
