"""The operating system's errors inside Polish sentences."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from agent.system.os_errors import polish_reason

SHIPPED = [path for name in ("agent", "printers") for path in (Path(__file__).parents[3] / name).rglob("*.py")]


def test_known_errors_are_polish_and_end_no_sentence() -> None:
    assert polish_reason(PermissionError(errno.EACCES, "Permission denied")) == "brak uprawnień"
    assert polish_reason(OSError(errno.ENOSPC, "No space left on device")) == "brak miejsca na dysku"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EPROTO, "Protocol error"), f"błąd systemu nr {errno.EPROTO} (EPROTO)"),
        (OSError(9999, "?"), "błąd systemu nr 9999 (?)"),
        (OSError("a library's own words"), "błąd systemu"),
    ],
    ids=["rare", "unheard-of", "numberless"],
)
def test_other_errors_are_named_by_number_and_never_in_english(error: OSError, words: str) -> None:
    assert polish_reason(error) == words


def test_nobody_else_shows_strerror() -> None:
    """The sandbox is a program of its own for developers."""
    places = [path for path in SHIPPED if re.search(r"\.strerror", path.read_text("utf-8"))]
    assert places == []
