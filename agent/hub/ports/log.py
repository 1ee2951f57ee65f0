"""The hub's own log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agent.domain.json_io.canonical import Json
from agent.hub.domain.records import LogEntry


class Log(Protocol):
    """The hub's own log and small durable values."""

    async def append(
        self, kind: str, data: Mapping[str, Json], *, nip: str | None = None, till_id: int | None = None
    ) -> None: ...

    async def after(self, seq: int, limit: int) -> list[LogEntry]: ...

    async def value(self, name: str) -> Json: ...

    async def put(self, name: str, value: Json) -> None:
        """Write a value in place of the old one; None takes it out."""
        ...
