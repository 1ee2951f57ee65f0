"""Prometheus text format. Names follow its conventions: base units, _total for counters; labels are bounded words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from typing import Final

from agent.domain.clock_check import ClockState
from agent.domain.invoice import Mode
from agent.services.monitoring.counters import Counters
from agent.services.monitoring.health import HealthReport
from agent.web.json_views import WARSAW

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    text = ",".join(f'{key}="{_escape(word)}"' for key, word in labels.items())
    return f"{name}{{{text}}} {_number(value)}" if text else f"{name} {_number(value)}"


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [_line(name, labels, value) for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines] if lines else []


def _words(label: str, values: Mapping[str, int]) -> list[Sample]:
    return [({label: word}, count) for word, count in sorted(values.items())]


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
    counts: dict[tuple[str, str], int] = {}
    for item in report.problems:
        counts[item.code, item.severity] = counts.get((item.code, item.severity), 0) + 1
    return [({"code": code, "severity": severity}, count) for (code, severity), count in sorted(counts.items())]


def render(report: HealthReport, counters: Counters) -> str:
    """Return the whole page of /metrics."""
    queue = report.queue
    skew = report.clock_skew_seconds
    families: tuple[tuple[str, str, str, list[Sample]], ...] = (
        ("info", "gauge", "Version and till.", [({"version": report.version, "till": report.till}, 1)]),
        ("start_time_seconds", "gauge", "When the agent started, Unix time.", _at(report.started_at)),
        ("ready", "gauge", "1 when the agent takes presses.", [({}, float(report.ready))]),
        (
            "health_status",
            "gauge",
            "1 for the current state of health.",
            _one_of("status", ("ok", "degraded", "critical"), report.status),
        ),
        ("mode", "gauge", "1 for the mode a press would get now.", _one_of("mode", Mode, report.mode.mode)),
        ("ksef_reachable", "gauge", "1 when KSeF answers.", [({}, float(report.mode.ksef == "up"))]),
        ("ksef_last_contact_timestamp_seconds", "gauge", "Last answer of KSeF.", _at(report.ksef_seen_at)),
        ("latarnia_last_read_timestamp_seconds", "gauge", "Last answer of Latarnia.", _at(report.latarnia_seen_at)),
        ("queue_unsent_invoices", "gauge", "Invoices that KSeF does not have yet.", [({}, queue.unsent)]),
        ("queue_in_doubt_invoices", "gauge", "Invoices KSeF may or may not have.", [({}, queue.in_doubt)]),
        ("queue_rejected_invoices", "gauge", "Invoices that KSeF refused.", [({}, queue.rejected)]),
        ("queue_overdue_invoices", "gauge", "Unsent invoices past their deadline.", [({}, queue.overdue)]),
        ("queue_next_deadline_timestamp_seconds", "gauge", "End of the nearest deadline's day.", _end_of_day(report)),
        (
            "printer_online",
            "gauge",
            "1 when the printer can print.",
            [({"printer": item.name}, float(item.online and item.problem is None)) for item in report.printers],
        ),
        (
            "certificate_expiry_timestamp_seconds",
            "gauge",
            "End of validity of a KSeF certificate.",
            [({"use": item.use}, item.expires.timestamp()) for item in report.certificates],
        ),
        ("clock_skew_seconds", "gauge", "The right time minus the till's.", [] if skew is None else [({}, skew)]),
        (
            "clock_state",
            "gauge",
            "1 for what may be done with the clock; unconfirmed and wrong date no invoice.",
            [] if report.clock is None else _one_of("state", ClockState, report.clock.state),
        ),
        ("disk_free_bytes", "gauge", "Room on the disk of the database.", [({}, report.disk_free_bytes)]),
        ("database_size_bytes", "gauge", "Size of the database.", [({}, report.database_bytes)]),
        (
            "backup_last_timestamp_seconds",
            "gauge",
            "When the newest checked copy of the database was made.",
            [] if report.copies.last_at is None else [({}, report.copies.last_at.timestamp())],
        ),
        (
            "backup_failed",
            "gauge",
            "1 when the newest try to copy the database failed.",
            [({}, float(report.copies.problem is not None))],
        ),
        ("problems", "gauge", "Open problems by code.", _problem_counts(report)),
        ("invoices_issued_total", "counter", "Invoices issued.", _words("mode", counters.issued_by_mode)),
        ("sends_total", "counter", "Sends to KSeF by outcome.", _words("outcome", counters.sends_by_outcome)),
        ("prints_total", "counter", "Print jobs by outcome.", _words("outcome", counters.prints_by_outcome)),
    )
    lines: list[str] = []
    for name, kind, text, samples in families:
        lines += _family(f"ksef_agent_{name}", kind, text, samples)
    lines += _press_histogram(counters)
    return "\n".join(lines) + "\n"


def _press_histogram(counters: Counters) -> list[str]:
    """From the press to the answer, cumulative buckets."""
    name = "ksef_agent_press_duration_seconds"
    lines = [f"# HELP {name} From the press to the answer.", f"# TYPE {name} histogram"]
    for bound, count in sorted(counters.press_buckets.items()):
        lines.append(_line(f"{name}_bucket", {"le": repr(float(bound))}, count))
    lines.append(_line(f"{name}_bucket", {"le": "+Inf"}, counters.press_seconds_count))
    lines.append(_line(f"{name}_sum", {}, counters.press_seconds_sum))
    lines.append(_line(f"{name}_count", {}, counters.press_seconds_count))
    return lines
