"""Seeds of the long runs: those of the test, or those that a campaign asks for (tests/faults)."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

VARIABLE = "FAULT_SEEDS"
Note = Callable[[str, object], None]
"""pytest's ``record_property``: what a test counted, for the report of its campaign (tests/faults)."""


def drawn(usual: range) -> list[object]:
    """Return the parameters: ``usual``, or FIRST:COUNT of the environment."""
    asked = os.environ.get(VARIABLE)
    if asked is not None:
        first, _, count = asked.partition(":")
        usual = range(int(first), int(first) + int(count))
    return [pytest.param(seed, id=f"seed-{seed}") for seed in usual]
