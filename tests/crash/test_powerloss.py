"""Power cuts at every moment of a till's day, replayed: no acknowledged commit is lost, nothing is half there.

Invariants I1, I3, I4, I7, I9 of docs/reliability.md; upgrades with a cut or a kill within a migration; a lying disk.
How it works and what it cannot show: tests/crash/powerloss.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.store.migrate import MIGRATIONS
from tests.crash.powerloss.campaign import MEMORY, Judgement, Report, campaign, kills, run_scenario
from tests.crash.powerloss.disk import Lies, Model, always_lies, never_lies
from tests.crash.powerloss.older import leave_older
from tests.crash.powerloss.scenario import database
from tests.crash.powerloss.trace import STRACE
from tests.fakes.seeds import Note, drawn

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace cannot be used here")
MODELS = pytest.mark.parametrize("model", list(Model), ids=lambda model: model.value)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="powerloss-") as name:
        yield Path(name)


def assert_clean(report: Report, at_least: int) -> None:
    assert report.bad == 0, (report.broken, report.examples)
    assert report.states >= at_least, "fewer states than were asked for: the run proves less than it says"


async def cut(folder: Path, model: Model, wanted: int, seed: int, scenario: str = "day") -> Report:
    return await campaign(run_scenario(folder / "till", scenario), model, folder / "state", wanted=wanted, seed=seed)


@pytest.mark.slow
@MODELS
async def test_a_power_cut_loses_nothing_acknowledged(folder: Path, model: Model) -> None:
    assert_clean(await cut(folder, model, 200, seed=20261122), at_least=150)


@pytest.mark.nightly
async def test_a_power_cut_takes_no_batch_and_no_correction(folder: Path) -> None:
    assert_clean(await cut(folder, Model.POSIX, 200, seed=20261129, scenario="backlog"), at_least=150)


@pytest.mark.nightly
@MODELS
@pytest.mark.parametrize("scenario", ["day", "backlog"])
@pytest.mark.parametrize("seed", drawn(range(20)))
async def test_power_cuts_for_long(folder: Path, model: Model, scenario: str, seed: int, record_property: Note) -> None:
    report = await cut(folder, model, 5000, seed, scenario)
    record_property("states", report.states)
    assert_clean(report, at_least=1200)


# --- the mutants: a harness that does not catch them proves nothing -----------------------------------------


async def first_violation(folder: Path, weakness: str, model: Model, lies: Lies = never_lies) -> Report:
    recording = run_scenario(folder / "till", "short", weakness)
    return await campaign(recording, model, folder / "state", wanted=400, seed=1, stop_at=1, lies=lies, after="said")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weakness", "model", "invariant"),
    [
        ("normal", Model.EXT4, "I1"),
        ("off", Model.EXT4, "I1"),
        ("early", Model.EXT4, "I1"),
        ("print-first", Model.EXT4, "I3"),
        ("delete-full", Model.EXT4, "I1"),
        ("no-folder-sync", Model.POSIX, "I1"),
    ],
    ids=lambda value: getattr(value, "value", value),
)
async def test_the_checker_catches(folder: Path, weakness: str, model: Model, invariant: str) -> None:
    report = await first_violation(folder, weakness, model)
    assert report.broken[invariant] == 1, report


@pytest.mark.slow
async def test_the_checker_catches_a_mark_that_is_not_taken_back(folder: Path) -> None:
    """The next start would not look at what it wrote itself."""
    recording = run_scenario(folder / "till", "day", "rest-kept")
    report = await campaign(recording, Model.EXT4, folder / "state", wanted=1200, seed=1, stop_at=1)
    assert report.broken["I9"] == 1, report


@pytest.mark.slow
async def test_extra_saves_the_last_commit_where_a_disk_refuses_wal(folder: Path) -> None:
    """The production's synchronous=EXTRA in journal mode DELETE; FULL loses it (delete-full above)."""
    recording = run_scenario(folder / "till", "short", "delete-extra")
    assert_clean(await campaign(recording, Model.POSIX, folder / "state", wanted=150, seed=1), at_least=100)


@pytest.mark.slow
@MODELS
async def test_a_disk_that_lies_about_fsync_loses_commits(folder: Path, model: Model) -> None:
    """Documented, not promised: docs/decisions.md, number 84."""
    report = await first_violation(folder, "none", model, always_lies)
    assert report.broken["I1"] == 1


# --- migrations -----------------------------------------------------------------------------------------------


async def cut_upgrade(folder: Path, known: int, model: Model, wanted: int) -> Report:
    root = folder / "till"
    promises = await leave_older(database(root), known)
    recording = run_scenario(root, "upgrade")
    judge = Judgement(root, promises).judge
    return await campaign(recording, model, folder / "state", wanted=wanted, seed=known, judge=judge)


@pytest.mark.slow
async def test_a_power_cut_during_an_upgrade(folder: Path) -> None:
    assert_clean(await cut_upgrade(folder, 1, Model.POSIX, 220), at_least=150)


@pytest.mark.nightly
@MODELS
@pytest.mark.parametrize("known", range(len(MIGRATIONS)))
async def test_power_cuts_during_each_upgrade(folder: Path, known: int, model: Model, record_property: Note) -> None:
    report = await cut_upgrade(folder, known, model, 3000)
    record_property("states", report.states)
    assert_clean(report, at_least=150)


@pytest.mark.nightly
@pytest.mark.parametrize("known", range(len(MIGRATIONS)))
async def test_a_kill_at_every_write_of_each_upgrade(folder: Path, known: int, record_property: Note) -> None:
    root = folder / "till"
    promises = await leave_older(database(root), known)
    recording = run_scenario(root, "upgrade")
    report = await kills(recording, folder / "state", Judgement(root, promises).judge)
    record_property("kills", report.states)
    assert_clean(report, at_least=50)
