"""The counters of one run, in memory; /metrics shows them (agent.web.metrics).

No library counts: prometheus_client brings a web server of its own, and is loaded where somebody asks for /metrics.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Final

from agent.domain.invoice import Mode
from agent.ports import LimitLeft

PRESS_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Seconds of a press, upper bounds of the histogram."""
CALL_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
"""Seconds of a call to KSeF; the longest by the default of [ksef] timeout_seconds."""

Labels = tuple[str, ...]
"""Values of a counter's labels, in their order."""


class Count:
    """A counter; ``values``: how often, by labels. Counting is safe from any thread."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.name = f"ksef_agent_{name}"
        self.text = text
        self.labels = labels
        self._lock = Lock()
        self._values: dict[Labels, int] = {}

    @property
    def values(self) -> Mapping[Labels, int]:
        """Return all as they are now."""
        with self._lock:
            return dict(self._values)

    def add(self, *labels: str) -> None:
        """Count one."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + 1


class Durations:
    """A histogram of seconds. ``bounds``: upper bounds, included, of its buckets but the last, which has none."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> None:
        self.name = f"ksef_agent_{name}"
        self.text = text
        self.bounds = bounds
        self.labels = labels
        self._lock = Lock()
        self._values: dict[Labels, tuple[list[int], float]] = {} if labels else {(): (self._empty(), 0.0)}

    @property
    def values(self) -> Mapping[Labels, tuple[Sequence[int], float]]:
        """Return, by labels, how many in each bucket alone, and the sum of their seconds."""
        with self._lock:
            return {labels: (tuple(counts), total) for labels, (counts, total) in self._values.items()}

    def add(self, seconds: float, *labels: str) -> None:
        """Record one."""
        with self._lock:
            counts, total = self._values.get(labels) or (self._empty(), 0.0)
            counts[bisect_left(self.bounds, seconds)] += 1
            self._values[labels] = (counts, total + seconds)

    def _empty(self) -> list[int]:
        return [0] * (len(self.bounds) + 1)


class CountersInMemory:
    """Metrics port."""

    def __init__(self) -> None:
        self._issued = Count("invoices_issued", "Invoices issued.", "mode")
        self._sends = Count("sends", "Sends to KSeF by outcome.", "outcome")
        self._prints = Count("prints", "Print jobs by outcome.", "outcome")
        self._presses = Durations("press_duration_seconds", "From the press to the answer.", PRESS_BOUNDS)
        self._calls = Count("ksef_calls", "Calls to KSeF by endpoint and outcome.", "endpoint", "outcome")
        self._call_seconds = Durations(
            "ksef_call_duration_seconds", "How long calls to KSeF took, by endpoint.", CALL_BOUNDS, "endpoint"
        )
        self.all: Final = (self._issued, self._sends, self._prints, self._presses, self._calls, self._call_seconds)
        """In the order in which they are shown."""
        self.limits: Callable[[], Iterable[LimitLeft]] | None = None
        """Tells KSeF's rate limits at each look; None: nobody keeps them."""

    def issued(self, mode: Mode) -> None:
        """Count an invoice."""
        self._issued.add(mode.value)

    def sent(self, outcome: str) -> None:
        """Count a send to KSeF."""
        self._sends.add(outcome)

    def printed(self, outcome: str) -> None:
        """Count a print job."""
        self._prints.add(outcome)

    def press_took(self, seconds: float) -> None:
        """Record how long a press took."""
        self._presses.add(seconds)

    def ksef_called(self, endpoint: str, outcome: str, seconds: float | None) -> None:
        """Count a call to KSeF, and how long it took."""
        self._calls.add(endpoint, outcome)
        if seconds is not None:
            self._call_seconds.add(seconds, endpoint)

    def show_limits(self, read: Callable[[], Iterable[LimitLeft]]) -> None:
        """Show KSeF's rate limits as ``read`` tells them at each look."""
        self.limits = read
