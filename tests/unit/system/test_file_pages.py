"""Pages of files that only the start has read are let go; nothing that was written is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.system import file_pages
from agent.system.file_pages import unchanged

SMAPS = """\
55d0c0000000-55d0c0010000 r--p 00000000 fe:00 1 /usr/bin/python3.11
Size:                 64 kB
Rss:                  64 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
7f0000000000-7f0000020000 r-xp 00010000 fe:00 2 /usr/lib/a library with spaces.so
Anonymous:             0 kB
7f0000020000-7f0000030000 r--p 00030000 fe:00 2 /usr/lib/relocated.so
Anonymous:             8 kB
7f0000030000-7f0000040000 rw-p 00040000 fe:00 2 /usr/lib/data.so
Anonymous:             0 kB
7f0000040000-7f0000050000 r--s 00000000 fe:00 3 /var/lib/shared
Anonymous:             0 kB
7f0000050000-7f0000060000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000060000-7f0000070000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
"""

PROGRAM = """
import ctypes, decimal, json, re, sqlite3, ssl
import cryptography.x509, lxml.etree
from agent.system.file_pages import give_back

def held():
    return int(open("/proc/self/status").read().partition("RssFile:")[2].split()[0])

def work():
    ssl.create_default_context()
    lxml.etree.fromstring(b"<a/>")
    return sqlite3.connect(":memory:").execute("SELECT json_array(1.5)").fetchone()[0]

before = work(), held()
give_back()
after = held()
print(work() == before[0] == "[1.5]", after < before[1] / 2, held() < before[1])
"""


def test_only_what_is_as_its_file_has_it_is_let_go() -> None:
    assert list(unchanged(SMAPS.splitlines())) == [
        (0x55D0C0000000, 0x55D0C0010000),
        (0x7F0000000000, 0x7F0000020000),
    ]


def test_a_program_goes_on_with_less_memory() -> None:
    done = subprocess.run((sys.executable, "-c", PROGRAM), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]


def test_a_kernel_that_tells_nothing_is_no_defect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_pages, "_SMAPS", tmp_path / "smaps")
    file_pages.give_back()
