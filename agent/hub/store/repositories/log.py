"""The hub's own log, small durable values, and who leads (port Log)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from agent.domain.json_io.canonical import Json
from agent.hub.domain.records import LogEntry
from agent.hub.errors import LeadershipLost
from agent.hub.store.database import Database, dump


class StoredLog:
    """Append-only log, and a notebook."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def append(
        self, kind: str, data: Mapping[str, Json], *, nip: str | None = None, till_id: int | None = None
    ) -> None:
        """Add an entry."""
        await self._database.run("log_append", at=self._now(), kind=kind, nip=nip, till_id=till_id, data=dump(data))

    async def after(self, seq: int, limit: int) -> list[LogEntry]:
        """Return what follows an entry."""
        return [
            LogEntry(
                seq=row.whole("seq"),
                at=row.instant("at"),
                kind=row.text("kind"),
                nip=row.text_or_none("nip"),
                till_id=None if row.text_or_none("till_id") is None else row.whole("till_id"),
                data=row.document("data"),
            )
            for row in await self._database.run("log_after", seq=seq, limit=limit)
        ]

    async def value(self, name: str) -> Json:
        """Return a small value, None where there is none."""
        rows = await self._database.run("notebook_get", name=name)
        value: Json = json.loads(rows[0].text("value")) if rows else None
        return value

    async def put(self, name: str, value: Json) -> None:
        """Write a value in place of the old one; None takes it out."""
        if value is None:
            await self._database.run("notebook_drop", name=name)
        else:
            await self._database.run("notebook_put", name=name, value=dump(value))

    async def take_lead(self, name: str, holder: str) -> int:
        """Become the holder of ``name``; return the number that fences off all before."""
        (row,) = await self._database.run("leader_take", name=name, holder=holder, at=self._now())
        return row.whole("token")

    async def require_lead(self, name: str, token: int) -> None:
        """Raise LeadershipLost where another holder has come."""
        if not await self._database.run("leader_check", name=name, token=token):
            raise LeadershipLost(f"another process of the hub talks to KSeF for {name} now")
