"""One change in a copy of the tree, and the test that notices it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

SECONDS = 900.0
"""A change that makes the tests hang is noticed, too."""
HANGS = "the tests hang"
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+\.py(?:::.*?)?)(?: - .*)?$", re.MULTILINE)


class Trial:
    """Tries changes in a copy, ``tree``. A test that fails without the change notices nothing, and is left out."""

    def __init__(self, tree: Path) -> None:
        """``tree``: whole, and nobody else's."""
        self.tree = tree
        self._sound: set[str] = set()
        self._broken: set[str] = set()

    def noticed(self, path: str, changed: str, tests: Sequence[str]) -> str:
        """Return the test that fails with ``changed`` as the file at ``path``; empty where none does."""
        target = self.tree / path
        original = target.read_text("utf-8")
        while True:
            target.write_text(changed, "utf-8")
            try:
                by = self._failing(tests)
            finally:
                target.write_text(original, "utf-8")
            if not by or by == HANGS or self._fails_by_the_change(by):
                return by

    def _fails_by_the_change(self, test: str) -> bool:
        if test in self._sound:
            return True
        if self._failing([test]):
            self._broken.add(test)
            return False
        self._sound.add(test)
        return True

    def _failing(self, tests: Iterable[str]) -> str:
        command = [sys.executable, "-m", "pytest", "-x", "-n", "0", "-rfE", "-m", "not nightly and not browser"]
        command += [f"--deselect={test}" for test in sorted(self._broken)]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "1000"}
        try:
            done = subprocess.run(
                [*command, *tests], cwd=self.tree, env=environment, capture_output=True, text=True,
                timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return HANGS
        if done.returncode in {0, 5}:  # all passed, or none was left
            return ""
        found = _FAILED.search(done.stdout)
        return found[1] if found else f"pytest ended with {done.returncode}"
