"""Ports: what the use cases need of the world. Adapters live in store/, ksef/, printers/; app.py joins them.

Every docstring states the obligations: may it be repeated, which error, what an unknown outcome looks like.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from agent.domain.invoice import CorrectedBase, InvoiceRecord, Mode, NewInvoice
from agent.domain.lifecycle import InvoiceState, PrintState

T = TypeVar("T")
Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


# --- time -----------------------------------------------------------------------------------------


class Clock(Protocol):
    """The only source of time. Tests move it; nothing else reads a clock or sleeps."""

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, for budgets and ages."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        ...

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        """Await ``work`` at most so long; TimeoutError (and ``work`` cancelled) after that."""
        ...


# --- KSeF -----------------------------------------------------------------------------------------


class Sent(StrEnum):
    """What is known of a call that did not simply succeed (RELIABILITY: outcome classes)."""

    ANSWERED = "answered"
    """KSeF answered, and what it said is known: it did not take it."""
    NOT_SENT = "not_sent"
    """The bytes surely did not reach KSeF. Repeating is safe."""
    UNKNOWN = "unknown"
    """KSeF may have acted. Ask before repeating; resend only the same bytes."""


class KsefError(Exception):
    """A call to KSeF that gave no usable result.

    sent        outcome class, see Sent
    code        KSeF's exception code (e.g. 21184) or HTTP status, 0 where there was none
    retry_after seconds exactly as KSeF said, None where it said nothing
    body        first 4 kB of the answer, evidence
    link_down   True where the network, not KSeF, is at fault (feeds the circuit breaker)
    """

    def __init__(
        self,
        message: str,
        *,
        sent: Sent,
        code: int = 0,
        retry_after: float | None = None,
        body: str = "",
        link_down: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sent = sent
        self.code = code
        self.retry_after = retry_after
        self.body = body
        self.link_down = link_down


@dataclass(frozen=True, slots=True)
class SessionRef:
    """An open interactive session. ``valid_until`` is UTC."""

    reference: str
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Pending:
    """KSeF has it and has not decided (100, 150)."""

    code: int = 150


@dataclass(frozen=True, slots=True)
class Accepted:
    """200: the number (CRC-8 checked) and when KSeF gave it."""

    ksef_number: str
    accepted_at: datetime
    sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """440: the same NIP + kind + number is there already; compare before adopting."""

    original_ksef_number: str | None
    original_session: str | None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """410, 415, 430, 435, 450, 500, ...: KSeF refused it. ``retryable`` for 405 and 550: cancelled, send again."""

    code: int
    description: str
    details: tuple[str, ...] = ()
    retryable: bool = False


Verdict = Pending | Accepted | Duplicate | Rejected


@dataclass(frozen=True, slots=True)
class Upo:
    """UPO of one invoice: XML as received; its hash was compared with KSeF's header where there was one."""

    xml: bytes
    ksef_number: str
    sha256: bytes
    """SHA-256 of the invoice according to the UPO."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One invoice to send. ``corrects`` is the hash of the rejected file in a technical correction."""

    invoice_id: str
    xml: bytes = field(repr=False)
    sha256: bytes
    offline: bool
    corrects: bytes | None = None


@dataclass(frozen=True, slots=True)
class SendBudget:
    """What the rate limits still allow now. ``wait`` is seconds until one more send is allowed (0: now)."""

    sends_left_hour: int
    wait: float


class KsefGateway(Protocol):
    """KSeF 2.0 as the use cases see it. All methods raise KsefError; none retries a send by itself.

    Authentication, token refresh, key rotation (21470) and limits are the gateway's own business.
    """

    async def session(self) -> SessionRef:
        """Return the warm interactive session, opening one where needed. Safe to repeat."""
        ...

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        """Send once; return the invoice's reference (202).

        KsefError.sent tells whether to ask first. After 21180/21184/expiry the session is dropped,
        NOT_SENT is raised, and the next session() opens a new one.
        """
        ...

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        """Ask for one invoice. Safe to repeat."""
        ...

    async def find(self, session_ref: str, sha256: bytes) -> tuple[str, Verdict] | None:
        """Look for the file by its hash in a session: (invoice reference, verdict), None if KSeF has it not."""
        ...

    async def find_all(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        """Everything KSeF has of a session, by SHA-256; empty for a session it does not know. Safe to repeat."""
        ...

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        """Fetch the UPO of an accepted invoice; by its number where the reference is not that session's.

        After 440 the UPO belongs to the original's session. Safe to repeat.
        """
        ...

    async def invoice_sha256(self, ksef_number: str) -> bytes:
        """Return the SHA-256 of the original stored under that number (for 440). Safe to repeat.

        A new original may be readable only later: KsefError with code 21165 then.
        """
        ...

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        """Open a batch session for these, upload all parts, close it; return its reference.

        ``opened(reference)`` is awaited, and so made durable, before the first part leaves.
        KsefError.sent says whether KSeF may have it.
        """
        ...

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        """Verdicts by SHA-256, None while KSeF still works on it. Safe to repeat."""
        ...

    def budget(self) -> SendBudget:
        """What the rate limits allow now; no I/O."""
        ...

    async def probe(self) -> float:
        """Cheap anonymous call: seconds of clock skew (KSeF minus here). Raises KsefError when out of reach."""
        ...

    async def close(self) -> None:
        """Close the warm session and the connections. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class LatarniaReading:
    """One poll of Latarnia: the two answers as received (JSON text), and when."""

    status: str
    messages: str
    seen_at: datetime


class StatusSource(Protocol):
    """Latarnia."""

    async def read(self) -> LatarniaReading:
        """Fetch /status and /messages. KsefError when out of reach or not JSON; that is never an awaria."""
        ...


# --- signing KOD II ---------------------------------------------------------------------------------


class Signer(Protocol):
    """The Offline certificate: signs KOD II. The key is loaded once."""

    @property
    def serial(self) -> str:
        """Certificate serial, hexadecimal, upper case, as KSeF writes it."""
        ...

    @property
    def expires(self) -> datetime:
        """End of validity, UTC."""
        ...

    def sign(self, text: bytes) -> bytes:
        """ECDSA P-256 SHA-256 in P1363 form, or RSA-PSS (SHA-256, MGF1, 32-byte salt)."""
        ...


# --- paper ----------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """What the printer's own answer says of a job."""

    DONE = "done"
    NOT_SENT = "not_sent"
    """Nothing usable left the printer; a silent retry is right."""
    UNKNOWN = "unknown"
    """Paper may lie there; only a person decides, and the new print is marked."""


@dataclass(frozen=True, slots=True)
class PrintResult:
    """Outcome of one job. ``problem`` is Polish, for the cashier; ``code`` stable (paper-out, cover-open, ...)."""

    outcome: Outcome
    printer: str
    problem: str | None = None
    code: str | None = None
    confirmed: bool = True
    """False where the printer can not answer: DONE then means handed over, not printed."""


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """What a printer says of itself now."""

    name: str
    online: bool
    problem: str | None = None
    code: str | None = None
    near_end: bool = False


class Printer(Protocol):
    """A printer (or several with a fallback order). One job at a time; a stuck one never blocks the loop."""

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Printers in fallback order."""
        ...

    async def print(self, encode: Callable[[str], bytes], sent: Callable[[str, bytes], Awaitable[None]]) -> PrintResult:
        """Print on the first printer that takes it.

        ``encode(printer_name)`` gives the bytes for that printer; ``sent(printer_name, data)`` is awaited,
        and so made durable, before the first byte leaves. Finite in time; never raises for printer trouble.
        """
        ...

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Ask every printer. Finite in time; never raises."""
        ...


# --- alerts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem that starts or ends. ``code`` is stable; ``subject`` tells two of a kind apart (invoice id)."""

    code: str
    message: str
    severity: str
    """warning or critical."""
    since: datetime
    subject: str = ""
    active: bool = True


class AlertSink(Protocol):
    """Where alerts go (log, webhook). At least once, in order; never raises."""

    async def deliver(self, alert: Alert) -> None:
        """Hand one alert over."""
        ...


class WebhookSender(Protocol):
    """Plain HTTP POST to the shop's system."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        """POST once; the HTTP status, None where no answer came. Finite in time; never raises."""
        ...


# --- store ----------------------------------------------------------------------------------------


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
class InvoiceChange:
    """Facts added to an invoice together with a move; None leaves a field as it is."""

    mode: Mode | None = None
    reason: str | None = None
    ksef_number: str | None = None
    accepted_at: datetime | None = None
    sent_at: datetime | None = None
    session_ref: str | None = None
    invoice_ref: str | None = None
    rejection: str | None = None
    not_before: datetime | None = None
    closed_at: datetime | None = None
    """Ends the case of a rejected invoice, for good."""
    attempted: bool = False
    """Adds one to attempts."""


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """Search; all given conditions hold. Dates are P_1, inclusive. ``text`` matches number, buyer, reference.

    ``base_id``, ``base_number`` and ``base_ksef_number`` find corrections by any of the invoices they correct.
    """

    states: frozenset[InvoiceState] | None = None
    issued_from: date | None = None
    issued_to: date | None = None
    number: str | None = None
    text: str | None = None
    base_id: str | None = None
    base_number: str | None = None
    base_ksef_number: str | None = None
    base_issued: tuple[date, date] | None = None
    """Corrections of invoices with P_1 from the first to the last of these days."""
    limit: int = 100
    after_id: str | None = None


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


class Invoices(Protocol):
    """Invoices inside a transaction. Illegal moves raise IllegalTransition before SQLite's triggers would."""

    async def next_serial(self, series: str) -> int:
        """Return last + 1 of the series; taken for good only by add() in the same transaction."""
        ...

    async def add(self, invoice: NewInvoice) -> None: ...

    async def add_version(self, invoice_id: str, xml: bytes, sha256: bytes, links: tuple[str, str | None]) -> None:
        """New bytes of a rejected invoice (technical correction); the old version stays readable."""
        ...

    async def versions(self, invoice_id: str) -> tuple[bytes, ...]:
        """Return all XML versions, oldest first."""
        ...

    async def get(self, invoice_id: str) -> InvoiceRecord:
        """Return one; NotFound otherwise."""
        ...

    async def find(self, query: InvoiceFilter) -> list[InvoiceRecord]:
        """Newest first."""
        ...

    async def unsent(self, limit: int | None = None) -> list[InvoiceRecord]:
        """All whose duty to send is open (lifecycle.UNSENT): in doubt first, then by deadline, then by age.

        ``limit`` takes the most urgent ones only: a backlog of 10 000 is 60 MB of bytes.
        """
        ...

    async def queue(self) -> list[Unsent]:
        """The same invoices in the same order as unsent(), without their bytes."""
        ...

    async def without_upo(self, limit: int = 50) -> list[InvoiceRecord]:
        """Accepted invoices whose UPO is not stored yet, oldest first."""
        ...

    async def move(self, invoice_id: str, to: InvoiceState, change: InvoiceChange | None = None) -> InvoiceRecord: ...

    async def note(self, invoice_id: str, change: InvoiceChange) -> InvoiceRecord:
        """Add facts without a move."""
        ...

    async def set_deadline(self, invoice_id: str, deadline: date | None, state: str) -> None: ...

    async def add_upo(self, invoice_id: str, xml: bytes) -> None: ...

    async def upo(self, invoice_id: str) -> bytes | None: ...


class Events(Protocol):
    """The append-only, hash-chained log."""

    async def append(self, kind: str, data: Mapping[str, Json], invoice_id: str | None = None) -> Event: ...

    async def of_invoice(self, invoice_id: str) -> list[Event]: ...

    async def after(self, seq: int, limit: int = 1000) -> list[Event]: ...

    async def newest(self) -> int:
        """Return the newest sequence number, 0 for an empty log."""
        ...


class Keys(Protocol):
    """Idempotency keys."""

    async def get(self, key: str) -> KeyRecord | None: ...

    async def add(self, record: KeyRecord) -> None: ...


class Prints(Protocol):
    """The print journal."""

    async def add(self, invoice_id: str, document: str, label: str) -> PrintJob:
        """New job QUEUED with the next copy number of its invoice."""
        ...

    async def move(
        self,
        job_id: int,
        to: PrintState,
        *,
        printer: str | None = None,
        problem: str | None = None,
        data: bytes | None = None,
    ) -> PrintJob: ...

    async def of_invoice(self, invoice_id: str) -> list[PrintJob]: ...

    async def in_state(self, state: PrintState) -> list[PrintJob]: ...


class Facts(Protocol):
    """The timeline's facts, append-only."""

    async def add(self, fact: Fact) -> Fact: ...

    async def all(self) -> list[Fact]: ...


@dataclass(frozen=True, slots=True)
class HeldCorrection:
    """A correction whose base has no KSeF number yet: durable, numbered and built once the number is there."""

    id: str
    base_id: str
    body: bytes
    """The checked correction as JSON (domain/plain.py)."""
    key: str
    pressed_by: str
    created_at: datetime
    state: str = "waiting"
    """waiting, issued, refused."""
    invoice_id: str | None = None
    problem: str | None = None
    bases: tuple[CorrectedBase, ...] = ()
    """Everything it will correct; ``base_id`` is one of them."""


class Held(Protocol):
    """Corrections that wait for their base."""

    async def add(self, held: HeldCorrection) -> None: ...

    async def get(self, held_id: str) -> HeldCorrection | None: ...

    async def of_key(self, key: str) -> HeldCorrection | None: ...

    async def waiting(self) -> list[HeldCorrection]:
        """Oldest first."""
        ...

    async def of_base(self, base_id: str) -> list[HeldCorrection]:
        """All that name this invoice, a collective one too; oldest first."""
        ...

    async def of_number(self, number: str) -> list[HeldCorrection]:
        """All that name an invoice of this number, held here or not; oldest first."""
        ...

    async def close(
        self, held_id: str, state: str, *, invoice_id: str | None = None, problem: str | None = None
    ) -> None:
        """waiting -> issued or refused."""
        ...


class BuyerSource(Protocol):
    """A public directory of taxpayers (the Ministry's white list)."""

    async def find(self, nip: str) -> tuple[str, str | None] | None:
        """Return (name, address in one line) or None; never raises, never waits longer than its own short limit."""
        ...


class Notebook(Protocol):
    """Small durable values by name (circuit breaker, certificate renewal, cursors), JSON."""

    async def get(self, name: str) -> Json: ...

    async def put(self, name: str, value: Json) -> None: ...


class Transaction(Protocol):
    """All repositories of one unit of work; committed together with fsync, or not at all."""

    @property
    def invoices(self) -> Invoices: ...
    @property
    def events(self) -> Events: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def prints(self) -> Prints: ...
    @property
    def facts(self) -> Facts: ...
    @property
    def held(self) -> Held: ...
    @property
    def notebook(self) -> Notebook: ...


Work = Callable[[Transaction], Awaitable[T]]


class Store(Protocol):
    """Durable memory. A unit of work is a coroutine function run inside BEGIN IMMEDIATE by the one writer task."""

    async def write(self, work: Work[T]) -> T:
        """Run, commit with fsync, return. The caller may be cancelled; the work is not.

        An exception of ``work`` rolls back and comes out here. A full disk is Unavailable("disk-full"),
        nothing stored. A failed COMMIT ends the process (StoreLost): after the restart the key decides.
        ``work`` awaits nothing but its transaction.
        """
        ...

    async def read(self, work: Work[T]) -> T:
        """Run against a consistent snapshot; must not write."""
        ...

    async def check(self) -> str | None:
        """Verify integrity and foreign keys; a Polish sentence where something is wrong. Slow: daily."""
        ...

    def size(self) -> int:
        """Bytes of the database on disk."""
        ...
