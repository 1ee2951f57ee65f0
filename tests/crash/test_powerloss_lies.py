"""A disk of which some syncs lie, at every moment (docs/reliability.md, section 3: I9).

Such a disk loses what was acknowledged: documented, not promised (docs/decisions.md, number 84). What is promised:
what the next start and the full check take for sound is the till's history up to some earlier moment, whole, and no
number that the mark beside it knows is given again. Anything else is found: the start refuses, or the check of each
day tells.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.store.maintenance import check
from agent.store.mark import mark_path, read_mark
from tests.crash.powerloss.campaign import MEMORY, Report, campaign, run_scenario
from tests.crash.powerloss.checker import Facts, Promise, start
from tests.crash.powerloss.disk import Lies, Model, State
from tests.crash.powerloss.scenario import database
from tests.crash.powerloss.trace import STRACE, Recording, Step
from tests.fakes.seeds import Note, drawn

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace cannot be used here")
STATES = 1500
CHANCES = (0.1, 0.5, 0.9, 1.0)
"""How often a sync lies, where it is one of those that do."""


def drawn_lies(recording: Recording, seed: int) -> Lies:
    """Draw which syncs lie: those of some files, of a time, each by lot or all."""
    draw = random.Random(seed)
    syncs = [step for step in recording.steps if step.kind == "sync"]
    files = sorted({step.file for step in syncs})
    liars = set(draw.sample(files, draw.randrange(1, len(files) + 1)))
    ends = sorted(draw.choice(syncs).start for _ in range(2)) if draw.random() < 0.5 else [0, syncs[-1].start]
    chance = draw.choice(CHANCES)

    def lies(step: Step) -> bool:
        return step.file in liars and ends[0] <= step.start <= ends[1] and draw.random() < chance

    return lies


@dataclass
class Judgement:
    """Says what no start and no check would find."""

    recording: Recording
    found: Counter[str] = field(default_factory=Counter)
    """What became of the states: whole, lost, refused at the start, damage told by the check."""

    async def judge(self, place: Path, state: State, promises: Sequence[Promise]) -> list[str]:
        """campaign.Judge."""
        where = place / database(self.recording.root).relative_to(self.recording.root)
        facts = await start(where)
        outcome, wrong = await self._read(where, facts, promises)
        self.found[outcome] += 1
        return wrong

    async def _read(self, where: Path, facts: Facts, promises: Sequence[Promise]) -> tuple[str, list[str]]:
        if any("the next start fails" in problem for problem in facts.problems):
            return "refused starts", []
        if facts.problems:
            told = await asyncio.to_thread(check, where)
            return "told by the check", [] if told else [f"I9 nobody finds: {problem}" for problem in facts.problems]
        known = [promise for promise in promises if "event" in promise]
        other = [each for each in known if each["event"] <= len(facts.log) and not _agrees(facts, each)]
        lost = [each for each in known if each["event"] > len(facts.log)]
        wrong = [f"I9 event {each['event']} is another one" for each in other]
        mark = read_mark(mark_path(where))
        if mark is not None and max(mark.used.values(), default=0) > len(facts.invoices):
            wrong.append(f"I4 the mark knows {mark.used}, and {len(facts.invoices) + 1} would be given again")
        return "silent losses" if lost else "whole", wrong


def _agrees(facts: Facts, promise: Promise) -> bool:
    """Whether the log has this event, and the rows what it stands for."""
    if facts.log[promise["event"] - 1] != promise["chain"]:
        return False
    if "serial" not in promise:
        return True
    stored = facts.invoices.get(promise["serial"])
    return stored is not None and stored[0] == promise["sha256"] and promise["key"] in facts.keys


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="powerloss-") as name:
        yield Path(name)


async def cut(folder: Path, model: Model, seed: int, scenario: str, wanted: int) -> tuple[Report, Counter[str]]:
    recording = run_scenario(folder / "till", scenario)
    judgement = Judgement(recording)
    lies = drawn_lies(recording, seed)
    report = await campaign(
        recording, model, folder / "state", wanted=wanted, seed=seed, judge=judgement.judge, lies=lies
    )
    return report, judgement.found


@pytest.mark.nightly
@pytest.mark.parametrize("model", list(Model), ids=lambda model: model.value)
@pytest.mark.parametrize("seed", drawn(range(5)))
async def test_what_lies_leave_is_an_earlier_moment_or_is_found(
    folder: Path, model: Model, seed: int, record_property: Note
) -> None:
    scenario = ("day", "backlog")[seed % 2]
    report, found = await cut(folder, model, seed, scenario, STATES)
    record_property("states", report.states)
    for outcome, count in found.items():
        record_property(outcome, count)
    assert report.bad == 0, (report.broken, report.examples)
    assert report.states > 100, "fewer states than were asked for: the run proves less than it says"
