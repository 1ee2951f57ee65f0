"""What a document says of others: the invoices that it corrects, the advances that it settles."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from agent.domain.fa3.view.parties import PartyView
from agent.domain.invoice import CorrectedBase
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """What a KOR, KOR_ZAL, KOR_ROZ says of the invoices it corrects (art. 106j)."""

    bases: tuple[CorrectedBase, ...]
    """DaneFaKorygowanej."""
    reason: str | None = None
    """PrzyczynaKorekty."""
    effect: str | None = None
    """TypKorekty, "1".."3"."""
    period: str | None = None
    """OkresFaKorygowanej."""
    right_number: str | None = None
    """NrFaKorygowany: the right number of the base, where the number itself was wrong."""
    seller_before: PartyView | None = None
    """Podmiot1K."""
    buyers_before: tuple[PartyView, ...] = ()
    """Podmiot2K."""
    gross_before: Decimal | None = None
    """P_15ZK."""
    exchange_rate_before: Decimal | None = None
    """KursWalutyZK."""


@dataclass(frozen=True, slots=True)
class AdvancePart:
    """ZaliczkaCzesciowa."""

    paid_on: date
    amount: Decimal
    exchange_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AdvanceInvoice:
    """FakturaZaliczkowa: in KSeF (``ksef_number``) or outside (``number``)."""

    number: str | None = None
    ksef_number: str | None = None
