"""No library that nobody calls: each dependency that is declared is imported."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
DATA_ONLY = {"python-escpos": "printers/profiles reads its printer database (docs/decisions.md, number 61)"}


@cache
def imported() -> frozenset[str]:
    """Return the top-level names that the program imports."""
    names: set[str] = set()
    for folder in ("agent", "printers", "schemas"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return frozenset(names)


@pytest.mark.parametrize("requirement", DECLARED)
def test_a_declared_library_is_imported(requirement: str) -> None:
    name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()
    if name in DATA_ONLY:
        return
    modules = {
        module
        for module, distributions in packages_distributions().items()
        if name in {each.lower().replace("_", "-") for each in distributions}
    }
    assert modules & imported(), f"{name} is installed on every till, and nothing imports it"
