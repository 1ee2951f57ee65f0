"""A typed, read-only view of one FA(3) document: what stands in the bytes, with the schema's own meaning.

Here and in the modules beside it, docstrings of fields name the FA(3) element. Amounts are Decimal exactly as written,
in the invoice's currency unless a field says PLN; absent optional elements are None or an empty tuple. Markers
(TWybor1, TWybor1_2) are bools: the word "1" is True.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from agent.domain.fa3.view.annotations import Annotations
from agent.domain.fa3.view.lines import LineView, OrderView, RateView
from agent.domain.fa3.view.notes import AttachedBlock, NoteView, Register
from agent.domain.fa3.view.parties import PartyView
from agent.domain.fa3.view.payment import PaymentView, Settlement
from agent.domain.fa3.view.related import AdvanceInvoice, AdvancePart, CorrectionView
from agent.domain.fa3.view.terms import Terms
from agent.domain.invoice import RateTotal, Totals
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


@dataclass(frozen=True, slots=True)
class Heading:
    """What a potwierdzenie shows of a document, and what changes hands: all but its lines, rates, words and terms."""

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

    @property
    def changes_hands(self) -> Decimal:
        """What the customer pays, below zero what he gets: DoZaplaty or DoRozliczenia where one is given, else P_15.

        A correction's DoZaplaty may be all that is then left to pay, so its difference stays what moves.
        """
        if self.settlement is not None and self.settlement.to_settle is not None:
            return -self.settlement.to_settle
        to_pay = None if self.settlement is None or self.kind.corrects else self.settlement.to_pay
        return self.gross if to_pay is None else to_pay


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
