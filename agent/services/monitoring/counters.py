"""The counters of one run, in memory, in a Prometheus registry of its own; /metrics shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from agent.domain.invoice import Mode
from agent.ports import LimitLeft

PRESS_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Seconds of a press, upper bounds of the histogram."""
CALL_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
"""Seconds of a call to KSeF; the longest by the default of [ksef] timeout_seconds."""

disable_created_metrics()  # type: ignore[no-untyped-call] # start_time_seconds tells since when everything counts


class CountersInMemory:
    """Metrics port. ``registry`` also holds process_* (memory, processor time, open files) of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._issued = self._counter("invoices_issued", "Invoices issued.", "mode")
        self._sends = self._counter("sends", "Sends to KSeF by outcome.", "outcome")
        self._prints = self._counter("prints", "Print jobs by outcome.", "outcome")
        self._presses = Histogram(
            "ksef_agent_press_duration_seconds",
            "From the press to the answer.",
            buckets=PRESS_BOUNDS,
            registry=self.registry,
        )
        self._calls = self._counter("ksef_calls", "Calls to KSeF by endpoint and outcome.", "endpoint", "outcome")
        self._call_seconds = Histogram(
            "ksef_agent_ksef_call_duration_seconds",
            "How long calls to KSeF took, by endpoint.",
            ("endpoint",),
            buckets=CALL_BOUNDS,
            registry=self.registry,
        )

    def issued(self, mode: Mode) -> None:
        """Count an invoice."""
        self._issued.labels(mode.value).inc()

    def sent(self, outcome: str) -> None:
        """Count a send to KSeF."""
        self._sends.labels(outcome).inc()

    def printed(self, outcome: str) -> None:
        """Count a print job."""
        self._prints.labels(outcome).inc()

    def press_took(self, seconds: float) -> None:
        """Record how long a press took."""
        self._presses.observe(seconds)

    def ksef_called(self, endpoint: str, outcome: str, seconds: float | None) -> None:
        """Count a call to KSeF, and how long it took."""
        self._calls.labels(endpoint, outcome).inc()
        if seconds is not None:
            self._call_seconds.labels(endpoint).observe(seconds)

    def show_limits(self, read: Callable[[], Iterable[LimitLeft]]) -> None:
        """Show KSeF's rate limits as ``read`` tells them at each look."""
        self.registry.register(_Limits(read))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"ksef_agent_{name}", text, labels, registry=self.registry)


class _Limits(Collector):
    """Gauges of the rate budget."""

    def __init__(self, read: Callable[[], Iterable[LimitLeft]]) -> None:
        self._read = read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the names without reading anything."""
        return self._families()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read now."""
        left, allowed, blocked = families = self._families()
        for limit in self._read():
            blocked.add_metric((limit.group,), limit.blocked_seconds)
            for window, (rest, of) in limit.windows.items():
                left.add_metric((limit.group, window), rest)
                allowed.add_metric((limit.group, window), of)
        return families

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        labels = ("group", "window")
        return (
            GaugeMetricFamily(
                "ksef_agent_rate_limit_calls_left", "Calls this till may still make in the window.", labels=labels
            ),
            GaugeMetricFamily(
                "ksef_agent_rate_limit_calls_allowed", "This till's share of KSeF's limit.", labels=labels
            ),
            GaugeMetricFamily(
                "ksef_agent_rate_limit_blocked_seconds", "Rest that KSeF ordered by a 429.", labels=("group",)
            ),
        )
