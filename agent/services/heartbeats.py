"""Do the loops still turn? Each tells after every round; one that has not for long stands still, though it lives.

A task that died ends the service (shutdown.py). One that waits for something that never comes dies of nothing: a disk
that hangs, a lock nobody gives back. Then presses hang too, and only a restart helps.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.ports import Clock

Beat = Callable[[], None]
"""Tells that a loop has gone on."""

LEAST_SECONDS = 300.0
"""A round may be a call to KSeF with all its patience, or the judgement of ten thousand invoices on a slow disk."""
ROUNDS = 3.0
"""Times its interval that a loop may be silent."""


class Heartbeats:
    """When each loop last told, by the time the machine is awake: a till that slept has no loop that stands still."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._allowed: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def expect(self, name: str, interval: float) -> None:
        """From now on ``name`` has to tell, about every ``interval`` seconds."""
        self._allowed[name] = max(LEAST_SECONDS, ROUNDS * interval)
        self._last[name] = self._clock.awake()

    def forget(self, *names: str) -> None:
        """Expect no more of them: what they were for has ended."""
        for name in names:
            self._allowed.pop(name, None)

    def beat(self, name: str) -> None:
        """Take note of a round."""
        self._last[name] = self._clock.awake()

    def silent(self) -> tuple[str, ...]:
        """Return the loops that have stood still for too long."""
        now = self._clock.awake()
        return tuple(name for name, allowed in self._allowed.items() if now - self._last[name] > allowed)


def unheard() -> None:
    """Tell nobody: a loop that is not watched."""
