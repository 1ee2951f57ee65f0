"""The counters of one run, in memory; /metrics shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.domain.invoice import Mode

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Seconds of a press, upper bounds of the histogram."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Monotonic counters and gauges for /metrics; labels are bounded words."""

    issued_by_mode: Mapping[str, int] = field(default_factory=dict)
    sends_by_outcome: Mapping[str, int] = field(default_factory=dict)
    prints_by_outcome: Mapping[str, int] = field(default_factory=dict)
    press_seconds_sum: float = 0.0
    press_seconds_count: int = 0
    press_buckets: Mapping[float, int] = field(default_factory=dict)
    """Upper bound in seconds -> presses not slower than that (cumulative)."""


class CountersInMemory:
    """Metrics port."""

    def __init__(self) -> None:
        self._issued: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._printed: Counter[str] = Counter()
        self._press_sum = 0.0
        self._press_count = 0
        self._press_buckets = dict.fromkeys(BOUNDS, 0)

    def issued(self, mode: Mode) -> None:
        """Count an invoice."""
        self._issued[mode.value] += 1

    def sent(self, outcome: str) -> None:
        """Count a send to KSeF."""
        self._sent[outcome] += 1

    def printed(self, outcome: str) -> None:
        """Count a print job."""
        self._printed[outcome] += 1

    def press_took(self, seconds: float) -> None:
        """Record how long a press took."""
        self._press_sum += seconds
        self._press_count += 1
        for bound in self._press_buckets:
            if seconds <= bound:
                self._press_buckets[bound] += 1

    def read(self) -> Counters:
        """Return all as they are now."""
        return Counters(
            issued_by_mode=dict(self._issued),
            sends_by_outcome=dict(self._sent),
            prints_by_outcome=dict(self._printed),
            press_seconds_sum=self._press_sum,
            press_seconds_count=self._press_count,
            press_buckets=dict(self._press_buckets),
        )
