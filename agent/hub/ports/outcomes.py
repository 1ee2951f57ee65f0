"""What became of invoices, as their tills read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.domain.json_io.canonical import Json
from agent.hub.domain.records import Cursor, HubInvoice, Outcome, OutcomeKind, UnreadRefusals


class Outcomes(Protocol):
    """What tills are told, a sequence for each."""

    async def add(self, lines: Sequence[tuple[HubInvoice, OutcomeKind, Mapping[str, Json]]]) -> None:
        """Append a line for each to the sequence of its till, in the order given, and wake who waits for it."""
        ...

    async def after(self, till_id: int, cursor: Cursor, limit: int) -> tuple[list[Outcome], bool]:
        """Return what follows, and whether the cursor was of this hub's memory.

        A cursor that a restored hub does not know (another mark, or a line beyond its last) reads from the beginning.
        """
        ...

    async def last(self, till_id: int) -> Cursor: ...

    async def unread(self, till_id: int, cursor: Cursor) -> bool:
        """Whether a till that goes on from this cursor has read a refusal by KSeF that it had not read before."""
        ...

    async def read(self, till_id: int, cursor: Cursor) -> None:
        """Note that a till has read all up to this cursor. One that is not of this hub's memory changes nothing."""
        ...

    async def settle(self, sha256: bytes) -> bool:
        """Note that people looked after a refusal that its till has not read; False where there is none such."""
        ...

    async def reopen(self, till_id: int) -> None:
        """Count as unread what KSeF refused of a till that is gone, of invoices issued offline, and nobody closed.

        Whatever the till had read, nobody looks after it any more.
        """
        ...

    async def refusals(self) -> list[UnreadRefusals]:
        """Return, by till, what KSeF refused and nobody at the till has read, nor settled here."""
        ...

    async def refusals_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return those of one till, nearest deadline first."""
        ...
