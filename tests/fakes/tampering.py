"""Changes to a database that its triggers forbid, made as somebody would who knows SQLite and hides it well."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

TRIGGERS = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"


@contextmanager
def without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Drop all triggers, and put them back as they were."""
    triggers = connection.execute(TRIGGERS).fetchall()
    for name, _ in triggers:
        connection.execute(f'DROP TRIGGER "{name}"')
    yield
    for _, sql in triggers:
        connection.execute(sql)


def tamper(database: Path, script: str) -> None:
    """Run ``script`` with all triggers gone, then put them back as they were; foreign keys are not looked at."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection, without_triggers(connection):
        connection.executescript(script)
