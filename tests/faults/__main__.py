"""``python -m tests.faults night|release [--only NAME]... [--minutes N]``, ``python -m tests.faults report``.

Each piece of work is a run of pytest over some seeds; its counts are appended to build/faults/results.jsonl with the
commit, so a campaign that was stopped goes on behind what this commit has done already. A seed that fails is named with
the command that lives through it again. ``report`` prints the table of docs/proof.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fakes.seeds import VARIABLE
from tests.faults.campaigns import CAMPAIGNS, Campaign

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "faults"
RESULTS = KEPT / "results.jsonl"


@dataclass(frozen=True, slots=True)
class Result:
    """What a piece of work came to. ``first``, ``count``: its seeds; 0 and 0 where it has none."""

    campaign: str
    commit: str
    first: int
    count: int
    passed: int
    failed: int
    skipped: int
    seconds: float
    failures: tuple[str, ...] = ()


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="The goal table, run.")
    parser.add_argument("column", choices=("night", "release", "report"))
    parser.add_argument("--only", action="append", choices=[each.name for each in CAMPAIGNS])
    parser.add_argument("--minutes", type=float, help="begin no further piece of work after so long")
    chosen = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    if chosen.column == "report":
        print("\n".join(_report()))
        return 0
    until = time.monotonic() + 60 * chosen.minutes if chosen.minutes else float("inf")
    bad = 0
    for campaign in CAMPAIGNS:
        if chosen.only and campaign.name not in chosen.only:
            continue
        for first, count in _pieces(campaign, release=chosen.column == "release"):
            if time.monotonic() >= until:
                print("the time is up; the next run goes on here")
                return 1 if bad else 0
            bad += _work(campaign, first, count, release=chosen.column == "release").failed
    return 1 if bad else 0


def _pieces(campaign: Campaign, *, release: bool) -> Iterator[tuple[int, int]]:
    """Yield the seeds that this commit has not lived through yet."""
    mine = campaign.name, _commit()
    done = {(each.first, each.count) for each in _results() if (each.campaign, each.commit) == mine}
    wanted = campaign.release if release else campaign.night
    if wanted is None:
        yield from () if (0, 0) in done else [(0, 0)]
        return
    for first in range(1000, 1000 + wanted, campaign.piece):
        piece = (first, min(campaign.piece, 1000 + wanted - first))
        if piece not in done:
            yield piece


def _work(campaign: Campaign, first: int, count: int, *, release: bool) -> Result:
    report = KEPT / "junit.xml"
    report.unlink(missing_ok=True)
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "release" if release else "nightly"}
    if count:
        environment[VARIABLE] = f"{first}:{count}"
    marks = ["-m", "nightly or not nightly", "-n", "2", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", *marks, campaign.tests],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    result = _read(campaign, first, count, report, time.monotonic() - begun)
    with RESULTS.open("a", encoding="utf-8") as kept:
        kept.write(json.dumps(asdict(result)) + "\n")
    seeds = f" seeds {first}-{first + count - 1}" if count else ""
    print(f"{campaign.name}{seeds}: {result.passed} passed, {result.failed} failed, {result.seconds:.0f} s", flush=True)
    for failure in result.failures:
        print(f"    {VARIABLE}={first}:{count} pytest -m 'nightly or not nightly' '{failure}'", flush=True)
    return result


def _read(campaign: Campaign, first: int, count: int, report: Path, seconds: float) -> Result:
    passed = failed = skipped = 0
    failures: list[str] = []
    cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    for case in cases:
        if case.find("skipped") is not None:
            skipped += 1
        elif case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            path = (case.get("classname") or "").replace(".", "/")
            failures.append(f"{path}.py::{case.get('name')}")
        else:
            passed += 1
    if not cases:
        failed, failures = 1, ["pytest told nothing"]
    return Result(campaign.name, _commit(), first, count, passed, failed, skipped, seconds, tuple(failures))


def _report() -> Iterator[str]:
    yield "| Campaign | Row of the goal table | Seeds | Cases passed | Failed | Not run here | Minutes | Commit |"
    yield "|---|---|---|---|---|---|---|---|"
    results = _results()
    for campaign in CAMPAIGNS:
        mine = [each for each in results if each.campaign == campaign.name]
        for commit in dict.fromkeys(each.commit for each in mine):
            told = [each for each in mine if each.commit == commit]
            seeds = sum(each.count for each in told)
            yield (
                f"| {campaign.name} | {campaign.row} | {seeds or '–'} | {sum(each.passed for each in told)} "
                f"| {sum(each.failed for each in told)} | {sum(each.skipped for each in told)} "
                f"| {sum(each.seconds for each in told) / 60:.1f} | {commit} |"
            )
        if not mine:
            yield f"| {campaign.name} | {campaign.row} | not run | | | | | |"


def _results() -> list[Result]:
    if not RESULTS.exists():
        return []
    return [Result(**json.loads(line)) for line in RESULTS.read_text("utf-8").splitlines()]


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
