"""``python -m tests.mutation``: change the program, run the tests that may notice, count who does.

    python -m tests.mutation map                  which test runs which line (an hour; made in pieces, goes on)
    python -m tests.mutation planted [--only TEXT]
                                                  the bugs of planted.py (named so), each of which has to be seen
    python -m tests.mutation random --count 200 --seed 1 [--below agent/domain] [--minutes 30] [--again]
    python -m tests.mutation report               the score of what was run, and each survivor with its reason

Results are appended to build/mutation/results.jsonl, so a run goes on where it stopped; the end tells the score.
The working tree is never touched: changes are made in a copy. Without a map a change is shown to the tests that import
its module, then to those of its folder, then to those of the modules that import it.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.mutation.operators import Mutant, mutants
from tests.mutation.planted import PLANTED, Planted
from tests.mutation.results import Outcome, Result, keep, kept, table
from tests.mutation.selection import KEPT, ROOT, Map, make_map
from tests.mutation.trial import Trial

PARTS = ("agent", "printers", "schemas", "tests", "tools", "docs", "clients", "systemd", "packaging", "examples")
FILES = ("pyproject.toml", "config.example.toml", "config.hub.example.toml", "README.md", "CHANGELOG.md", "Makefile")
BELOW = ("agent/domain", "agent/services", "agent/store", "agent/ksef", "agent/web/security.py")


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("map", help="find out which test runs which line")
    known_bugs = commands.add_parser("planted", help="plant the known bugs")
    known_bugs.add_argument("--only", action="append", help="those whose description has this text; several times")
    commands.add_parser("report", help="print the score and the survivors")
    drawn = commands.add_parser("random", help="draw changes")
    drawn.add_argument("--count", type=int, default=100)
    drawn.add_argument("--seed", type=int, default=1)
    drawn.add_argument("--below", action="append", help="files or folders; several times")
    drawn.add_argument("--again", action="store_true", help="try what survived once more, after new tests")
    drawn.add_argument("--minutes", type=float, help="try no further change after so long")
    chosen = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    if chosen.command == "map":
        return make_map()
    if chosen.command == "report":
        print("\n".join(table(kept())))
        return 0
    trial = Trial(_copy_tree())
    if chosen.command == "planted":
        return _planted(trial, [bug for bug in PLANTED if any(text in bug.what for text in chosen.only or ("",))])
    until = time.monotonic() + 60 * chosen.minutes if chosen.minutes else float("inf")
    known = {each.name: each for each in kept() if not (chosen.again and each.outcome is Outcome.SURVIVED)}
    return _random(trial, chosen.count, chosen.seed, chosen.below or BELOW, until, known)


def _copy_tree() -> Path:
    copy = KEPT / "tree"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)
    return copy


def _planted(trial: Trial, bugs: Sequence[Planted]) -> int:
    survivors = 0
    for bug in bugs:
        source = (trial.tree / bug.path).read_text("utf-8")
        if source.count(bug.old) != 1:
            print(f"CANNOT BE PLANTED  {bug.what}: {bug.old!r} stands {source.count(bug.old)} times in {bug.path}")
            survivors += 1
            continue
        seen = trial.noticed(bug.path, source.replace(bug.old, bug.new), bug.tests)
        survivors += not seen
        print(f"{'seen    ' if seen else 'SURVIVED'}  {bug.what}", flush=True)
    print(f"{len(bugs) - survivors} of {len(bugs)} planted bugs were seen")
    return 1 if survivors or not bugs else 0


def _random(trial: Trial, count: int, seed: int, below: Iterable[str], until: float, known: dict[str, Result]) -> int:
    made = Map()
    everything = [mutant for path in _files(below) for mutant in mutants(path, (trial.tree / path).read_text("utf-8"))]
    drawn = sorted(everything, key=_draw(seed))[:count]
    for mutant in drawn:
        if mutant.name in known:
            continue
        if time.monotonic() >= until:
            print("the time is up; the next run goes on here")
            break
        result = _try(trial, mutant, made)
        known[mutant.name] = result
        keep(result)
        print(f"{result.outcome:9} {result.name}  {result.by}", flush=True)
    print(f"{len(everything)} changes are possible, {len(drawn)} drawn with seed {seed}")
    print("\n".join(table([known[mutant.name] for mutant in drawn if mutant.name in known])))
    return 0


def _draw(seed: int) -> Callable[[Mutant], bytes]:
    """Return the key that orders the changes by lot: what is added elsewhere in the program leaves a draw as it was.

    Changes that read the same, in one file, draw by their order in it.
    """
    alike: Counter[tuple[str, str, str]] = Counter()

    def lot(mutant: Mutant) -> bytes:
        what = (mutant.path, mutant.old, mutant.new)
        alike[what] += 1
        return hashlib.sha256(repr((seed, *what, alike[what])).encode()).digest()

    return lot


def _try(trial: Trial, mutant: Mutant, made: Map) -> Result:
    stages = made.stages(mutant.path, mutant.line)
    changed = mutant.applied((trial.tree / mutant.path).read_text("utf-8"))
    for tests in stages:
        if by := trial.noticed(mutant.path, changed, tests):
            return Result(mutant.name, Outcome.KILLED, by)
    return Result(mutant.name, Outcome.SURVIVED if stages else Outcome.NOT_RUN)


def _files(below: Iterable[str]) -> list[str]:
    found: set[Path] = set()
    for name in below:
        path = ROOT / name
        found |= {path} if path.is_file() else set(path.rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in found)


if __name__ == "__main__":
    sys.exit(main())
