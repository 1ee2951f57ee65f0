"""What of an attempt was not as expected: the agent's outcome against what the person saw on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.ports import Outcome
from printers.hardware_day.protocol import Finding, Job, Setup, Wire
from printers.hardware_day.steps import Step
from printers.profiles.models import Answers


def findings(
    step: Step, setup: Setup, jobs: Sequence[Job], answers: Mapping[str, str], wire: Sequence[Wire]
) -> tuple[Finding, ...]:
    """Return all findings of an attempt, each once, worst first."""
    found = {*_papers(step, jobs, answers)}
    if setup.answers != Answers.NONE.value:
        found |= _expectations(step, jobs)
        if answers.get("when") == "moving" and setup.answers == Answers.PROCESS_ID.value:
            found.add(Finding.TOO_EARLY)  # GS r is answered when the data was read: no promise of paper
    if answers.get("clean") == "no":
        found.add(Finding.GARBLED)
    if answers.get("middle") == "no":
        found.add(Finding.MISSING_LINES)
    if answers.get("old") == "yes" and setup.clears_buffer:
        found.add(Finding.OLD_PAPER)
    if step.slip is None and any(one.what == "opened" for one in wire):
        answered = any(one.what == "received" for one in wire)
        if answered is (setup.answers == Answers.NONE.value):
            found.add(Finding.ANSWERS)
    return tuple(one for one in Finding if one in found)


def _papers(step: Step, jobs: Sequence[Job], answers: Mapping[str, str]) -> set[Finding]:
    """Compare each kind of outcome with the paper that lies there."""
    found: set[Finding] = set()
    believed = sum(job.outcome == Outcome.DONE.value and job.confirmed for job in jobs)
    refused = bool(jobs) and all(job.outcome == Outcome.NOT_SENT.value for job in jobs)
    if "count" in answers:
        count = int(answers["count"])
        if count < believed:
            found.add(Finding.DONE_WITHOUT_PAPER)
        if count > step.copies:
            found.add(Finding.TOO_MANY_PAPERS)
        if refused and count:
            found.add(Finding.PAPER_THOUGH_NOT_SENT)
    match answers.get("papers"):
        case "none" | "part" if believed:
            found.add(Finding.DONE_WITHOUT_PAPER)
        case "more":
            found.add(Finding.TOO_MANY_PAPERS)
    if answers.get("papers") in ("part", "one", "more") and refused:
        found.add(Finding.PAPER_THOUGH_NOT_SENT)
    return found


def _expectations(step: Step, jobs: Sequence[Job]) -> set[Finding]:
    found: set[Finding] = set()
    for job in jobs:
        if job.outcome not in {outcome.value for outcome in step.outcomes}:
            found.add(Finding.OUTCOME)
        elif job.code is not None and job.code not in step.codes:
            found.add(Finding.TROUBLE)
    return found
