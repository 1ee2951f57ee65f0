"""What the pretended authority remembers, and how it behaves. No I/O here."""

from __future__ import annotations

from collections import deque
from dataclasses import field
from datetime import date, datetime, timedelta

from agent.domain.values import dataclass
from agent.ports import Clock, Json
from agent.sandbox.ksef.wire import JsonObject, stamp

InvoiceKey = tuple[str, str, str]
"""Seller's NIP, RodzajFaktury, P_2: what KSeF calls a duplicate."""


class SkewedClock:
    """KSeF's own time: the given clock, set wrong by ``skew`` where a test wants it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.skew = timedelta(0)

    def now(self) -> datetime:
        """Return KSeF's wall time, UTC."""
        return self._clock.now() + self.skew

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)


@dataclass
class Behaviour:
    """Moods that last. Delays and lifetimes in seconds; change them at any time."""

    auth_delay: float = 0.02
    number_delay: float = 0.05
    """From taking an invoice to its verdict."""
    storage_delay: float = 0.05
    """From the number to permanent storage; until then the invoice cannot be fetched (21165)."""
    session_delay: float = 0.05
    """From closing a session to its UPO."""
    enrollment_delay: float = 0.02
    challenge_lifetime: float = 600
    authentication_token_lifetime: float = 2700
    access_token_lifetime: float = 900
    refresh_token_lifetime: float = 7 * 86400
    redeem_delay: float = 0
    """From the proof to the tokens: until then redeeming is refused, even where the status says 200."""
    session_lifetime: float = 12 * 3600
    empty_session_lifetime: float = 12 * 3600
    """An interactive session without invoices ends by itself (440)."""
    session_cooldown: float = 0
    """An interactive session opened so soon after the end of another one of the context stands at 415."""
    unsettled_415: bool = False
    """A session stands at 415 between its close and the end of processing, not at 170 or 150."""
    batch_delay: float = 0
    """How much longer a batch stands at 150."""
    batch_upload_lifetime: float = 3600
    max_invoices: int = 10_000
    max_invoice_bytes: int = 1_000_000
    max_part_bytes: int = 100_000_000
    max_certificates: int = 100
    max_enrollments: int = 300
    blocked: bool = False
    """Authentications end with 480: a suspected incident."""
    maintenance: bool = False
    """Sessions are temporarily out of reach (21184)."""
    check_identifiers: bool = True
    """Check digits of NIP, as production does; False: as TEST, only where the opening asks for it by header."""
    attachments: bool = True
    """The seller may send invoices with attachments (a declaration in e-Urząd Skarbowy); False: 415."""
    strict_xml: bool = True
    """No BOM, processing instruction or discouraged character (docs/protocol.md, section 5)."""


@dataclass(frozen=True, slots=True)
class Status:
    """StatusInfo / InvoiceStatusInfo."""

    code: int
    description: str
    details: tuple[str, ...] = ()
    extensions: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Return it as KSeF writes it."""
        body: dict[str, Json] = {"code": self.code, "description": self.description}
        if self.details:
            body["details"] = list(self.details)
        if self.extensions:
            body["extensions"] = dict(self.extensions)
        return body


PROCESSING = Status(150, "Trwa przetwarzanie")
ACCEPTED = Status(200, "Sukces")


@dataclass(slots=True)
class LedgerEntry:
    """An accepted invoice."""

    ksef_number: str
    key: InvoiceKey
    issued_on: date
    xml: bytes = field(repr=False)
    sha256: bytes
    offline: bool
    session: str
    invoice: str
    """Reference of the invoice in its session."""
    context: str
    received_at: datetime
    accepted_at: datetime
    stored_after: float
    """Monotonic instant of permanent storage."""

    def to_json(self) -> JsonObject:
        """Return the line of GET {control}/ledger (docs/sandbox.md)."""
        nip, kind, number = self.key
        return {
            "ksef_number": self.ksef_number,
            "nip": nip,
            "kind": kind,
            "number": number,
            "sha256": self.sha256.hex(),
            "offline": self.offline,
            "session": self.session,
            "accepted_at": stamp(self.accepted_at),
        }


class Ledger:
    """Accepted invoices in order; at most one for each key."""

    def __init__(self) -> None:
        self._by_number: dict[str, LedgerEntry] = {}
        self._by_key: dict[InvoiceKey, LedgerEntry] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, entry: LedgerEntry) -> None:
        """Add; a second one of the same key is a defect of the sandbox."""
        if entry.key in self._by_key or entry.ksef_number in self._by_number:
            raise AssertionError(f"the ledger has {entry.key} already")
        self._by_key[entry.key] = entry
        self._by_number[entry.ksef_number] = entry

    def original(self, key: InvoiceKey) -> LedgerEntry | None:
        """Return what was accepted under that key."""
        return self._by_key.get(key)

    def get(self, ksef_number: str) -> LedgerEntry | None:
        """Return what was accepted under that number."""
        return self._by_number.get(ksef_number)

    def entries(self) -> list[LedgerEntry]:
        """Return all, oldest first."""
        return list(self._by_number.values())


@dataclass(slots=True)
class SentInvoice:
    """An invoice in a session, with the verdict that is shown from ``decided_at`` (monotonic) on."""

    reference: str
    ordinal: int
    sha256: bytes
    received_at: datetime
    decided_at: float
    verdict: Status
    offline: bool
    number: str | None = None
    file_name: str | None = None
    entry: LedgerEntry | None = None
    corrected_by: str | None = None
    """Reference of the valid technical correction."""
    relapses: int = 0
    """How often the verdict is still hidden after it was shown once: statuses out of order."""
    shown: bool = False

    def status(self, now: float) -> Status:
        """Return what KSeF says now; taking the question into account, for relapses."""
        if now < self.decided_at:
            return PROCESSING
        if self.shown and self.relapses > 0:
            self.relapses -= 1
            return PROCESSING
        self.shown = True
        return self.verdict


@dataclass(slots=True)
class UpoPage:
    """One page of a session's UPO."""

    reference: str
    xml: bytes = field(repr=False)


@dataclass(slots=True)
class Session:
    """An interactive or batch session. ``key`` None: the symmetric key did not decrypt (415)."""

    reference: str
    batch: bool
    context: str
    context_type: str
    proof: tuple[str, str]
    """Element and value of Uwierzytelnienie in the UPO."""
    key: bytes | None = field(repr=False)
    iv: bytes = field(repr=False)
    created_at: datetime
    updated_at: datetime
    opened_at: float
    """Monotonic."""
    expires: float
    """Monotonic."""
    valid_until: datetime
    offline: bool = False
    """Batch: declared for all invoices."""
    checks_identifiers: bool = False
    """Opened with X-KSeF-Feature: subject-identifier-validation."""
    invoices: dict[str, SentInvoice] = field(default_factory=dict)
    closed_at: float | None = None
    """Monotonic."""
    failure: Status | None = None
    pages: list[UpoPage] = field(default_factory=list)
    archive: Archive | None = None
    processed_at: float | None = None
    """Batch: when the package had been worked through."""


@dataclass(slots=True)
class Archive:
    """The declared package of a batch session and the parts that arrived."""

    size: int
    sha256: bytes
    compression: str
    declared: dict[int, tuple[int, bytes]]
    """Size and SHA-256 of each encrypted part by ordinal number."""
    secret: str
    uploaded: dict[int, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Mood:
    """What happens to the next invoice, instead of an honest verdict. Names: verdicts.MOODS."""

    name: str
    seconds: float = 3600.0


@dataclass
class Sessions:
    """All sessions, and the moods waiting for invoices."""

    by_reference: dict[str, Session] = field(default_factory=dict)
    moods: deque[Mood] = field(default_factory=deque)

    def hash_of(self, context: str, sha256: bytes) -> list[SentInvoice]:
        """Return all sent invoices of a context with that hash, oldest first."""
        return [
            invoice
            for session in self.by_reference.values()
            if session.context == context
            for invoice in session.invoices.values()
            if invoice.sha256 == sha256
        ]
