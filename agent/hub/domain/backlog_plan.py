"""Which way a backlog goes: one by one, as a batch, or not yet."""

from __future__ import annotations

from enum import StrEnum

from agent.ports import NO_LIMIT, SendBudget

KEPT_FOR_PRESSES = 2
"""One in so many single sends of each minute and hour is left to presses."""
BATCH_SECONDS = 90.0
"""KSeF opens 60 batches an hour; at this pace 20 of them stay free for what is full."""


class Way(StrEnum):
    """How the backlog goes now."""

    SINGLY = "singly"
    BATCH = "batch"
    WAIT = "wait"
    """The next batch takes it."""


def way_for(count: int, budget: SendBudget, *, batch_from: int, largest: int, since_batch: float | None) -> Way:
    """Return the way of ``count`` invoices. ``since_batch``: seconds since the last batch, None where there was none.

    Few go one by one while at least half of the single sends is left to presses; more go as batches, merged over all
    tills, at a pace that the limit of 60 an hour bears. A full batch goes at once.
    """
    rested = since_batch is None or since_batch >= BATCH_SECONDS
    if count == 0:
        return Way.WAIT
    if count >= largest or (count >= batch_from and rested):
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
