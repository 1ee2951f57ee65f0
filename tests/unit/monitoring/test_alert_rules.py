"""Every problem wakes somebody: the rules against a page of a till that has this problem and no other trouble.

Incidents that really happened to running agents are recorded in docs/hq/incidents (tests/incidents).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.domain.monitoring.alerts import AlertCode, Severity
from tests.incidents.incidents import INCIDENTS
from tests.incidents.recording import FOLDER, HQ, RULES

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool comes with Debian's prometheus")
LONG = "51h"
"""Longer than the most patient rule waits."""
ALWAYS = "{}x310"
ONE = {"labels": "{}", "value": 1}
CALM = '{alertstate="firing"}'
SERIES = [
    {"series": name, "values": ALWAYS.format(value)}
    for name, value in (
        ('ksef_agent_build_info{instance="till-1", till="1", shop="7", seller="ab", version="0.2.0"}', 1),
        ('ksef_agent_queue_next_deadline_timestamp_seconds{instance="till-1"}', 10**9),
        ('ksef_agent_latarnia_last_read_timestamp_seconds{instance="till-1"}', 10**9),
        ('ksef_agent_disk_free_bytes{instance="till-1"}', 10**12),
    )
]
"""A till with nothing to tell: the facts that some alerts put into their sentence."""


def promtool(file: Path) -> str:
    """Return what promtool holds against a test of rules; empty where it is right."""
    done = subprocess.run((str(PROMTOOL), "test", "rules", file), capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("name", sorted(INCIDENTS))
def test_a_recorded_incident_wakes_whom_it_should_and_nobody_else(name: str) -> None:
    assert promtool(FOLDER / f"{name}.test.yml") == ""


def test_each_incident_is_recorded_and_no_recording_is_left_of_another() -> None:
    assert {file.name.removesuffix(".test.yml") for file in FOLDER.iterdir()} == INCIDENTS.keys()


def test_every_rule_was_seen_to_fire_in_an_incident_or_by_hand() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    recorded = "".join(file.read_text() for file in FOLDER.iterdir())
    seen = set(re.findall(r'alertname=\\"(\w+)\\"', recorded))
    by_hand = (HQ / "alerts.test.yml").read_text()
    seen |= set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n +- exp_labels", by_hand))
    assert seen == alerts


@needs_promtool
def test_each_problem_alone_wakes_somebody_as_loudly_as_it_is(tmp_path: Path) -> None:
    """The severities are those of the table in docs/hq/README.md; a code that nobody knows yet is no exception."""
    table = re.findall(r"^\| `([a-z0-9-]+)` \| ([a-z, ]+) \|", (HQ / "README.md").read_text(), re.MULTILINE)
    cases = [(code, severity) for code, words in table for severity in words.split(", ")]
    assert {code for code, _ in cases} == {each.value for each in AlertCode}
    cases += [("of-a-later-version", severity.value) for severity in Severity]
    tests = [_alone(code, severity) for code, severity in cases]
    nobody = {"expr": 'absent(ALERTS{alertstate="firing"})', "eval_time": LONG, "exp_samples": [ONE | {"labels": CALM}]}
    tests.append({"interval": "10m", "input_series": SERIES, "promql_expr_test": [nobody]})
    file = tmp_path / "problems.test.yml"
    body = {"rule_files": [str(RULES)], "evaluation_interval": "10m", "tests": tests}
    file.write_text(json.dumps(body))  # JSON is YAML
    assert promtool(file) == ""


def _alone(code: str, severity: str) -> dict[str, object]:
    problem = f'ksef_agent_problems{{instance="till-1", code="{code}", severity="{severity}"}}'
    loud = f'alertstate="firing", alertname!="KsefAgentCritical", severity="{severity}"'
    woken = {"expr": f"count(ALERTS{{{loud}}}) > bool 0", "eval_time": LONG, "exp_samples": [ONE]}
    series = [*SERIES, {"series": problem, "values": ALWAYS.format(1)}]
    return {"interval": "10m", "input_series": series, "promql_expr_test": [woken]}
