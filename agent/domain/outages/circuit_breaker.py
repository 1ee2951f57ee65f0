"""A circuit breaker with hysteresis, as a value: the next cashier does not wait for a line known to be down.

    closed ──(n failures in a row)──> open ──(first good probe)──> half_open ──(m good probes in a row)──> closed
                                        ▲                              │
                                        └──────────(failure)───────────┘

Only closed lets a press try online. A real answer to a sent invoice closes at once: nothing proves more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from agent.domain.values import dataclass


class LinkState(StrEnum):
    """What the breaker says of the line to KSeF."""

    CLOSED = "closed"
    """The line works: presses try online."""
    HALF_OPEN = "half_open"
    """Probes succeed again, not yet often enough; presses do not try."""
    OPEN = "open"
    """The line is down: presses do not try."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """State of the line. Transitions return a new value; ``since`` is when ``state`` last changed."""

    failures_to_open: int = 2
    probes_to_close: int = 2
    state: LinkState = LinkState.CLOSED
    failures: int = 0
    """Failures in a row."""
    probes: int = 0
    """Good probes in a row while not closed."""
    since: datetime | None = None

    @property
    def allows(self) -> bool:
        """Tell whether a press may try online."""
        return self.state is LinkState.CLOSED

    def on_failure(self, now: datetime) -> Breaker:
        """Note a call or probe that the line (not KSeF's answer) broke."""
        failures = self.failures + 1
        if self.state is LinkState.CLOSED and failures < self.failures_to_open:
            return replace(self, failures=failures)
        return self._to(LinkState.OPEN, now, failures=failures, probes=0)

    def on_probe(self, now: datetime) -> Breaker:
        """Note a probe that KSeF answered."""
        if self.state is LinkState.CLOSED:
            return replace(self, failures=0)
        probes = self.probes + 1
        if probes >= self.probes_to_close:
            return self.on_success(now)
        return self._to(LinkState.HALF_OPEN, now, failures=0, probes=probes)

    def on_success(self, now: datetime) -> Breaker:
        """Note that KSeF took an invoice."""
        return self._to(LinkState.CLOSED, now, failures=0, probes=0)

    def _to(self, state: LinkState, now: datetime, *, failures: int, probes: int) -> Breaker:
        since = self.since if state is self.state else now
        return replace(self, state=state, failures=failures, probes=probes, since=since)

    def to_json(self) -> dict[str, str | int | None]:
        """Return what the notebook keeps; the two limits are settings and stay out."""
        return {
            "state": self.state.value,
            "failures": self.failures,
            "probes": self.probes,
            "since": self.since.isoformat() if self.since else None,
        }

    def restored(self, kept: Mapping[str, object]) -> Breaker:
        """Return this breaker (its limits) in the state the notebook kept; KeyError, ValueError when it is no such."""
        since = kept["since"]
        return replace(
            self,
            state=LinkState(str(kept["state"])),
            failures=int(str(kept["failures"])),
            probes=int(str(kept["probes"])),
            since=datetime.fromisoformat(since) if isinstance(since, str) else None,
        )
