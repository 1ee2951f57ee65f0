"""Schema versions: numbered SQL files, forward only, each applied in one transaction and remembered by its hash."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path

from agent.domain.errors import StoreUnfit
from agent.domain.values import dataclass
from agent.ports import Clock
from agent.store import codec
from agent.store.connection import Connection
from agent.store.failures import of_statement

FOLDER = Path(__file__).parent / "migrations"

_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")

_CREATE = """CREATE TABLE IF NOT EXISTS schema_version (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    applied_at TEXT NOT NULL
) STRICT"""
_APPLIED = "SELECT version, sha256 FROM schema_version ORDER BY version"
_EXISTS = "SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'"
_OBJECTS = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite^_stat%' ESCAPE '^'"
_ADD = "INSERT INTO schema_version (version, name, sha256, applied_at) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: its number, name, statements, and the SHA-256 of its file."""

    version: int
    name: str
    statements: tuple[str, ...]
    sha256: str


def migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Return all steps in order; ValueError where numbers are doubled, missing or a name is wrong."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name}: migrations are named 0001_what_it_brings.sql")
        text = path.read_text("utf-8")
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        found.append(Migration(int(match["version"]), match["name"], statements(text), digest))
    numbers = [migration.version for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations have to be numbered without gaps: {numbers}")
    return tuple(found)


def statements(text: str) -> tuple[str, ...]:
    """Split a script; SQLite itself knows where a statement (a trigger's body too) ends."""
    found, current = [], ""
    for line in text.splitlines(keepends=True):
        if not current and (not line.strip() or line.startswith("--")):
            continue
        current += line
        if sqlite3.complete_statement(current):
            found.append(current.strip())
            current = ""
    if current.strip():
        raise ValueError(f"a statement without end: {current.strip()[:80]}")
    return tuple(found)


MIGRATIONS = migrations()


async def migrate(connection: Connection, clock: Clock, steps: tuple[Migration, ...] = MIGRATIONS) -> int:
    """Bring the schema up to date; return how many steps were applied.

    A crash between or inside steps leaves whole steps only. StoreUnfit for a database of a newer program, or one whose
    applied steps differ from ours.
    """
    try:
        await connection.fetch(_CREATE)
        waiting = await _check(connection, steps)
        for step in waiting:
            await _apply(connection, step, codec.instant(clock.now()))
    except sqlite3.Error as error:
        raise of_statement(error) from error
    return len(waiting)


async def require_current(connection: Connection) -> None:
    """Refuse (StoreUnfit) a database that migrate() would change: for those that may not change it."""
    try:
        exists = await connection.fetch(_EXISTS)
        waiting = await _check(connection, MIGRATIONS) if exists else MIGRATIONS
    except sqlite3.Error as error:
        raise StoreUnfit(f"Nie można odczytać bazy danych: {error}.") from error
    if waiting:
        raise StoreUnfit("Baza danych jest pusta lub ze starszej wersji programu; najpierw uruchom agenta.")


async def _check(connection: Connection, steps: tuple[Migration, ...]) -> tuple[Migration, ...]:
    return missing_steps({row["version"]: row["sha256"] for row in await connection.fetch(_APPLIED)}, steps)


def missing_steps(applied: Mapping[int, str], steps: tuple[Migration, ...] = MIGRATIONS) -> tuple[Migration, ...]:
    """Return the steps a database needs; ``applied``: version -> SHA-256 of its file. StoreUnfit: see migrate()."""
    known = {step.version: step.sha256 for step in steps}
    newest = max(applied, default=0)
    if newest > max(known, default=0):
        raise StoreUnfit(
            f"Baza danych ma wersję {newest}, a ten program zna wersję {max(known, default=0)}. "
            "Zainstaluj nowszą wersję programu albo przywróć kopię zapasową sprzed aktualizacji."
        )
    if changed := [version for version, sha256 in applied.items() if known.get(version) != sha256]:
        raise StoreUnfit(f"Schemat bazy danych nie pochodzi z tego programu (krok {changed[0]}).")
    return tuple(step for step in steps if step.version not in applied)


@cache
def expected_objects(version: int) -> Mapping[tuple[str, str], str]:
    """Return (type, name) -> SQL of everything the first ``version`` steps make, blanks folded; indexes of keys too."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(_CREATE)
        for step in MIGRATIONS[:version]:
            for statement in step.statements:
                connection.execute(statement)
        return objects_of(connection)


def objects_of(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Return the schema of an open database as expected_objects() does; SQLite's own statistics left out."""
    rows = connection.execute(_OBJECTS)
    return {(str(kind), str(name)): " ".join(str(sql or "").split()) for kind, name, sql in rows}


async def _apply(connection: Connection, step: Migration, applied_at: str) -> None:
    await connection.fetch("BEGIN IMMEDIATE")
    try:
        for statement in step.statements:
            await connection.fetch(statement)
        await connection.fetch(_ADD, (step.version, step.name, step.sha256, applied_at))
        await connection.fetch("COMMIT")
    except BaseException:
        if connection.in_transaction:
            await connection.fetch("ROLLBACK")
        raise
