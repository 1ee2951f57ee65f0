"""What lies free in the middle of the heap is given back."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from agent.system.heap import trim

def held():
    return int(open("/proc/self/status").read().partition("RssAnon:")[2].split()[0])

blocks = [b"x" * 65536 for _ in range(400)]
before = held()
last = blocks.pop()
del blocks
freed = held()
trim()
print(freed > before - 1000, held() < freed - 20_000)
"""


def test_free_pages_below_one_in_use_are_given_back() -> None:
    done = subprocess.run((sys.executable, "-c", PROGRAM), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
