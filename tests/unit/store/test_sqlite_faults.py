"""Known faults of SQLite's releases: who has them, and that the one which Debian has cannot be met."""

from __future__ import annotations

import sqlite3

import pytest

from agent.store.connection import OLDEST_SQLITE, READER_PRAGMAS, WRITER_PRAGMAS
from agent.store.sqlite_faults import may_reset_wal_wrongly, remark


@pytest.mark.parametrize(
    ("version", "faulty"),
    [((3, 6, 23), False), ((3, 38, 0), True), ((3, 40, 1), True), ((3, 46, 1), True), ((3, 51, 2), True),
     ((3, 51, 3), False), ((3, 53, 0), False)],
)  # fmt: skip
def test_releases_with_the_wal_reset_fault(version: tuple[int, int, int], faulty: bool) -> None:
    assert may_reset_wal_wrongly(version) is faulty
    assert ("WAL-reset" in remark(version)) is faulty
    assert remark(version).startswith(".".join(map(str, version)))


def test_only_the_writer_makes_checkpoints() -> None:
    """The fault needs a checkpoint of one connection beside a commit of another."""
    assert WRITER_PRAGMAS["wal_autocheckpoint"] == 0
    assert READER_PRAGMAS["query_only"] == 1
    assert sqlite3.sqlite_version_info >= OLDEST_SQLITE
