"""The file of the hub's SQLite database: claimed by one process, of this program's schema, looked over."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from agent.domain.errors import StoreUnfit
from agent.hub.store.damage import damaged, wrong_bytes
from agent.store import connection as sqlite
from agent.store import disk
from agent.store.failures import of_statement
from agent.store.lock import DataLock
from agent.store.migrate import migrations, missing_steps

DATABASE = "hub.db"
MIGRATIONS = migrations(Path(__file__).parents[1] / "migrations" / "sqlite")
BYTES_SINCE = "SELECT sha256, xml FROM invoices JOIN contents USING (sha256) WHERE received_at > ?"

log = logging.getLogger(__name__)


def claim(path: Path, lock: DataLock | None) -> None:
    """Take the file for this process, making it where there is none; without a lock: it only has to be there."""
    if lock is None:
        disk.require(path)
        return
    disk.prepare(path)
    lock.take()
    if not disk.is_there(path):
        disk.make_empty(path)
    lock.take_database()


async def require_current(connection: sqlite.Connection) -> None:
    """Refuse (StoreUnfit) a file that lacks a migration."""
    try:
        rows = await connection.fetch("SELECT version, sha256 FROM schema_version")
    except sqlite3.Error as error:
        raise of_statement(error) from error
    if missing_steps({row["version"]: row["sha256"] for row in rows}, MIGRATIONS):
        raise StoreUnfit("Baza centrali jest ze starszej wersji programu; najpierw uruchom centralę.")


def check(path: Path, since: datetime) -> str | None:
    """Return in a Polish sentence what is wrong with structure, references and bytes, None where nothing is.

    Bytes of what came ``since`` then are compared with their hashes: a page that changed may still be a sound page.
    """
    problems: list[str] = []
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            problems += [str(row[0]) for row in reader.execute("PRAGMA integrity_check") if row[0] != "ok"]
            problems += [f"{row[0]}: wiersz {row[1]}" for row in reader.execute("PRAGMA foreign_key_check")]
            stored = reader.execute(BYTES_SINCE, [since.astimezone(UTC).isoformat(timespec="microseconds")])
            if wrong := sum(hashlib.sha256(xml).digest() != sha256 for sha256, xml in stored):
                problems.append(wrong_bytes(wrong))
    except sqlite3.Error as error:
        problems.append(str(error))
    return damaged(problems)


async def close_all(connections: list[sqlite.Connection]) -> None:
    """Close connections, the last one first: the writer copies the write-ahead log at its end."""
    for connection in reversed(connections):
        try:
            await connection.close()
        except sqlite3.Error:
            log.exception("a connection did not close cleanly; the WAL keeps everything")
