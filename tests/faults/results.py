"""What pieces of work came to, as kept in build/faults/results.jsonl, and the table of docs/proof.md made of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.campaigns import CAMPAIGNS, Campaign, missing

KEPT = Path(__file__).parents[2] / "build" / "faults"
RESULTS = KEPT / "results.jsonl"


@dataclass(frozen=True, slots=True)
class Result:
    """One piece of work. ``first``, ``count``: its seeds, or the places of its cases in the order drawn."""

    campaign: str
    commit: str
    day: str
    """ISO 8601, UTC."""
    first: int
    count: int
    passed: int
    failed: int
    skipped: int
    seconds: float
    counts: dict[str, int] = field(default_factory=dict)
    """What the tests counted themselves: states, kills, presses."""
    failures: tuple[str, ...] = ()
    of: int = 0
    """Cases that the campaign has in all; 0 where it has seeds."""


def kept() -> list[Result]:
    """Return everything that was run."""
    if not RESULTS.exists():
        return []
    return [Result(**json.loads(line)) for line in RESULTS.read_text("utf-8").splitlines()]


def keep(result: Result) -> None:
    """Append a result."""
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def table() -> Iterator[str]:
    """Yield the lines of the table: per campaign what a night and a release want, and per commit what was run."""
    yield "| Row of the goal table | Campaign | Night | Release | Really run | Findings | Commit | Day | Minutes |"
    yield "|---|---|---|---|---|---|---|---|---|"
    results = kept()
    for campaign in CAMPAIGNS:
        begin = f"| {campaign.row} | {campaign.name} | {_wanted(campaign.night)} | {_wanted(campaign.release)} |"
        mine = [each for each in results if each.campaign == campaign.name]
        for commit in dict.fromkeys(each.commit for each in mine):
            yield f"{begin} {_told(campaign, [each for each in mine if each.commit == commit])} |"
        if not mine:
            lacking = missing(campaign)
            why = f"**not run** (no {', '.join(lacking)})" if lacking else "**not run**"
            yield f"{begin} {why} | | | | |"


def _wanted(seeds: int | None) -> str:
    return "each case" if seeds is None else f"{_spaced(seeds)} seeds"


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _told(campaign: Campaign, results: Sequence[Result]) -> str:
    done = sum(each.count for each in results)
    first, of = min(each.first for each in results), max(each.of for each in results)
    run = f"cases: {done} of {of}" if campaign.night is None else f"seeds: {done}, from {first}"
    counts: Counter[str] = Counter()
    for each in results:
        counts.update(each.counts)
    run += "".join(f"; {_spaced(number)} {what}" for what, number in sorted(counts.items()))
    skipped = sum(each.skipped for each in results)
    run += f"; {skipped} skipped" if skipped else ""
    failed = sum(each.failed for each in results)
    days = sorted({each.day for each in results})
    minutes = sum(each.seconds for each in results) / 60
    return (
        f"{run} | {failed or 'none'} | {results[0].commit} | {' to '.join(days[:: len(days) - 1 or 1])} | {minutes:.1f}"
    )
