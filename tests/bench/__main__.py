"""`python -m tests.bench [NAME ...]`: run every benchmark, or the named ones.

A benchmark is a module here with a `main()` that prints its findings. Figures are to be compared within one run:
machines differ.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main(wanted: list[str]) -> int:
    """Run; 2 where a name is not known."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    benches = [name for name in names if not name.startswith("_")]
    unknown = sorted(set(wanted) - set(benches))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(benches)}", file=sys.stderr)
        return 2
    for name in wanted or benches:
        module = importlib.import_module(f"tests.bench.{name}")
        if hasattr(module, "main"):
            print(f"== {name}")
            module.main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
