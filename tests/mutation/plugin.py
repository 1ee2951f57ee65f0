"""pytest plugin of the map: coverage notes which test ran which line; tests that fail without any change are named.

The environment variable ``MUTATION_FAILING`` names the file that takes the names of the failing ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from coverage import Coverage

VARIABLE = "MUTATION_FAILING"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Name the test to come."""
    running = Coverage.current()
    if running is not None:
        running.switch_context(item.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the name of a test that fails."""
    if report.failed:
        with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as failing:
            failing.write(f"{report.nodeid}\n")
