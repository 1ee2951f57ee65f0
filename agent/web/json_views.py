"""What the use cases return, as JSON values. Amounts are strings, dates ISO, instants with Poland's offset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from agent.domain.calendar import local_date
from agent.domain.errors import FieldError
from agent.domain.invoice import LEGAL_BASIS, Buyer, Totals
from agent.ports import Event, Json, PrinterStatus, PrintJob
from agent.services.corrections.pending import HeldAnswer
from agent.services.exchange.made import Made, status_of
from agent.services.monitoring.webhooks import OutboxStatus
from agent.services.outages.clock_check import ClockAnswer
from agent.services.outages.watch import ModeAnswer
from agent.services.queries.invoice_answer import InvoiceAnswer, NewestPaper
from agent.services.queries.invoices import IssueAnswer

WARSAW: Final = ZoneInfo("Europe/Warsaw")


def json_response(value: Json, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """UTF-8 JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def instant(value: datetime | None) -> str | None:
    """ISO 8601 with the offset of Europe/Warsaw."""
    return None if value is None else value.astimezone(WARSAW).isoformat()


def day(value: date | None) -> str | None:
    """ISO date."""
    return None if value is None else value.isoformat()


def amount(value: Decimal) -> str:
    """Decimal without an exponent, as stored."""
    return format(value, "f")


def totals(value: Totals) -> dict[str, Json]:
    """Sums of an invoice, in its currency."""
    return {
        "net": amount(value.net),
        "tax": amount(value.tax),
        "gross": amount(value.gross),
        "currency": value.currency,
        "rates": [
            {"rate": row.rate, "net": amount(row.net), "tax": amount(row.tax), "gross": amount(row.gross)}
            for row in value.rates
        ],
    }


def buyer(value: Buyer) -> dict[str, Json]:
    """The buyer; ``kind`` says what ``identifier`` is."""
    address: Json = None
    if value.address is not None:
        address = {
            "line1": value.address.line1,
            "line2": value.address.line2,
            "country": value.address.country,
        }
    return {
        "kind": str(value.kind),
        "identifier": value.identifier,
        "country": value.country,
        "name": value.name,
        "address": address,
    }


def paper(value: NewestPaper | None) -> Json:
    """What lies on the counter; null where nothing was to be printed."""
    if value is None:
        return None
    return {
        "document": value.document,
        "label": value.label,
        "state": value.state,
        "copies": value.copies,
        "problem": value.problem,
        "printer": value.printer,
    }


def invoice(answer: InvoiceAnswer) -> dict[str, Json]:
    """An invoice as it stands now: the contract's fields first, then additions."""
    record = answer.record
    return {
        "id": record.id,
        "number": record.number,
        "issued_on": day(record.issued_on),
        "mode": str(record.mode),
        "legal_basis": LEGAL_BASIS[record.mode],
        "reason": record.reason,
        "state": str(record.state),
        "ksef_number": record.ksef_number,
        "deadline": day(record.deadline),
        "sha256": record.sha256.hex(),
        "links": {"invoice": record.link_invoice, "certificate": record.link_certificate},
        "paper": paper(answer.paper),
        "totals": totals(record.totals),
        "hand_over": answer.hand_over,
        "held_by": answer.held_by,
        "kind": record.kind,
        "issued_at": instant(record.issued_at),
        "deadline_state": record.deadline_state,
        "sent_at": instant(record.sent_at),
        "accepted_at": instant(record.accepted_at),
        "rejection": record.rejection,
        "closed_at": instant(record.closed_at),
        "upo": answer.has_upo,
        "version": record.version,
        "buyer": buyer(record.buyer),
        "payments": [{"method": item.method, "amount": amount(item.amount)} for item in record.payments],
        "external_ref": record.external_ref,
        "corrects": record.base_id,
        "pressed_by": record.pressed_by,
    }


def held(value: HeldAnswer) -> dict[str, Json]:
    """A correction that waits for the KSeF number of its base; it has no number of its own yet."""
    return {
        "id": value.id,
        "base_id": value.base_id,
        "base_number": value.base_number,
        "state": value.state,
        "gross": amount(value.gross),
        "currency": value.currency,
        "created_at": instant(value.created_at),
        "hand_over": value.hand_over,
        "problem": value.problem,
        "invoice_id": value.invoice_id,
        "to_settle": value.to_settle,
    }


def outbox(subscribers: Sequence[OutboxStatus]) -> dict[str, Json]:
    """How far each webhook subscriber is."""
    return {
        "subscribers": [
            {
                "name": each.name,
                "url": each.url,
                "cursor": each.cursor,
                "newest": each.newest,
                "failing_with": each.failing_with,
                "failing_since": instant(each.failing_since),
            }
            for each in subscribers
        ]
    }


def issued(answer: IssueAnswer) -> web.Response:
    """201 for a new invoice, 202 for a correction that waits for its base, 200 for a replay of either.

    A corrected buyer adds the new invoice as ``replacement``.
    """
    made = list(answer.invoices)
    headers: dict[str, str] = {}
    if answer.held is None:
        first = made.pop(0)
        headers["Location"] = f"/v1/invoices/{first.record.id}"
        body, status = invoice(first), 201
    else:
        body = {
            "held": held(answer.held),
            "state": answer.held.state,
            "hand_over": answer.held.hand_over,
            "held_by": answer.held.base_number,
        }
        status = 202
    if made:
        body["replacement"] = invoice(made[0])
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
        status = 200
    return json_response(body, status=status, headers=headers)


def invoices(answers: Sequence[InvoiceAnswer]) -> list[Json]:
    """Many of them."""
    return [invoice(answer) for answer in answers]


def documents(made: Sequence[Made]) -> dict[str, Json]:
    """The documents of a file, and how the file as a whole came out."""
    return {"status": status_of(made), "documents": [document(each) for each in made]}


def document(made: Made) -> dict[str, Json]:
    """One document that came in a file."""
    outcome, problem = made.outcome, made.outcome.problem
    found = [invoice(each) for each in made.invoices]
    return {
        "position": outcome.position + 1,
        "name": outcome.name or None,
        "status": made.status,
        "replayed": outcome.replayed,
        "note": outcome.note,
        "invoice": found[0] if found else None,
        "replacement": found[1] if len(found) > 1 else None,
        "held": None if made.held is None else held(made.held),
        "problem": None
        if problem is None
        else {"code": problem.code, "detail": problem.detail, "errors": errors(problem.errors)},
    }


def errors(found: Sequence[FieldError]) -> list[Json]:
    """Mistakes with their places, as every problem document lists them."""
    return [{"pointer": each.pointer, "message": each.message, "code": each.code} for each in found]


def mode(value: ModeAnswer) -> dict[str, Json]:
    """The mode a press would get now."""
    return {
        "mode": str(value.mode),
        "reason": value.reason,
        "legal_basis": value.legal_basis,
        "ksef": value.ksef,
        "latarnia": value.latarnia,
        "declared": value.declared,
        "declared_by": value.declared_by,
        "declared_reason": value.declared_reason,
        "total_failure_to_confirm": value.total_failure_to_confirm,
        "false_alarm_possible": value.false_alarm_possible,
    }


def clock(value: ClockAnswer) -> dict[str, Json]:
    """The till's clock, and whether it may date documents."""
    return {
        "shows": instant(value.shows),
        "date": local_date(value.shows).isoformat(),
        "state": value.state,
        "confirmed_by": value.confirmed_by,
        "confirmed_at": instant(value.confirmed_at),
        "skew_seconds": value.skew_seconds,
        "problem": value.problem,
        "confirmable": value.confirmable,
    }


def event(value: Event) -> dict[str, Json]:
    """One line of the log."""
    return {
        "seq": value.seq,
        "at": instant(value.at),
        "kind": value.kind,
        "invoice_id": value.invoice_id,
        "data": value.data,
        "chain": value.chain,
    }


def print_job(value: PrintJob) -> dict[str, Json]:
    """One print, without its bytes."""
    return {
        "id": value.id,
        "copy": value.copy,
        "document": value.document,
        "label": value.label,
        "state": str(value.state),
        "created_at": instant(value.created_at),
        "printer": value.printer,
        "problem": value.problem,
    }


def printer(value: PrinterStatus) -> dict[str, Json]:
    """What a printer says of itself."""
    return {
        "name": value.name,
        "online": value.online,
        "problem": value.problem,
        "code": value.code,
        "near_end": value.near_end,
    }
