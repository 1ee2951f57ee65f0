"""What the books keep of each invoice (port Books)."""

from __future__ import annotations

import sqlite3
from datetime import date

from agent.domain.books.entry import BookEntry
from agent.domain.books.read import READER
from agent.domain.calendar import day_bounds
from agent.domain.json_io.codec import from_plain, to_plain
from agent.ports import BookedInvoice
from agent.store import codec
from agent.store.connection import Value
from agent.store.queries import QUERIES
from agent.store.unit import UnitConnection

_OF_DAYS = """WHERE (invoices.issued_on, invoices.seq) > (:after_day, :after_seq) AND invoices.id IN (
    SELECT invoice_id FROM books WHERE last_day >= :first AND first_day <= :last
    UNION SELECT books.invoice_id FROM books INDEXED BY books_reducing
    JOIN invoices AS sent ON sent.id = books.invoice_id
    WHERE books.reduces = 1 AND coalesce(sent.sent_at, sent.accepted_at) >= :begin
        AND coalesce(sent.sent_at, sent.accepted_at) < :end
)
ORDER BY invoices.issued_on, invoices.seq LIMIT :limit"""
_ISSUED = """WHERE books.entry IS NOT NULL AND (invoices.issued_on, invoices.seq) > (:after_day, :after_seq)
    AND invoices.issued_on BETWEEN :first AND :last
ORDER BY invoices.issued_on, invoices.seq LIMIT :limit"""


class SqliteBooks:
    """Book entries; read once, replaced only by a newer reader while the bytes are here (triggers)."""

    def __init__(self, connection: UnitConnection) -> None:
        self._connection = connection

    async def unread(self, limit: int, after: int = 0) -> list[tuple[int, str]]:
        """Place and id of invoices whose bytes this program's reader has not read, oldest first, behind a place."""
        rows = await self._connection.run("books_unread", {"reader": READER, "limit": limit, "after": after})
        return [(row["seq"], row["id"]) for row in rows]

    async def put(self, invoice_id: str, entry: BookEntry) -> None:
        """Keep what was read; nothing changes where it was read before."""
        days = [part.day for part in entry.parts]
        await self._connection.run(
            "books_put",
            {
                "invoice_id": invoice_id,
                "reader": READER,
                "first_day": min(days).isoformat(),
                "last_day": max(days).isoformat(),
                "reduces": int(entry.reduces),
                "entry": codec.dump(to_plain(entry)),
            },
        )

    async def of_days(
        self, days: tuple[date, date], after: BookedInvoice | None = None, limit: int = 100
    ) -> list[BookedInvoice]:
        """Return what may have a tax point in these days, and reductions sent in them, by day of issue."""
        begin, end = day_bounds(*days)
        sent: dict[str, Value] = {"begin": codec.instant(begin), "end": codec.instant(end)}
        return await self._select(_OF_DAYS, days, after, limit, sent)

    async def issued(
        self, days: tuple[date, date], after: BookedInvoice | None = None, limit: int = 100
    ) -> list[BookedInvoice]:
        """Return what has its P_1 in these days, by day of issue."""
        return await self._select(_ISSUED, days, after, limit, {})

    async def _select(
        self,
        condition: str,
        days: tuple[date, date],
        after: BookedInvoice | None,
        limit: int,
        more: dict[str, Value],
    ) -> list[BookedInvoice]:
        parameters: dict[str, Value] = {
            "first": days[0].isoformat(),
            "last": days[1].isoformat(),
            "after_day": "" if after is None else after.record.issued_on.isoformat(),
            "after_seq": 0 if after is None else after.place,
            "limit": limit,
        }
        rows = await self._connection.run_sql(f"{QUERIES['invoice_light']}\n{condition}", parameters | more)
        return [_read(row) for row in rows]


@codec.of_row
def _read(row: sqlite3.Row) -> BookedInvoice:
    entry = from_plain(BookEntry, codec.load(row["entry"]))
    return BookedInvoice(codec.read_summary(row), entry, row["seq"])
