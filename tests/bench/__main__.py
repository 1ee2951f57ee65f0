"""`python -m tests.bench [--baseline] [NAME ...]`: run every benchmark, or the named ones.

A benchmark is a module here with a `main()` that prints its findings and notes its ratios (_results.py). Ratios of one
run are compared with the stored ones: exit code 1 and a line for each that got worse by 30 %. `--baseline` stores those
of this run instead. Other figures are to be compared within one run: machines differ.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import _results as results


def main(wanted: list[str]) -> int:
    """Run; 2 where a name is not known, 1 where a ratio got worse."""
    store = "--baseline" in wanted
    wanted = [name for name in wanted if name != "--baseline"]
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    benches = [name for name in names if not name.startswith("_")]
    unknown = sorted(set(wanted) - set(benches))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(benches)}", file=sys.stderr)
        return 2
    print(results.machine())
    for name in wanted or benches:
        module = importlib.import_module(f"tests.bench.{name}")
        if hasattr(module, "main"):
            print(f"== {name}", flush=True)
            module.main()
    if store:
        results.write_baseline(results.FOUND, datetime.now(UTC).date().isoformat())
        return 0
    return tell(results.regressions(results.FOUND, results.read_baseline()))


def tell(worse: list[str]) -> int:
    """Say what got worse; return the exit code."""
    for line in worse:
        print(f"WORSE BY MORE THAN 30 %: {line}", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
