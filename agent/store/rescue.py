"""What can be saved when the database's files were deleted or overwritten under the running agent."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from agent.store.connection import Connection
from agent.system.durable_files import sync_folder, sync_names

log = logging.getLogger(__name__)


async def save_moved(connection: Connection, database: Path, now: datetime, *, deleted: bool) -> None:
    """Complete a database that was renamed; write one that was deleted into a new file, while it is still open.

    SQLite does not merge the log of a database that is not where it was. Never raises: whoever calls is ending already.
    """
    try:
        if deleted:
            target = _beside(database, "rescued", now)
            await asyncio.to_thread(_touch, target)
            await connection.fetch("VACUUM INTO ?", (str(target),))
            await asyncio.to_thread(_sync, target)
            log.critical("the content of the deleted database is in %s: ksef-agent restore %s", target, target)
        await connection.fetch("PRAGMA wal_checkpoint(TRUNCATE)")  # an empty log harms no other database of the name
    except (sqlite3.Error, OSError):
        log.exception("the database that was moved or deleted could not be saved")


def set_log_aside(database: Path, now: datetime) -> None:
    """Keep the write-ahead log of an overwritten database from what was put in its place. Never raises."""
    real = database.resolve()
    aside = _beside(database, "overwritten", now)
    try:
        for suffix in ("-wal", "-shm"):
            left = real.with_name(real.name + suffix)
            if left.exists():
                left.rename(aside.with_name(aside.name + suffix))
        sync_folder(real.parent)
    except OSError:
        log.exception("the log of the overwritten database could not be put aside")


def _beside(database: Path, what: str, now: datetime) -> Path:
    real = database.resolve()
    return real.with_name(f"{real.name}.{what}-{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}")


def _touch(target: Path) -> None:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _sync(target: Path) -> None:
    with target.open("rb") as file:
        os.fsync(file.fileno())
    sync_names(target)
