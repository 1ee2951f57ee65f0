"""KSeF and Latarnia: calls, outcomes, verdicts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

from agent.domain.characters import told
from agent.domain.values import dataclass

NO_LIMIT = 1_000_000
"""Sends left, or allowed, where KSeF sets no limit."""
SESSION_CLOSED = 21180
SESSION_OVER = frozenset({21155, 21173, SESSION_CLOSED, 21184})
"""Full, not known, closed, under maintenance: this session takes nothing more and did not take this; a new one may, at
once."""


class CallOutcome(StrEnum):
    """What is known of a call that did not simply succeed (docs/protocol.md, section 4)."""

    REFUSED = "answered"
    """KSeF answered, and what it said is known: it did not take it."""
    NOT_SENT = "not_sent"
    """The bytes surely did not reach KSeF. Repeating is safe."""
    UNKNOWN = "unknown"
    """KSeF may have acted. Ask before repeating; resend only the same bytes."""


REFUSES_CALLER = frozenset({401, 403})
"""KsefError.code of a refusal of whoever asks, whatever he asks: no token, no right, blocked."""
SUCCESS = range(200, 300)
"""KsefError.code of an answer that says "done"."""
TOO_MANY = 429
"""KsefError.code of a limit: KSeF's refusal, or the own budget's word to wait (told apart by KsefError.outcome)."""


LONGEST_MESSAGE: Final = 4000
"""Characters of what is told of a call that failed; it may quote what KSeF said."""


class KsefError(Exception):
    """A call to KSeF that gave no usable result.

    sent        outcome class, see CallOutcome
    code        KSeF's exception code (e.g. 21184) or HTTP status, 0 where there was none
    retry_after seconds exactly as KSeF said, None where it said nothing
    body        first 4 kB of the answer, evidence
    link_down   True where the network, not KSeF, is at fault (feeds the circuit breaker)
    """

    def __init__(
        self,
        message: str,
        *,
        outcome: CallOutcome,
        code: int = 0,
        retry_after: float | None = None,
        body: str = "",
        link_down: bool = False,
    ) -> None:
        message = told(message, LONGEST_MESSAGE)
        super().__init__(message)
        self.message = message
        self.outcome = outcome
        self.code = code
        self.retry_after = retry_after
        self.body = body
        self.link_down = link_down

    @property
    def of_this_call_alone(self) -> bool:
        """Whether KSeF answered, and what else is asked may go well: it refused just this (404; not so of 429), or its
        answer about it cannot be read.
        """
        return self.refused_alone or self.unreadable

    @property
    def refused_alone(self) -> bool:
        """Whether KSeF refused just what was asked, and not for a limit: of what else there is (the documents of a list
        that may not be read, say) it said nothing.
        """
        return self.outcome is CallOutcome.REFUSED and self.code != TOO_MANY

    @property
    def of_its_subject(self) -> bool:
        """Whether KSeF answered whoever may ask, and refused what was asked about: it knows no such thing."""
        return self.refused_alone and not self.of_every_invoice

    @property
    def unreadable(self) -> bool:
        """Whether KSeF answered a success (2xx), and something in it is outside the contract."""
        return self.outcome is CallOutcome.UNKNOWN and not self.link_down and self.code in SUCCESS

    @property
    def of_every_invoice(self) -> bool:
        """Whether KSeF answered and would refuse any other invoice as well."""
        return self.outcome is CallOutcome.REFUSED and self.code in REFUSES_CALLER


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
    offline: bool | None = None
    """How KSeF took it (invoicingMode); None: not told."""
    took: float | None = None
    """Seconds from its arrival in KSeF to its number, by KSeF's own clock; None: not told."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """440: the same NIP + kind + number is there already; compare before adopting."""

    original_ksef_number: str | None
    original_session: str | None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """410, 415, 430, 435, 450, 500, ...: KSeF refused it. ``retryable`` for 405 and 550: cancelled, send again.

    ``by_ksef``: False where the hub, or the till itself, says that it has to go again; the code is not KSeF's then.
    """

    code: int
    description: str
    details: tuple[str, ...] = ()
    retryable: bool = False
    by_ksef: bool = True


Verdict = Pending | Accepted | Duplicate | Rejected


@dataclass(frozen=True, slots=True)
class Upo:
    """UPO of one invoice: XML as received; its hash was compared with KSeF's header where there was one."""

    xml: bytes
    ksef_number: str
    sha256: bytes
    """SHA-256 of the invoice according to the UPO."""


@dataclass(frozen=True, slots=True)
class UpoPage:
    """A page of a session's collective UPO: XML as received, its hash compared with KSeF's header where it gave one."""

    number: int
    reference: str
    xml: bytes = field(repr=False)
    documents: tuple[tuple[str, bytes], ...]
    """KSeF number and SHA-256 of every invoice it confirms."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One invoice to send. ``corrects`` is the hash of the rejected file in a technical correction.

    ``deadline``  the last day of the duty to send, as known now
    ``waited``    seconds that a customer still waits at the counter for its number; 0: nobody does
    """

    invoice_id: str
    xml: bytes = field(repr=False)
    sha256: bytes
    offline: bool
    corrects: bytes | None = None
    deadline: date | None = None
    waited: float = 0.0
    mode: str = ""
    """Mode of the invoice (agent.domain.invoice.Mode); KSeF itself is told ``offline`` only."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """An invoice that KSeF holds. ``gross``: P_15."""

    number: str
    """P_2."""
    kind: str
    """RodzajFaktury, without its underscore."""
    issued_on: date
    gross: Decimal
    currency: str
    ksef_number: str
    sha256: bytes = b""
    offline: bool = False
    """invoicingMode."""


@dataclass(frozen=True, slots=True)
class LedgerPart:
    """What KSeF was asked for. ``complete`` False: there is more than was asked for."""

    entries: tuple[LedgerEntry, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class LimitLeft:
    """What a group of calls has left of its rate limits, for whoever watches over many tills."""

    group: str
    """Named as KSeF names it (GET /rate-limits)."""
    windows: Mapping[str, tuple[int, int]]
    """second, minute, hour -> calls left and calls allowed; without those KSeF does not limit."""
    blocked_seconds: float
    """How long KSeF's last 429 still forbids every call of the group."""


@dataclass(frozen=True, slots=True)
class SendBudget:
    """What the rate limits still allow now. ``wait`` is seconds until one more send is allowed (0: now)."""

    sends_left_hour: int
    wait: float
    sends_left_minute: int = NO_LIMIT
    per_minute: int = NO_LIMIT
    per_hour: int = NO_LIMIT
    """The limits themselves: this till's part of them."""
    ksef_away: bool = False
    """The hub in between is there and says that KSeF does not answer it: what it is given now waits there."""


class KsefGateway(Protocol):
    """KSeF 2.0 as the use cases see it. All methods raise KsefError; none retries a send by itself.

    Authentication, token refresh, key rotation (21470) and limits are the gateway's own business.
    """

    async def session(self, invoice: Outgoing | None = None) -> SessionRef:
        """Return the warm interactive session, opening one where needed. Safe to repeat.

        ``invoice``: what is to be sent in it, where there is more than one way to KSeF.
        """
        ...

    def way_of(self, invoice_id: str) -> str:
        """Return a name for the way that this invoice takes; where one gives no session, another may. No I/O."""
        ...

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        """Send once; return the invoice's reference (202).

        KsefError.outcome tells whether to ask first. After 21180/21184/expiry the session is dropped,
        NOT_SENT is raised, and the next session() opens a new one.
        """
        ...

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        """Ask for one invoice. Safe to repeat."""
        ...

    async def find_all(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        """Everything KSeF has of a session, by SHA-256; empty for a session it does not know. Safe to repeat."""
        ...

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        """Fetch the UPO of an accepted invoice; by its number where the reference is not that session's.

        After 440 the UPO belongs to the original's session. Safe to repeat.
        """
        ...

    async def session_upo(self, session_ref: str, *, close: bool) -> tuple[UpoPage, ...] | None:
        """All pages of a session's collective UPO, None while KSeF has none yet. Safe to repeat.

        ``close``: an interactive session that is still open is closed, since only then there will be one.
        Empty where KSeF took nothing in that session: there never will be one.
        """
        ...

    async def invoice_sha256(self, ksef_number: str) -> bytes:
        """Return the SHA-256 of the original stored under that number (for 440). Safe to repeat.

        A new original may be readable only later: KsefError with code 21165 then.
        """
        ...

    async def issued_since(self, nip: str, since: datetime) -> LedgerPart:
        """What KSeF took of a seller since then, newest first (permission InvoiceRead). Safe to repeat.

        Eight calls at most, of the twenty an hour that KSeF allows to all tills of an address.
        """
        ...

    async def issued_on(self, nip: str, first: date, last: date) -> LedgerPart:
        """What KSeF holds of a seller with P_1 in these days (permission InvoiceRead). Safe to repeat.

        At most a part of what the limits allow in an hour is asked for: LedgerPart.complete tells.
        """
        ...

    @property
    def largest_batch(self) -> int:
        """How many invoices one batch may hold, as far as known now; no I/O."""
        ...

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        """Open a batch session for these, upload all parts, close it; return its reference.

        ``opened(reference)`` is awaited, and so made durable, before the first part leaves.
        KsefError.outcome says whether KSeF may have it.
        """
        ...

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        """Verdicts by SHA-256, None while KSeF still works on it. Safe to repeat.

        Pending without a reference: it is there, and is asked for with its batch again. A hash that is missing is not.
        """
        ...

    def budget(self) -> SendBudget:
        """What the rate limits allow now; no I/O."""
        ...

    async def learn_limits(self) -> None:
        """Read KSeF's limits where they were not read for hours; until then those of production hold."""
        ...

    async def probe(self) -> float | None:
        """Cheap anonymous call: seconds of clock skew (KSeF minus here). Raises KsefError when out of reach.

        None: it answers, and knows no right time (a hub that has not heard KSeF yet).
        """
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
