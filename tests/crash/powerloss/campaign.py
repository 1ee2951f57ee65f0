"""A campaign: record a scenario once, cut the power at its moments, count what the states that are left break."""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.powerloss.checker import Copies, Facts, Promise, materialise, start, violations
from tests.crash.powerloss.disk import Disk, Lies, Model, State, never_lies, states
from tests.crash.powerloss.scenario import database
from tests.crash.powerloss.trace import Recording, record

ROOT = Path(__file__).parents[3]
EXAMPLES = 5
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112 - what tempfile takes
"""Where states are written: each of thousands of small databases syncs when it is opened and closed."""
WEIGHTS = {"write": 1, "sync": 2, "said": 2}
RARE = 30
"""Of names and truncations: there are few of them, and each opens states of its own."""
DRAWS = 3
"""States drawn for each that is due: some came before."""
BACKLOG = 2.0
"""States that moments with nothing new may leave to the next ones."""


@dataclass(slots=True)
class Report:
    """What was tried, and what was found."""

    where: str
    states: int = 0
    """States that were opened."""
    bad: int = 0
    how: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    """How many states broke each invariant."""
    examples: list[str] = field(default_factory=list)

    def note(self, cut: Cut, found: Sequence[str]) -> None:
        """Count one bad state."""
        self.bad += 1
        self.broken.update({problem.split()[0] for problem in found})
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{self.where}, step {cut.moment}, {cut.state.how}: {'; '.join(found[:3])}")


Judge = Callable[[Path, State, Sequence[Promise]], Awaitable[list[str]]]
"""Says what is wrong with a state that lies in a folder, after these promises."""


def run_scenario(root: Path, name: str, weakness: str = "none") -> Recording:
    """Record a scenario; ``root`` holds what is there before it."""
    root.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-m", "tests.crash.powerloss.scenario", name, weakness, str(root))
    return record(root, command, ROOT, {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


async def campaign(
    recording: Recording,
    model: Model,
    place: Path,
    *,
    wanted: int,
    seed: int,
    judge: Judge | None = None,
    lies: Lies = never_lies,
    after: str | None = None,
    stop_at: int | None = None,
) -> Report:
    """Open about ``wanted`` states, spread over all moments of the scenario; stop after ``stop_at`` bad ones.

    ``after``: only right after such steps.
    """
    disk = Disk(str(recording.root), model, recording.before, lies=lies)
    found = cuts(recording, disk, wanted, seed, after)
    report = Report(f"{model.value}, seed {seed}")
    await _try_all(report, found, recording, place, judge or Judgement(recording.root).judge, stop_at)
    return report


async def kills(recording: Recording, place: Path, judge: Judge) -> Report:
    """Open what a kill leaves at every single step: all that was written until then."""

    def left() -> Iterator[Cut]:
        disk = Disk(str(recording.root), Model.POSIX, recording.before)
        promises: list[Promise] = []
        for moment, step in enumerate(recording.steps):
            disk.take(step)
            if step.kind == "said":
                promises.append(json.loads(step.data))
            if step.kind != "sync":
                yield Cut(moment, list(promises), disk.state(lambda _: disk.now, "killed"))

    report = Report("killed")
    await _try_all(report, left(), recording, place, judge, None)
    return report


async def _try_all(
    report: Report, found: Iterator[Cut], recording: Recording, place: Path, judge: Judge, stop_at: int | None
) -> None:
    for cut in found:
        materialise(cut.state, recording.root, place)
        report.states += 1
        report.how[cut.state.how] += 1
        if problems := await judge(place, cut.state, cut.promises):
            report.note(cut, problems)
            if stop_at is not None and report.bad >= stop_at:
                return


@dataclass(frozen=True, slots=True)
class Cut:
    """One state, the step it follows, and what was promised until then."""

    moment: int
    promises: list[Promise]
    state: State


def cuts(recording: Recording, disk: Disk, wanted: int, seed: int, after: str | None = None) -> Iterator[Cut]:
    """Yield the cuts of a seed: the same ones for the same recording.

    As many at each step as are due; a state that came already, with the same promises, is drawn again a few times.
    """
    draw = random.Random(seed)
    promises: list[Promise] = []
    seen: set[tuple[int, int]] = set()
    weights = [WEIGHTS.get(step.kind, RARE) if after in {None, step.kind} else 0 for step in recording.steps]
    due = 0.0
    for moment, step in enumerate(recording.steps):
        disk.take(step)
        if step.kind == "said":
            promises.append(json.loads(step.data))
        if not weights[moment]:
            continue
        due = min(due, BACKLOG) + wanted * weights[moment] / sum(weights)
        for state in itertools.islice(states(disk, draw), int(due) * DRAWS):
            key = (_fingerprint(state), len(promises))
            if key not in seen:
                seen.add(key)
                yield Cut(moment, list(promises), state)
                due -= 1
            if due < 1:
                break


class Judgement:
    """The judge of a till's day: the database and its backups."""

    def __init__(self, root: Path, before: Sequence[Promise] = ()) -> None:
        """``before``: what was promised before the scenario began."""
        self._database = database(root).relative_to(root)
        self._root = root
        self._before = list(before)
        self._copies = Copies()

    async def judge(self, place: Path, state: State, promises: Sequence[Promise]) -> list[str]:
        """Compare one state with the promises."""
        facts: Facts = await start(place / self._database)
        return violations(facts, [*self._before, *promises]) + self._copies.violations(
            state, self._root, place, promises
        )


def _fingerprint(state: State) -> int:
    found = 0
    for path, content in sorted(state.files.items()):
        found = zlib.crc32(content, zlib.crc32(path.encode(), found))
    return found
