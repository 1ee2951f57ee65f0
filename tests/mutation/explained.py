"""Changes that survive because they change nothing that anybody could notice: path and change -> why."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str], str] = {}
