"""When something is asked of KSeF again: less and less often, so that one stuck thing never eats the limits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from agent.domain.values import dataclass
from agent.ports import Clock, Unsent

STEPS = (5.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""Seconds until the next time, by times asked; the last one goes on for ever."""
LONGEST_WAIT = 6 * 3600.0
"""Seconds; whoever is told to wait longer asks in between (a blocked group of calls asks KSeF nothing: limits.py)."""
LONGEST_RECALLED = timedelta(hours=1)
"""Of a wait that an earlier run wrote no more is kept than KSeF's longest window: its clock, or ours, may be wrong."""
TROUBLE_STEPS = (5.0, 15.0, 60.0)
"""Seconds until the next attempt, by attempts made, while KSeF takes nothing of anybody: it is KSeF's trouble, and
the next attempt is how its end is noticed."""
LONGEST_TOLD = 300.0
"""Seconds; a Retry-After that is no limit of KSeF's (503 of what stands before it) is believed so far: its cause may
end at any moment, and only an attempt tells."""
OWN_STEPS = (5.0, 15.0, 60.0, 300.0)
"""Seconds by how often an invoice failed although KSeF took others in between: then the trouble is its own."""


def step_of(steps: Sequence[float], times: int) -> float:
    """Return the step for so many times; the last one goes on for ever."""
    return steps[min(times, len(steps) - 1)]


class Backoff:
    """Remembers by name when something was asked. Only in memory: after a restart everything is asked once."""

    def __init__(self, clock: Clock, steps: Sequence[float] = STEPS) -> None:
        """``steps``: seconds until the next time, by times asked."""
        self._clock = clock
        self._steps = steps
        self._asked: dict[str, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def due(self, name: str) -> bool:
        """Whether it may be asked now."""
        return name not in self._asked or self._asked[name][1] <= self._clock.monotonic()

    def asked(self, name: str) -> None:
        """Note that it is being asked; the next time is a step later."""
        times = self._asked[name][0] if name in self._asked else 0
        self._asked[name] = (times + 1, self._clock.monotonic() + step_of(self._steps, times))

    def hurry(self, name: str, seconds: float) -> None:
        """Somebody tells that there is an answer now: it may be asked after ``seconds`` at the latest."""
        if name in self._asked:
            times, due = self._asked[name]
            self._asked[name] = (times, min(due, self._clock.monotonic() + seconds))

    def forget(self, name: str) -> None:
        """It went well: the next trouble begins anew."""
        self._asked.pop(name, None)

    def keep(self, names: Collection[str]) -> None:
        """Forget everything else."""
        self._asked = {name: entry for name, entry in self._asked.items() if name in names}

    def forget_old(self) -> None:
        """Forget what nobody has asked for long: it is decided, or begins anew."""
        longest_ago = self._clock.monotonic() - 2 * self._steps[-1]
        self._asked = {name: entry for name, entry in self._asked.items() if entry[1] >= longest_ago}


@dataclass(frozen=True, slots=True)
class _Trouble:
    """An attempt that failed without an order to wait.

    done      how many invoices KSeF had taken until then, or given numbers to (``in_turn``)
    own       how often it failed although KSeF did so with others in between
    in_turn   KSeF refused or cancelled it for a reason that may be that of all
    """

    at: float
    done: int
    own: int
    in_turn: bool


@dataclass(frozen=True, slots=True)
class _Rest:
    """``not_before`` as stored; the same, or a later turn, on both clocks."""

    not_before: datetime
    until: datetime
    monotonic: float


class Waits:
    """Until when each invoice rests before the next attempt, by the monotonic clock.

    The store's ``not_before`` is the same on the wall clock, for an agent that starts; no change of the wall clock
    makes a wait longer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, _Rest] = {}
        self._singly: set[str] = set()
        """Those that only single sends have to wait for."""
        self._troubles: dict[str, _Trouble] = {}
        self._taken = 0
        self._accepted = 0
        self._turn = 0.0
        """Monotonic: the latest turn that was given."""

    def taken(self) -> None:
        """Note that KSeF took an invoice: what waits since it took none need wait no longer."""
        self._taken += 1

    def accepted(self) -> None:
        """Note that KSeF gave a number: what waits for its turn since it gave none need wait no longer."""
        self._accepted += 1
        self._turn = 0.0

    def rest_after_trouble(self, invoice_id: str, attempts: int) -> datetime:
        """Let an invoice rest after an attempt that KSeF gave no order about; return the ``not_before`` to store.

        The rest ends sooner once KSeF takes another one: no back-off outlasts its cause.
        """
        own = self._failed_again(invoice_id, in_turn=False)
        return self.rest(step_of(OWN_STEPS, own) if own else step_of(TROUBLE_STEPS, attempts), invoice_id)

    def rest_as_told(self, invoice_id: str, seconds: float) -> datetime:
        """Let it rest as it was told to after trouble that is no limit; as rest_after_trouble it may end sooner."""
        self._failed_again(invoice_id, in_turn=False)
        return self.rest(min(seconds, LONGEST_TOLD), invoice_id)

    def rest_in_turn(self, invoice_id: str, attempts: int) -> datetime:
        """Let it rest after KSeF refused or cancelled it for a reason that may be that of all; as rest_after_trouble.

        Each such attempt takes a place in the limits, and one is enough to notice the end: those that wait are tried
        one after the other, not each by itself. Once KSeF gives one a number, the others need not wait. A restart
        forgets the turns, so ``not_before`` is no later than a first one.
        """
        own = self._failed_again(invoice_id, in_turn=True)
        if own:
            return self.rest(step_of(OWN_STEPS, own), invoice_id)
        step = step_of(TROUBLE_STEPS, attempts)
        now = self._clock.monotonic()
        self._turn = max(now, self._turn) + step
        return self.rest(step, invoice_id, turn=self._turn - now)

    def _failed_again(self, invoice_id: str, *, in_turn: bool) -> int:
        before = self._troubles.get(invoice_id)
        own = 0 if before is None else before.own + (self._done(before) > before.done)
        done = self._accepted if in_turn else self._taken
        self._troubles[invoice_id] = _Trouble(self._clock.monotonic(), done, own, in_turn)
        return own

    def _done(self, trouble: _Trouble) -> int:
        return self._accepted if trouble.in_turn else self._taken

    def rest(self, seconds: float, *invoice_ids: str, singly: bool = False, turn: float | None = None) -> datetime:
        """Let invoices rest for so long; return the ``not_before`` to store.

        ``singly``: KSeF's limit of single sends orders the rest; in a batch they may go at once.
        ``turn``: seconds that this run rests instead.
        """
        if singly:
            self._singly.update(invoice_ids)
        else:
            self._singly.difference_update(invoice_ids)
        seconds = min(seconds, LONGEST_WAIT)
        not_before = self._clock.now() + timedelta(seconds=seconds)
        rests = seconds if turn is None else turn
        until = self._clock.now() + timedelta(seconds=rests)
        self._until |= dict.fromkeys(invoice_ids, _Rest(not_before, until, self._clock.monotonic() + rests))
        return not_before

    def over(self, record: Unsent, now: datetime, *, together: bool = False) -> bool:
        """Whether it may be tried; ``together``: in a batch.

        ``now``: the best known time, for what an earlier run wrote.
        """
        if record.not_before is None or (together and record.id in self._singly) or self._healed(record.id):
            return True
        known = self._until.get(record.id)
        if known is None or known.not_before != record.not_before:
            recalled = self._recalled(record.not_before, now)
            known = self._until[record.id] = _Rest(record.not_before, record.not_before, recalled)
        return self._clock.monotonic() >= known.monotonic or now >= known.until

    def forget(self, invoice_id: str) -> None:
        """KSeF has decided."""
        self._until.pop(invoice_id, None)
        self._troubles.pop(invoice_id, None)
        self._singly.discard(invoice_id)

    def _healed(self, invoice_id: str) -> bool:
        """Tell whether KSeF took others since this one failed, or gave them numbers, and its own rest is over."""
        trouble = self._troubles.get(invoice_id)
        if trouble is None or self._done(trouble) == trouble.done:
            return False
        return self._clock.monotonic() >= trouble.at + step_of(OWN_STEPS, trouble.own)

    def _recalled(self, not_before: datetime, now: datetime) -> float:
        left = not_before - now
        return self._clock.monotonic() + (left.total_seconds() if left <= LONGEST_RECALLED else 0.0)
