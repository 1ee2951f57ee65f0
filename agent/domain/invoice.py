"""The sale as a till gives it, and the invoice as it is kept.

Amounts are Decimal in the invoice's currency, never float. Dates are Polish civil dates
(Europe/Warsaw); instants are aware and in UTC.
"""

from __future__ import annotations

import hashlib
from dataclasses import field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from agent.domain.errors import DocumentDamaged
from agent.domain.lifecycle import InvoiceState
from agent.domain.values import dataclass


class Mode(StrEnum):
    """How an invoice was issued (VAT Act)."""

    ONLINE = "online"
    """Art. 106gb, 106na: issued in KSeF on the day of P_1."""
    OFFLINE24 = "offline24"
    """Art. 106nda: the taxpayer's choice or a local outage; due the next business day."""
    UNAVAILABILITY = "unavailability"
    """Art. 106nh: announced maintenance; due the business day after its end."""
    FAILURE = "failure"
    """Art. 106nf: announced failure (awaria); due 7 business days after its end."""
    TOTAL_FAILURE = "total_failure"
    """Art. 106ng: announced in mass media; never sent."""
    OUTSIDE_KSEF = "outside_ksef"
    """Art. 106ga ust. 2 pkt 4: to a consumer, where the shop keeps such invoices out of KSeF; never sent."""


LEGAL_BASIS: dict[Mode, str] = {
    Mode.ONLINE: "art. 106gb",
    Mode.OFFLINE24: "art. 106nda",
    Mode.UNAVAILABILITY: "art. 106nh",
    Mode.FAILURE: "art. 106nf",
    Mode.TOTAL_FAILURE: "art. 106ng",
    Mode.OUTSIDE_KSEF: "art. 106ga ust. 2 pkt 4",
}


OFFLINE_MODES = frozenset({Mode.OFFLINE24, Mode.UNAVAILABILITY, Mode.FAILURE})
"""Modes in which an invoice exists before KSeF has it, and is sent by a deadline."""


class BuyerKind(StrEnum):
    """What identifies the buyer in Podmiot2/DaneIdentyfikacyjne."""

    NIP = "nip"
    EU_VAT = "eu_vat"
    FOREIGN_ID = "foreign_id"
    NONE = "none"
    """Consumer or no identifier: BrakID."""


class RecipientRole(StrEnum):
    """Rola of Podmiot3 (domain/sale/recipients.py)."""

    RECIPIENT = "recipient"
    LOCAL_GOVERNMENT = "local_government"
    VAT_GROUP = "vat_group"
    EMPLOYEE = "employee"

    @property
    def code(self) -> str:
        """TRolaPodmiotu3."""
        return {"recipient": "2", "local_government": "8", "vat_group": "10", "employee": "11"}[self.value]


class Prices(StrEnum):
    """What unit prices include."""

    GROSS = "gross"
    NET = "net"


class VatRate(StrEnum):
    """P_12, word for word as in the FA(3) schema."""

    R23 = "23"
    R22 = "22"
    R8 = "8"
    R7 = "7"
    R5 = "5"
    R4 = "4"
    R3 = "3"
    ZERO_DOMESTIC = "0 KR"
    ZERO_WDT = "0 WDT"
    ZERO_EXPORT = "0 EX"
    EXEMPT = "zw"
    REVERSE_CHARGE = "oo"
    NOT_SUBJECT_I = "np I"
    NOT_SUBJECT_II = "np II"


class ExemptionBasis(StrEnum):
    """Which kind of provision exempts the sale (rate zw): the FA(3) element that names it."""

    ACT = "P_19A"
    """The VAT Act or an act issued under it."""
    DIRECTIVE = "P_19B"
    """Directive 2006/112/EC."""
    OTHER = "P_19C"


@dataclass(frozen=True, slots=True)
class Address:
    """AdresL1/AdresL2 (512 characters each) and KodKraju."""

    line1: str
    line2: str | None = None
    country: str = "PL"


@dataclass(frozen=True, slots=True)
class Seller:
    """Podmiot1."""

    nip: str
    name: str
    address: Address
    bank_account: str = ""
    """NRB or IBAN for transfers (RachunekBankowy); empty: none."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Podmiot2. ``identifier`` without country prefix; ``country`` is KodUE or KodKraju of the identifier."""

    kind: BuyerKind
    identifier: str | None = None
    country: str | None = None
    name: str | None = None
    address: Address | None = None
    email: str | None = None
    """For the shop's own programs, which get it back; it is neither in the XML nor on paper."""

    @property
    def receives_in_ksef(self) -> bool:
        """A domestic buyer with NIP gets invoices in KSeF only; all others by art. 106gb ust. 4 pkt 2-5."""
        return self.kind is BuyerKind.NIP


@dataclass(frozen=True, slots=True)
class Recipient:
    """Podmiot3: for whom the buyer buys. At most one identifier; ``internal_id`` is IDWew (NIP-XXXXX)."""

    role: RecipientRole
    name: str
    nip: str | None = None
    internal_id: str | None = None
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class SaleLine:
    """FaWiersz. ``unit_price`` and ``discount`` (P_10, of the whole line) are gross or net as Sale.prices says."""

    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    vat: VatRate
    discount: Decimal = Decimal(0)
    gtu: str | None = None
    annex_15: bool = False
    """Goods or services of annex 15 to the VAT Act (P_12_Zal_15): domain/split_payment.py."""
    sku: str | None = None
    """The shop's own code (Indeks)."""
    ean: str | None = None
    """EAN or UPC (GTIN)."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment: method word of the API (cash, card, voucher, cheque, credit, transfer, mobile, or free text)."""

    method: str
    amount: Decimal
    due: date | None = None
    """TerminPlatnosci, of a payment agreed for later."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Kaucja for returnable packaging: no part of P_15, paid on top of it (Rozliczenie, Obciazenia).

    A negative amount is given back for empty packaging (Odliczenia).
    """

    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Note:
    """DodatkowyOpis: Klucz, Wartosc (256 characters each)."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class ReceiptLink:
    """The fiscal receipt this invoice belongs to (art. 106h): sets FP=1."""

    number: str
    register: str | None = None
    nip: str | None = None
    """The buyer's number on the receipt, as given (domain/fiscal_receipt.py). FA(3) does not carry it."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A valid sale: every rule of domain/sale/parse.py has been checked."""

    buyer: Buyer
    prices: Prices
    lines: tuple[SaleLine, ...]
    payments: tuple[Payment, ...] = ()
    sold_on: date | None = None
    currency: str = "PLN"
    exchange_rate: Decimal | None = None
    """KursWaluty: PLN for one unit of ``currency``; None for PLN, or where all is supplied abroad and none is given."""
    receipt: ReceiptLink | None = None
    notes: tuple[Note, ...] = ()
    external_ref: str | None = None
    exemption: str | None = None
    """Basis for rate zw: the provision's text."""
    exemption_basis: ExemptionBasis = ExemptionBasis.ACT
    deposits: tuple[Deposit, ...] = ()
    recipient: Recipient | None = None
    simplified: bool = False
    """RodzajFaktury UPR (domain/simplified.py)."""
    printed_here: bool = True
    """False: the till prints by its own means."""

    def with_register(self, number: str) -> Sale:
        """Return the sale with the unique number of the register, where its receipt names none."""
        if not number or self.receipt is None or self.receipt.register is not None:
            return self
        return replace(self, receipt=replace(self.receipt, register=number))


@dataclass(frozen=True, slots=True)
class RateTotal:
    """One VAT rate of an invoice: net (P_13_x), tax (P_14_x), gross."""

    rate: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    tax_pln: Decimal | None = None
    """P_14_xW where it is more than the tax converted: as a file states it, or the difference a correction makes."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of an invoice; ``gross`` is P_15."""

    net: Decimal
    tax: Decimal
    gross: Decimal
    currency: str
    rates: tuple[RateTotal, ...]

    @property
    def raises_tax(self) -> bool:
        """Of differences: whether there is more tax, or at the same tax a larger total (docs/law.md, 29a-13)."""
        return (self.tax or self.gross) > 0

    @property
    def supplied_abroad(self) -> bool:
        """Whether something of it has its place of supply outside Poland (np I, np II)."""
        return any(rate.rate in SUPPLIED_ABROAD for rate in self.rates)


def receives_in_ksef(buyer: Buyer, totals: Totals) -> bool:
    """Whether such an invoice is received in KSeF only; where the supply is abroad, never (art. 106gb ust. 4 pkt 1)."""
    return buyer.receives_in_ksef and not totals.supplied_abroad


SUPPLIED_ABROAD = frozenset({VatRate.NOT_SUBJECT_I.value, VatRate.NOT_SUBJECT_II.value})


@dataclass(frozen=True, slots=True)
class CorrectedBase:
    """DaneFaKorygowanej: what a correction corrects. ``ksef_number`` None means NrKSeFN (issued outside KSeF)."""

    number: str
    issued_on: date
    ksef_number: str | None = None
    invoice_id: str | None = None
    """Our own record of the base, where it was issued here."""


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """What one press makes, before it is stored. ``xml`` never changes after the commit."""

    id: str
    series: str
    serial: int | None
    """Position in the gapless series; None for a ready FA(3) that brings its own number."""
    number: str
    kind: str
    """RodzajFaktury: VAT, KOR, ZAL, ROZ, UPR, KOR_ZAL, KOR_ROZ."""
    issued_on: date
    issued_at: datetime
    mode: Mode
    reason: str
    """Why this mode, a Polish sentence a manager understands."""
    seller_nip: str
    buyer: Buyer
    totals: Totals
    xml: bytes
    sha256: bytes
    link_invoice: str
    """KOD I."""
    link_certificate: str | None
    """KOD II; None where no offline certificate is at hand."""
    deadline: date | None = None
    deadline_state: str | None = None
    """due, open or lifted; None: as mode and date say."""
    external_ref: str | None = None
    base_id: str | None = None
    """The invoice, of this store, that this one corrects and has to follow."""
    bases: tuple[CorrectedBase, ...] = ()
    """Everything a correction corrects, here or elsewhere, in the order of its file."""
    payments: tuple[Payment, ...] = ()
    pressed_by: str = ""
    """Name of the token that pressed."""


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """An invoice and the newest facts about it, as the store holds them; without its bytes, so a list is cheap."""

    id: str
    series: str
    serial: int | None
    number: str
    kind: str
    issued_on: date
    issued_at: datetime
    mode: Mode
    reason: str
    seller_nip: str
    buyer: Buyer
    totals: Totals
    state: InvoiceState
    version: int
    """1, or 2 after a technical correction; bytes, sha256 and links are those of this version."""
    sha256: bytes = field(repr=False)
    link_invoice: str = field(repr=False)
    link_certificate: str | None = field(repr=False)
    deadline: date | None
    deadline_state: str
    """due, open (the event has not ended), lifted (total failure)."""
    ksef_number: str | None = None
    accepted_at: datetime | None = None
    sent_at: datetime | None = None
    session_ref: str | None = None
    invoice_ref: str | None = None
    rejection: str | None = None
    """KSeF's status code and description, for people."""
    rejection_code: int = 0
    """KSeF's status code alone; 0 where there is none."""
    attempts: int = 0
    not_before: datetime | None = None
    """Do not send before this instant (Retry-After, back-off)."""
    closed_at: datetime | None = None
    """When a manager closed the case of this rejected invoice: it is no invoice, the sale has another document."""
    copies: int = 0
    """Prints that reached, or may have reached, paper."""
    external_ref: str | None = None
    base_id: str | None = None
    payments: tuple[Payment, ...] = ()
    pressed_by: str = ""
    bases: tuple[CorrectedBase, ...] = ()
    """What a correction corrects, also after its bytes were pruned."""
    has_upo: bool = False
    """KSeF's confirmation is here, or was exported."""

    @property
    def receives_in_ksef(self) -> bool:
        """Whether the buyer gets it in KSeF only."""
        return receives_in_ksef(self.buyer, self.totals)


@dataclass(frozen=True, slots=True)
class InvoiceRecord(InvoiceSummary):
    """An invoice with its bytes."""

    stored_xml: bytes = field(kw_only=True, repr=False)
    """As read; only ``xml`` may be used."""
    altered: bool = field(default=False, kw_only=True)
    """Number, day or amount of the row are not those of the bytes. They are sent, as what was issued; what the row says
    is not printed or told again."""

    @property
    def outside_ksef(self) -> bool:
        """Whether it has no KSeF number and never gets one: issued so, or its duty lifted by a total failure."""
        return self.ksef_number is None and (self.state is InvoiceState.EXEMPT or self.mode is Mode.TOTAL_FAILURE)

    @property
    def xml(self) -> bytes:
        """The bytes of the FA(3), checked against their hash at each use; empty where they were exported and pruned.

        DocumentDamaged where they are not those of ``sha256``.
        """
        if not self.intact:
            raise DocumentDamaged(f"Faktura {self.number}")
        return self.stored_xml

    @property
    def intact(self) -> bool:
        """Whether the bytes, where they are here, are those of ``sha256``."""
        return not self.stored_xml or hashlib.sha256(self.stored_xml).digest() == self.sha256
