"""What the client costs a till at start: nothing of the test oracles, no second HTTP stack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "agent" / "ksef"
FORBIDDEN = {"ksef_client", "signxml", "httpx", "xmlsec", "requests", "agent.sandbox", "agent.services", "agent.app"}


def test_no_module_of_the_client_drags_in_more_than_it_needs() -> None:
    modules = sorted(f"agent.ksef.{path.stem}" for path in PACKAGE.glob("*.py") if path.stem != "__init__")
    assert "agent.ksef.gateway" in modules
    script = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout.split()
    )
    assert loaded & FORBIDDEN == set()
