"""What tills are told (port Outcomes).

A line's mark is a hash over the mark before it and the line itself. A till's cursor carries the mark of the last line
it read: a hub that was restored from an older copy finds another mark at that place, or none, and tells everything
from the beginning instead of leaving a gap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from agent.domain.json_io.canonical import Json, canonical
from agent.hub.domain.records import Cursor, HubInvoice, Outcome, OutcomeKind, UnreadRefusals
from agent.hub.store.database import Database, Row, Value, dump
from agent.hub.store.repositories.invoices import invoice_of

REFUSALS = frozenset({OutcomeKind.REJECTED.value, OutcomeKind.DUPLICATE.value})
"""Kinds of lines that somebody has to look after."""
MARK_DIGITS = 32
"""Of a SHA-256: nobody has to be kept from finding a second one, only chance."""

Line = tuple[HubInvoice, OutcomeKind, Mapping[str, Json]]


class StoredOutcomes:
    """One sequence for each till, without a gap and never overtaken: its row is locked while lines are added."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def add(self, lines: Sequence[Line]) -> None:
        """Append lines, till by till in one order, so that two units never wait for each other."""
        by_till: dict[int, list[Line]] = {}
        for line in lines:
            by_till.setdefault(line[0].till_id, []).append(line)
        for till_id in sorted(by_till):
            await self._append(till_id, by_till[till_id])

    async def _append(self, till_id: int, lines: list[Line]) -> None:
        (end,) = await self._database.run("outcomes_reserve", till_id=till_id, count=len(lines))
        first, mark = end.whole("outcome_seq") - len(lines) + 1, end.text("outcome_mark")
        now = self._now()
        rows: list[Mapping[str, Value]] = []
        for seq, (invoice, kind, data) in enumerate(lines, start=first):
            mark = _mark(mark, [seq, now.isoformat(), invoice.sha256.hex(), kind.value, data])
            rows.append(
                {
                    "till_id": till_id,
                    "seq": seq,
                    "at": now,
                    "sha256": invoice.sha256,
                    "kind": kind.value,
                    "data": dump(data),
                    "mark": mark,
                }
            )
        await self._database.run_many("outcome_add", rows)
        for row in rows:
            if row["kind"] in REFUSALS:
                await self._database.run(
                    "refusal_add", sha256=row["sha256"], till_id=till_id, seq=row["seq"], at=row["at"]
                )
        await self._database.run("outcomes_mark", till_id=till_id, mark=mark)
        await self._database.tell(f"till:{till_id}")

    async def after(self, till_id: int, cursor: Cursor, limit: int) -> tuple[list[Outcome], bool]:
        """Return what follows, and whether the cursor was of this hub's memory."""
        known = cursor.seq == 0 or await self._mark_at(till_id, cursor.seq) == cursor.mark
        rows = await self._database.run("outcomes_after", till_id=till_id, seq=cursor.seq if known else 0, limit=limit)
        return [outcome_of(row) for row in rows], known

    async def last(self, till_id: int) -> Cursor:
        """Return the end of a till's sequence."""
        (row,) = await self._database.run("outcomes_last", till_id=till_id)
        return Cursor(row.whole("outcome_seq"), row.text("outcome_mark"))

    async def unread(self, till_id: int, cursor: Cursor) -> bool:
        """Whether a till that goes on from here has read a refusal for the first time."""
        return bool(await self._database.run("refusal_unread", till_id=till_id, seq=cursor.seq))

    async def read(self, till_id: int, cursor: Cursor) -> None:
        """Note that a till has read all up to here; a cursor of another memory changes nothing."""
        if await self._mark_at(till_id, cursor.seq) == cursor.mark:
            await self._database.run("refusals_read", till_id=till_id, seq=cursor.seq)

    async def settle(self, sha256: bytes) -> bool:
        """Note that people looked after a refusal; False where there is none that nobody has read."""
        return bool(await self._database.run("refusal_settle", sha256=sha256))

    async def reopen(self, till_id: int) -> None:
        """Count as unread what KSeF refused of a till that is gone, and nobody closed."""
        await self._database.run("refusals_reopen", till_id=till_id, at=self._now())

    async def refusals(self) -> list[UnreadRefusals]:
        """Return, by till, what KSeF refused and nobody has read."""
        return [
            UnreadRefusals(
                nip=row.text("nip"),
                till_id=row.whole("till_id"),
                count=row.whole("count"),
                deadline=row.day_or_none("deadline"),
                oldest=row.instant("oldest"),
            )
            for row in await self._database.run("refusals")
        ]

    async def refusals_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return those of one till, nearest deadline first."""
        return [invoice_of(row) for row in await self._database.run("refusals_of_till", till_id=till_id, limit=limit)]

    async def _mark_at(self, till_id: int, seq: int) -> str | None:
        rows = await self._database.run("outcome_at", till_id=till_id, seq=seq)
        return rows[0].text("mark") if rows else None


def _mark(before: str, line: Json) -> str:
    return hashlib.sha256(f"{before}{canonical(line)}".encode()).hexdigest()[:MARK_DIGITS]


def outcome_of(row: Row) -> Outcome:
    """Return a line."""
    return Outcome(
        seq=row.whole("seq"),
        at=row.instant("at"),
        sha256=row.blob("sha256"),
        kind=OutcomeKind(row.text("kind")),
        data=row.document("data"),
        mark=row.text("mark"),
    )
