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

from agent.domain.monitoring.alert import AlertCode, Severity
from tests.incidents.incidents import INCIDENTS
from tests.incidents.recording import FOLDER, HQ, RULES

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool comes with Debian's prometheus")
LONG = "51h"
"""Longer than the most patient rule waits."""
ALWAYS = "{}x110"
LOUD = 'alertstate="firing", alertname!="KsefAgentCritical"'
"""KsefAgentCritical names no problem."""


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
    by_hand = "".join(file.read_text() for file in HQ.glob("alerts*.test.yml"))
    seen |= set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n +- exp_labels", by_hand))
    assert seen == alerts


@needs_promtool
def test_each_problem_alone_wakes_somebody_as_loudly_as_it_is(tmp_path: Path) -> None:
    """As loudly as the table of docs/hq/README.md says; a code that nobody knows yet is no exception."""
    table = re.findall(r"^\| `([a-z0-9-]+)` \| ([a-z, ]+) \|", (HQ / "README.md").read_text(), re.MULTILINE)
    cases = [(code, severity) for code, words in table for severity in words.split(", ")]
    assert {code for code, _ in cases} == {each.value for each in AlertCode}
    cases += [("of-a-later-version", severity.value) for severity in Severity]
    series = _till("calm")
    for code, severity in cases:
        till = f"{code} {severity}"
        series += _till(till)
        problem = f'ksef_agent_problems{{instance="{till}", code="{code}", severity="{severity}"}}'
        series.append({"series": problem, "values": ALWAYS.format(1)})
    woken = [
        {
            "expr": f'count by (instance) (ALERTS{{{LOUD}, severity="{each}"}}) > bool 0',
            "eval_time": LONG,
            "exp_samples": [
                {"labels": f'{{instance="{code} {severity}"}}', "value": 1}
                for code, severity in cases
                if severity == each
            ],
        }
        for each in Severity
    ]
    tests = [{"interval": "30m", "input_series": series, "promql_expr_test": woken}]
    file = tmp_path / "problems.test.yml"
    body = {"rule_files": [str(RULES)], "evaluation_interval": "30m", "tests": tests}
    file.write_text(json.dumps(body))  # JSON is YAML
    assert promtool(file) == ""


def _till(name: str) -> list[dict[str, str]]:
    """A till with nothing to tell: the facts that some alerts put into their sentence."""
    return [
        {"series": f"{metric}{{{labels}}}", "values": ALWAYS.format(value)}
        for metric, labels, value in (
            ("ksef_agent_build_info", f'instance="{name}", till="{name}", shop="7", seller="ab", version="0.2.0"', 1),
            ("ksef_agent_queue_next_deadline_timestamp_seconds", f'instance="{name}"', 10**9),
            ("ksef_agent_latarnia_last_read_timestamp_seconds", f'instance="{name}"', 10**9),
            ("ksef_agent_disk_free_bytes", f'instance="{name}"', 10**12),
        )
    ]
