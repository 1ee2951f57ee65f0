"""``python -m tests.faults night|release [--only NAME]... [--minutes N] [--processes N] [--piece N]``,
``python -m tests.faults report``.

Each piece of work is a run of pytest over some seeds, or over some of a campaign's cases in an order that is drawn
once, so a campaign that was stopped is a fair sample. Its counts are appended to build/faults/results.jsonl with the
commit: the next run goes on behind what this commit has done. What fails is named with the command that lives through
it again. ``report`` prints the table of docs/proof.md.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.fakes.seeds import VARIABLE
from tests.faults.campaigns import CAMPAIGNS, Campaign, missing
from tests.faults.results import KEPT, Result, keep, kept, table

ROOT = Path(__file__).parents[2]
FIRST_SEED = 1000
MOST_TOLD = 5
"""Failures of one piece that are printed; all of them are kept."""
ALL_MARKS = ("-m", "nightly or not nightly")


@dataclass(frozen=True, slots=True)
class Run:
    """How this run works."""

    commit: str
    profile: str
    """Of hypothesis (tests/conftest.py)."""
    processes: int
    at_once: int | None
    """Seeds or cases of one piece of work, where it is not the campaign that says so."""

    def piece(self, campaign: Campaign) -> int:
        """Return how many seeds or cases make a piece."""
        return self.at_once or campaign.piece


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="The goal table, run.")
    parser.add_argument("column", choices=("night", "release", "report"))
    parser.add_argument("--only", action="append", choices=[each.name for each in CAMPAIGNS])
    parser.add_argument("--minutes", type=float, help="begin no further piece of work after so long")
    parser.add_argument("--processes", type=int, default=2, help="of pytest at once; 0: none but this one")
    parser.add_argument("--piece", type=int, help="seeds or cases after which a result is kept")
    chosen = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    if chosen.column == "report":
        print("\n".join(table()))
        return 0
    release = chosen.column == "release"
    run = Run(_commit(), "release" if release else "nightly", chosen.processes, chosen.piece)
    until = time.monotonic() + 60 * chosen.minutes if chosen.minutes else float("inf")
    bad = 0
    for campaign in CAMPAIGNS:
        if chosen.only and campaign.name not in chosen.only:
            continue
        if lacking := missing(campaign):
            print(f"{campaign.name}: not run, this machine has no {', '.join(lacking)}", flush=True)
            continue
        for first, tests, of in _pieces(campaign, run, release=release):
            if time.monotonic() >= until:
                print("the time is up; the next run goes on here")
                return 1 if bad else 0
            bad += _work(campaign, run, first, tests, of).failed
    return 1 if bad else 0


def _pieces(campaign: Campaign, run: Run, *, release: bool) -> Iterator[tuple[int, range | Sequence[str], int]]:
    """Yield what this commit has not lived through yet: the first seed or place, the seeds or cases, all cases."""
    mine = (campaign.name, run.commit)
    done = {
        place
        for each in kept()
        if (each.campaign, each.commit) == mine
        for place in range(each.first, each.first + each.count)
    }
    seeds = campaign.release if release else campaign.night
    cases = _cases(campaign) if seeds is None else []
    first = 0 if seeds is None else FIRST_SEED
    end = first + (len(cases) if seeds is None else seeds)
    while first < end:
        last = first
        while last < min(end, first + run.piece(campaign)) and last not in done:
            last += 1
        if last > first:
            yield first, cases[first:last] if seeds is None else range(first, last), len(cases)
        first = max(last, first + 1)


def _cases(campaign: Campaign) -> list[str]:
    """Return the names of all cases, in an order that depends on nothing but their names."""
    command = [sys.executable, "-m", "pytest", *ALL_MARKS, "--collect-only", "-n", "0", campaign.tests]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    cases = sorted(line for line in told.stdout.splitlines() if "::" in line)
    if told.returncode or not cases:
        raise SystemExit(f"{campaign.name}: pytest finds no cases\n{told.stdout}{told.stderr}")
    random.Random(FIRST_SEED).shuffle(cases)
    return cases


def _work(campaign: Campaign, run: Run, first: int, piece: range | Sequence[str], of: int) -> Result:
    report = KEPT / "junit.xml"
    report.unlink(missing_ok=True)
    environment = {**os.environ, "HYPOTHESIS_PROFILE": run.profile}
    again, tests = "", list(piece) if not isinstance(piece, range) else [campaign.tests]
    if isinstance(piece, range):
        environment[VARIABLE] = f"{first}:{len(piece)}"
        again = f"{VARIABLE}={environment[VARIABLE]} "
    options = [*ALL_MARKS, "-n", f"{run.processes}", f"--hypothesis-seed={first}", f"--junitxml={report}"]
    options += ["-o", "junit_family=xunit1"]  # the newer one knows no properties
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    result = replace(_read(report, campaign, run, first, len(piece), time.monotonic() - begun), of=of)
    keep(result)
    last = f"-{first + len(piece) - 1}" if len(piece) > 1 else ""
    what = f"{'seeds' if again else 'cases'} {first}{last}"
    print(f"{campaign.name} {what}: {result.passed} passed, {result.failed} failed, {result.seconds:.0f} s", flush=True)
    for failure in result.failures[:MOST_TOLD]:
        print(f"    HYPOTHESIS_PROFILE={run.profile} {again}pytest -m 'nightly or not nightly' '{failure}'", flush=True)
    if result.failed:
        log = KEPT / f"{campaign.name}-{first}.log"
        log.write_text(done.stdout + done.stderr, "utf-8")
        print(f"    told in {log.relative_to(ROOT)}", flush=True)
    return result


def _read(report: Path, campaign: Campaign, run: Run, first: int, count: int, seconds: float) -> Result:
    passed = failed = skipped = 0
    failures: list[str] = []
    counts: Counter[str] = Counter()
    cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    for case in cases:
        counts.update({each.attrib["name"]: int(each.attrib["value"]) for each in case.iter("property")})
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
    day = datetime.now(UTC).date().isoformat()
    told = (passed, failed, skipped, round(seconds, 1), dict(counts), tuple(failures))
    return Result(campaign.name, run.commit, day, first, count, *told)


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
