"""When something is asked of KSeF again: less and less often, so that one stuck thing never eats the limits."""

from __future__ import annotations

from collections.abc import Collection

from agent.ports import Clock

STEPS = (5.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""Seconds until the next time, by times asked; the last one goes on for ever."""


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
