"""What the backlog may ask of KSeF, and when: presses and fresh questions go before what waits anyway.

An unanswered question is asked again less and less, so that one stuck thing never eats the limits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from agent.ports import NO_LIMIT, Clock, SendBudget

STEPS = (5.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""Seconds until the next time, by times asked; the last one goes on for ever."""


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


class Pace:
    """Remembers by name when something was asked. Only in memory: after a restart everything is asked once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[str, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def due(self, name: str) -> bool:
        """Whether it may be asked now."""
        return name not in self._asked or self._asked[name][1] <= self._clock.monotonic()

    def asked(self, name: str) -> None:
        """Note that it is being asked; the next time is a step later."""
        times = self._asked[name][0] if name in self._asked else 0
        step = STEPS[min(times, len(STEPS) - 1)]
        self._asked[name] = (times + 1, self._clock.monotonic() + step)

    def keep(self, names: Collection[str]) -> None:
        """Forget everything else."""
        self._asked = {name: entry for name, entry in self._asked.items() if name in names}
