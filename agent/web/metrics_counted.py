"""What CountersInMemory counted, as families of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from agent.ports import LimitLeft
from agent.services.monitoring.counters import Count, CountersInMemory, Durations


def counted(counters: CountersInMemory) -> Iterator[Metric]:
    """Yield them as they are now."""
    for each in counters.all:
        yield _count(each) if isinstance(each, Count) else _durations(each)
    if counters.limits is not None:
        yield from _limits(counters.limits())


def _count(count: Count) -> Metric:
    family = CounterMetricFamily(count.name, count.text, labels=count.labels)
    for labels, value in count.values.items():
        family.add_metric(labels, value)
    return family


def _durations(durations: Durations) -> Metric:
    family = HistogramMetricFamily(durations.name, durations.text, labels=durations.labels)
    ends = [floatToGoString(bound) for bound in (*durations.bounds, float("inf"))]  # type: ignore[no-untyped-call]
    for labels, (counts, total) in durations.values.items():
        family.add_metric(labels, list(zip(ends, map(float, accumulate(counts)), strict=True)), total)
    return family


def _limits(limits: Iterable[LimitLeft]) -> Iterator[Metric]:
    """Gauges of the rate budget."""
    labels = ("group", "window")
    left = GaugeMetricFamily(
        "ksef_agent_rate_limit_calls_left", "Calls this till may still make in the window.", labels=labels
    )
    allowed = GaugeMetricFamily(
        "ksef_agent_rate_limit_calls_allowed", "This till's share of KSeF's limit.", labels=labels
    )
    blocked = GaugeMetricFamily(
        "ksef_agent_rate_limit_blocked_seconds", "Rest that KSeF ordered by a 429.", labels=("group",)
    )
    for limit in limits:
        blocked.add_metric((limit.group,), limit.blocked_seconds)
        for window, (rest, of) in limit.windows.items():
            left.add_metric((limit.group, window), rest)
            allowed.add_metric((limit.group, window), of)
    yield from (left, allowed, blocked)
