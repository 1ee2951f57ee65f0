"""Faults of SQLite's releases that can damage a database, and what keeps this program from meeting them.

Of the list in sqlite.org/howtocorrupt.html, section 8, all older ones are mended in the oldest release taken
(connection.OLDEST_SQLITE); one is in every release of Debian 12 and 13.
"""

from __future__ import annotations

import sqlite3
from typing import Final

Version = tuple[int, int, int]

WAL_RESET_SINCE: Final[Version] = (3, 7, 0)
WAL_RESET_MENDED: Final[Version] = (3, 51, 3)
"""Of 13 March 2026. Older lines that were mended later are still named: a remark too many harms nobody."""


def may_reset_wal_wrongly(version: Version) -> bool:
    """Whether a second checkpoint can overlook that another connection's commit has begun the log anew.

    Then committed pages are missing in the database. It takes a checkpoint in one connection beside a commit in
    another: here only the writer makes checkpoints, between its own commits (wal_autocheckpoint 0, read back at the
    start; sqlite.py).
    """
    return WAL_RESET_SINCE <= version < WAL_RESET_MENDED


def remark(version: Version = sqlite3.sqlite_version_info[:3]) -> str:
    """Return the version in use and what is to be known of it, in Polish."""
    name = ".".join(map(str, version))
    if not may_reset_wal_wrongly(version):
        return f"{name}, bez znanych błędów, które uszkadzają bazę"
    mended = ".".join(map(str, WAL_RESET_MENDED))
    return (
        f"{name}; ma błąd „WAL-reset” (naprawiony w {mended}), którego program nie wywołuje: dziennik zmian opróżnia "
        "tylko jeden zapisujący. „export --prune” uruchamiaj przy zatrzymanej usłudze albo w nocy"
    )
