"""Seeds of the long runs: those of the test, or those that a campaign asks for (tests/faults)."""

from __future__ import annotations

import os

import pytest

VARIABLE = "FAULT_SEEDS"


def drawn(usual: range) -> list[object]:
    """Return the parameters: ``usual``, or FIRST:COUNT of the environment."""
    asked = os.environ.get(VARIABLE)
    if asked is not None:
        first, _, count = asked.partition(":")
        usual = range(int(first), int(first) + int(count))
    return [pytest.param(seed, id=f"seed-{seed}") for seed in usual]
