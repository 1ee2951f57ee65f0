"""Long campaigns by hand: python -m tests.crash.powerloss [--states N] [--seed S] [--lying]. Prints a line a round."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import Counter
from pathlib import Path

import click

from tests.crash.powerloss.campaign import MEMORY, Report, campaign, run_scenario
from tests.crash.powerloss.disk import Lies, Model, always_lies, never_lies

PER_ROUND = 5000


async def main() -> int:
    """Record the day anew for each round, as times and thread order differ; 1 where a state broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.powerloss")
    parser.add_argument("--states", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lying", action="store_true", help="the disk ignores every fsync")
    options = parser.parse_args()
    total, bad, broken = 0, 0, Counter[str]()
    seed = options.seed
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="powerloss-") as name:
        while total < options.states:
            for model in Model:
                report = await _round(
                    Path(name) / f"{seed}-{model.value}", model, seed, always_lies if options.lying else never_lies
                )
                total, bad = total + report.states, bad + report.bad
                broken += report.broken
                click.echo(f"{report.where}: {report.states} states, {report.bad} bad {report.examples[:1]}")
            seed += 1
    click.echo(f"{total} states, seeds {options.seed} to {seed - 1}: {bad} bad {dict(broken)}")
    return 1 if bad else 0


async def _round(folder: Path, model: Model, seed: int, lies: Lies) -> Report:
    recording = run_scenario(folder / "till", "day")
    return await campaign(recording, model, folder / "state", wanted=PER_ROUND, seed=seed, lies=lies)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
