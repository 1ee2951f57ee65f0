"""Events, idempotency keys, facts, notebook (ports Events, Keys, Facts, KeyValues)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from agent.domain.errors import KeyReused
from agent.domain.event_kinds import EventKind
from agent.domain.json_io.canonical import canonical
from agent.domain.records.hash_chain import GENESIS, chain
from agent.ports import Event, Fact, Json, KeyRecord
from agent.store import codec
from agent.store.unit import UnitConnection


class SqliteEvents:
    """The append-only, hash-chained log."""

    def __init__(self, connection: UnitConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def append(self, kind: EventKind, data: Mapping[str, Json], invoice_id: str | None = None) -> Event:
        """Add one line at the end of the chain; ``at`` is the store's clock, ISO 8601 in UTC inside the chain."""
        newest, previous = self._connection.head or await self._head()
        seq = newest + 1
        at = self._now().astimezone(UTC)
        written_at = at.isoformat()
        text = canonical(data)
        link = chain(previous, written_at, kind, invoice_id, text)
        await self._connection.run(
            "event_add",
            {
                "seq": seq,
                "at": written_at,
                "kind": kind,
                "invoice_id": invoice_id,
                "data": text,
                "chain": link,
            },
        )
        self._connection.head = (seq, link)
        return Event(seq, at, kind, invoice_id, json.loads(text), link)

    async def _head(self) -> tuple[int, str]:
        rows = await self._connection.run("event_last")
        return (int(rows[0]["seq"]), str(rows[0]["chain"])) if rows else (0, GENESIS)

    async def of_invoice(self, invoice_id: str) -> list[Event]:
        """Oldest first."""
        rows = await self._connection.run("event_of_invoice", {"invoice_id": invoice_id})
        return [codec.read_event(row) for row in rows]

    async def after(self, seq: int, limit: int = 1000) -> list[Event]:
        """Oldest first."""
        rows = await self._connection.run("event_after", {"seq": seq, "limit": limit})
        return [codec.read_event(row) for row in rows]

    async def of_kind(self, kind: EventKind) -> list[Event]:
        """Oldest first; reads the whole log."""
        return [codec.read_event(row) for row in await self._connection.run("event_of_kind", {"kind": kind})]

    async def within(self, kinds: Collection[EventKind], after: int, last: int) -> list[Event]:
        """Oldest first."""
        place: dict[str, str | int] = {"kinds": json.dumps(list(kinds)), "after": after, "last": last}
        return [codec.read_event(row) for row in await self._connection.run("events_within", place)]

    async def changing_books(self) -> list[Event]:
        """Oldest first."""
        return [codec.read_event(row) for row in await self._connection.run("events_changing_books")]

    async def newest(self) -> int:
        """Return the newest sequence number, 0 for an empty log."""
        rows = await self._connection.run("event_last")
        return int(rows[0]["seq"]) if rows else 0

    async def newest_of(self, kind: EventKind) -> int:
        """Return the newest sequence number of a kind, 0 where there is none; reads the whole log."""
        rows = await self._connection.run("event_newest_of", {"kind": kind})
        return int(rows[0]["seq"])


class SqliteKeys:
    """Idempotency keys."""

    def __init__(self, connection: UnitConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def get(self, key: str) -> KeyRecord | None:
        """Return the record of a key that was used."""
        rows = await self._connection.run("key_get", {"key": key})
        return codec.read_key(rows[0]) if rows else None

    async def of_invoice(self, invoice_id: str) -> list[KeyRecord]:
        """Return the records of the keys that name an invoice."""
        rows = await self._connection.run("keys_of_invoice", {"invoice_id": invoice_id})
        return [codec.read_key(row) for row in rows]

    async def add(self, record: KeyRecord) -> None:
        """Use a key; KeyReused where it was used before: ask get() first, in the same unit of work."""
        try:
            await self._connection.run(
                "key_add",
                {
                    "key": record.key,
                    "body_sha256": record.body_sha256,
                    "invoice_id": record.invoice_id,
                    "used_at": codec.instant(self._now()),
                },
            )
        except sqlite3.IntegrityError as error:
            if "idempotency_keys.key" not in str(error):
                raise
            raise KeyReused("Ten klucz Idempotency-Key był już użyty.") from error


class SqliteFacts:
    """The timeline's facts."""

    def __init__(self, connection: UnitConnection) -> None:
        self._connection = connection

    async def add(self, fact: Fact) -> Fact:
        """Add one; return it with its id."""
        rows = await self._connection.run(
            "fact_add",
            {"source": fact.source, "body": canonical(fact.body), "seen_at": codec.instant(fact.seen_at)},
        )
        return replace(fact, id=int(rows[0]["id"]))

    async def all(self) -> list[Fact]:
        """In the order in which they were added."""
        return [codec.read_fact(row) for row in await self._connection.run("fact_all")]


class SqliteKeyValues:
    """Small durable values by name."""

    def __init__(self, connection: UnitConnection) -> None:
        self._connection = connection

    async def get(self, name: str) -> Json:
        """Return the value; None where there is none."""
        rows = await self._connection.run("note_get", {"name": name})
        return codec.read_note(rows[0]) if rows else None

    async def beginning(self, prefix: str) -> dict[str, Json]:
        """Return the values whose names begin so."""
        after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        rows = await self._connection.run("notes_between", {"first": prefix, "after": after})
        return {str(row["name"]): codec.read_note(row) for row in rows}

    async def put(self, name: str, value: Json) -> None:
        """Write the value in place of the old one; None takes it out."""
        if value is None:
            await self._connection.run("note_remove", {"name": name})
            return
        await self._connection.run("note_put", {"name": name, "value": canonical(value)})
