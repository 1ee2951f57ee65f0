"""The bugs that ``make mutants`` plants: each can be planted, and shown to tests that are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation.planted import PLANTED, Planted

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.what)
def test_a_bug_can_be_planted(bug: Planted) -> None:
    """A bug whose place in the program has changed would be planted nowhere, and seen by nobody."""
    source = (ROOT / bug.path).read_text("utf-8")
    assert source.count(bug.old) == 1
    assert ast.unparse(ast.parse(source.replace(bug.old, bug.new))) != ast.unparse(ast.parse(source))
    assert bug.tests
    assert [each for each in bug.tests if not (ROOT / each).exists()] == []
