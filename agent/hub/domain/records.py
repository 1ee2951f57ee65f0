"""What the hub keeps: sellers, tills, people, invoices and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub.domain.presence import Presence
from agent.hub.domain.states import HubState
from agent.hub_contract.heartbeat import Heartbeat


class HubRole(StrEnum):
    """What a person's token may do."""

    VIEWER = "viewer"
    """The fleet page, one till's page, search."""
    AUDITOR = "auditor"
    """Register, evidence, search."""
    MANAGER = "manager"
    """Everything."""
    MONITOR = "monitor"
    """The metrics, for a program that watches the hub."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whose token it is, and what it allows. ``nip``: the only seller it may look at, None: every one."""

    name: str
    role: HubRole
    nip: str | None = None


@dataclass(frozen=True, slots=True)
class Seller:
    """A NIP the hub sends for. ``access`` names files with its credentials, never the credentials themselves."""

    nip: str
    name: str
    access: Mapping[str, Json]
    added_at: datetime
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Till:
    """A till as the hub knows it: its token binds it to a NIP, a name and series.

    ``series``: what its invoice numbers begin with; empty where numbers come from elsewhere (ready FA(3)).
    """

    id: int
    nip: str
    name: str
    shop: str
    series: tuple[str, ...]
    added_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """An invoice that a correction names: its number, and its KSeF number where the correction gives one."""

    number: str
    ksef_number: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """An invoice as a till hands it over: what the bytes say, and what only the till knows.

    ``version``, ``corrects``  a technical correction is version 2 and later, and names the hash of the file it replaces
    ``group``                  the till's name for what it handed over together (its session or batch at the hub)
    ``urgent_until``           a customer waits at the counter until then
    """

    sha256: bytes
    xml: bytes = field(repr=False)
    nip: str
    kind: str
    number: str
    issued_on: date
    gross: Decimal
    currency: str
    buyer_identifier: str | None
    buyer_name: str | None
    offline: bool
    group: str
    bases: tuple[Base, ...] = ()
    version: int = 1
    corrects: bytes | None = None
    deadline: date | None = None
    urgent_until: datetime | None = None
    mode: str = ""
    """As the till decided it; empty from tills that do not say."""


@dataclass(frozen=True, slots=True)
class BacklogSize:
    """How much waits that nobody waits for, and how much of it is due today."""

    size: int
    due_today: int


@dataclass(frozen=True, slots=True)
class Original:
    """The document KSeF holds under the same NIP, kind and number."""

    ksef_number: str
    session: str | None
    sha256: str
    """Hexadecimal."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why KSeF refused an invoice; ``original`` is set for 440 with other bytes."""

    code: int
    description: str
    details: tuple[str, ...] = ()
    original: Original | None = None


@dataclass(frozen=True, slots=True)
class HubInvoice:
    """An invoice as the hub has it, without its bytes."""

    sha256: bytes
    till_id: int
    nip: str
    kind: str
    number: str
    issued_on: date
    gross: Decimal
    currency: str
    buyer_identifier: str | None
    buyer_name: str | None
    offline: bool
    group: str
    version: int
    corrects: bytes | None
    deadline: date | None
    urgent_until: datetime | None
    received_at: datetime
    state: HubState
    attempts: int
    not_before: datetime | None
    session_ref: str | None
    invoice_ref: str | None
    sent_at: datetime | None
    ksef_number: str | None
    accepted_at: datetime | None
    refusal: Refusal | None
    trouble: str | None
    """What went wrong at the last attempt, in Polish."""
    proven: bool
    """KSeF's confirmation is here."""
    mode: str = ""
    closed_at: datetime | None = None
    """When the case of this refused invoice was closed, at its till or here."""


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """What a move adds to an invoice; None leaves a field as it is."""

    session_ref: str | None = None
    invoice_ref: str | None = None
    sent_at: datetime | None = None
    ksef_number: str | None = None
    accepted_at: datetime | None = None
    refusal: Refusal | None = None
    not_before: datetime | None = None
    trouble: str | None = None
    attempted: bool = False
    """Adds one to attempts."""


class OutcomeKind(StrEnum):
    """What became of an invoice, as its till hears it."""

    SENT = "sent"
    """KSeF has it and has not decided."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    """KSeF holds another document under that number."""
    DOUBT = "doubt"
    """Nobody knows yet whether KSeF has it."""
    UPO = "upo"
    """KSeF's confirmation, the invoice's own or its part of its session's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of what a till is told, in its order. ``mark`` chains it to the lines before."""

    seq: int
    at: datetime
    sha256: bytes
    kind: OutcomeKind
    data: Mapping[str, Json]
    mark: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a till has read: the last line it has made durable, and that line's mark."""

    seq: int = 0
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.seq}.{self.mark}"


@dataclass(frozen=True, slots=True)
class LastBeat:
    """What was last heard of a till, and where from. ``duplicate_at``: when another till of its name was heard."""

    till_id: int
    presence: Presence
    address: str
    duplicate_at: datetime | None
    beat: Heartbeat


@dataclass(frozen=True, slots=True)
class OpenCount:
    """Invoices of a till in one state that is not final, the nearest of their deadlines, the oldest arrival."""

    nip: str
    till_id: int
    state: HubState
    count: int
    deadline: date | None
    oldest: datetime


@dataclass(frozen=True, slots=True)
class UnreadRefusals:
    """What KSeF refused of a till, and the till has not read: the nearest deadline, when the oldest was told."""

    nip: str
    till_id: int
    count: int
    deadline: date | None
    oldest: datetime


@dataclass(frozen=True, slots=True)
class DayCount:
    """Invoices of a till issued on one day: how many, how many had their number while the customer waited, and when.

    ``first_at``, ``last_at``: when they came to the hub.
    """

    day: date
    till_id: int
    count: int
    online: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Leader:
    """Which process talks to KSeF for a name, or did last."""

    name: str
    holder: str
    since: datetime


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What people, tills and the hub itself did, append-only."""

    seq: int
    at: datetime
    kind: str
    nip: str | None
    till_id: int | None
    data: Mapping[str, Json]
