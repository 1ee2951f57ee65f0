"""Whether a database file is still as an orderly stop left it: then its start need not read all of it again.

By what the kernel says of the file: its inode, size, and the times of the last write and of the last change. Every
write through the file system sets the last of these, and no program can set it back; a copy put in place is another
inode. What changes without the file system (a disk that loses bits) is told by the look soon after such a start
(serving/schedule.py). The device's number is left out: it changes with the order in which a machine finds its disks.
The number of our schema's steps is in it: a program that is about to change the schema reads everything first.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.store.migrate import MIGRATIONS

FileState = tuple[int, int, int, int, int]
"""Steps of the schema, inode, bytes, nanoseconds of the last write and of the last change of the inode."""

READ_ANYWAY = 16 * 1024 * 1024
"""Bytes of a database whose whole look takes no more than a fifth of a second: some 1,300 invoices."""
_LOGS = ("-wal", "-journal")


def state(database: Path) -> FileState | None:
    """Return the state of a database that is nothing but this one file; None where a log lies beside it, or no file."""
    real = database.resolve()
    try:
        if any(_holds_something(real.with_name(real.name + suffix)) for suffix in _LOGS):
            return None
        facts = real.stat()
    except OSError:
        return None
    return len(MIGRATIONS), facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def durable_state(database: Path, descriptor: int) -> FileState | None:
    """As state(), once all of it is on the disk, its times as well; None where the name leads to another file.

    ``descriptor``: of the file that was worked with. OSError where the disk refuses.
    """
    os.fsync(descriptor)
    return state(database) if os.path.samestat(os.fstat(descriptor), database.stat()) else None


def _holds_something(log: Path) -> bool:
    try:
        return log.stat().st_size > 0
    except FileNotFoundError:
        return False
