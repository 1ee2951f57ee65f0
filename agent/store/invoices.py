"""Invoices and their bytes (port Invoices)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from datetime import date, datetime

from agent.domain.errors import Conflict, DocumentDamaged, NotFound
from agent.domain.invoice import InvoiceRecord, InvoiceSummary, Mode, NewInvoice
from agent.domain.lifecycle import InvoiceState, check_invoice_move
from agent.ports import Exempt, InvoiceChange, InvoiceFilter, Unsent
from agent.store import codec
from agent.store.connection import Value
from agent.store.invoice_search import where
from agent.store.queries import QUERIES
from agent.store.unit import UnitConnection

_BY_ID = "WHERE invoices.id = :id"
_NEWEST_FIRST = "ORDER BY invoices.seq DESC LIMIT :limit"
_BY_URGENCY = """WHERE invoices.state NOT IN ('accepted', 'exempt') AND invoices.closed_at IS NULL
ORDER BY invoices.state <> 'in_doubt', invoices.deadline IS NULL, invoices.deadline, invoices.seq LIMIT :limit"""
_WITHOUT_UPO = """WHERE invoices.state = 'accepted' AND NOT has_upo AND NOT EXISTS (
    SELECT 1 FROM sessions
    WHERE sessions.reference = invoices.session_ref AND sessions.kind = 'batch' AND sessions.state = 'waiting'
        AND invoices.accepted_at > :batch_since
) ORDER BY invoices.seq LIMIT :limit"""
_SUMMARY = QUERIES["invoice_select"]
_RECORD = _SUMMARY.replace("SELECT\n", "SELECT\n    versions.xml,\n", 1)
_OPEN_IN_KSEF = """WHERE invoices.deadline_state = 'open'
    AND (invoices.state = 'accepted' OR invoices.closed_at IS NOT NULL)
ORDER BY invoices.seq"""
_NO_LIMIT = -1


class SqliteInvoices:
    """Invoices inside a transaction."""

    def __init__(self, connection: UnitConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def next_serial(self, series: str) -> int:
        """Return last + 1 of the series."""
        rows = await self._connection.run("invoice_last_serial", {"series": series})
        return int(rows[0]["last"]) + 1

    async def resume_series(self, series: str, after: int, reason: str) -> None:
        """Go on after a number that a restored database does not know; only forwards."""
        if after < await self.next_serial(series):
            raise Conflict(f"Seria {series} doszła już do numeru {after} lub dalej.", code="series-ahead")
        await self._connection.run(
            "series_resume",
            {"series": series, "after": after, "reason": reason, "resumed_at": codec.instant(self._now())},
        )

    async def add(self, invoice: NewInvoice) -> None:
        """Store a new invoice with its bytes.

        Conflict "number-taken" where KSeF would answer 440. A serial that is not next_serial() is a defect and
        stopped by a trigger (sqlite3.IntegrityError).
        """
        columns = codec.invoice_columns(invoice)
        columns["deadline_state"] = _deadline_state(invoice)
        try:
            await self._connection.run("invoice_add", columns)
        except sqlite3.IntegrityError as error:
            raise _translate(error, invoice.number) from error
        if invoice.serial is not None:
            self._connection.numbers[invoice.series] = invoice.serial
        if invoice.bases:
            bases = codec.dump_bases(invoice.bases)
            await self._connection.run("invoice_add_bases", {"id": invoice.id, "bases": bases})
        links = (invoice.link_invoice, invoice.link_certificate)
        await self._add_bytes(invoice.id, 1, invoice.xml, invoice.sha256, links)

    async def add_version(self, invoice_id: str, xml: bytes, sha256: bytes, links: tuple[str, str | None]) -> None:
        """Store new bytes of a rejected invoice; Conflict in any other state."""
        state, version = await self._state(invoice_id)
        if state is not InvoiceState.REJECTED:
            raise Conflict("Korekta techniczna jest możliwa tylko dla faktury odrzuconej.", code="not-rejected")
        await self._add_bytes(invoice_id, version + 1, xml, sha256, links)
        await self._connection.run("invoice_set_version", {"id": invoice_id, "version": version + 1})

    async def versions(self, invoice_id: str) -> tuple[bytes, ...]:
        """Return all XML versions, oldest first; empty bytes for one that was exported and pruned.

        DocumentDamaged where one of them is not that of its hash.
        """
        rows = await self._connection.run("invoice_versions", {"id": invoice_id})
        if not rows:
            raise _not_found()
        for row in rows:
            if row["xml"] is not None and hashlib.sha256(row["xml"]).digest() != row["sha256"]:
                self._connection.damaged[f"faktura {row['number']}"] = None
                raise DocumentDamaged(f"Faktura {row['number']}")
        return tuple(row["xml"] or b"" for row in rows)

    async def get(self, invoice_id: str) -> InvoiceRecord:
        """Return one; NotFound otherwise."""
        records = await self._select(_BY_ID, {"id": invoice_id})
        if not records:
            raise _not_found()
        if not records[0].intact:
            self._connection.damaged[f"faktura {records[0].number}"] = None
        return records[0]

    async def find(self, query: InvoiceFilter) -> list[InvoiceRecord]:
        """Newest first."""
        conditions, parameters = where(query)
        return await self._select(conditions + _NEWEST_FIRST, parameters)

    async def summaries(self, query: InvoiceFilter) -> list[InvoiceSummary]:
        """Newest first, without bytes."""
        conditions, parameters = where(query)
        return await self._summaries(conditions + _NEWEST_FIRST, parameters)

    async def unsent(self, limit: int | None = None) -> list[InvoiceSummary]:
        """In doubt first, then by deadline (those without one last), then by age."""
        return await self._summaries(_BY_URGENCY, {"limit": _NO_LIMIT if limit is None else limit})

    async def queue(self) -> list[Unsent]:
        """All of unsent(), in the same order, without bytes and JSON."""
        rows = await self._connection.run("invoice_queue")
        return [codec.read_unsent(row) for row in rows]

    async def oldest_unsent_at(self) -> datetime | None:
        """When the oldest invoice was issued that waits for KSeF; rejected ones wait for a person."""
        rows = await self._connection.run("invoice_oldest_unsent")
        return codec.read_instant_or_none(rows[0]["issued_at"])

    async def exempt(self) -> list[Exempt]:
        """What was issued in a total failure that is over, oldest first; not what never was for KSeF."""
        return [codec.read_exempt(row) for row in await self._connection.run("invoice_exempt")]

    async def open_in_ksef(self) -> list[InvoiceSummary]:
        """What waits for nothing any more, while the end of its outage is not known; oldest first, without bytes."""
        return await self._summaries(_OPEN_IN_KSEF, {})

    async def without_upo(self, limit: int = 50, batch_since: datetime | None = None) -> list[InvoiceSummary]:
        """Accepted invoices that no UPO confirms yet, oldest first.

        Those accepted after ``batch_since`` in a batch whose collective UPO is still expected are left out.
        """
        since = None if batch_since is None else codec.instant(batch_since)
        return await self._summaries(_WITHOUT_UPO, {"limit": limit, "batch_since": since})

    async def move(self, invoice_id: str, to: InvoiceState, change: InvoiceChange | None = None) -> InvoiceRecord:
        """Move and add facts at once; IllegalTransition for a move the lifecycle does not know."""
        state, _ = await self._state(invoice_id)
        check_invoice_move(state, to)
        return await self._change(invoice_id, to, change or InvoiceChange())

    async def note(self, invoice_id: str, change: InvoiceChange) -> InvoiceRecord:
        """Add facts without a move."""
        return await self._change(invoice_id, None, change)

    async def set_deadline(self, invoice_id: str, deadline: date | None, state: str) -> None:
        """Store the deadline as computed from the newest facts."""
        rows = await self._connection.run(
            "invoice_set_deadline",
            {"id": invoice_id, "deadline": None if deadline is None else deadline.isoformat(), "deadline_state": state},
        )
        if not rows:
            raise _not_found()

    async def add_upo(self, invoice_id: str, xml: bytes) -> None:
        """Store the UPO; a second one changes nothing."""
        await self._state(invoice_id)
        await self._connection.run(
            "upo_add", {"invoice_id": invoice_id, "xml": xml, "received_at": codec.instant(self._now())}
        )

    async def upo(self, invoice_id: str) -> bytes | None:
        """Return the UPO's XML; None where there is none or it was exported and pruned."""
        rows = await self._connection.run("upo_get", {"invoice_id": invoice_id})
        return rows[0]["xml"] if rows else None

    async def _add_bytes(
        self, invoice_id: str, version: int, xml: bytes, sha256: bytes, links: tuple[str, str | None]
    ) -> None:
        if hashlib.sha256(xml).digest() != sha256:
            raise ValueError("sha256 is not the hash of xml")
        await self._connection.run(
            "invoice_add_version",
            {
                "invoice_id": invoice_id,
                "version": version,
                "xml": xml,
                "sha256": sha256,
                "link_invoice": links[0],
                "link_certificate": links[1],
                "added_at": codec.instant(self._now()),
            },
        )

    async def _change(self, invoice_id: str, to: InvoiceState | None, change: InvoiceChange) -> InvoiceRecord:
        parameters = codec.change_columns(change)
        parameters.update(id=invoice_id, state=None if to is None else to.value)
        try:
            await self._connection.run("invoice_change", parameters)
        except sqlite3.IntegrityError as error:
            raise _translate(error, change.ksef_number or "") from error
        return await self.get(invoice_id)

    async def _state(self, invoice_id: str) -> tuple[InvoiceState, int]:
        rows = await self._connection.run("invoice_state", {"id": invoice_id})
        if not rows:
            raise _not_found()
        return InvoiceState(rows[0]["state"]), int(rows[0]["version"])

    async def _select(self, tail: str, parameters: dict[str, Value]) -> list[InvoiceRecord]:
        return [codec.read_invoice(row) for row in await self._connection.run_sql(f"{_RECORD}\n{tail}", parameters)]

    async def _summaries(self, tail: str, parameters: dict[str, Value]) -> list[InvoiceSummary]:
        return [codec.read_summary(row) for row in await self._connection.run_sql(f"{_SUMMARY}\n{tail}", parameters)]


def _deadline_state(invoice: NewInvoice) -> str:
    if invoice.deadline_state is not None:
        return invoice.deadline_state
    if invoice.mode in {Mode.TOTAL_FAILURE, Mode.OUTSIDE_KSEF}:
        return "lifted"
    return "open" if invoice.deadline is None else "due"


def _not_found() -> NotFound:
    return NotFound("Nie ma takiej faktury.", code="invoice-not-found")


def _translate(error: sqlite3.IntegrityError, number: str) -> Exception:
    """Return the refusal for a broken uniqueness that a caller can meet; anything else is a defect and stays."""
    message = str(error)
    if "invoices.number" in message:
        return Conflict(f"Faktura o numerze {number} już istnieje.", code="number-taken")
    if "invoices.ksef_number" in message:
        return Conflict(f"Numer KSeF {number} ma już inna faktura.", code="ksef-number-taken")
    return error
