"""A typed, read-only view of an FA(3) document: what stands in the bytes, with the schema's own meaning.

Field docstrings name the FA(3) element. Amounts are Decimal exactly as written, in the invoice's currency
unless a field says PLN; absent optional elements are None or an empty tuple. Markers (TWybor1, TWybor1_2)
are bools: the word "1" is True. Sale lines and order lines share LineView.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from agent.domain.invoice import Address, Buyer, BuyerKind, CorrectedBase, RateTotal, Totals
from agent.domain.values import dataclass
from agent.domain.vat import ZERO, round_cents


class Kind(StrEnum):
    """RodzajFaktury."""

    VAT = "VAT"
    KOR = "KOR"
    ZAL = "ZAL"
    """Advance payment (art. 106b ust. 1 pkt 4)."""
    ROZ = "ROZ"
    """Settlement after advances (art. 106f ust. 3)."""
    UPR = "UPR"
    """Simplified (art. 106e ust. 5 pkt 3)."""
    KOR_ZAL = "KOR_ZAL"
    KOR_ROZ = "KOR_ROZ"

    @property
    def corrects(self) -> bool:
        """True for the three kinds that correct an invoice."""
        return self in (Kind.KOR, Kind.KOR_ZAL, Kind.KOR_ROZ)

    @property
    def advance(self) -> bool:
        """True where Zamowienie describes what the advance was paid for."""
        return self in (Kind.ZAL, Kind.KOR_ZAL)


class Margin(StrEnum):
    """PMarzy: which margin procedure (art. 119, art. 120)."""

    TRAVEL = "P_PMarzy_2"
    USED_GOODS = "P_PMarzy_3_1"
    ART = "P_PMarzy_3_2"
    ANTIQUES = "P_PMarzy_3_3"


@dataclass(frozen=True, slots=True)
class Contact:
    """DaneKontaktowe."""

    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class PartyView:
    """Podmiot1, Podmiot2, Podmiot3, PodmiotUpowazniony, Podmiot1K, Podmiot2K, Przewoznik.

    At most one identifier is set: ``nip``; ``internal_id`` (IDWew); ``eu_vat`` with ``id_country`` (KodUE);
    ``other_id`` (NrID) with an optional ``id_country`` (KodKraju). None of them: BrakID.
    """

    name: str | None
    address: Address | None
    nip: str | None = None
    internal_id: str | None = None
    eu_vat: str | None = None
    other_id: str | None = None
    id_country: str | None = None
    prefix: str | None = None
    """PrefiksPodatnika: the EU prefix that belongs before ``nip``."""
    eori: str | None = None
    gln: str | None = None
    """GLN of the address."""
    mail_address: Address | None = None
    """AdresKoresp."""
    contacts: tuple[Contact, ...] = ()
    status: str | None = None
    """StatusInfoPodatnika, "1".."4"."""
    customer_number: str | None = None
    """NrKlienta."""
    buyer_key: str | None = None
    """IDNabywcy."""
    role: str | None = None
    """Rola "1".."11", RolaPU "1".."3"."""
    role_description: str | None = None
    """OpisRoli, where the role is another one."""
    share: Decimal | None = None
    """Udzial, per cent."""
    local_government: bool = False
    """JST."""
    vat_group: bool = False
    """GV."""

    def as_buyer(self) -> Buyer:
        """Return the buyer as the rest of the agent knows it."""
        if self.nip is not None:
            return Buyer(BuyerKind.NIP, self.nip, "PL", self.name, self.address)
        if self.eu_vat is not None:
            return Buyer(BuyerKind.EU_VAT, self.eu_vat, self.id_country, self.name, self.address)
        if self.other_id is not None:
            return Buyer(BuyerKind.FOREIGN_ID, self.other_id, self.id_country, self.name, self.address)
        return Buyer(BuyerKind.NONE, None, None, self.name, self.address)


@dataclass(frozen=True, slots=True)
class LineView:
    """FaWiersz or ZamowienieWiersz (there: the element names with Z)."""

    number: int
    """NrWierszaFa, NrWierszaZam."""
    name: str | None = None
    """P_7; absent only by art. 106j ust. 3 pkt 2."""
    uu_id: str | None = None
    sold_on: date | None = None
    """P_6A."""
    index: str | None = None
    gtin: str | None = None
    pkwiu: str | None = None
    cn: str | None = None
    pkob: str | None = None
    unit: str | None = None
    """P_8A."""
    quantity: Decimal | None = None
    """P_8B."""
    price_net: Decimal | None = None
    """P_9A."""
    price_gross: Decimal | None = None
    """P_9B (art. 106e ust. 7 i 8)."""
    discount: Decimal | None = None
    """P_10: off the whole line, net or gross as the price is."""
    net: Decimal | None = None
    """P_11, P_11NettoZ."""
    gross: Decimal | None = None
    """P_11A."""
    tax: Decimal | None = None
    """P_11Vat, P_11VatZ."""
    rate: str | None = None
    """P_12, word for word."""
    oss_rate: Decimal | None = None
    """P_12_XII, per cent."""
    annex_15: bool = False
    """P_12_Zal_15."""
    excise: Decimal | None = None
    """KwotaAkcyzy."""
    gtu: str | None = None
    procedure: str | None = None
    exchange_rate: Decimal | None = None
    """KursWaluty: PLN for one unit of the currency."""
    before: bool = False
    """StanPrzed: this line is the state before the correction."""


@dataclass(frozen=True, slots=True)
class RateView:
    """P_13_x, P_14_x, P_14_xW; ``field`` is the x: "1".."5", "6_1".."6_3", "7".."11".

    A field that is filled with zeros, and whose rate no line has, is no sale and has none.
    """

    field: str
    net: Decimal
    tax: Decimal | None = None
    tax_pln: Decimal | None = None
    rates: tuple[str, ...] = ()
    """The P_12 words that fall into this field and occur in the lines; the field's usual word where none does."""

    @property
    def label(self) -> str:
        """The rate for people: "23", "8/7", "zw"."""
        return "/".join(self.rates)

    @property
    def gross(self) -> Decimal:
        """Net and tax together."""
        return self.net + (self.tax or ZERO)


@dataclass(frozen=True, slots=True)
class NewVehicle:
    """NowySrodekTransportu (art. 106e ust. 1 pkt 17)."""

    first_used: date
    """P_22A."""
    line: int
    """P_NrWierszaNST."""
    details: tuple[tuple[str, str], ...] = ()
    """The other P_22B.., P_22C.., P_22D.. elements as (element, value), in the document's order."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Adnotacje."""

    cash_accounting: bool = False
    """P_16."""
    self_billing: bool = False
    """P_17."""
    reverse_charge: bool = False
    """P_18."""
    split_payment: bool = False
    """P_18A."""
    exempt: bool = False
    """P_19."""
    exemption_act: str | None = None
    """P_19A: provision of the act."""
    exemption_directive: str | None = None
    """P_19B: provision of directive 2006/112/WE."""
    exemption_other: str | None = None
    """P_19C: another basis."""
    new_vehicles: tuple[NewVehicle, ...] = ()
    vehicle_duty: bool = False
    """P_42_5."""
    triangular: bool = False
    """P_23."""
    margin: Margin | None = None


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


@dataclass(frozen=True, slots=True)
class NoteView:
    """DodatkowyOpis; ``line`` where it belongs to one line."""

    key: str
    value: str
    line: int | None = None


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


@dataclass(frozen=True, slots=True)
class OrderView:
    """Zamowienie: what an advance was paid for; ``value`` is gross."""

    value: Decimal
    lines: tuple[LineView, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """Stopka/Rejestry."""

    full_name: str | None = None
    krs: str | None = None
    regon: str | None = None
    bdo: str | None = None


@dataclass(frozen=True, slots=True)
class AttachedTable:
    """Zalacznik/BlokDanych/Tabela. Rows may be shorter than the header."""

    notes: tuple[tuple[str, str], ...]
    description: str | None
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttachedBlock:
    """Zalacznik/BlokDanych."""

    heading: str | None
    notes: tuple[tuple[str, str], ...]
    paragraphs: tuple[str, ...]
    tables: tuple[AttachedTable, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """What a potwierdzenie shows of a document: all but its lines, rates, words and terms."""

    kind: Kind
    number: str
    """P_2."""
    issued_on: date
    """P_1."""
    currency: str
    seller: PartyView
    buyer: PartyView
    gross: Decimal
    """P_15: for ZAL the payment, for ROZ what is left to pay, for corrections a difference."""
    settlement: Settlement | None


@dataclass(frozen=True, slots=True)
class FaView(Heading):
    """One FA(3) document."""

    made_at: str
    """DataWytworzeniaFa, as written (ISO 8601)."""
    annotations: Annotations
    rates: tuple[RateView, ...] = ()
    lines: tuple[LineView, ...] = ()
    third_parties: tuple[PartyView, ...] = ()
    """Podmiot3."""
    authorised: PartyView | None = None
    """PodmiotUpowazniony."""
    issued_at_place: str | None = None
    """P_1M."""
    sold_on: date | None = None
    """P_6."""
    period: tuple[date, date] | None = None
    """OkresFa."""
    warehouse_documents: tuple[str, ...] = ()
    """WZ."""
    advance_exchange_rate: Decimal | None = None
    """KursWalutyZ."""
    correction: CorrectionView | None = None
    advance_parts: tuple[AdvancePart, ...] = ()
    advance_invoices: tuple[AdvanceInvoice, ...] = ()
    to_receipt: bool = False
    """FP: invoice to a fiscal receipt (art. 109 ust. 3d)."""
    related_parties: bool = False
    """TP."""
    excise_refund: bool = False
    """ZwrotAkcyzy."""
    notes: tuple[NoteView, ...] = ()
    payment: PaymentView | None = None
    terms: Terms | None = None
    order: OrderView | None = None
    footer: tuple[str, ...] = ()
    """StopkaFaktury."""
    registers: tuple[Register, ...] = ()
    attachment: tuple[AttachedBlock, ...] = ()
    system: str | None = None
    """SystemInfo."""

    @property
    def all_lines(self) -> tuple[LineView, ...]:
        """What is sold and what an advance was paid for, in this order."""
        return self.lines if self.order is None else (*self.lines, *self.order.lines)

    @property
    def day_of_sale(self) -> date:
        """The day that holds for what names none of its own: P_6, the last day of OkresFa, else P_1."""
        if self.sold_on is not None:
            return self.sold_on
        return self.issued_on if self.period is None else self.period[1]

    @property
    def changes_hands(self) -> Decimal:
        """What the customer pays, below zero what he gets: DoZaplaty or DoRozliczenia where one is given, else P_15.

        A correction's DoZaplaty may be all that is then left to pay, so its difference stays what moves.
        """
        if self.settlement is not None and self.settlement.to_settle is not None:
            return -self.settlement.to_settle
        to_pay = None if self.settlement is None or self.kind.corrects else self.settlement.to_pay
        return self.gross if to_pay is None else to_pay

    @property
    def totals(self) -> Totals:
        """The sums as the store keeps them, two decimals. Net and tax are sums of P_13_x and P_14_x; gross is P_15."""
        rates = tuple(
            RateTotal(rate.label, round_cents(rate.net), round_cents(rate.tax or ZERO), round_cents(rate.gross))
            for rate in self.rates
        )
        return Totals(
            net=sum((rate.net for rate in rates), ZERO),
            tax=sum((rate.tax for rate in rates), ZERO),
            gross=round_cents(self.gross),
            currency=self.currency,
            rates=rates,
        )
