"""Invoices and their bytes (port Invoices)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

from agent.domain.errors import Conflict, DocumentDamaged, NotFound
from agent.domain.fa3.view.same_facts import tells
from agent.domain.invoice import Buyer, InvoiceRecord, InvoiceSummary, Mode, NewInvoice
from agent.domain.lifecycle import InvoiceState, check_invoice_move
from agent.domain.links import codes_name_document
from agent.domain.records.filed import InvoiceGroup, RegisteredInvoice
from agent.ports import Exempt, InvoiceChange, InvoiceFilter, QueueCount, Unsent
from agent.store import codec
from agent.store.connection import Value
from agent.store.invoice_search import where
from agent.store.queries import QUERIES
from agent.store.unit import UnitConnection

_BY_ID = "WHERE invoices.id = :id"
_NEWEST_FIRST = "ORDER BY invoices.seq DESC LIMIT :limit"
_BY_URGENCY = """WHERE invoices.state NOT IN ('accepted', 'exempt') AND invoices.closed_at IS NULL
ORDER BY invoices.urgency, invoices.seq LIMIT :limit"""
_QUEUE = """WHERE state NOT IN ('accepted', 'exempt') AND closed_at IS NULL AND (urgency, seq) > (:urgency, :place)
ORDER BY urgency, seq LIMIT :limit"""
_DUE = """WHERE state NOT IN ('accepted', 'exempt') AND closed_at IS NULL AND urgency BETWEEN '0' AND :until
ORDER BY urgency, seq LIMIT :limit"""
_WAITING = """WHERE state = 'issued' AND (urgency, seq) > (:urgency, :place) AND (base_id IS NULL OR EXISTS (
    SELECT 1 FROM invoices AS base
    WHERE base.id = invoices.base_id
        AND (base.ksef_number IS NOT NULL OR base.state = 'exempt' OR base.mode = 'total_failure')
))
ORDER BY urgency, seq LIMIT :limit"""
_IN_STATE = """WHERE state NOT IN ('accepted', 'exempt') AND state = :state AND closed_at IS NULL AND seq > :place
ORDER BY seq LIMIT :limit"""
_IN_SESSION = """WHERE state IN ('sending', 'sent') AND state = 'sent' AND session_ref = :session
    AND coalesce(invoice_ref, '') = '' AND seq > :place
ORDER BY seq LIMIT :limit"""
_CORRECTIONS_OF = """WHERE invoices.id IN (
    SELECT correction_id FROM correction_bases WHERE base_id IN (SELECT value FROM json_each(:ids))
) ORDER BY invoices.seq DESC"""
_OPEN_CORRECTIONS = """WHERE state NOT IN ('accepted', 'exempt') AND closed_at IS NULL AND base_id IS NOT NULL
ORDER BY seq"""
_OF_IDS = """WHERE state NOT IN ('accepted', 'exempt') AND closed_at IS NULL
    AND id IN (SELECT value FROM json_each(:ids)) ORDER BY seq"""
_OF_TOTAL_FAILURE = "WHERE mode = 'total_failure' AND state = 'issued' ORDER BY seq"
_WITHOUT_UPO = """WHERE invoices.seq IN (SELECT invoice_seq FROM upos_wanted) AND NOT EXISTS (
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
NO_DEADLINE = "9999-12-31"
"""Urgency of what has no deadline: after all others."""


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

    async def add(self, invoice: NewInvoice) -> InvoiceRecord:
        """Store a new invoice with its bytes; return what get() would.

        Conflict "number-taken" where KSeF would answer 440. A serial that is not next_serial() is a defect and
        stopped by a trigger (sqlite3.IntegrityError).
        """
        deadline_state = _deadline_state(invoice)
        columns = codec.invoice_columns(invoice)
        columns["deadline_state"] = deadline_state
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
        return codec.new_record(invoice, deadline_state)

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
        return records[0]

    async def find(self, query: InvoiceFilter) -> list[InvoiceRecord]:
        """Newest first."""
        conditions, parameters = where(query)
        return await self._select(conditions + _NEWEST_FIRST, parameters)

    async def summaries(self, query: InvoiceFilter) -> list[InvoiceSummary]:
        """Newest first, without bytes."""
        conditions, parameters = where(query)
        return await self._summaries(conditions + _NEWEST_FIRST, parameters)

    async def issued(
        self, days: tuple[date, date], limit: int, after: RegisteredInvoice | None = None
    ) -> list[RegisteredInvoice]:
        """A page of what has its P_1 in these days, both included, by day and number."""
        first, last = (day.isoformat() for day in days)
        place = (first, "", "") if after is None else (after.issued_on.isoformat(), after.number, after.id)
        parameters: dict[str, Value] = dict(zip(("day", "number", "id"), place, strict=True))
        rows = await self._connection.run("register_page", {**parameters, "last": last, "limit": limit})
        return [codec.read_registered(row) for row in rows]

    async def issued_groups(self, day: date) -> list[InvoiceGroup]:
        """What has its P_1 on this day, as a count sees it."""
        rows = await self._connection.run("invoice_groups", {"day": day.isoformat()})
        return [codec.read_group(row) for row in rows]

    async def buyers_named(self, name: str, *, but: str) -> list[Buyer]:
        """Who bears this name on any invoice, each once; ``but``: not under this identifier. Reads all invoices."""
        rows = await self._connection.run("invoice_buyers_named", {"name": name, "but": but})
        return [codec.read_buyer(row["buyer"]) for row in rows]

    async def corrections_of(self, invoice_ids: Sequence[str]) -> list[InvoiceSummary]:
        """What corrects any of these, newest first, without bytes."""
        return await self._summaries(_CORRECTIONS_OF, {"ids": codec.dump(list(invoice_ids))})

    async def unsent(self, limit: int | None = None) -> list[InvoiceSummary]:
        """In doubt first, then by deadline (those without one last), then by age."""
        return await self._summaries(_BY_URGENCY, {"limit": _NO_LIMIT if limit is None else limit})

    async def queue(self, limit: int | None = None, after: Unsent | None = None) -> list[Unsent]:
        """A page of unsent(), in the same order, without bytes and JSON."""
        return await self._queue(_QUEUE, _page(limit, after))

    async def queue_counts(self) -> list[QueueCount]:
        """How much waits, by state and deadline."""
        return [codec.read_queue_count(row) for row in await self._connection.run("queue_counts")]

    async def waiting(self, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of what is issued and may go: POD2 4.1.3 wants the base of a correction there first."""
        return await self._queue(_WAITING, _page(limit, after))

    async def in_state(self, state: InvoiceState, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of those in one state, oldest first."""
        return await self._queue(_IN_STATE, {**_page(limit, after), "state": state.value})

    async def due(self, until: date, limit: int) -> list[Unsent]:
        """Those whose deadline is this day or earlier, most urgent first; not those in doubt."""
        return await self._queue(_DUE, {"until": until.isoformat(), "limit": limit})

    async def asked_sessions(self) -> list[str]:
        """Sessions of batches whose verdict is awaited."""
        return [row["session_ref"] for row in await self._connection.run("queue_sessions")]

    async def in_session(self, session: str, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of those sent in this session without a reference of their own, oldest first."""
        return await self._queue(_IN_SESSION, {**_page(limit, after), "session": session})

    async def last_place(self) -> int:
        """Return the place of what was stored last."""
        return int((await self._connection.run("queue_last_place"))[0]["place"])

    async def waiting_by_deadline(self, after: int) -> list[tuple[date | None, int]]:
        """Count by deadline what may go together, behind a place."""
        rows = await self._connection.run("queue_waiting_by_deadline", {"after": after})
        return [(codec.read_day_or_none(row["deadline"]), row["invoices"]) for row in rows]

    async def open_corrections(self) -> list[Unsent]:
        """Those that correct an invoice of this till, oldest first."""
        return await self._queue(_OPEN_CORRECTIONS, {})

    async def unsent_of(self, invoice_ids: Sequence[str]) -> list[Unsent]:
        """Those with these ids."""
        return await self._queue(_OF_IDS, {"ids": codec.dump(list(invoice_ids))})

    async def of_total_failure(self) -> list[Unsent]:
        """What was issued in a total failure and is not exempt, oldest first."""
        return await self._queue(_OF_TOTAL_FAILURE, {})

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
        await self._change(invoice_id, to, change or InvoiceChange())
        return await self.get(invoice_id)

    async def note(self, invoice_id: str, change: InvoiceChange) -> InvoiceRecord:
        """Add facts without a move."""
        await self._change(invoice_id, None, change)
        return await self.get(invoice_id)

    async def change_all(self, invoice_ids: Sequence[str], to: InvoiceState | None, change: InvoiceChange) -> None:
        """Move many, or add facts (None); nothing is read back, a batch is no list on a screen."""
        for invoice_id in invoice_ids:
            state, _ = await self._state(invoice_id)
            if to is not None:
                check_invoice_move(state, to)
            await self._change(invoice_id, to, change)

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

    async def _change(self, invoice_id: str, to: InvoiceState | None, change: InvoiceChange) -> None:
        parameters = codec.change_columns(change)
        parameters.update(id=invoice_id, state=None if to is None else to.value)
        try:
            await self._connection.run("invoice_change", parameters)
        except sqlite3.IntegrityError as error:
            raise _translate(error, change.ksef_number or "") from error

    async def _state(self, invoice_id: str) -> tuple[InvoiceState, int]:
        rows = await self._connection.run("invoice_state", {"id": invoice_id})
        if not rows:
            raise _not_found()
        return InvoiceState(rows[0]["state"]), int(rows[0]["version"])

    async def _select(self, tail: str, parameters: dict[str, Value]) -> list[InvoiceRecord]:
        rows = await self._connection.run_sql(f"{_RECORD}\n{tail}", parameters)
        records = [_compared(codec.read_invoice(row)) for row in codec.by_name(rows)]
        for record in records:
            if not record.intact or not _named_by_codes(record) or record.altered:
                self._connection.damaged[f"faktura {record.number}"] = None
        return records

    async def _queue(self, tail: str, parameters: dict[str, Value]) -> list[Unsent]:
        rows = await self._connection.run_sql(f"{QUERIES['queue_select']}\n{tail}", parameters)
        return [codec.read_unsent(row) for row in rows]

    async def _summaries(self, tail: str, parameters: dict[str, Value]) -> list[InvoiceSummary]:
        rows = await self._connection.run_sql(f"{_SUMMARY}\n{tail}", parameters)
        return [codec.read_summary(row) for row in codec.by_name(rows)]


def _page(limit: int | None, after: Unsent | None) -> dict[str, Value]:
    """Return the parameters of a page of the queue; ``urgency`` is the column of that name (schema 10)."""
    page: dict[str, Value] = {"limit": _NO_LIMIT if limit is None else limit, "urgency": "", "place": 0}
    if after is not None:
        doubt = after.state is InvoiceState.IN_DOUBT
        day = NO_DEADLINE if after.deadline is None else after.deadline.isoformat()
        page |= {"urgency": "" if doubt else day, "place": after.place}
    return page


def _deadline_state(invoice: NewInvoice) -> str:
    if invoice.deadline_state is not None:
        return invoice.deadline_state
    if invoice.mode in {Mode.TOTAL_FAILURE, Mode.OUTSIDE_KSEF}:
        return "lifted"
    return "open" if invoice.deadline is None else "due"


def _compared(record: InvoiceRecord) -> InvoiceRecord:
    """Note where the row says something else than the bytes that it was issued with."""
    first = record.stored_xml if record.version == 1 else b""
    if not first or tells(first, record.number, record.issued_on, record.totals.gross):
        return record
    return replace(record, altered=True)


def _named_by_codes(record: InvoiceRecord) -> bool:
    """Whether both codes lead to this document: a paper with another one is not printed."""
    return codes_name_document((record.link_invoice, record.link_certificate), record.sha256)


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
