"""What Prometheus saw of an incident, as a test of promtool: a sample a minute of every metric that a rule reads.

promtool counts minutes from 1970: instants are written as they lie before and after the minute that is seen, so time
that was jumped over leaves no gap.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

HQ = Path(__file__).parents[2] / "docs" / "hq"
RULES = HQ / "alerts.yml"
FOLDER = HQ / "incidents"
JOB = {"agent": "ksef-agent", "receiver": "ksef-heartbeats"}
INSTANT = ("timestamp_seconds", "start_time_seconds")
"""How the names of metrics end that are instants."""
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


def names_in_rules(rules: str) -> frozenset[str]:
    """Return the metrics that the rules read."""
    return frozenset(re.findall(r"\bksef_(?:agent|heartbeat)_\w+", rules)) | {"up"}


class Recording:
    """Grows by a look at a time. ``step``: minutes between two looks."""

    def __init__(self, step: int = 1) -> None:
        self.step = step
        self._wanted = names_in_rules(RULES.read_text("utf-8"))
        self._series: dict[str, list[str]] = {}
        self._told: list[tuple[int, Mapping[str, int]]] = []
        self._looks = 0

    def add(self, instance: str, page: str | None, now: float, job: str = "agent") -> None:
        """Take a page of /metrics, seen at ``now``, into the look that is open; None: nobody answered."""
        labels = {"instance": instance, "job": JOB[job]}
        self._put("up", labels, float(page is not None))
        for family in text_string_to_metric_families(page or ""):
            for sample in family.samples:
                if sample.name in self._wanted:
                    shift = now - 60 * self.step * self._looks if sample.name.endswith(INSTANT) else 0.0
                    # labels of its own win, as with honor_labels
                    self._put(sample.name, labels | sample.labels, sample.value - shift)

    def end_look(self) -> None:
        """Close the look; what was not seen in it is stale, as it is for Prometheus."""
        self._looks += 1
        for values in self._series.values():
            if len(values) < self._looks:
                values.append("_" if values[-1] in {"_", "stale"} else "stale")

    def firing(self, alerts: Mapping[str, int]) -> None:
        """Write down which alerts, and how many of each, fire at the last look: these and no others."""
        self._told.append(((self._looks - 1) * self.step, alerts))

    def _put(self, name: str, labels: Mapping[str, str], value: float) -> None:
        words = ",".join(f"{word}={json.dumps(text, ensure_ascii=False)}" for word, text in sorted(labels.items()))
        values = self._series.setdefault(f"{name}{{{words}}}", ["_"] * self._looks)
        values.append(f"{round(value):d}" if abs(value) > 1000 else f"{round(value, 3):.15g}")

    def test(self, story: str) -> str:
        """Return the file for `promtool test rules`, which is JSON but for its comment: JSON is YAML."""
        series = [
            json.dumps({"series": name, "values": _short(values)}, ensure_ascii=False)
            for name, values in sorted(self._series.items())
        ]
        expected = [
            json.dumps({"expr": FIRING, "eval_time": f"{minute}m", "exp_samples": _samples(alerts)})
            for minute, alerts in self._told
        ]
        return "\n".join(
            (
                *(f"# {line}" for line in story.splitlines()),
                'rule_files: ["../alerts.yml"]',
                f"evaluation_interval: {self.step}m",
                "tests:",
                f"  - interval: {self.step}m",
                "    input_series:",
                *(f"      - {each}" for each in series),
                "    promql_expr_test:",
                *(f"      - {each}" for each in expected),
                "",
            )
        )


def _samples(alerts: Mapping[str, int]) -> list[dict[str, str | int]]:
    return [{"labels": f'{{alertname="{name}"}}', "value": count} for name, count in sorted(alerts.items())]


def _short(values: Sequence[str]) -> str:
    """Write runs as promtool reads them: 7x2 is three times 7."""
    return " ".join(_runs(values))


def _runs(values: Iterable[str]) -> Iterable[str]:
    for value, group in groupby(values):
        count = len(list(group))
        if value == "_":
            yield f"_x{count}"
        elif value == "stale" or count == 1:
            yield value
        else:
            yield f"{value}x{count - 1}"
