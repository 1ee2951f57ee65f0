"""What the shells (HTTP, command line) may ask of the use cases, and what they get back.

`Till` is the whole agent seen from outside; agent/services/till.py implements it.
Errors are those of agent.domain.errors; every other exception is a defect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import BinaryIO, Protocol

from agent.domain.callers import Caller
from agent.domain.invoice import InvoiceRecord, Mode
from agent.ports import Event, InvoiceFilter, Json, Picture, PrinterStatus, PrintJob


@dataclass(frozen=True, slots=True)
class Paper:
    """What lies, or should lie, on the counter."""

    document: str
    """invoice or transaction_confirmation."""
    label: str
    state: str
    """PrintState of the newest job."""
    copies: int
    problem: str | None = None
    """Polish: what to do."""
    printer: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceAnswer:
    """An invoice as it stands now (docs/api.md)."""

    record: InvoiceRecord
    paper: Paper | None
    hand_over: str
    """One Polish sentence: what the cashier gives the customer now."""
    has_upo: bool = False
    """True once the UPO is stored."""
    held_by: str | None = None
    """Number of the base invoice this correction waits for."""


@dataclass(frozen=True, slots=True)
class UpoAnswer:
    """A UPO as KSeF gave it. ``scope``: invoice (of this one alone) or session (a page that names many)."""

    xml: bytes = field(repr=False)
    scope: str


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """A correction that waits for the KSeF number of its base; durable, and issued by itself."""

    id: str
    base_id: str
    base_number: str
    state: str
    """waiting, issued, refused."""
    gross: Decimal
    """The difference."""
    currency: str
    created_at: datetime
    hand_over: str
    problem: str | None = None
    invoice_id: str | None = None
    to_settle: bool = False
    """Refused, and no manager has closed the case yet."""


@dataclass(frozen=True, slots=True)
class IssueAnswer:
    """Answer to a press. ``replayed``: the key was seen before, nothing new was made or printed."""

    invoices: tuple[InvoiceAnswer, ...]
    """One; two where a wrong buyer was corrected (correction and new invoice); none of a held correction."""
    replayed: bool = False
    held: HeldAnswer | None = None


@dataclass(frozen=True, slots=True)
class ModeAnswer:
    """The mode a press would get now, and why."""

    mode: Mode
    reason: str
    legal_basis: str
    ksef: str
    """up, down, unknown."""
    latarnia: str
    """Status word of Latarnia, or unreachable."""
    declared: str | None = None
    """offline24 or total_failure: what a manager's word switched on."""
    declared_by: str | None = None
    declared_reason: str | None = None
    total_failure_to_confirm: bool = False
    """A total failure is announced and no manager has confirmed it."""
    false_alarm_possible: bool = False
    """A total failure is over, and calling it a false alarm would bring invoices back to the queue."""


@dataclass(frozen=True, slots=True)
class ClockAnswer:
    """The till's clock, and whether it may date documents (agent.domain.clock_check)."""

    shows: datetime
    state: str
    """confirmed, assumed, unconfirmed, wrong; the last two date nothing."""
    confirmed_by: str | None = None
    """ksef, ntp, manager; None: nobody in this boot."""
    confirmed_at: datetime | None = None
    """When they last did, on their clock."""
    skew_seconds: float | None = None
    """The right time minus this clock; None where nothing tells."""
    problem: str | None = None
    """Polish, for people; None where the clock dates documents."""
    confirmable: bool = False
    """A manager's word that the date is right would end the problem."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem HQ should see. ``code`` is stable."""

    code: str
    message: str
    since: datetime
    severity: str = "warning"
    """warning (degraded) or critical."""


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """The unsent queue."""

    unsent: int
    in_doubt: int
    rejected: int
    overdue: int
    next_deadline: date | None


@dataclass(frozen=True, slots=True)
class CertificateHealth:
    """One certificate: ``use`` is authentication or offline."""

    use: str
    serial: str
    expires: datetime
    days_left: int


@dataclass(frozen=True, slots=True)
class HealthReport:
    """GET /health. Built from memory, never blocks on a printer or on KSeF."""

    status: str
    """ok, degraded, critical."""
    version: str
    till: str
    nip: str
    at: datetime
    started_at: datetime
    mode: ModeAnswer
    queue: QueueHealth
    printers: tuple[PrinterStatus, ...]
    certificates: tuple[CertificateHealth, ...]
    clock_skew_seconds: float | None
    disk_free_bytes: int
    database_bytes: int
    latarnia_seen_at: datetime | None
    ksef_seen_at: datetime | None
    problems: tuple[Problem, ...] = ()
    ready: bool = True
    """A press would be taken."""
    live: bool = True
    """False once a defect has ended a part of the agent: the rest follows it."""
    clock: ClockAnswer | None = None


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """How far a webhook subscriber is. ``cursor`` and ``newest`` are sequence numbers of the event log."""

    name: str
    url: str
    cursor: int
    """Everything up to here was taken, or concerns it not."""
    newest: int
    failing_with: str | None
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Counters:
    """Monotonic counters and gauges for /metrics; labels are bounded words."""

    issued_by_mode: Mapping[str, int] = field(default_factory=dict)
    sends_by_outcome: Mapping[str, int] = field(default_factory=dict)
    prints_by_outcome: Mapping[str, int] = field(default_factory=dict)
    press_seconds_sum: float = 0.0
    press_seconds_count: int = 0
    press_buckets: Mapping[float, int] = field(default_factory=dict)
    """Upper bound in seconds -> presses not slower than that (cumulative)."""


class Till(Protocol):
    """The agent as seen by HTTP and the command line.

    A dropped caller never cancels work that has begun.
    """

    async def issue_sale(self, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        """Issue the invoice of a JSON sale. BadInput, KeyReused, Unavailable."""
        ...

    async def issue_ready(self, xml: bytes, key: str, caller: Caller, receipt_nip: str | None = None) -> IssueAnswer:
        """Take a ready FA(3) as it is; ``receipt_nip``: the buyer's number on the receipt of an FP document.

        BadInput, KeyReused, Conflict (number taken), Unavailable.
        """
        ...

    async def correct(self, invoice_id: str, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        """Issue a correction (KOR). BadInput, KeyReused, Conflict, NotFound."""
        ...

    async def correct_outside(self, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        """Correct an invoice this store does not hold ({"base", "correction"}). BadInput, KeyReused, Conflict."""
        ...

    async def technical_correction(self, invoice_id: str, caller: Caller, xml: bytes | None = None) -> InvoiceAnswer:
        """Send the same content again as new bytes, once, after a technical rejection. Conflict says why not."""
        ...

    async def resend(self, invoice_id: str, caller: Caller) -> InvoiceAnswer:
        """Send the same bytes again after KSeF refused them for missing permissions. Conflict says why not."""
        ...

    async def close(self, invoice_id: str, reason: str, caller: Caller) -> InvoiceAnswer:
        """End the case of a rejected invoice whose sale has another document: no duty, no alert any more."""
        ...

    async def reprint(self, invoice_id: str, caller: Caller) -> InvoiceAnswer:
        """Print again, marked WYDRUK PONOWNY."""
        ...

    async def invoice(self, invoice_id: str) -> InvoiceAnswer: ...

    async def invoices(self, query: InvoiceFilter) -> list[InvoiceAnswer]: ...

    async def queue(self) -> list[InvoiceAnswer]:
        """Unsent, most urgent first."""
        ...

    async def held(self) -> list[HeldAnswer]:
        """Corrections that wait for their base's number, oldest first."""
        ...

    async def refused(self) -> list[HeldAnswer]:
        """Corrections that can never be issued, until a manager closes the case; oldest first."""
        ...

    async def held_one(self, held_id: str) -> HeldAnswer:
        """One that waits or waited. NotFound."""
        ...

    async def reprint_slip(self, held_id: str, caller: Caller) -> HeldAnswer:
        """Print the customer's slip of a waiting correction again, marked. Conflict once it does not wait."""
        ...

    async def settle(self, held_id: str, reason: str, caller: Caller) -> HeldAnswer:
        """Close the case of a refused correction: no alert any more. Managers only."""
        ...

    async def events(self, invoice_id: str) -> list[Event]: ...

    async def prints(self, invoice_id: str) -> list[PrintJob]: ...

    async def upo(self, invoice_id: str, scope: str | None = None) -> UpoAnswer:
        """What confirms the invoice: its own UPO, else the page of its session's. NotFound while there is none.

        ``scope`` invoice or session asks for just that one; BadInput for any other word.
        """
        ...

    async def receipt_bytes(self, invoice_id: str) -> bytes:
        """ESC/POS bytes last sent; NotFound before the first print."""
        ...

    async def receipt_png(self, invoice_id: str, page: int = 1) -> Picture:
        """A page of the picture of exactly those bytes (of the current paper where nothing was sent)."""
        ...

    async def receipt_text(self, invoice_id: str) -> str: ...

    async def receipt_pdf(self, invoice_id: str, page: str) -> bytes:
        """The same document as PDF; page is a4 or receipt."""
        ...

    def mode(self) -> ModeAnswer: ...

    async def declare(self, mode: Mode, reason: str, caller: Caller) -> ModeAnswer:
        """offline24, or confirm total_failure. Managers only; reason required."""
        ...

    async def withdraw(self, reason: str, caller: Caller, *, false_alarm: bool = False) -> ModeAnswer:
        """End what was declared. ``false_alarm``: the total failure never was; also rejects an unconfirmed one."""
        ...

    def clock_state(self) -> ClockAnswer: ...

    async def confirm_clock(self, day: date, caller: Caller) -> ClockAnswer:
        """A manager says that the clock shows the right time. ``day``: the Polish date as it was shown.

        Conflict (clock-moved, clock-wrong) where it shows another day by now, or is certainly wrong.
        """
        ...

    async def register_rows(self, month: str, as_of: date | None) -> list[Mapping[str, Json]]:
        """Rows of the register for YYYY-MM, JPK marker as of a day."""
        ...

    async def register_csv(self, month: str, as_of: date | None) -> str: ...

    async def register_changes(self, month: str, since: date, as_of: date | None) -> list[Mapping[str, Json]]:
        """Rows of the month whose JPK marker is not what it was at the end of the day ``since``, and new rows."""
        ...

    async def register_counts(self, month: str, as_of: date | None) -> Mapping[str, Json]:
        """Counts of the month: how many offline, by mode, how late."""
        ...

    async def outbox(self) -> list[OutboxStatus]:
        """Webhook subscribers; empty where none is configured."""
        ...

    async def replay(self, from_id: int, caller: Caller) -> list[OutboxStatus]:
        """Deliver all events from that one on again. Managers only; BadInput for a number that is none."""
        ...

    async def evidence(self, first: date, last: date) -> BinaryIO:
        """One zip for an auditor, open; the caller closes it."""
        ...

    async def buyer(self, nip: str) -> Mapping[str, Json] | None:
        """Name and address by NIP: earlier invoices first, then (setting) the white list. Never blocks long."""
        ...

    async def sync_now(self) -> int:
        """Wake the sync; return how many wait."""
        ...

    def health(self) -> HealthReport: ...

    def counters(self) -> Counters: ...

    async def wait_changes(self, after: int, seconds: float) -> int:
        """Wait until the event log grows beyond ``after``, at most so long; return its newest sequence number."""
        ...
