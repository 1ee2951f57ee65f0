"""`make fuzz`: all readers, each for its share of the time; what crashes one is kept in build/fuzz."""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path

import click

from tests.fuzz.fuzzer import Crash, feed, fuzz
from tests.fuzz.targets import targets

KEPT_IN = Path("build") / "fuzz"


@click.command()
@click.option("--seconds", default=3600, show_default=True, help="In all.")
@click.option("--seed", default=1, show_default=True)
@click.option("--only", multiple=True, help="Only these readers.")
@click.option("--again", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Feed one kept input.")
def main(seconds: int, seed: int, only: tuple[str, ...], again: Path | None) -> None:
    """Spoil inputs until the time is over. Exit code 1: something crashed."""
    logging.disable()
    known = targets()
    if again is not None:
        (name,) = (each for each in known if again.name.startswith(f"{each}."))
        crash = feed(name, known[name], again.read_bytes(), set())
        print("reads it" if crash is None else crash.what)
        sys.exit(crash is not None)
    chosen = {name: known[name] for name in only or known}
    crashes: list[Crash] = []
    for name, target in chosen.items():
        fed, crash = fuzz(name, target, seed=seed, seconds=seconds / len(chosen))
        print(f"{name:22}{fed:9} inputs  {'CRASH ' + _keep(crash) if crash else 'none'}", flush=True)
        crashes += [crash] if crash else []
    for crash in crashes:
        print(f"\n{crash.target}: {crash.what}")
    sys.exit(bool(crashes))


def _keep(crash: Crash) -> str:
    KEPT_IN.mkdir(parents=True, exist_ok=True)
    path = KEPT_IN / f"{crash.target}.{hashlib.sha256(crash.data).hexdigest()[:12]}"
    path.write_bytes(crash.data)
    return str(path)


if __name__ == "__main__":
    main()
