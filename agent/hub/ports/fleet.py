"""What is heard of tills."""

from __future__ import annotations

from typing import Protocol

from agent.hub.domain.presence import Presence
from agent.hub.domain.records import LastBeat, Leader, OpenCount
from agent.hub_contract.heartbeat import Heartbeat


class Fleet(Protocol):
    """What is heard of tills."""

    async def last_beat(self, till_id: int) -> LastBeat | None: ...

    async def last_beats(self) -> list[LastBeat]:
        """Return the newest heartbeat of each till in use."""
        ...

    async def beat(self, till_id: int, presence: Presence, beat: Heartbeat, address: str) -> None: ...

    async def duplicate(self, till_id: int) -> None:
        """Note that another till of the same name was heard."""
        ...

    async def open_counts(self) -> list[OpenCount]:
        """Return how much is not in KSeF yet, by till and state."""
        ...

    async def leaders(self) -> list[Leader]:
        """Return who talks to KSeF for which NIP, or did last, by name."""
        ...

    async def forget(self, till_id: int) -> None:
        """Let whoever comes next under this name be the till."""
        ...
