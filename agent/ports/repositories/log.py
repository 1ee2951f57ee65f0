"""What is only added to, and small values by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from agent.domain.event_kinds import EventKind
from agent.domain.json_io.canonical import Json
from agent.ports.stored import Event, Fact, KeyRecord


class Events(Protocol):
    """The append-only, hash-chained log."""

    async def append(self, kind: EventKind, data: Mapping[str, Json], invoice_id: str | None = None) -> Event: ...

    async def of_invoice(self, invoice_id: str) -> list[Event]: ...

    async def after(self, seq: int, limit: int = 1000) -> list[Event]: ...

    async def of_kind(self, kind: EventKind) -> list[Event]:
        """Oldest first; reads the whole log."""
        ...

    async def within(self, kinds: Collection[EventKind], after: int, last: int) -> list[Event]:
        """Those of these kinds after a place and up to ``last``, oldest first."""
        ...

    async def changing_books(self) -> list[Event]:
        """What made the books show an invoice otherwise (mode, rejected, collision), oldest first."""
        ...

    async def newest(self) -> int:
        """Return the newest sequence number, 0 for an empty log."""
        ...

    async def newest_of(self, kind: EventKind) -> int:
        """Return the newest sequence number of a kind, 0 where there is none; reads the whole log."""
        ...


class Facts(Protocol):
    """The timeline's facts, append-only."""

    async def add(self, fact: Fact) -> Fact: ...

    async def all(self) -> list[Fact]: ...


class Keys(Protocol):
    """Idempotency keys."""

    async def get(self, key: str) -> KeyRecord | None: ...

    async def of_invoice(self, invoice_id: str) -> list[KeyRecord]:
        """All that name this invoice: it was made under them, or they ordered a correction of it."""
        ...

    async def add(self, record: KeyRecord) -> None: ...


class KeyValues(Protocol):
    """Small durable values by name (circuit breaker, certificate renewal, cursors), JSON."""

    async def get(self, name: str) -> Json: ...

    async def beginning(self, prefix: str) -> Mapping[str, Json]:
        """All values whose names begin so."""
        ...

    async def put(self, name: str, value: Json) -> None:
        """Write the value in place of the old one; None takes it out, so that short-lived names leave nothing."""
        ...
