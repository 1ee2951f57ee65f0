"""Named statements, one text for both databases; queries/postgresql replaces the few that differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agent.store.queries import load

FOLDER = Path(__file__).parent

SQLITE: Mapping[str, str] = load(FOLDER)
POSTGRESQL: Mapping[str, str] = {**SQLITE, **load(FOLDER / "postgresql")}
