"""What became of each change, as kept in build/mutation/results.jsonl, and the score."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from tests.mutation.explained import EXPLAINED
from tests.mutation.selection import KEPT

RESULTS = KEPT / "results.jsonl"


class Outcome(StrEnum):
    """What became of a change; not run: no test could be named that runs it."""

    KILLED = "killed"
    SURVIVED = "survived"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Result:
    """One change; ``by``: the test that failed."""

    name: str
    outcome: Outcome
    by: str = ""


def kept() -> list[Result]:
    """Return everything that was tried; a later result takes the place of an earlier one."""
    if not RESULTS.exists():
        return []
    lines = [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()]
    found = {line["name"]: Result(line["name"], Outcome(line["outcome"]), line["by"]) for line in lines}
    return list(found.values())


def keep(result: Result) -> None:
    """Append a result."""
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the survivors with what explains them, then the score: an explained change changes nothing that counts."""
    survived = [each.name for each in results if each.outcome is Outcome.SURVIVED]
    explained = {name: EXPLAINED[_key(name)] for name in survived if _key(name) in EXPLAINED}
    for name in survived:
        yield f"survived  {name}: {explained.get(name, 'NOT EXPLAINED')}"
    killed = sum(each.outcome is Outcome.KILLED for each in results)
    unrun = sum(each.outcome is Outcome.NOT_RUN for each in results)
    counted = killed + len(survived) - len(explained)
    yield (
        f"{len(results)} tried: {killed} killed, {len(survived)} survived ({len(explained)} explained), {unrun} with no"
        f" test to try; score {100 * killed / max(1, counted):.1f} %"
    )


def _key(name: str) -> tuple[str, str]:
    """Return path and change without the line, which moves."""
    path, _, change = name.split(":", 2)
    return path, change.strip()
