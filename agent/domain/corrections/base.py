"""What a correction starts from: an invoice as it stands after all its earlier corrections.

Our corrections show each changed line twice, before (StanPrzed) and after, under the number the line has on the
invoice. So the present state of a line is the last "after" row that names it, and reading it back needs nothing but
the stored bytes (docs/decisions.md, number 24).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from agent.domain import vat
from agent.domain.errors import Conflict
from agent.domain.fa3.elements import RECEIPT_NUMBER_KEY, REGISTER_NUMBER_KEY
from agent.domain.fa3.recipient import recipient_of
from agent.domain.fa3.view.annotations import Annotations
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.lines import LineView, RateView
from agent.domain.invoice import (
    Buyer,
    CorrectedBase,
    Deposit,
    ExemptionBasis,
    InvoiceRecord,
    Note,
    Prices,
    RateTotal,
    ReceiptLink,
    Recipient,
    SaleLine,
    Totals,
    VatRate,
)
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import refusal
from agent.domain.values import dataclass

ELSEWHERE = "Skoryguj ją w systemie, który ją wystawił."


@dataclass(frozen=True, slots=True)
class Row:
    """A line at some moment. ``number`` is NrWierszaFa of the invoice, ``value`` P_11A (gross) or P_11 (net)."""

    number: int
    line: SaleLine
    value: Decimal

    @property
    def emptied(self) -> Row:
        """The line when all of it was returned."""
        return Row(self.number, replace(self.line, quantity=Decimal(0), discount=vat.ZERO), vat.ZERO)

    @property
    def usual(self) -> bool:
        """Whether the value is quantity x price - discount; P_10 of other systems may be meant per piece."""
        return abs(vat.line_value(self.line) - self.value) <= vat.CENT


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line before (StanPrzed) and after a correction; both rows have the same number."""

    before: Row
    after: Row


@dataclass(frozen=True, slots=True)
class BaseInvoice:
    """An invoice to correct, as it stands now."""

    reference: CorrectedBase
    awaiting: bool
    """It goes through KSeF and has no number yet: its corrections wait."""
    seller_nip: str
    buyer: Buyer
    prices: Prices
    currency: str
    exchange_rate: Decimal | None
    rows: tuple[Row, ...]
    """All lines, returned ones with quantity 0."""
    totals: Totals
    """The invoice and its corrections together, as the files state them."""
    sold_on: date | None = None
    exemption: str | None = None
    exemption_basis: ExemptionBasis = ExemptionBasis.ACT
    to_receipt: bool = False
    split_payment: bool = False
    """The invoice, or a correction of it, carries the annotation (P_18A)."""
    receipt: ReceiptLink | None = None
    notes: tuple[Note, ...] = ()
    recipient: Recipient | None = None
    deposits: tuple[Deposit, ...] = ()
    """Paid on top of the total; what was given back for old packaging on the invoice itself is negative."""
    deposits_back: tuple[Deposit, ...] = ()
    """What its corrections gave back of them: negative."""
    simplified: bool = False
    """RodzajFaktury UPR: the buyer's name and address may be missing, and the total has a limit."""
    corrected_collectively: bool = False
    """A collective correction took part of it; its share in each line is not known."""

    @property
    def deposits_left(self) -> Decimal:
        """Deposits paid with this invoice and not given back; old packaging that came with it is another matter."""
        paid = sum((deposit.amount for deposit in self.deposits if deposit.amount > 0), vat.ZERO)
        back = sum((deposit.amount for deposit in self.deposits_back if deposit.amount < 0), vat.ZERO)
        return max(vat.ZERO, paid + back)

    @property
    def deposits_standing(self) -> tuple[Deposit, ...]:
        """Deposits as they stand now; none where all that was paid was given back."""
        if self.deposits_left or any(deposit.amount < 0 for deposit in self.deposits):
            return (*self.deposits, *self.deposits_back)
        return ()

    @property
    def left(self) -> tuple[Row, ...]:
        """Lines of which something is left."""
        return tuple(row for row in self.rows if row.line.quantity > 0)


def remaining(rows: Sequence[Row], earlier: Iterable[Sequence[LineChange]]) -> tuple[Row, ...]:
    """Return the lines after corrections, given in the order they were made; Conflict where one does not fit."""
    state = {row.number: row for row in rows}
    for changes in earlier:
        for change in changes:
            if change.after.number not in state:
                raise Conflict(
                    f"Wcześniejsza korekta dotyczy pozycji {change.after.number}, której faktura nie ma. {ELSEWHERE}",
                    code="not-correctable",
                )
            if not _same(state[change.before.number], change.before):
                raise Conflict(
                    f"Wcześniejsza korekta zaczyna pozycję {change.before.number} od innego stanu niż "
                    f"ten, który zostawiły dokumenty przed nią. {ELSEWHERE}",
                    code="not-correctable",
                )
            state[change.after.number] = change.after
    return tuple(state.values())


def _same(one: Row, other: Row) -> bool:
    """Whether two rows tell of the same goods in the same state; how the name is typed does not matter."""
    first, second = one.line, other.line
    return (
        " ".join(first.name.split()).casefold() == " ".join(second.name.split()).casefold()
        and (first.quantity, first.unit_price, first.discount) == (second.quantity, second.unit_price, second.discount)
        and first.vat is second.vat
        and one.value == other.value
    )


def read_base(
    view: FaView,
    *,
    ksef_number: str | None = None,
    outside_ksef: bool = False,
    invoice_id: str | None = None,
    earlier: Sequence[FaView] = (),
) -> BaseInvoice:
    """Return the invoice of an FA(3) file as it stands after ``earlier`` corrections (oldest first).

    Without ``ksef_number`` it is taken as awaiting one, unless ``outside_ksef``. Conflict (code not-correctable) where
    the till cannot correct it: another kind than VAT and UPR, margin, OSS, lines without quantity or price, sums that
    are not those of its lines, earlier corrections that do not show the lines before and after.
    """
    if view.kind not in {Kind.VAT, Kind.UPR}:
        raise _not_correctable(view, f"jest rodzaju {view.kind}")
    try:
        recipient = recipient_of(view)
    except ValueError:
        raise _not_correctable(view, "ma podmioty trzecie, których korekta przy kasie by nie powtórzyła") from None
    if _has_marks(view.annotations):
        raise _not_correctable(view, "ma adnotacje, których korekta przy kasie by nie powtórzyła")
    prices = _prices(view)
    rows = tuple(_row(view, line, prices) for line in view.lines)
    if len({row.number for row in rows}) != len(rows):
        raise _not_correctable(view, "ma dwie pozycje o tym samym numerze")
    exemption, basis = _exemption(view.annotations)
    receipt, notes = _receipt(view)
    base = BaseInvoice(
        reference=CorrectedBase(view.number, view.issued_on, ksef_number, invoice_id),
        awaiting=ksef_number is None and not outside_ksef,
        seller_nip=view.seller.nip or "",
        buyer=view.buyer.as_buyer(),
        prices=prices,
        currency=view.currency,
        exchange_rate=_exchange_rate(view),
        rows=rows,
        totals=stated_totals(view),
        sold_on=view.sold_on,
        exemption=exemption,
        exemption_basis=basis,
        to_receipt=view.to_receipt,
        split_payment=view.annotations.split_payment,
        receipt=receipt,
        notes=notes,
        recipient=recipient,
        deposits=_deposits(view),
        simplified=view.kind is Kind.UPR,
    )
    return after_earlier(base, earlier)


def after_earlier(base: BaseInvoice, earlier: Sequence[FaView]) -> BaseInvoice:
    """Return ``base`` as it stands after the files of corrections, oldest first; Conflict where one does not fit.

    A collective correction only leaves its mark: its share in this invoice is not known.
    """
    if not earlier:
        return base
    own = [correction for correction in earlier if not _is_collective(correction)]
    return replace(
        base,
        buyer=earlier[-1].buyer.as_buyer(),
        rows=remaining(base.rows, [changes_of(correction, base.prices) for correction in own]),
        totals=add_up(base.currency, [base.totals, *(stated_totals(correction) for correction in own)]),
        deposits_back=(*base.deposits_back, *(deposit for correction in own for deposit in _deposits(correction))),
        split_payment=base.split_payment or any(each.annotations.split_payment for each in earlier),
        corrected_collectively=base.corrected_collectively or len(own) < len(earlier),
    )


def base_of_record(
    record: InvoiceRecord, view: FaView, *, seller_nip: str, earlier: Sequence[FaView] = ()
) -> BaseInvoice:
    """Return a stored invoice as a base. ``view`` is its file's, ``earlier`` its corrections' that were built.

    Conflict where the seller is another one, or KSeF refused the invoice; it says what that needs.
    """
    if view.seller.nip != seller_nip:
        raise Conflict(f"Fakturę {record.number} wystawił inny sprzedawca ({view.seller.nip}).", code="other-seller")
    if record.state is InvoiceState.REJECTED:
        raise Conflict(
            f"KSeF odrzucił fakturę {record.number}, więc nie ma czego korygować. "
            f"{refusal(record) or 'Potrzebna jest korekta techniczna.'}",
            code="base-rejected",
        )
    return read_base(
        view,
        ksef_number=record.ksef_number,
        outside_ksef=record.outside_ksef,
        invoice_id=record.id,
        earlier=earlier,
    )


def changes_of(correction: FaView, prices: Prices) -> tuple[LineChange, ...]:
    """Return the lines before and after from the file of a correction; Conflict where it shows differences instead."""
    before = {line.number: line for line in correction.lines if line.before}
    after = {line.number: line for line in correction.lines if not line.before}
    if before.keys() != after.keys() or len(before) + len(after) != len(correction.lines):
        raise Conflict(
            f"Korekta {correction.number} nie pokazuje pozycji przed i po zmianie. {ELSEWHERE}", code="not-correctable"
        )
    return tuple(
        LineChange(_row(correction, before[number], prices), _row(correction, after[number], prices))
        for number in before
    )


def _is_collective(correction: FaView) -> bool:
    bases = correction.correction.bases if correction.correction is not None else ()
    return len(bases) > 1 or (not correction.lines and correction.gross != 0)


def stated_totals(view: FaView) -> Totals:
    """Return P_13_x, P_14_x and P_15 of a file; Conflict where they are margin or OSS, or do not fit together.

    P_15 may be a cent off for each line and rate, as in the Ministry's own example 1.
    """
    rates = tuple(_stated_rate(view, rate) for rate in view.rates)
    total = vat.sum_up(rates, view.currency)
    if abs(total.gross - view.gross) > vat.CENT * (len(view.lines) + len(rates)):
        raise _not_correctable(view, "ma sumę inną niż suma jej stawek")
    return replace(total, gross=view.gross)


def _stated_rate(view: FaView, rate: RateView) -> RateTotal:
    if not rate.rates or any(word not in set(VatRate) for word in rate.rates):
        raise _not_correctable(view, "zawiera sprzedaż w procedurze szczególnej")
    tax = rate.tax or vat.ZERO
    return RateTotal(rate.label, rate.net, tax, rate.net + tax, rate.tax_pln)


def add_up(currency: str, parts: Sequence[Totals]) -> Totals:
    """Return the sum of totals, one rate for each P_13_x."""
    rates: dict[str, RateTotal] = {}
    for part in parts:
        for field, total in vat.by_field(part).items():
            known = rates.get(field)
            rates[field] = total if known is None else vat.added(known, total)
    return replace(vat.sum_up(rates.values(), currency), gross=sum((part.gross for part in parts), vat.ZERO))


def _prices(view: FaView) -> Prices:
    gross = all(line.price_net is None and line.net is None for line in view.lines)
    return Prices.GROSS if gross else Prices.NET


def _exchange_rate(view: FaView) -> Decimal | None:
    """Return the one rate of all lines; Conflict where the tax in PLN could not be counted by it."""
    rates = {line.exchange_rate for line in view.lines}
    taxed = any(rate.tax for rate in view.rates)
    if view.currency != "PLN" and taxed and (len(rates) != 1 or None in rates):
        raise _not_correctable(view, "nie ma jednego kursu waluty dla wszystkich pozycji")
    return next((rate for rate in rates if rate is not None), None)


def _row(view: FaView, line: LineView, prices: Prices) -> Row:
    gross = prices is Prices.GROSS
    unit_price = line.price_gross if gross else line.price_net
    value = line.gross if gross else line.net
    known_rate = line.rate in set(VatRate) and line.oss_rate is None and line.procedure is None
    if unit_price is None or value is None or line.quantity is None or line.name is None or not known_rate:
        raise _not_correctable(view, f"ma pozycję {line.number} bez nazwy, ilości, ceny albo zwykłej stawki VAT")
    assert line.rate is not None
    return Row(
        line.number,
        SaleLine(
            name=line.name,
            quantity=line.quantity,
            unit=line.unit or "szt.",
            unit_price=unit_price,
            vat=VatRate(line.rate),
            discount=line.discount or vat.ZERO,
            gtu=line.gtu,
            annex_15=line.annex_15,
            sku=line.index,
            ean=line.gtin,
        ),
        value,
    )


def _has_marks(marks: Annotations) -> bool:
    return bool(marks.cash_accounting or marks.self_billing or marks.triangular or marks.margin or marks.new_vehicles)


def _exemption(annotations: Annotations) -> tuple[str | None, ExemptionBasis]:
    if annotations.exemption_directive is not None:
        return annotations.exemption_directive, ExemptionBasis.DIRECTIVE
    if annotations.exemption_other is not None:
        return annotations.exemption_other, ExemptionBasis.OTHER
    return annotations.exemption_act, ExemptionBasis.ACT


def _receipt(view: FaView) -> tuple[ReceiptLink | None, tuple[Note, ...]]:
    """Take the fiscal receipt out of the notes, where fa3/build.py put it."""
    notes = tuple(Note(note.key, note.value) for note in view.notes if note.line is None)
    found = {note.key: note.value for note in reversed(notes)}
    number = found.get(RECEIPT_NUMBER_KEY)
    if not view.to_receipt or number is None:
        return None, notes
    others = tuple(note for note in notes if note.key not in {RECEIPT_NUMBER_KEY, REGISTER_NUMBER_KEY})
    return ReceiptLink(number, found.get(REGISTER_NUMBER_KEY)), others


def _deposits(view: FaView) -> tuple[Deposit, ...]:
    """What stands beside the total: charges, and deductions as negative ones."""
    if view.settlement is None:
        return ()
    return (
        *(Deposit(charge.reason, charge.amount) for charge in view.settlement.charges),
        *(Deposit(charge.reason, -charge.amount) for charge in view.settlement.deductions),
    )


def _not_correctable(view: FaView, why: str) -> Conflict:
    return Conflict(
        f"Faktury {view.number} nie można skorygować przy kasie: {why}. {ELSEWHERE}", code="not-correctable"
    )
