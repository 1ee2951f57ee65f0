"""Pages of files that a start alone has read: code of libraries, mostly, 20 MiB of a till's memory."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_MADV_DONTNEED: Final = 4
_SMAPS: Final = Path("/proc/self/smaps")


def give_back() -> None:
    """Let go of every page that is as its file has it (madvise(2), MADV_DONTNEED); what is used comes in by itself.

    It comes from the kernel's cache, 16 pages in half a microsecond, or from the disk where somebody else needed the
    memory, as before. Called while no other thread loads a library: its pages are its own from one moment to the next.
    Does nothing where the kernel does not tell what is mapped.
    """
    try:
        text = _SMAPS.read_text("utf-8", "replace")
        libc = ctypes.CDLL(None)
    except OSError:
        return
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for begin, end in unchanged(text.splitlines()):
        libc.madvise(begin, end - begin, _MADV_DONTNEED)  # one that is refused stays as it is


def unchanged(smaps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of what is mapped of files, cannot be written, and never was (proc(5), /proc/pid/smaps)."""
    begin = end = 0
    of_file = False
    for line in smaps:
        words = line.split(maxsplit=5)
        if not words[0].endswith(":"):
            first, _, last = words[0].partition("-")
            begin, end = int(first, 16), int(last, 16)
            of_file = len(words) > 5 and words[5].startswith("/") and "w" not in words[1] and words[1].endswith("p")
        elif words[0] == "Anonymous:" and of_file and words[1] == "0":
            yield begin, end
