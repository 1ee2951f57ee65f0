"""The generators and linters that try schemas/api/openapi.json: only for `make test-clients`, which installs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

collect_ignore_glob = [] if "KSEF_AGENT_GENERATORS" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def tools() -> Path:
    """Folder with node_modules/ and venv/, as locked beside this file."""
    return Path(os.environ["KSEF_AGENT_GENERATORS"]).resolve()
