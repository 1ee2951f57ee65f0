"""The bodies of requests, as the parsers read them (tests hold the two against each other).

A field with a default may be left out. Amounts are decimal strings; JSON integers are taken too, floats are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from agent.domain.corrections.correction import CorrectionKind
from agent.domain.fiscal_receipt import MAX_NUMBER
from agent.domain.invoice import Prices, RecipientRole, VatRate
from agent.domain.sale.parse import MAX_DEPOSITS, MAX_LINES, MAX_NOTES, MAX_PAYMENTS
from agent.domain.sale.ptu import PTU_LETTERS
from agent.web.wire import Says

Number = str | int
LineRate = StrEnum(  # type: ignore[misc]  # made of two lists that stand elsewhere
    "LineRate", {each.name: each.value for each in VatRate} | {f"PTU_{letter}": letter for letter in PTU_LETTERS}
)
Provision = Annotated[str, Says(high=256, example="art. 43 ust. 1 pkt 26")]
Reason = Annotated[str, Says(low=1, high=500)]


@dataclass
class SaleAddress:
    """AdresL1, AdresL2, KodKraju."""

    line1: Annotated[str, Says(high=512, example="ul. Świętokrzyska 12")]
    line2: Annotated[str | None, Says(high=512, example="00-916 Warszawa")] = None
    country: Annotated[str | None, Says(pattern="^[A-Z]{2}$", example="PL")] = None
    """ISO 3166-1, two letters. PL, or the country of eu_vat, where it is left out; required with a foreign_id that
    is plain text."""


@dataclass
class ForeignId:
    """Tax identifier of a country outside the EU."""

    country: Annotated[str, Says(pattern="^[A-Z]{2}$", example="US")]
    number: Annotated[str, Says(high=50, example="12-3456789")]


@dataclass
class SaleBuyer:
    """At most one identifier; none is a consumer. All have name and address (art. 106e ust. 1 pkt 3 of the VAT Act); of
    a NIP alone both are looked up, 422 `buyer-unknown` where nobody knows them in time."""

    nip: Annotated[str | None, Says(high=60, example="5260250274")] = None
    """Polish NIP, checksum checked; hyphens, blanks and the prefix PL are taken."""
    eu_vat: Annotated[str | None, Says(high=60, example="DE123456789")] = None
    """VAT UE number with its country prefix."""
    foreign_id: Annotated[str, Says(high=50)] | ForeignId | None = None
    """Tax identifier of another country."""
    none: bool | None = None
    """true: a consumer, said in so many words; the same as no identifier."""
    name: Annotated[str | None, Says(high=512, example="Ministerstwo Finansów")] = None
    address: SaleAddress | None = None
    email: Annotated[str | None, Says(high=255, example="biuro@example.pl")] = None
    """Comes back in answers and webhooks, for the shop's own programs; it is neither in the XML nor on paper."""


@dataclass
class SaleRecipient:
    """For whom a buyer with a Polish NIP buys (Podmiot3). At most one identifier; local_government and vat_group need
    one, an employee has none."""

    name: Annotated[str, Says(high=512, example="Szkoła Podstawowa nr 5")]
    role: RecipientRole | None = None
    """recipient where it is left out."""
    nip: Annotated[str | None, Says(high=60, example="5260250274")] = None
    """Polish NIP, checksum checked."""
    internal_id: Annotated[str | None, Says(pattern="^[0-9]{10}-[0-9]{5}$", example="5260250274-00001")] = None
    """IDWew of the unit."""
    address: SaleAddress | None = None


@dataclass
class SaleLine:
    """One line of the basket (FaWiersz)."""

    name: Annotated[str, Says(high=512, example="Kawa ziarnista 1 kg")]
    quantity: Annotated[Number, Says(example="1.250")]
    """Up to 6 decimals, more than 0."""
    unit_price: Annotated[Number, Says(example="64.90")]
    """Gross or net as `prices` says; up to 8 decimals."""
    vat: LineRate
    """P_12, or a letter of the fiscal cash register where the settings map it ([ptu])."""
    unit: Annotated[str | None, Says(high=256, example="szt.")] = None
    """szt. where it is left out."""
    discount: Annotated[Number | None, Says(example="1.00")] = None
    """Off the whole line, 2 decimals; gross or net as `prices` says."""
    gtu: Annotated[str | None, Says(pattern="^GTU_(0[1-9]|1[0-3])$", example="GTU_06")] = None
    """GTU code of the goods."""
    sku: Annotated[str | None, Says(high=50, example="KAWA-1KG")] = None
    """The shop's own code (Indeks)."""
    ean: Annotated[str | None, Says(pattern="^([0-9]{8}|[0-9]{12,14})$", example="5901234123457")] = None
    """EAN or UPC with its check digit (GTIN)."""
    annex_15: bool | None = None
    """true: goods or services of annex 15 to the VAT Act. Over 15 000 PLN to a taxpayer the invoice then says
    „mechanizm podzielonej płatności” (split payment)."""


@dataclass
class SalePayment:
    """One payment (Platnosc)."""

    method: Annotated[str, Says(high=256, example="card")]
    """cash, card, voucher, cheque, credit, transfer, mobile, in any case or in Polish. Any other text stands as it is
    (PlatnoscInna), and never counts as paid."""
    amount: Annotated[Number, Says(example="129.80")]
    """2 decimals, more than 0."""
    due: date | None = None
    """When it is to be paid; not for cash, card, voucher, cheque, mobile."""


@dataclass
class CorrectionPayment:
    """One payment that settles a correction."""

    method: Annotated[str, Says(high=256, example="card")]
    """As in a sale."""
    amount: Annotated[Number | None, Says(example="40.44")] = None
    """2 decimals, more than 0. return, full_return, price, exchange: an only payment without it is the whole."""
    due: date | None = None


@dataclass
class SaleDeposit:
    """Kaucja for returnable packaging: outside VAT, paid on top of the total."""

    name: Annotated[str, Says(high=256, example="Kaucja 10 × 0,50 zł")]
    amount: Annotated[Number, Says(example="5.00")]
    """2 decimals; negative where it is given back for empty packaging."""


@dataclass
class SaleReceipt:
    """The fiscal receipt this invoice belongs to (art. 106h of the VAT Act)."""

    number: Annotated[str, Says(high=256, example="W000123")]
    register: Annotated[str | None, Says(high=256, example="EAZ 2301234567")] = None
    """Unique number of the fiscal cash register."""
    nip: Annotated[str | None, Says(high=MAX_NUMBER, example="5260250274")] = None
    """The buyer's number as the receipt has it. Required with a buyer's NIP or VAT UE number, and the same
    (art. 106b ust. 5 of the VAT Act)."""


@dataclass
class SaleNote:
    """DodatkowyOpis: printed, and in the XML."""

    key: Annotated[str, Says(high=256, example="Zamówienie")]
    value: Annotated[str, Says(high=256, example="4711")]


@dataclass
class ExemptionAct:
    """A provision of the VAT Act (P_19A)."""

    act: Provision


@dataclass
class ExemptionDirective:
    """A provision of Directive 2006/112/EC (P_19B)."""

    directive: Annotated[str, Says(high=256, example="art. 132 ust. 1 lit. e)")]


@dataclass
class ExemptionOther:
    """Another legal basis (P_19C)."""

    other: Annotated[str, Says(high=256, example="art. 8 umowy z 24.05.2016")]


Exemption = Provision | ExemptionAct | ExemptionDirective | ExemptionOther


@dataclass
class Sale:
    """A sale as the till gives it."""

    buyer: SaleBuyer
    prices: Prices
    lines: Annotated[tuple[SaleLine, ...], Says(low=1, high=MAX_LINES)]
    recipient: SaleRecipient | None = None
    payments: Annotated[tuple[SalePayment, ...] | None, Says(high=MAX_PAYMENTS)] = None
    """Where given, they add up to the total and the deposits."""
    deposits: Annotated[tuple[SaleDeposit, ...] | None, Says(high=MAX_DEPOSITS)] = None
    sold_on: date | None = None
    """P_6; the day of issue where it is left out, never in the future."""
    currency: Annotated[str | None, Says(pattern="^[A-Z]{3}$", example="PLN")] = None
    """ISO 4217; PLN where it is left out."""
    exchange_rate: Annotated[Number | None, Says(example="4.3210")] = None
    """PLN for one unit; required unless PLN, or where every line is np I or np II."""
    receipt: SaleReceipt | None = None
    notes: Annotated[tuple[SaleNote, ...] | None, Says(high=MAX_NOTES)] = None
    print: bool | None = None
    """false: nothing is printed, the till does it by its own means; receipt.pdf, receipt.png and receipt.escpos of the
    invoice are what to print."""
    external_ref: Annotated[str | None, Says(high=256, example="order-4711")] = None
    """The till's own reference; it comes back everywhere."""
    simplified: bool | None = None
    """A simplified invoice (UPR): at most 450 PLN or 100 EUR, with the buyer's NIP or VAT UE number, whose name and
    address may then be left out (art. 106e ust. 5 pkt 3 of the VAT Act)."""
    exemption: Exemption | None = None
    """Legal basis of rate zw: a provision of the VAT Act as plain text, or an object that says of what it is."""


@dataclass
class CorrectedLine:
    """What changes on a line."""

    line: Annotated[int, Says(low=1, example=1)]
    """Number of the line on the invoice."""
    quantity: Annotated[Number | None, Says(example="1")] = None
    """return: how much comes back."""
    unit_price: Annotated[Number | None, Says(example="9.99")] = None
    """price: the new price."""
    discount: Annotated[Number | None, Says(example="0")] = None
    """price: the new discount."""


@dataclass
class RateReduction:
    """Reduction of one rate, by a collective correction."""

    vat: VatRate
    amount: Annotated[Number, Says(example="100.00")]
    """Gross or net as the base's prices."""


@dataclass
class CorrectedInvoice:
    """An invoice that a collective correction names. One that is not on this till has issued_on, and ksef_number or
    outside_ksef."""

    number: Annotated[str, Says(high=256, example="FV-1/2026/10/000017")]
    issued_on: date | None = None
    ksef_number: Annotated[str | None, Says(high=60, example="5265877635-20261124-0100001AF629-AF")] = None
    outside_ksef: bool | None = None


@dataclass
class ExchangedSale:
    """A sale without buyer, prices and payments, which are those of the invoice and of its correction."""

    lines: Annotated[tuple[SaleLine, ...], Says(low=1, high=MAX_LINES)]
    recipient: SaleRecipient | None = None
    deposits: Annotated[tuple[SaleDeposit, ...] | None, Says(high=MAX_DEPOSITS)] = None
    sold_on: date | None = None
    currency: Annotated[str | None, Says(pattern="^[A-Z]{3}$", example="PLN")] = None
    """That of the invoice."""
    exchange_rate: Annotated[Number | None, Says(example="4.3210")] = None
    receipt: SaleReceipt | None = None
    notes: Annotated[tuple[SaleNote, ...] | None, Says(high=MAX_NOTES)] = None
    external_ref: Annotated[str | None, Says(high=256, example="order-4711")] = None
    simplified: bool | None = None
    exemption: Exemption | None = None


@dataclass
class Correction:
    """What is to be corrected."""

    kind: CorrectionKind
    """full_return: everything that is left; return: part of some lines; price: other unit prices; buyer: wrong buyer
    (two documents where the identifier changes); exchange: a return and a sale in one basket (two documents);
    collective: one discount over several invoices."""
    reason: Annotated[str | None, Says(high=256, example="zwrot towaru")] = None
    lines: tuple[CorrectedLine, ...] | None = None
    """return, exchange and price."""
    sale: ExchangedSale | None = None
    """exchange: what the customer takes instead, to the same buyer and at prices of the same kind."""
    buyer: SaleBuyer | None = None
    """buyer: the right one."""
    payments: Annotated[tuple[CorrectionPayment, ...] | None, Says(high=MAX_PAYMENTS)] = None
    """How the difference was settled, positive amounts."""
    deposits: Annotated[tuple[SaleDeposit, ...] | None, Says(high=MAX_DEPOSITS)] = None
    """full_return, return, exchange: kaucja given back with the goods, beside the difference; at most what was paid."""
    period: Annotated[str | None, Says(high=256, example="październik 2026")] = None
    """collective."""
    rates: tuple[RateReduction, ...] | None = None
    """collective."""
    bases: tuple[CorrectedInvoice, ...] | None = None
    """collective: the other invoices; the one in the path is always one of them."""


@dataclass(kw_only=True)
class OutsideBase(Sale):
    """An invoice issued elsewhere: the sale as it was, its number and date, and ksef_number or outside_ksef."""

    number: Annotated[str, Says(high=256, example="FV/7/2025")]
    """P_2 of the invoice."""
    issued_on: date
    """P_1."""
    ksef_number: Annotated[str | None, Says(high=60, example="5265877635-20261124-0100001AF629-AF")] = None
    """35 characters."""
    outside_ksef: bool | None = None
    """true: it has no KSeF number and gets none."""


@dataclass
class OutsideCorrection:
    """A correction of an invoice that is not on this till."""

    base: OutsideBase
    correction: Correction


@dataclass
class ModeDeclaration:
    """A manager's word on the mode."""

    mode: Literal["offline24", "total_failure"]
    reason: Reason
    """Kept in the log."""


@dataclass
class ModeWithdrawal:
    """What ends a declared mode."""

    reason: Reason | None = None
    """Required, here or in the query."""
    false_alarm: bool = False
    """true: the total failure never was; every duty to send is back."""


@dataclass
class ReasonGiven:
    """Why."""

    reason: Reason
    """Kept in the log."""


@dataclass
class ClockConfirmation:
    """The date that was shown."""

    date: date
    """Poland."""


@dataclass
class Replay:
    """From where webhooks are delivered again."""

    from_: Annotated[int, Says(low=1)]
    """Number (`id`) of the first event."""
