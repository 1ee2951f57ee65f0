"""Domain values to columns and back: ISO 8601 text, decimal strings in JSON, never float."""

from __future__ import annotations

import functools
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypedDict, TypeVar

from agent.domain.errors import StoreLost
from agent.domain.invoice import (
    Buyer,
    BuyerKind,
    CorrectedBase,
    InvoiceRecord,
    InvoiceSummary,
    Mode,
    NewInvoice,
    Payment,
    Totals,
)
from agent.domain.json_io.codec import reader_of, to_plain
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.domain.records.filed import InvoiceGroup, RegisteredInvoice
from agent.ports import Event, Exempt, Fact, InvoiceChange, Json, KeyRecord, PrintJob, QueueCount, Unsent
from agent.store.connection import Value

T = TypeVar("T")
R = TypeVar("R")
Row = sqlite3.Row | Mapping[str, Any]
"""A row, and what of it is found by its column's name."""


class _BaseColumn(TypedDict):
    number: str
    issued_on: str
    ksef_number: str | None
    base_id: str | None


_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def dump(value: object) -> str:
    """JSON text of plain values; NaN and infinities raise ValueError."""
    return _write(value)


def load(text: str) -> Json:
    """Values of JSON text."""
    value: Json = json.loads(text)
    return value


def by_name(rows: Sequence[sqlite3.Row]) -> Iterator[Mapping[str, Any]]:
    """Yield rows of one statement as mappings: a sqlite3.Row goes along all names at each look."""
    names = rows[0].keys() if rows else []
    return (dict(zip(names, row, strict=True)) for row in rows)


def of_row(read: Callable[[R], T]) -> Callable[[R], T]:
    """Make a reader raise StoreLost for what no program of ours can have written: the file is damaged."""

    @functools.wraps(read)
    def reader(row: R) -> T:
        try:
            return read(row)
        except (ValueError, KeyError, TypeError, ArithmeticError, AttributeError) as error:
            raise StoreLost(f"Baza danych jest uszkodzona: wiersza nie da się odczytać ({error}).") from error

    return reader


@of_row
def read_note(row: Row) -> Json:
    """A row of note_get."""
    return load(row["value"])


def instant(value: datetime) -> str:
    """ISO 8601 in UTC; ValueError for a naive datetime, which would be read as local time."""
    if value.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored")
    return value.astimezone(UTC).isoformat()


def instant_or_none(value: datetime | None) -> str | None:
    return None if value is None else instant(value)


def read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def read_instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else read_instant(text)


def dump_value(value: object) -> str:
    """JSON column of a domain value (domain/json_io/codec.py)."""
    return dump(to_plain(value))


def column_of(kind: type[T]) -> Callable[[str], T]:
    """Return what reads a JSON column of values of this type; PlainError where it holds none."""
    read = reader_of(kind)

    def reader(text: str) -> T:
        value, end = _parse(text)
        if end != len(text):
            raise ValueError("something follows the JSON of a column")
        return read(value)

    return reader


_parse = json.JSONDecoder().raw_decode
"""Half of the cost of json.loads(), which looks for white space around: dump() writes none."""


read_buyer = column_of(Buyer)
_read_totals = column_of(Totals)
read_payments = column_of(tuple[Payment, ...])


def search_text(*parts: str | None) -> str:
    """What a cashier's search looks through; SQLite itself folds the case of ASCII only."""
    return "\n".join(part.casefold() for part in parts if part)


def invoice_columns(invoice: NewInvoice) -> dict[str, Value]:
    """Parameters of invoice_add."""
    buyer = invoice.buyer
    return {
        "id": invoice.id,
        "series": invoice.series,
        "serial": invoice.serial,
        "number": invoice.number,
        "kind": invoice.kind,
        "issued_on": invoice.issued_on.isoformat(),
        "issued_at": instant(invoice.issued_at),
        "seller_nip": invoice.seller_nip,
        "buyer": dump_value(buyer),
        "buyer_identifier": buyer.identifier,
        "totals": dump_value(invoice.totals),
        "payments": dump_value(invoice.payments),
        "external_ref": invoice.external_ref,
        "base_id": invoice.base_id,
        "pressed_by": invoice.pressed_by,
        "search": search_text(invoice.number, buyer.identifier, buyer.name, invoice.external_ref),
        "mode": invoice.mode.value,
        "reason": invoice.reason,
        "deadline": None if invoice.deadline is None else invoice.deadline.isoformat(),
    }


def new_record(invoice: NewInvoice, deadline_state: str) -> InvoiceRecord:
    """Return an invoice that was just stored, as it would be read."""
    return InvoiceRecord(
        id=invoice.id,
        series=invoice.series,
        serial=invoice.serial,
        number=invoice.number,
        kind=invoice.kind,
        issued_on=invoice.issued_on,
        issued_at=invoice.issued_at.astimezone(UTC),
        mode=invoice.mode,
        reason=invoice.reason,
        seller_nip=invoice.seller_nip,
        buyer=invoice.buyer,
        totals=invoice.totals,
        state=InvoiceState.ISSUED,
        version=1,
        sha256=invoice.sha256,
        link_invoice=invoice.link_invoice,
        link_certificate=invoice.link_certificate,
        deadline=invoice.deadline,
        deadline_state=deadline_state,
        external_ref=invoice.external_ref,
        base_id=invoice.base_id,
        payments=invoice.payments,
        pressed_by=invoice.pressed_by,
        bases=invoice.bases,
        stored_xml=invoice.xml,
    )


def dump_bases(bases: tuple[CorrectedBase, ...]) -> str:
    """JSON array for the statements that fill correction_bases and held_bases."""
    return dump(
        [
            {
                "number": base.number,
                "issued_on": base.issued_on.isoformat(),
                "ksef_number": base.ksef_number,
                "base_id": base.invoice_id,
            }
            for base in bases
        ]
    )


def load_bases(text: str) -> tuple[CorrectedBase, ...]:
    if text == "[]":
        return ()
    column: list[_BaseColumn] = json.loads(text)
    return tuple(
        CorrectedBase(base["number"], date.fromisoformat(base["issued_on"]), base["ksef_number"], base["base_id"])
        for base in column
    )


def change_columns(change: InvoiceChange) -> dict[str, Value]:
    """Parameters of invoice_change, except id and state."""
    return {
        "mode": None if change.mode is None else change.mode.value,
        "reason": change.reason,
        "ksef_number": change.ksef_number,
        "accepted_at": instant_or_none(change.accepted_at),
        "sent_at": instant_or_none(change.sent_at),
        "session_ref": change.session_ref,
        "invoice_ref": change.invoice_ref,
        "rejection": None if change.rejection is None else change.rejection.text,
        "rejection_code": None if change.rejection is None else change.rejection.code,
        "not_before": instant_or_none(change.not_before),
        "closed_at": instant_or_none(change.closed_at),
        "attempted": int(change.attempted),
    }


@of_row
def read_summary(row: Row) -> InvoiceSummary:
    """Return a row of invoice_select."""
    return InvoiceSummary(**_facts(row))


def _facts(row: Row) -> dict[str, Any]:
    """Return the fields of InvoiceSummary, which InvoiceRecord has too."""
    return {
        "id": row["id"],
        "series": row["series"],
        "serial": row["serial"],
        "number": row["number"],
        "kind": row["kind"],
        "issued_on": date.fromisoformat(row["issued_on"]),
        "issued_at": read_instant(row["issued_at"]),
        "mode": Mode(row["mode"]),
        "reason": row["reason"],
        "seller_nip": row["seller_nip"],
        "buyer": read_buyer(row["buyer"]),
        "totals": _read_totals(row["totals"]),
        "state": InvoiceState(row["state"]),
        "version": row["version"],
        "sha256": row["sha256"],
        "link_invoice": row["link_invoice"],
        "link_certificate": row["link_certificate"],
        "deadline": None if row["deadline"] is None else date.fromisoformat(row["deadline"]),
        "deadline_state": row["deadline_state"],
        "ksef_number": row["ksef_number"],
        "accepted_at": read_instant_or_none(row["accepted_at"]),
        "sent_at": read_instant_or_none(row["sent_at"]),
        "session_ref": row["session_ref"],
        "invoice_ref": row["invoice_ref"],
        "rejection": row["rejection"] or None,
        "rejection_code": row["rejection_code"],
        "attempts": row["attempts"],
        "not_before": read_instant_or_none(row["not_before"]),
        "closed_at": read_instant_or_none(row["closed_at"]),
        "copies": row["copies"],
        "external_ref": row["external_ref"],
        "base_id": row["base_id"],
        "payments": read_payments(row["payments"]),
        "pressed_by": row["pressed_by"],
        "bases": load_bases(row["bases"]),
        "has_upo": bool(row["has_upo"]),
    }


@of_row
def read_registered(row: sqlite3.Row) -> RegisteredInvoice:
    """Return a row of register_page, by position: a look by name goes along all names."""
    invoice_id, number, kind, issued_on, mode, reason, state, *more = row
    deadline, deadline_state, sent_at, accepted_at, closed_at, ksef_number, has_upo, sha256, *more = more
    buyer_kind, identifier, country, name, net, tax, gross, currency, bases, external_ref, payments = more
    return RegisteredInvoice(
        id=invoice_id,
        number=number,
        kind=kind,
        issued_on=date.fromisoformat(issued_on),
        mode=Mode(mode),
        reason=reason,
        state=InvoiceState(state),
        deadline=read_day_or_none(deadline),
        deadline_state=deadline_state,
        sent_at=read_instant_or_none(sent_at),
        accepted_at=read_instant_or_none(accepted_at),
        closed_at=read_instant_or_none(closed_at),
        ksef_number=ksef_number,
        has_upo=bool(has_upo),
        sha256=sha256,
        buyer=Buyer(BuyerKind(buyer_kind), identifier, country, name),
        net=Decimal(net),
        tax=Decimal(tax),
        gross=Decimal(gross),
        currency=currency,
        bases=() if bases == "[]" else tuple(json.loads(bases)),
        external_ref=external_ref,
        payments=read_payments(payments),
    )


@of_row
def read_group(row: Row) -> InvoiceGroup:
    """A row of invoice_groups."""
    return InvoiceGroup(
        invoices=row["invoices"],
        mode=Mode(row["mode"]),
        state=InvoiceState(row["state"]),
        deadline=read_day_or_none(row["deadline"]),
        deadline_state=row["deadline_state"],
        ksef_number=row["ksef_number"],
        accepted_at=read_instant_or_none(row["accepted_at"]),
        sent_at=read_instant_or_none(row["sent_at"]),
        closed_at=read_instant_or_none(row["closed_at"]),
    )


@of_row
def read_invoice(row: Row) -> InvoiceRecord:
    """Return a row of invoice_select with its bytes, empty where they were exported and pruned."""
    return InvoiceRecord(**_facts(row), stored_xml=row["xml"] or b"")


@of_row
def read_event(row: Row) -> Event:
    data: Mapping[str, Json] = json.loads(row["data"])
    return Event(row["seq"], read_instant(row["at"]), row["kind"], row["invoice_id"], data, row["chain"])


@of_row
def read_key(row: Row) -> KeyRecord:
    return KeyRecord(row["key"], row["body_sha256"], row["invoice_id"])


@of_row
def read_job(row: Row) -> PrintJob:
    return PrintJob(
        id=row["id"],
        invoice_id=row["invoice_id"],
        copy=row["copy"],
        document=row["document"],
        label=row["label"],
        state=PrintState(row["state"]),
        created_at=read_instant(row["created_at"]),
        printer=row["printer"],
        problem=row["problem"],
        data=row["data"],
    )


@of_row
def read_fact(row: Row) -> Fact:
    body: Mapping[str, Json] = json.loads(row["body"])
    return Fact(row["source"], body, read_instant(row["seen_at"]), row["id"])


@of_row
def read_exempt(row: Row) -> Exempt:
    """A row of invoice_exempt."""
    return Exempt(
        id=row["id"],
        number=row["number"],
        issued_on=date.fromisoformat(row["issued_on"]),
        issued_at=read_instant(row["issued_at"]),
        archived=bool(row["archived"]),
        corrects_in_ksef=bool(row["corrects_in_ksef"]),
    )


@of_row
def read_unsent(row: Row) -> Unsent:
    """A row of queue_select."""
    return Unsent(
        id=row["id"],
        number=row["number"],
        state=InvoiceState(row["state"]),
        mode=Mode(row["mode"]),
        version=row["version"],
        attempts=row["attempts"],
        deadline=None if row["deadline"] is None else date.fromisoformat(row["deadline"]),
        deadline_state=row["deadline_state"],
        issued_on=date.fromisoformat(row["issued_on"]),
        issued_at=read_instant(row["issued_at"]),
        not_before=read_instant_or_none(row["not_before"]),
        session_ref=row["session_ref"],
        invoice_ref=row["invoice_ref"],
        base_id=row["base_id"],
        rejection=row["rejection"] or None,
        rejection_code=row["rejection_code"],
        place=row["seq"],
    )


def book_sha256(row: Row | Mapping[str, Value]) -> str:
    """Return what the log keeps of a row of the books: the SHA-256 of all that decides how a month shows it."""
    facts = (row["reader"], row["first_day"], row["last_day"], row["reduces"], row["entry"])
    return hashlib.sha256("\n".join(map(str, facts)).encode()).hexdigest()


def read_day_or_none(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


@of_row
def read_queue_count(row: Row) -> QueueCount:
    """A row of queue_counts."""
    deadline = date.fromisoformat(row["deadline"]) if row["deadline"] else None
    return QueueCount(InvoiceState(row["state"]), deadline, row["invoices"])
