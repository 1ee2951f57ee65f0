"""pytest plugin: coverage notes which test ran which line."""

from __future__ import annotations

import pytest
from coverage import Coverage


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Name the test to come."""
    running = Coverage.current()
    if running is not None:
        running.switch_context(item.nodeid)
