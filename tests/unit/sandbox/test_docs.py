"""docs/sandbox.md names everything that can be ordered from the sandbox."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.sandbox.control import Control
from agent.sandbox.ksef.faults import CALLS, FAULTS
from agent.sandbox.ksef.verdicts import MOODS
from agent.sandbox.server import Sandbox

TEXT = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("word", sorted({*CALLS, *FAULTS, *MOODS}))
def test_every_word_is_explained(word: str) -> None:
    assert f"`{word}`" in TEXT


def test_every_order_is_in_the_table() -> None:
    served = {f"{route.method} {route.path}" for route in Control(Sandbox()).routes()}
    named = set(re.findall(r"^\| `((?:GET|POST) /[a-z/]+)`", TEXT, re.MULTILINE))
    assert named == {order for order in served if "{" not in order}
