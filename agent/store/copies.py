"""What is known of a database's copies: a small file beside it, since `ksef-agent backup` is a program of its own."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.ports import Copies
from agent.store import codec
from agent.system.durable_files import write_whole

NAME: Final = "backups.json"


def read(database: Path) -> Copies:
    """Return what the newest runs wrote; nothing known where the file is not there or cannot be read."""
    try:
        kept = json.loads((database.parent / NAME).read_bytes())
        return Copies(
            last_at=_instant(kept["last_at"]),
            last_file=kept["last_file"],
            failed_at=_instant(kept["failed_at"]),
            problem=kept["problem"],
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Copies()


def note_copy(database: Path, at: datetime, file: Path) -> None:
    """Remember, durably, a copy that was made and checked. OSError where that fails."""
    _write(database, Copies(last_at=at, last_file=str(file)))


def note_failure(database: Path, at: datetime, problem: str) -> None:
    """Remember why the newest copy was not made; the one before it stays known. OSError where that fails."""
    before = read(database)
    _write(database, Copies(before.last_at, before.last_file, at, problem))


def _write(database: Path, copies: Copies) -> None:
    kept = {
        "last_at": codec.instant_or_none(copies.last_at),
        "last_file": copies.last_file,
        "failed_at": codec.instant_or_none(copies.failed_at),
        "problem": copies.problem,
    }
    write_whole(database.parent / NAME, json.dumps(kept, ensure_ascii=False).encode(), 0o600)


def _instant(kept: object) -> datetime | None:
    return None if kept is None else datetime.fromisoformat(str(kept)).astimezone()
