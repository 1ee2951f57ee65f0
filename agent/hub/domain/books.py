"""The hub's books: a row per invoice that tills handed over, with the marker of JPK_V7M(3) (docs/law.md, section 5).

They are for looking across tills; what is filed is checked against theirs.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum

from agent.domain.calendar import happened_by, local_date
from agent.domain.identifiers import bare_nip, valid_nip
from agent.domain.invoice import Mode
from agent.domain.json_io.canonical import Json
from agent.domain.records.register import Marker
from agent.domain.values import dataclass
from agent.hub.domain.records import HubInvoice, Till
from agent.hub.domain.states import HubState

REACHED = frozenset({HubState.SENT, HubState.ACCEPTED})
COLUMNS = (
    "shop",
    "till",
    "number",
    "kind",
    "issued_on",
    "marker",
    "ksef_number",
    "mode",
    "state",
    "deadline",
    "days_late",
    "sent_at",
    "accepted_at",
    "upo",
    "sha256",
    "buyer",
    "buyer_name",
    "gross",
    "currency",
)
_KSEF_NUMBER = re.compile(r"[0-9]{10}-[0-9]{8}-[0-9A-F]{6}-?[0-9A-F]{6}-[0-9A-F]{2}")
_KSEF_BEGINNING = re.compile(r"[0-9]{10}-[0-9A-F-]*")
_AMOUNT = re.compile(r"[-\u2212]?[0-9][0-9 \u00a0]*[.,][0-9]{2}(\s*(zł|PLN))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""In no number; PostgreSQL refuses text with NUL."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Find(StrEnum):
    """What somebody typed or scanned."""

    HASH = "hash"
    KSEF_NUMBER = "ksef_number"
    KSEF_BEGINNING = "ksef_beginning"
    BUYER = "buyer"
    AMOUNT = "amount"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for; ``value``: hexadecimal for a hash."""

    by: Find
    value: str


def question(text: str) -> Question:
    """Read a search: a scanned code (KOD I, KOD II), a hash, a NIP, an amount, a KSeF number or its beginning (from its
    first hyphen on), else a number (P_2) or its beginning.
    """
    text = _CONTROL.sub("", text).strip()
    upper = text.upper()
    if (scanned := _hash_in(text)) is not None:
        return Question(Find.HASH, scanned)
    if _KSEF_NUMBER.fullmatch(upper):
        return Question(Find.KSEF_NUMBER, upper)
    if _KSEF_BEGINNING.fullmatch(upper) and valid_nip(text[:10]):
        return Question(Find.KSEF_BEGINNING, upper)
    if valid_nip(bare_nip(text)):
        return Question(Find.BUYER, bare_nip(text))
    if _AMOUNT.fullmatch(text):
        amount = re.sub(r"[^0-9.,-]", "", text.replace("\u2212", "-"))
        return Question(Find.AMOUNT, str(Decimal(amount.replace(",", "."))))
    return Question(Find.NUMBER, text)


def _hash_in(text: str) -> str | None:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    found = re.search(
        r"/(?:invoice/\d{10}/[\d-]{10}|certificate/\w+/[\w+*-]+/\d{10}/[0-9A-F]+)/([\w-]{43})(?:/|$)", text
    )
    if found is None:
        return None
    try:
        return base64.urlsafe_b64decode(found[1] + "=").hex()
    except binascii.Error:
        return None


def marker(invoice: HubInvoice, as_of: date) -> Marker:
    """Return the marker for a JPK filed at the end of that Polish civil day."""
    accepted = invoice.accepted_at
    if invoice.ksef_number is not None and accepted is not None and happened_by(accepted, as_of):
        return Marker.NUMBER
    if invoice.mode == Mode.FAILURE:
        return Marker.OFF
    if invoice.mode in {Mode.TOTAL_FAILURE, Mode.OUTSIDE_KSEF} or invoice.state is HubState.EXEMPT:
        return Marker.BFK
    return Marker.DI


def days_late(invoice: HubInvoice, as_of: date) -> int:
    """Calendar days between the deadline and the day the hub sent it to KSeF, or ``as_of`` where it was not sent.

    As on the till (agent/domain/records/register.py): the day of sending counts, not that of the number, and a sending
    that KSeF refused counts for nothing.
    """
    if invoice.deadline is None or invoice.state is HubState.EXEMPT:
        return 0
    reached = (invoice.sent_at or invoice.accepted_at) if invoice.state in REACHED else None
    day = as_of if reached is None else min(local_date(reached), as_of)
    return max(0, (day - invoice.deadline).days)


def row(invoice: HubInvoice, till: Till, as_of: date) -> dict[str, Json]:
    """Return the row of one, by COLUMNS."""
    return {
        "shop": till.shop,
        "till": till.name,
        "number": invoice.number,
        "kind": invoice.kind,
        "issued_on": invoice.issued_on.isoformat(),
        "marker": marker(invoice, as_of).value,
        "ksef_number": invoice.ksef_number,
        "mode": invoice.mode or ("offline24" if invoice.offline else "online"),
        "state": invoice.state.value,
        "deadline": None if invoice.deadline is None else invoice.deadline.isoformat(),
        "days_late": days_late(invoice, as_of),
        "sent_at": None if invoice.sent_at is None else invoice.sent_at.isoformat(),
        "accepted_at": None if invoice.accepted_at is None else invoice.accepted_at.isoformat(),
        "upo": invoice.proven,
        "sha256": invoice.sha256.hex(),
        "buyer": invoice.buyer_identifier,
        "buyer_name": invoice.buyer_name,
        "gross": str(invoice.gross),
        "currency": invoice.currency,
    }


def is_invoice(invoice: HubInvoice, as_of: date) -> bool:
    """Return False for what KSeF refused while it was issued online, or whose case was closed by that day, as on the
    till (agent/domain/records/register.py): it has no row.
    """
    if invoice.closed_at is not None:
        return not happened_by(invoice.closed_at, as_of)
    return invoice.state is not HubState.REJECTED or invoice.offline


def rows(invoices: Iterable[HubInvoice], tills: Mapping[int, Till], as_of: date) -> list[dict[str, Json]]:
    """Return the rows of a month."""
    return [row(each, tills[each.till_id], as_of) for each in invoices if is_invoice(each, as_of)]


CSV_HEAD = "\ufeff" + ";".join(COLUMNS) + "\r\n"
"""What a CSV for a spreadsheet begins with: the mark of UTF-8, the names."""


def to_csv(found: Iterable[Mapping[str, Json]]) -> str:
    """Return the lines of rows for a spreadsheet: semicolons, no cell that would be a formula."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for each in found:
        writer.writerow([_cell(each[name]) for name in COLUMNS])
    return text.getvalue()


def _cell(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text)
    return f"'{text}" if text.startswith(_FORMULA) and number is None else text
