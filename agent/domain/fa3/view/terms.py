"""WarunkiTransakcji: contracts, orders, transport."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from agent.domain.fa3.view.parties import PartyView
from agent.domain.invoice import Address
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """Umowy, Zamowienia: a date and a number, either may be absent."""

    on: date | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Transport:
    """WarunkiTransakcji/Transport."""

    kind: str | None = None
    """RodzajTransportu."""
    other_kind: str | None = None
    carrier: PartyView | None = None
    order_number: str | None = None
    cargo: str | None = None
    """OpisLadunku, "1".."20"."""
    other_cargo: str | None = None
    packaging: str | None = None
    starts: str | None = None
    """DataGodzRozpTransportu, as written (ISO 8601)."""
    ends: str | None = None
    sent_from: Address | None = None
    sent_via: tuple[Address, ...] = ()
    sent_to: Address | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """WarunkiTransakcji."""

    contracts: tuple[Reference, ...] = ()
    orders: tuple[Reference, ...] = ()
    batches: tuple[str, ...] = ()
    delivery: str | None = None
    """WarunkiDostawy (Incoterms)."""
    agreed_rate: Decimal | None = None
    """KursUmowny."""
    agreed_currency: str | None = None
    transports: tuple[Transport, ...] = ()
    intermediary: bool = False
    """PodmiotPosredniczacy (art. 22 ust. 2d)."""
