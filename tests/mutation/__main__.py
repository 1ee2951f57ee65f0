"""``python -m tests.mutation``: change the program, run the tests that run the changed line, count who notices.

    python -m tests.mutation map                  which test runs which line (minutes; kept in build/mutation)
    python -m tests.mutation planted              the bugs of planted.py, each of which has to be seen
    python -m tests.mutation random --count 200 --seed 1 [--below agent/domain]

Results are appended to build/mutation/results.jsonl, so a run goes on where it stopped; the end tells the score.
The working tree is never touched: changes are made in a copy. A test that fails in the copy as it is proves nothing and
is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

from tests.mutation.operators import Mutant, mutants
from tests.mutation.planted import PLANTED
from tests.mutation.plugin import VARIABLE

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "mutation"
COVERAGE = KEPT / "coverage"
FAILING = KEPT / "failing.txt"
RESULTS = KEPT / "results.jsonl"
COPY = KEPT / "tree"
PARTS = ("agent", "printers", "schemas", "tests", "tools", "docs", "clients", "systemd", "packaging", "examples")
FILES = ("pyproject.toml", "config.example.toml", "config.hub.example.toml", "README.md", "CHANGELOG.md", "Makefile")
SUITE = (
    "tests/unit",
    "tests/contract",
    "tests/integration/test_ksef_faults.py",
    "tests/integration/test_live_habits.py",
)
BELOW = ("agent/domain", "agent/services", "agent/store", "agent/ksef", "agent/web/security.py")
MOST_TESTS = 60
SECONDS = 900.0
"""A mutant that makes the tests hang is seen, too."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant: killed, survived, or never run by any test."""

    name: str
    outcome: str


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("map", help="find out which test runs which line")
    commands.add_parser("planted", help="plant the known bugs")
    drawn = commands.add_parser("random", help="draw changes")
    drawn.add_argument("--count", type=int, default=100)
    drawn.add_argument("--seed", type=int, default=1)
    drawn.add_argument("--below", action="append", help="files or folders; several times")
    chosen = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    _copy_tree()
    if chosen.command == "map":
        return _map()
    if chosen.command == "planted":
        return _planted()
    return _random(chosen.count, chosen.seed, chosen.below or BELOW)


def _map() -> int:
    command = [sys.executable, "-m", "coverage", "run", f"--data-file={COVERAGE}", "--source=agent,printers"]
    tests = [
        "-m",
        "pytest",
        "-p",
        "tests.mutation.plugin",
        "-n",
        "0",
        "-q",
        "-m",
        "not nightly and not browser",
        *SUITE,
    ]
    FAILING.write_text("", "utf-8")
    subprocess.run([*command, *tests], cwd=COPY, env={**os.environ, VARIABLE: str(FAILING)}, check=False)
    failing = FAILING.read_text("utf-8").splitlines()
    print(f"left out, since they fail without any change: {', '.join(failing) or 'none'}")
    return 0


def _copy_tree() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    for part in PARTS:
        shutil.copytree(ROOT / part, COPY / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, COPY / name)


def _planted() -> int:
    survivors = 0
    for bug in PLANTED:
        source = (COPY / bug.path).read_text("utf-8")
        if source.count(bug.old) != 1:
            print(f"CANNOT BE PLANTED  {bug.what}: {bug.old!r} stands {source.count(bug.old)} times in {bug.path}")
            survivors += 1
            continue
        seen = _seen(bug.path, source.replace(bug.old, bug.new), bug.tests)
        survivors += not seen
        print(f"{'seen    ' if seen else 'SURVIVED'}  {bug.what}", flush=True)
    print(f"{len(PLANTED) - survivors} of {len(PLANTED)} planted bugs were seen")
    return 1 if survivors else 0


def _random(count: int, seed: int, below: Iterable[str]) -> int:
    data = CoverageData(str(COVERAGE))
    data.read()
    known = _results()
    everything = [mutant for path in _files(below) for mutant in mutants(path, (ROOT / path).read_text("utf-8"))]
    drawn = random.Random(seed).sample(everything, min(count, len(everything)))
    for mutant in drawn:
        if mutant.name not in known:
            result = _try(mutant, data)
            known[mutant.name] = result.outcome
            with RESULTS.open("a", encoding="utf-8") as kept:
                kept.write(json.dumps({"name": result.name, "outcome": result.outcome}) + "\n")
            print(f"{result.outcome:9} {result.name}", flush=True)
    outcomes = [known[mutant.name] for mutant in drawn]
    killed, survived = outcomes.count("killed"), outcomes.count("survived")
    unrun = outcomes.count("not run")
    print(
        f"{len(everything)} mutants, {len(drawn)} drawn with seed {seed}: {killed} killed, {survived} survived, ",
        end="",
    )
    print(f"{unrun} in lines that no test of the map runs; score {100 * killed / max(1, killed + survived):.1f} %")
    return 0


def _try(mutant: Mutant, data: CoverageData) -> Result:
    tests = sorted(_tests_of(mutant, data), key=lambda test: (not _near(test, mutant.path), test))[:MOST_TESTS]
    if not tests:
        return Result(mutant.name, "not run")
    source = (ROOT / mutant.path).read_text("utf-8")
    return Result(mutant.name, "killed" if _seen(mutant.path, mutant.applied(source), tests) else "survived")


def _tests_of(mutant: Mutant, data: CoverageData) -> set[str]:
    by_line = data.contexts_by_lineno(str(COPY / mutant.path))
    tests = set(by_line.get(mutant.line, ()))
    if tests <= {""}:  # run at import: whoever runs the file
        tests = {test for line in by_line.values() for test in line}
    return tests - {"", *FAILING.read_text("utf-8").splitlines()}


def _near(test: str, path: str) -> bool:
    """Tell a test of the folder that is named like the one of the changed file."""
    return Path(test.partition("::")[0]).parent.name == Path(path).parent.name


def _seen(path: str, changed: str, tests: Iterable[str]) -> bool:
    target = COPY / path
    original = target.read_text("utf-8")
    target.write_text(changed, "utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(original, "utf-8")
    return done.returncode != 0


def _files(below: Iterable[str]) -> list[str]:
    found: set[Path] = set()
    for name in below:
        path = ROOT / name
        found |= {path} if path.is_file() else set(path.rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in found)


def _results() -> dict[str, str]:
    if not RESULTS.exists():
        return {}
    lines = [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()]
    return {line["name"]: line["outcome"] for line in lines}


if __name__ == "__main__":
    sys.exit(main())
