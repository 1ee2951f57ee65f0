"""Schema versions over PostgreSQL: as agent/store/migrate.py, under a lock for processes that start at once."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.domain.errors import StoreUnfit

FOLDER = Path(__file__).parents[1] / "migrations" / "postgresql"
LOCK = 0x6B736566  # any number that nobody else locks
_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_CREATE = """CREATE TABLE IF NOT EXISTS schema_version (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL
)"""


async def migrate(connection: Any, now: datetime, folder: Path = FOLDER) -> int:
    """Bring the schema up to date in one transaction; return how many steps were applied.

    StoreUnfit for a database of a newer program, or one whose applied steps differ from ours.
    """
    steps = _steps(folder)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await connection.execute(_CREATE)
        rows = await connection.fetch("SELECT version, sha256 FROM schema_version")
        applied: dict[int, str] = {row["version"]: row["sha256"] for row in rows}
        _require_ours(applied, steps)
        waiting = [step for step in steps if step[0] not in applied]
        for version, name, text in waiting:
            await connection.execute(text)
            await connection.execute(
                "INSERT INTO schema_version (version, name, sha256, applied_at) VALUES ($1, $2, $3, $4)",
                version,
                name,
                _digest(text),
                now,
            )
    return len(waiting)


def _steps(folder: Path) -> list[tuple[int, str, str]]:
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name}: migrations are named 0001_what_it_brings.sql")
        found.append((int(match["version"]), match["name"], path.read_text("utf-8")))
    return found


def _require_ours(applied: dict[int, str], steps: list[tuple[int, str, str]]) -> None:
    known = {version: _digest(text) for version, _, text in steps}
    if newer := applied.keys() - known.keys():
        raise StoreUnfit(
            f"Baza danych centrali ma wersję {max(newer)}, a ten program zna wersję {max(known)}. "
            "Zainstaluj nowszą wersję programu."
        )
    if changed := [version for version, sha256 in applied.items() if known[version] != sha256]:
        raise StoreUnfit(f"Schemat bazy danych nie pochodzi z tego programu (krok {changed[0]}).")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
