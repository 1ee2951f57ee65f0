"""Changes to a database that its triggers forbid, made as somebody would who knows SQLite and hides it well."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

TRIGGERS = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"


def tamper(database: Path, script: str) -> None:
    """Run ``script`` with all triggers gone, then put them back as they were; foreign keys are not looked at."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        triggers = connection.execute(TRIGGERS).fetchall()
        for name, _ in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.executescript(script)
        for _, sql in triggers:
            connection.execute(sql)
