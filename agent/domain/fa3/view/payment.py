"""Rozliczenie and Platnosc: what is due, and how it was or will be paid."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class Charge:
    """Obciazenia or Odliczenia."""

    amount: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """Rozliczenie."""

    charges: tuple[Charge, ...] = ()
    charges_sum: Decimal | None = None
    deductions: tuple[Charge, ...] = ()
    deductions_sum: Decimal | None = None
    to_pay: Decimal | None = None
    """DoZaplaty."""
    to_settle: Decimal | None = None
    """DoRozliczenia: overpaid."""


@dataclass(frozen=True, slots=True)
class PartialPayment:
    """ZaplataCzesciowa. ``form`` is FormaPlatnosci "1".."7", or None with ``other_form``."""

    amount: Decimal
    paid_on: date
    form: str | None = None
    other_form: str | None = None


@dataclass(frozen=True, slots=True)
class DueDate:
    """TerminPlatnosci: a date, or words (Ilosc, Jednostka, ZdarzeniePoczatkowe joined)."""

    on: date | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class BankAccount:
    """RachunekBankowy, RachunekBankowyFaktora."""

    number: str
    swift: str | None = None
    bank: str | None = None
    description: str | None = None
    own: str | None = None
    """RachunekWlasnyBanku, "1".."3"."""


@dataclass(frozen=True, slots=True)
class PaymentView:
    """Platnosc."""

    paid: bool = False
    paid_on: date | None = None
    partly: str | None = None
    """ZnacznikZaplatyCzesciowej: "1" paid in part, "2" paid whole in parts."""
    partials: tuple[PartialPayment, ...] = ()
    due: tuple[DueDate, ...] = ()
    form: str | None = None
    """FormaPlatnosci, "1".."7"."""
    other_form: str | None = None
    """OpisPlatnosci."""
    accounts: tuple[BankAccount, ...] = ()
    factor_accounts: tuple[BankAccount, ...] = ()
    discount_terms: str | None = None
    """WarunkiSkonta."""
    discount_amount: str | None = None
    """WysokoscSkonta."""
    link: str | None = None
    """LinkDoPlatnosci."""
    ipksef: str | None = None
