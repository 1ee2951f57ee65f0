"""How the till stands: queue, mode, clock, what the till page asks for."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from agent.domain.calendar import local_date
from agent.domain.callers import Role
from agent.domain.invoice import Mode
from agent.domain.known_buyers import BuyerSourceName
from agent.domain.values import dataclass
from agent.services.buyers.lookup import FoundBuyer
from agent.services.outages.clock_check import ClockAnswer
from agent.services.outages.mode import ModeAnswer
from agent.web.answers.corrections import Held
from agent.web.answers.invoice import BuyerAddress, Invoice, address_of
from agent.web.wire import OMITTED, Count, Says


@dataclass(frozen=True, slots=True)
class Queue:
    """What KSeF does not have yet."""

    invoices: tuple[Invoice, ...]
    """Most urgent first, at most 500."""
    invoices_total: Count
    """How many there are in all."""
    held: tuple[Held, ...]
    refused: tuple[Held, ...]
    """Can never be issued; until a manager closes the case."""
    waiting_for_window: Count
    """How many of the unsent wait for a window (sync.backlog_hours); POST /v1/sync sends them now."""
    window_opens_at: datetime | None
    """When the next of these windows opens; null where nothing waits for one."""


@dataclass(frozen=True, slots=True)
class SyncBegun:
    """How many invoices wait to be sent."""

    waiting: Count


@dataclass(frozen=True, slots=True)
class CurrentMode:
    """The mode a press would get now."""

    mode: Mode
    reason: str
    """Polish."""
    legal_basis: str
    """Article of the VAT Act."""
    ksef: Annotated[str, Says(words=("up", "down", "unknown"))]
    latarnia: str
    """Status word of Latarnia, or unreachable."""
    declared: Annotated[str | None, Says(words=("offline24", "total_failure"))]
    """What a manager's word switched on."""
    declared_by: str | None
    declared_reason: str | None
    total_failure_to_confirm: bool
    """A total failure is announced and waits for a manager."""
    false_alarm_possible: bool
    """A total failure is over; DELETE with false_alarm brings the invoices issued in it back to the queue."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The till's clock, and whether it may date invoices."""

    shows: datetime
    date: date
    """What it shows as the date in Poland: P_1 of a press now."""
    state: Annotated[str, Says(words=("confirmed", "assumed", "unconfirmed", "wrong"))]
    """unconfirmed and wrong date no invoice."""
    confirmed_by: Annotated[str | None, Says(words=("ksef", "ntp", "manager"))]
    """Who vouched for the time since the machine started; null: nobody."""
    confirmed_at: datetime | None
    skew_seconds: float | None
    """The right time minus the till's; null where nothing tells."""
    problem: str | None
    """For people, in Polish; null where the clock dates invoices."""
    confirmable: bool
    """A manager's word ends the problem."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How far the event log is."""

    seq: int
    """Newest sequence number."""


@dataclass(frozen=True, slots=True)
class KnownBuyer:
    """A buyer by NIP."""

    nip: str
    name: str
    address: BuyerAddress | None
    source: BuyerSourceName
    """invoices: what a sale to this NIP said; white-list: what the Ministry's list of taxpayers says."""
    replaced: Annotated[str | None, OMITTED] = None
    """The remembered name that the white list contradicts; told once, and remembered no longer."""


@dataclass(frozen=True, slots=True)
class KnownBuyers:
    """Buyers by name."""

    buyers: tuple[KnownBuyer, ...]


@dataclass(frozen=True, slots=True)
class ManagerSession:
    """A manager at the till page."""

    manager: str
    """Whose PIN it was; what is done meanwhile is written down under this name."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the till page has to know at its start."""

    till: str
    nip: str
    version: str
    name: str
    """Name of the token."""
    role: Role
    sample_basket: bool
    lookup_buyers: bool
    manager_pin: bool
    """A manager can come in with a PIN."""
    screen_keyboard: bool
    return_to: tuple[str, ...]
    """Origins of programs that the page may go back to."""
    webhooks: bool
    """A program of the shop is told what becomes of invoices, with the buyer's e-mail address."""


def buyer_of(found: FoundBuyer) -> KnownBuyer:
    """Describe a buyer."""
    known = found.known
    return KnownBuyer(found.nip, known.name, address_of(known.address), known.source, found.replaced)


def mode_of(value: ModeAnswer) -> CurrentMode:
    """Describe the mode of the next press."""
    return CurrentMode(
        mode=value.mode,
        reason=value.reason,
        legal_basis=value.legal_basis,
        ksef=value.ksef,
        latarnia=value.latarnia,
        declared=value.declared,
        declared_by=value.declared_by,
        declared_reason=value.declared_reason,
        total_failure_to_confirm=value.total_failure_to_confirm,
        false_alarm_possible=value.false_alarm_possible,
    )


def clock_of(value: ClockAnswer) -> Clock:
    """Describe the clock."""
    return Clock(
        shows=value.shows,
        date=local_date(value.shows),
        state=value.state,
        confirmed_by=value.confirmed_by,
        confirmed_at=value.confirmed_at,
        skew_seconds=value.skew_seconds,
        problem=value.problem,
        confirmable=value.confirmable,
    )
