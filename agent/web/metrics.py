"""GET /metrics: Prometheus text format. Base units, _total for counters; labels: bounded words, or of the settings."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.domain.clock_check import ClockState
from agent.domain.invoice import Mode
from agent.domain.outages.circuit_breaker import LinkState
from agent.services.monitoring.backlogs import Backlog
from agent.services.monitoring.counters import CountersInMemory
from agent.services.monitoring.health import HealthReport
from agent.services.monitoring.outward_heartbeat import OutwardHeartbeat
from agent.web.metrics_counted import counted
from agent.web.wire import WARSAW

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
BREAKER: Final = {"up": LinkState.CLOSED, "unknown": LinkState.HALF_OPEN, "down": LinkState.OPEN}
"""The breaker's state by what a screen says of KSeF."""
Sample = tuple[Mapping[str, str], float]


def render(
    report: HealthReport,
    counters: CountersInMemory,
    backlog: Backlog | None = None,
    *,
    shop: str = "",
    heartbeat: OutwardHeartbeat | None = None,
) -> str:
    """Return the whole page of /metrics. ``shop``: the label of [health] shop; ``heartbeat`` None: none is sent."""
    families = [*_of_report(report), *_of_backlog(backlog or Backlog()), _build_info(report, shop)]
    if heartbeat is not None:
        families += _of_heartbeat(heartbeat)
    page = CollectorRegistry()
    page.register(_Families([family for family in families if family.samples]))
    ProcessCollector(registry=page)  # process_*: memory, processor time, open files of this process
    page.register(_Families(counted(counters)))
    return generate_latest(page).decode()


class _Families(Collector):
    """Families that are ready."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"ksef_agent_{name}", text)
    for labels, value in samples:
        family.add_sample(family.name, dict(labels), value)
    return family


def _one_of(label: str, words: Iterable[str], current: str) -> list[Sample]:
    return [({label: word}, float(word == current)) for word in words]


def _at(value: datetime | None) -> list[Sample]:
    return [] if value is None else [({}, value.timestamp())]


def _end_of_day(report: HealthReport) -> list[Sample]:
    """The deadline is the whole Polish day: until its midnight."""
    day = report.queue.next_deadline
    if day is None:
        return []
    return [({}, datetime.combine(day + timedelta(days=1), time(), WARSAW).timestamp())]


def _problem_counts(report: HealthReport) -> list[Sample]:
    counts = Counter((item.code, item.severity) for item in report.problems)
    return [({"code": code, "severity": severity}, count) for (code, severity), count in sorted(counts.items())]


def _build_info(report: HealthReport, shop: str) -> GaugeMetricFamily:
    """Return what joins a till's series to its shop and seller; the NIP of a one-man firm is a person's: a hash."""
    labels = {
        "version": report.version,
        "python": platform.python_version(),
        "till": report.till,
        "shop": shop,
        "seller": hashlib.sha256(report.nip.encode()).hexdigest()[:12],
    }
    return _gauge(
        "build_info", "Version, till, shop; seller: first 12 digits of the SHA-256 of its NIP.", [(labels, 1)]
    )


def _of_backlog(backlog: Backlog) -> Iterator[GaugeMetricFamily]:
    yield _gauge(
        "queue_oldest_unsent_timestamp_seconds",
        "When the oldest invoice was issued that KSeF does not have.",
        _at(backlog.oldest_unsent_at),
    )
    jobs = [({"state": state.value}, count) for state, count in backlog.print_jobs.items()]
    yield _gauge("print_queue_jobs", "Print jobs that wait or print.", jobs)
    yield _gauge(
        "outbox_waiting_events",
        "Events of the log that a webhook's receiver has not had yet.",
        [({"subscriber": each.name}, each.waiting) for each in backlog.outboxes],
    )
    yield _gauge(
        "outbox_refused_since_timestamp_seconds",
        "Since when a webhook's receiver refuses.",
        [
            ({"subscriber": each.name}, each.failing_since.timestamp())
            for each in backlog.outboxes
            if each.failing_since
        ],
    )


def _of_heartbeat(heartbeat: OutwardHeartbeat) -> Iterator[GaugeMetricFamily]:
    yield _gauge(
        "heartbeat_last_taken_timestamp_seconds",
        "When headquarters last took a sign of life since the start.",
        _at(heartbeat.taken_at),
    )
    refused = float(heartbeat.problem is not None)
    yield _gauge("heartbeat_refused", "1 when headquarters did not take the newest sign of life.", [({}, refused)])


def _of_report(report: HealthReport) -> Iterator[GaugeMetricFamily]:
    queue = report.queue
    skew = report.clock_skew_seconds
    yield _gauge("info", "Version and till.", [({"version": report.version, "till": report.till}, 1)])
    yield _gauge("start_time_seconds", "When the agent started, Unix time.", _at(report.started_at))
    yield _gauge("ready", "1 when the agent takes presses.", [({}, float(report.ready))])
    states = _one_of("status", ("ok", "degraded", "critical"), report.status)
    yield _gauge("health_status", "1 for the current state of health.", states)
    yield _gauge("mode", "1 for the mode a press would get now.", _one_of("mode", Mode, report.mode.mode))
    yield _gauge("ksef_reachable", "1 when KSeF answers.", [({}, float(report.mode.ksef == "up"))])
    yield _gauge(
        "breaker_state",
        "1 for the state of the circuit breaker; presses try online only while it is closed.",
        _one_of("state", LinkState, BREAKER[report.mode.ksef]),
    )
    yield _gauge("ksef_last_contact_timestamp_seconds", "Last answer of KSeF.", _at(report.ksef_seen_at))
    yield _gauge("latarnia_last_read_timestamp_seconds", "Last answer of Latarnia.", _at(report.latarnia_seen_at))
    yield _gauge("queue_unsent_invoices", "Invoices that KSeF does not have yet.", [({}, queue.unsent)])
    yield _gauge("queue_in_doubt_invoices", "Invoices KSeF may or may not have.", [({}, queue.in_doubt)])
    yield _gauge("queue_rejected_invoices", "Invoices that KSeF refused.", [({}, queue.rejected)])
    yield _gauge("queue_overdue_invoices", "Unsent invoices past their deadline.", [({}, queue.overdue)])
    waiting = "Unsent invoices that wait for a window of sync.backlog_hours; nothing is wrong with them."
    yield _gauge("queue_waiting_for_window_invoices", waiting, [({}, queue.waiting_for_window)])
    yield _gauge("queue_next_deadline_timestamp_seconds", "End of the nearest deadline's day.", _end_of_day(report))
    yield _gauge(
        "printer_online",
        "1 when the printer can print.",
        [({"printer": item.name}, float(item.online and item.problem is None)) for item in report.printers],
    )
    yield _gauge(
        "certificate_expiry_timestamp_seconds",
        "End of validity of a KSeF certificate.",
        [({"use": item.use}, item.expires.timestamp()) for item in report.certificates],
    )
    attempts = [(item.use, item.renewal) for item in report.certificates if item.renewal is not None]
    yield _gauge(
        "certificate_renewal_last_attempt_timestamp_seconds",
        "When KSeF was last asked to renew a certificate.",
        [({"use": use}, last.at.timestamp()) for use, last in attempts],
    )
    yield _gauge(
        "certificate_renewal_failed",
        "1 when the last attempt to renew a certificate failed.",
        [({"use": use}, float(last.problem is not None)) for use, last in attempts],
    )
    yield _gauge("clock_skew_seconds", "The right time minus the till's.", [] if skew is None else [({}, skew)])
    yield _gauge(
        "clock_state",
        "1 for what may be done with the clock; unconfirmed and wrong date no invoice.",
        [] if report.clock is None else _one_of("state", ClockState, report.clock.state),
    )
    yield _gauge("disk_free_bytes", "Room on the disk of the database.", [({}, report.disk_free_bytes)])
    yield _gauge("database_size_bytes", "Size of the database.", [({}, report.database_bytes)])
    yield _gauge(
        "backup_last_timestamp_seconds",
        "When the newest checked copy of the database was made.",
        _at(report.copies.last_at),
    )
    failed = float(report.copies.problem is not None)
    yield _gauge("backup_failed", "1 when the newest try to copy the database failed.", [({}, failed)])
    yield _gauge("problems", "Open problems by code.", _problem_counts(report))
