"""Which tests are to notice a change: those that ran the line, where a map was made, else those that import the module.

The map is coverage with a context per test. It is made in pieces, one per folder of the suite, so that a run which was
stopped goes on; it counts for the commit it was made of.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "mutation"
MAP = KEPT / "map"
SUITE = (
    "tests/unit",
    "tests/contract",
    "tests/integration/test_ksef_faults.py",
    "tests/integration/test_live_habits.py",
)
MOST_TESTS = 60
MOST_FILES = 12


def make_map() -> int:
    """Run the pieces of the suite that the map lacks; return 1 where a test failed."""
    commit = subprocess.run(("git", "rev-parse", "HEAD"), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    made_of = MAP / "commit"
    if not made_of.exists() or made_of.read_text("ascii") != commit:
        shutil.rmtree(MAP, ignore_errors=True)
        MAP.mkdir(parents=True)
        made_of.write_text(commit, "ascii")
    worst = 0
    for piece in _pieces():
        data = MAP / f"{piece.replace('/', '.')}.coverage"
        if data.exists():
            continue
        begun = data.with_suffix(".begun")
        begun.unlink(missing_ok=True)
        command = (sys.executable, "-m", "coverage", "run", f"--data-file={begun}", "--source=agent,printers")
        tests = ("-m", "pytest", "-p", "tests.mutation.plugin", "-n", "0", "-m", "not nightly and not browser", piece)
        worst |= subprocess.run((*command, *tests), cwd=ROOT, check=False).returncode == 1
        begun.rename(data)
    return int(worst)


def _pieces() -> Iterator[str]:
    for path in (ROOT / each for each in SUITE):
        inside = sorted(path.iterdir()) if path.name == "unit" else [path]
        tests = (each for each in inside if any(each.glob("test_*.py")) or each.name.startswith("test_"))
        yield from (str(each.relative_to(ROOT)) for each in tests)


class Map:
    """What was made of the map so far."""

    def __init__(self) -> None:
        """Read its pieces."""
        self._pieces = [CoverageData(str(path)) for path in sorted(MAP.glob("*.coverage"))]
        for piece in self._pieces:
            piece.read()

    def stages(self, path: str, line: int) -> list[Sequence[str]]:
        """Return tests that may notice a change of a line, nearest first; each stage only if the one before did not."""
        mapped = self._of_line(path, line)
        if mapped:
            return [sorted(mapped, key=lambda test: (not _near(test, path), test))[:MOST_TESTS]]
        stages: list[Sequence[str]] = []
        seen: set[str] = set()
        for stage in (_importing({_module(path)}), _folder(path), _importing(_one_hop(_module(path)))):
            fresh = [file for file in stage if file not in seen and not any(file.startswith(f"{s}/") for s in seen)]
            seen.update(fresh)
            if fresh:
                stages.append(fresh[:MOST_FILES])
        return stages

    def _of_line(self, path: str, line: int) -> set[str]:
        found: set[str] = set()
        for piece in self._pieces:
            by_line = piece.contexts_by_lineno(str(ROOT / path))
            tests = set(by_line.get(line, ()))
            if tests <= {""}:  # run at import: whoever runs the file
                tests = {test for each in by_line.values() for test in each}
            found |= tests - {""}
        return found


def _near(test: str, path: str) -> bool:
    """Tell a test of the folder that is named like the one of the changed file."""
    return Path(test.partition("::")[0]).parent.name == Path(path).parent.name


def _folder(path: str) -> list[str]:
    folder = f"tests/unit/{Path(path).parent.name}"
    return [folder] if (ROOT / folder).is_dir() else []


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _importing(modules: set[str]) -> list[str]:
    """Return the files of the suite that import one of the modules, the smallest first."""
    files = [file for each in SUITE for file in _files(ROOT / each) if file.name.startswith("test_")]
    found = [file for file in files if _imports(file) & modules]
    return [str(file.relative_to(ROOT)) for file in sorted(found, key=lambda file: file.stat().st_size)]


def _one_hop(module: str) -> set[str]:
    files = _files(ROOT / "agent")
    return {_module(str(file.relative_to(ROOT))) for file in files if module in _imports(file)}


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@cache
def _imports(file: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{each.name}" for each in node.names)
    return frozenset(found)
