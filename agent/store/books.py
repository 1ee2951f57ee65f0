"""What the books keep of each invoice (port Books)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from agent.domain.books.entry import BookEntry
from agent.domain.books.read import READER
from agent.domain.calendar import day_bounds
from agent.domain.invoice import Buyer, BuyerKind, Mode
from agent.domain.json_io.codec import to_plain
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.filed import FiledInvoice
from agent.ports import BookedInvoice
from agent.store import codec
from agent.store.connection import Value
from agent.store.queries import QUERIES
from agent.store.unit import UnitConnection

_PAGE = """WHERE (invoices.issued_on, invoices.number, invoices.id) > (:day, :number, :id)
    AND invoices.issued_on <= :until"""
_OF_DAYS = f"""{_PAGE} AND (
    (books.last_day >= :first AND books.first_day <= :last)
    OR (
        books.reduces = 1 AND coalesce(invoices.sent_at, invoices.accepted_at) >= :begin
        AND coalesce(invoices.sent_at, invoices.accepted_at) < :end
    )
)"""
_read_entry = codec.column_of(BookEntry)
_IN_ORDER = "ORDER BY invoices.issued_on, invoices.number, invoices.id LIMIT :limit"


class SqliteBooks:
    """Book entries; read once, replaced only by a newer reader while the bytes are here (triggers)."""

    def __init__(self, connection: UnitConnection) -> None:
        self._connection = connection

    async def unread(self, limit: int, after: int = 0) -> list[tuple[int, str]]:
        """Place and id of invoices whose bytes this program's reader has not read, oldest first, behind a place."""
        rows = await self._connection.run("books_unread", {"reader": READER, "limit": limit, "after": after})
        return [(row["seq"], row["id"]) for row in rows]

    async def put(self, invoice_id: str, entry: BookEntry) -> str | None:
        """Keep what was read, return its SHA-256; None, and nothing changes, where it was read before."""
        days = [part.day for part in entry.parts]
        row: dict[str, Value] = {
            "reader": READER,
            "first_day": min(days).isoformat(),
            "last_day": max(days).isoformat(),
            "reduces": int(entry.reduces),
            "entry": codec.dump(to_plain(entry)),
        }
        kept = await self._connection.run("books_put", {"invoice_id": invoice_id, **row})
        return codec.book_sha256(row) if kept else None

    async def issue_days(self, days: tuple[date, date]) -> tuple[date, date] | None:
        """Return between which days everything was issued that of_days() gives; None where there is nothing."""
        (row,) = await self._connection.run("books_issue_days", _tax_days(days))
        if row["first"] is None:
            return None
        return date.fromisoformat(row["first"]), date.fromisoformat(row["last"])

    async def of_days(
        self, days: tuple[date, date], issued: tuple[date, date], limit: int, after: FiledInvoice | None = None
    ) -> list[BookedInvoice]:
        """Return a page of what may have a tax point in these days, and reductions sent in them."""
        return await self._select(_OF_DAYS, _tax_days(days) | _place(issued, after), limit)

    async def issued(
        self, days: tuple[date, date], limit: int, after: FiledInvoice | None = None
    ) -> list[BookedInvoice]:
        """Return a page of what has its P_1 in these days."""
        return await self._select(_PAGE, _place(days, after), limit)

    async def _select(self, condition: str, parameters: Mapping[str, Value], limit: int) -> list[BookedInvoice]:
        sql = f"{QUERIES['invoice_filed']}\n{condition}\n{_IN_ORDER}"
        rows = await self._connection.run_sql(sql, {**parameters, "limit": limit})
        return [_read(row) for row in rows]


def _tax_days(days: tuple[date, date]) -> dict[str, Value]:
    begin, end = day_bounds(*days)
    return {
        "first": days[0].isoformat(),
        "last": days[1].isoformat(),
        "begin": codec.instant(begin),
        "end": codec.instant(end),
    }


def _place(issued: tuple[date, date], after: FiledInvoice | None) -> dict[str, Value]:
    """Where a page begins: behind an invoice, else before the first day."""
    first, until = (day.isoformat() for day in issued)
    place = (first, "", "") if after is None else (after.issued_on.isoformat(), after.number, after.id)
    return {**dict(zip(("day", "number", "id"), place, strict=True)), "until": until}


@codec.of_row
def _read(row: sqlite3.Row) -> BookedInvoice:
    """Return a row of invoice_filed, by position: a look by name goes along all names."""
    invoice_id, number, kind, issued_on, issued_at, mode, state, *bought, entry = row
    buyer_kind, identifier, country, name, gross, currency, payments, sha256, ksef_number, *instants = bought
    accepted_at, sent_at, closed_at = map(codec.read_instant_or_none, instants)
    filed = FiledInvoice(
        id=invoice_id,
        number=number,
        kind=kind,
        issued_on=date.fromisoformat(issued_on),
        issued_at=codec.read_instant(issued_at),
        mode=Mode(mode),
        state=InvoiceState(state),
        buyer=Buyer(BuyerKind(buyer_kind), identifier, country, name),
        gross=Decimal(gross),
        currency=currency,
        payments=codec.read_payments(payments),
        sha256=sha256,
        ksef_number=ksef_number,
        accepted_at=accepted_at,
        sent_at=sent_at,
        closed_at=closed_at,
    )
    return BookedInvoice(filed, _read_entry(entry))
