"""A checked correction, and what becomes of it while it waits for the KSeF number of its base.

FA(3) names the base by its KSeF number (DaneFaKorygowanej), so a correction of an invoice that has none yet cannot be
a file. It is an order then: kept as JSON (codec.py), counted when more is returned, built when the number arrives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from agent.domain import ksef_number, vat
from agent.domain.corrections.base import BaseInvoice, LineChange, Row, add_up
from agent.domain.invoice import (
    Buyer,
    CorrectedBase,
    Deposit,
    ExemptionBasis,
    Payment,
    Prices,
    RateTotal,
    ReceiptLink,
    Recipient,
    Sale,
    Totals,
    VatRate,
)
from agent.domain.payment_methods import SET_OFF
from agent.domain.values import dataclass


class CorrectionKind(StrEnum):
    """What happened after the sale."""

    FULL_RETURN = "full_return"
    RETURN = "return"
    PRICE = "price"
    BUYER = "buyer"
    EXCHANGE = "exchange"
    COLLECTIVE = "collective"


@dataclass(frozen=True, slots=True)
class Correction:
    """A checked correction. While ``awaiting`` names bases it is an order and has no FA(3) file yet."""

    kind: CorrectionKind
    reason: str
    bases: tuple[CorrectedBase, ...]
    awaiting: tuple[str, ...]
    """Own numbers (P_2) of the bases whose KSeF number is not known yet."""
    buyer: Buyer
    prices: Prices
    currency: str
    totals: Totals
    """Differences: P_13_x, P_14_x, P_15."""
    changes: tuple[LineChange, ...] = ()
    exchange_rate: Decimal | None = None
    buyer_before: Buyer | None = None
    """Podmiot2K: the buyer as the base has him, where name or address were wrong."""
    payments: tuple[Payment, ...] = ()
    """How the difference was settled; negative amounts were given back."""
    settled_on: date | None = None
    """When that was: the day of the press, also of an order that waits."""
    sold_on: date | None = None
    exemption: str | None = None
    exemption_basis: ExemptionBasis = ExemptionBasis.ACT
    to_receipt: bool = False
    receipt: ReceiptLink | None = None
    """The fiscal receipt of the base; its number goes onto the correction too."""
    split_payment: bool = False
    """P_18A: the base says it, or what is left after the correction has to."""
    period: str | None = None
    recipient: Recipient | None = None
    external_ref: str | None = None
    deposits: tuple[Deposit, ...] = ()
    """Given back with the goods: negative amounts. A correction to zero for a wrong buyer turns all of the invoice."""
    number: str | None = None
    """P_2 where the shop's own program numbers; None: of our series."""
    replacement: Sale | None = None
    """The new invoice of an exchange, or of a correction of the buyer's identifier. It waits for nothing."""
    in_total_failure: bool = False
    """It waits for the end of a total failure: what it corrects is in KSeF (docs/law.md, 106j-4)."""

    @property
    def due(self) -> Decimal:
        """What changes hands: difference and deposits, less what a new invoice settles; below zero it is given back."""
        deposits = sum((deposit.amount for deposit in self.deposits), vat.ZERO)
        settled = sum((payment.amount for payment in self.payments if payment.method in SET_OFF), vat.ZERO)
        return self.totals.gross + deposits - settled

    @property
    def waiting_sentence(self) -> str:
        """What the cashier is told while it waits."""
        if self.in_total_failure:
            return (
                "Korygowana faktura jest w KSeF, więc korekta zostanie wystawiona po zakończeniu awarii całkowitej. "
                "Jest przyjęta i nie trzeba jej powtarzać."
            )
        if not self.awaiting:
            return "Korekta jest przyjęta i zostanie wystawiona sama; nie trzeba jej powtarzać."
        return (
            f"Faktura {', '.join(self.awaiting)} nie ma jeszcze numeru KSeF. Korekta jest przyjęta i zostanie "
            "wystawiona, gdy numer nadejdzie; nie trzeba jej powtarzać."
        )


def with_ksef_numbers(correction: Correction, numbers: Mapping[str, str]) -> Correction:
    """Return the order with KSeF numbers filled in; ``numbers`` maps P_2 of awaited bases to them.

    Bases not in ``numbers`` are still awaited. NotKsefNumber where a number is none.
    """
    bases = tuple(
        replace(base, ksef_number=ksef_number.check(numbers[base.number]))
        if base.number in correction.awaiting and base.number in numbers
        else base
        for base in correction.bases
    )
    awaiting = tuple(number for number in correction.awaiting if number not in numbers)
    return replace(correction, bases=bases, awaiting=awaiting)


def without_awaiting(correction: Correction, numbers: Sequence[str]) -> Correction:
    """Return the order without waiting for bases that will never have a number (total failure, art. 106ng)."""
    return replace(correction, awaiting=tuple(number for number in correction.awaiting if number not in numbers))


def until_total_failure_ends(correction: Correction) -> Correction | None:
    """Return the order that waits for the end of a total failure; None where no invoice of this store is in KSeF."""
    here = tuple(
        base.number for base in correction.bases if base.ksef_number is not None and base.invoice_id is not None
    )
    return replace(correction, awaiting=here, replacement=None, in_total_failure=True) if here else None


def without_buyer(order: Correction, nobody: Buyer) -> Correction:
    """Return a closed order without whom it was for (docs/law.md, personal-data)."""
    new_sale = None if order.replacement is None else replace(order.replacement, buyer=nobody, notes=())
    return replace(order, reason="", buyer=nobody, buyer_before=None, recipient=None, replacement=new_sale)


def apply_pending(base: BaseInvoice, pending: Sequence[Correction]) -> BaseInvoice:
    """Return ``base`` as it stands after orders that are accepted and not built yet (oldest first)."""
    state = base
    for order in pending:
        collective = order.kind is CorrectionKind.COLLECTIVE
        rows = {row.number: row for row in state.rows} | {change.after.number: change.after for change in order.changes}
        state = replace(
            state,
            rows=tuple(rows.values()),
            totals=state.totals if collective else add_up(state.currency, (state.totals, order.totals)),
            buyer=order.buyer,
            deposits_back=(*state.deposits_back, *order.deposits),
            split_payment=state.split_payment or order.split_payment,
            corrected_collectively=state.corrected_collectively or collective,
        )
    return state


def difference(base: BaseInvoice, changes: Sequence[LineChange]) -> Totals:
    """Return the differences of the sums (P_13_x, P_14_x, P_15) that ``changes`` make.

    Each rate is summed over the whole invoice before and after, so rounding never drifts: the stated sums of the
    invoice and of all its corrections are the sums of what is left, and 0 where nothing is.
    """
    rows = {row.number: row for row in base.rows} | {change.after.number: change.after for change in changes}
    before = vat.by_field(_totals(base.rows, base))
    after = vat.by_field(_totals(tuple(rows.values()), base))
    stated = vat.by_field(base.totals)
    touched = {vat.FIELD[change.before.line.vat] for change in changes}
    rates = []
    for field in touched:
        old = stated[field] if field in stated and after[field].gross == 0 else before[field]
        rates.append(_subtract(after[field], old, base.exchange_rate if field in vat.TAXED_FIELDS else None))
    totals = vat.sum_up(rates, base.currency)
    if any(row.value for row in rows.values()):
        return totals
    return replace(totals, gross=-base.totals.gross)


def with_places_of_supply(totals: Totals, base: Totals) -> Totals:
    """Return differences with a zero for each rate of ``base`` that says where the supply is, where it does not change.

    The file and the hand-over of a correction follow it as those of its invoice do: PrefiksPodatnika (art. 106e ust. 1
    pkt 24), and who receives outside KSeF (art. 106gb ust. 4 pkt 1).
    """
    named = {total.rate for total in totals.rates}
    added = [
        RateTotal(total.rate, vat.ZERO, vat.ZERO, vat.ZERO)
        for total in base.rates
        if total.rate in _TELL_THE_PLACE and total.rate not in named
    ]
    return replace(totals, rates=(*totals.rates, *added))


_TELL_THE_PLACE = frozenset({VatRate.ZERO_WDT, VatRate.NOT_SUBJECT_I, VatRate.NOT_SUBJECT_II})


def _totals(rows: Sequence[Row], base: BaseInvoice) -> Totals:
    return vat.totals_of(((row.line.vat, row.value) for row in rows), base.prices, base.currency)


def _subtract(one: RateTotal, other: RateTotal, exchange_rate: Decimal | None) -> RateTotal:
    """Return the difference; the tax in PLN is that of what both state, so it adds up as the others do."""
    in_pln = None
    if exchange_rate is not None:
        old = vat.in_pln(other.tax, exchange_rate) if other.tax_pln is None else other.tax_pln
        in_pln = vat.in_pln(one.tax, exchange_rate) - old
    return RateTotal(one.rate, one.net - other.net, one.tax - other.tax, one.gross - other.gross, in_pln)
