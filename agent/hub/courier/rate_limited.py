"""How often KSeF turned calls of this process away (429): the budget was wrong, or somebody else uses it."""

from __future__ import annotations

from collections import Counter

from agent.domain.values import dataclass

RATE_LIMITED = "rate_limited"
"""Outcome of a call, see agent.ports.CallMetrics."""


@dataclass(frozen=True, slots=True)
class RateLimitedCalls:
    """CallMetrics port for the gateway of one NIP."""

    nip: str
    counts: Counter[str]

    def ksef_called(self, endpoint: str, outcome: str, seconds: float | None) -> None:
        """Count a call that was turned away."""
        if outcome == RATE_LIMITED:
            self.counts[self.nip] += 1
