"""Terminals that cannot show Polish letters."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SAID = "Zażółć gęślą jaźń – „gotowe” ✂"
PROGRAM = f"import click; from agent import cli; cli._run = lambda: click.echo({SAID!a}); cli.main()"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("latin-1", 'Zazólc gesla jazn - "gotowe" ?'),
        ("cp1250", "Zażółć gęślą jaźń – „gotowe” ?"),
        ("utf-8", SAID),
    ],
)
def test_a_command_ends_well(encoding: str, shown: str) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | plain, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding).strip() == shown
