"""What the store holds beside invoices: events, facts, print jobs, and what changes and finds invoices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from enum import StrEnum

from agent.domain.books.entry import BookEntry
from agent.domain.invoice import CorrectedBase, Mode
from agent.domain.json_io.canonical import Json
from agent.domain.lifecycle import HeldState, InvoiceState, PrintState
from agent.domain.records.filed import FiledInvoice
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the append-only log. ``chain`` = SHA-256 over the previous chain and this line."""

    seq: int
    at: datetime
    kind: str
    invoice_id: str | None
    data: Mapping[str, Json]
    chain: str = ""


@dataclass(frozen=True, slots=True)
class Copies:
    """What is known of the copies of the database. ``problem``: why the newest one was not made, None where it was."""

    last_at: datetime | None = None
    last_file: str | None = None
    failed_at: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An idempotency key that was used: the SHA-256 of its body and the invoice it made."""

    key: str
    body_sha256: bytes
    invoice_id: str


@dataclass(frozen=True, slots=True)
class PrintJob:
    """One print. ``copy`` is 1 for the original, 2.. for WYDRUK PONOWNY. ``data``: the bytes last sent."""

    id: int
    invoice_id: str
    copy: int
    document: str
    label: str
    state: PrintState
    created_at: datetime
    printer: str | None = None
    problem: str | None = None
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Fact:
    """An announcement of Latarnia, or a manager's declaration, as a fact on the timeline, kept for ever."""

    source: str
    """latarnia or manager."""
    body: Mapping[str, Json]
    seen_at: datetime
    id: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why KSeF refused an invoice, or what makes its number doubtful. ``text``: the code and KSeF's words."""

    code: int
    """KSeF's status code."""
    text: str


NO_REJECTION = Rejection(0, "")


@dataclass(frozen=True, slots=True)
class InvoiceChange:
    """Facts added to an invoice together with a move; None leaves a field as it is."""

    mode: Mode | None = None
    reason: str | None = None
    ksef_number: str | None = None
    accepted_at: datetime | None = None
    sent_at: datetime | None = None
    session_ref: str | None = None
    invoice_ref: str | None = None
    rejection: Rejection | None = None
    """NO_REJECTION takes it back."""
    not_before: datetime | None = None
    closed_at: datetime | None = None
    """Ends the case of a rejected invoice, for good."""
    attempted: bool = False
    """Adds one to attempts."""


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """Search; all given conditions hold. Dates are P_1, inclusive.

    ``text`` matches a part of number, buyer and reference, with or without Polish marks, a NIP in groups; the whole
    KSeF number; the amount (P_15, of corrections without its sign). ``papers``: states of the newest print.

    ``base_id``, ``base_number`` and ``base_ksef_number`` find corrections by any of the invoices they correct.
    """

    states: frozenset[InvoiceState] | None = None
    issued_from: date | None = None
    issued_to: date | None = None
    number: str | None = None
    sha256: bytes | None = None
    text: str | None = None
    papers: frozenset[PrintState] | None = None
    external_ref: str | None = None
    buyer_identifier: str | None = None
    base_id: str | None = None
    base_number: str | None = None
    base_ksef_number: str | None = None
    base_issued: tuple[date, date] | None = None
    """Corrections of invoices with P_1 from the first to the last of these days."""
    limit: int = 100
    after_id: str | None = None


@dataclass(frozen=True, slots=True)
class ErasureCandidate:
    """A consumer's invoice whose data may have to be erased. ``seq``: its place in the order of storing."""

    seq: int
    id: str
    number: str
    issued_on: date


@dataclass(frozen=True, slots=True)
class Unsent:
    """What planning needs of an invoice whose duty to send is open; without its bytes, so ten thousand are cheap."""

    id: str
    number: str
    state: InvoiceState
    mode: Mode
    version: int
    attempts: int
    deadline: date | None
    deadline_state: str
    issued_on: date
    issued_at: datetime
    not_before: datetime | None = None
    session_ref: str | None = None
    invoice_ref: str | None = None
    base_id: str | None = None
    rejection: str | None = None
    rejection_code: int = 0
    place: int = 0
    """Order of storing."""


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How many invoices of one state and deadline wait."""

    state: InvoiceState
    deadline: date | None
    invoices: int


class SessionKind(StrEnum):
    """How a session takes invoices."""

    ONLINE = "online"
    """One by one; its collective UPO comes after it was closed."""
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class KsefSession:
    """A session this till sent in."""

    reference: str
    kind: SessionKind


@dataclass(frozen=True, slots=True)
class StoredUpoPage:
    """Which page of a session's collective UPO it is; ``sha256`` is that of its bytes, which may be megabytes."""

    session: str
    page: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Confirmed:
    """An invoice of this store that a page names. ``right``: with the hash of its bytes."""

    invoice_id: str
    ksef_number: str
    sha256: bytes
    right: bool
    has_own: bool
    """It has a UPO of its own already."""


@dataclass(frozen=True, slots=True)
class Exempt:
    """An invoice that was issued in a total failure and never sent (art. 106ng)."""

    id: str
    number: str
    issued_on: date
    issued_at: datetime
    archived: bool
    """Exported to a folder: it cannot go back to the queue."""
    corrects_in_ksef: bool = False
    """It corrects what is in KSeF: older versions issued such a correction outside (docs/law.md, 106j-4)."""


@dataclass(frozen=True, slots=True)
class HeldCorrection:
    """A correction whose base has no KSeF number yet: durable, numbered and built once the number is there."""

    id: str
    base_id: str
    body: bytes
    """The checked correction as JSON (domain/json_io/codec.py)."""
    key: str
    pressed_by: str
    created_at: datetime
    state: HeldState = HeldState.WAITING
    invoice_id: str | None = None
    problem: str | None = None
    bases: tuple[CorrectedBase, ...] = ()
    """Everything it will correct; ``base_id`` is one of them."""


@dataclass(frozen=True, slots=True)
class BookedInvoice:
    """An invoice without its bytes, and what the books keep of it."""

    record: FiledInvoice
    entry: BookEntry
