"""What is heard of tills (port Fleet)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from agent.hub.domain.presence import Presence
from agent.hub.domain.records import LastBeat, Leader, OpenCount
from agent.hub.domain.states import HubState
from agent.hub.store.database import Database, Row, dump
from agent.hub_contract.heartbeat import Heartbeat, heartbeat_from_json, heartbeat_to_json


class StoredFleet:
    """The newest heartbeat of each till."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def last_beat(self, till_id: int) -> LastBeat | None:
        """Return the newest heartbeat of a till."""
        rows = await self._database.run("heartbeat", till_id=till_id)
        return _beat(rows[0]) if rows else None

    async def last_beats(self) -> list[LastBeat]:
        """Return the newest heartbeat of each till in use."""
        return [_beat(row) for row in await self._database.run("heartbeats")]

    async def beat(self, till_id: int, presence: Presence, beat: Heartbeat, address: str) -> None:
        """Note a sign of life."""
        await self._database.run(
            "heartbeat_put",
            till_id=till_id,
            at=presence.seen_at,
            address=address,
            database_id=presence.database,
            process_id=presence.process,
            machine_id=presence.machine,
            superseded=presence.superseded,
            body=dump(heartbeat_to_json(beat)),
        )

    async def duplicate(self, till_id: int) -> None:
        """Note that another till of the same name was heard."""
        await self._database.run("heartbeat_duplicate", till_id=till_id, at=self._now())

    async def open_counts(self) -> list[OpenCount]:
        """Return how much is not in KSeF yet."""
        return [
            OpenCount(
                nip=row.text("nip"),
                till_id=row.whole("till_id"),
                state=HubState(row.text("state")),
                count=row.whole("count"),
                deadline=row.day_or_none("deadline"),
                oldest=row.instant("oldest"),
            )
            for row in await self._database.run("open_counts")
        ]

    async def leaders(self) -> list[Leader]:
        """Return who leads, or led last, by name."""
        rows = await self._database.run("leaders")
        return [Leader(row.text("name"), row.text("holder"), row.instant("since")) for row in rows]

    async def forget(self, till_id: int) -> None:
        """Let whoever comes next under this name be the till."""
        await self._database.run("heartbeat_forget", till_id=till_id)


def _beat(row: Row) -> LastBeat:
    return LastBeat(
        till_id=row.whole("till_id"),
        presence=Presence(
            database=row.text("database_id"),
            process=row.text("process_id"),
            machine=row.text("machine_id"),
            superseded=row.text_or_none("superseded"),
            seen_at=row.instant("at"),
        ),
        address=row.text("address"),
        duplicate_at=row.instant_or_none("duplicate_at"),
        beat=heartbeat_from_json(row.json("body")),
    )
