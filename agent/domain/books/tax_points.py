"""To which months the parts of an invoice belong: tax points, as far as the document tells them.

    sale                     day of the sale: P_6A of the line, P_6, last day of OkresFa (art. 19a ust. 1, 3), else P_1
    to a receipt (FP)        P_1: the sale itself is in the register's daily report of its month (art. 109 ust. 3d)
    advance (ZAL)            day of the payment: P_6Z of each part, P_6, else P_1 (art. 19a ust. 8)
    cash accounting (P_16)   day of the payment, where the document says that it is paid (art. 21 ust. 1)
    0 WDT                    P_1, at the latest the 15th of the month after the sale (art. 20 ust. 1)
    correction               TypKorekty 1, or more tax: the month of its base (art. 29a ust. 17); TypKorekty 2, or less
                             (where the tax stays, the gross amount tells):
                             P_1, and where it was issued offline the day of sending (art. 29a ust. 13, 13b, 13c)

Other special tax points (art. 19a ust. 5: power, rent, construction) depend on what is sold, which FA(3) does not say.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from agent.domain.calendar import month_bounds
from agent.domain.fa3.elements import names_receipt
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.lines import LineView
from agent.domain.values import dataclass
from agent.domain.vat import ZERO

IN_BASE_MONTH, IN_OWN_MONTH, IN_OTHER_MONTH = "1", "2", "3"
"""TypKorekty."""
WDT_LAST_DAY = 15
CASH_ACCOUNTING = "Metoda kasowa (P_16): ustal miesiąc zapłaty, dokument go nie podaje."
OTHER_MONTHS = "Korekta ma skutek w innej dacie albo w różnych datach (TypKorekty 3): sprawdź miesiąc."
IN_PLUS = "Korekta zwiększająca: ujęto ją w miesiącu faktury korygowanej; sprawdź, kiedy powstała jej przyczyna."
OF_RECEIPT = (
    "Korekta faktury do paragonu: z oznaczeniem FP wiersz nie zmienia podatku. Zmianę ujmij w danych z kasy (zwrot: "
    "w ewidencji zwrotów i reklamacji), a jeżeli jej tam nie ma, usuń oznaczenie FP."
)
OF_RECEIPT_IN_PLUS = (
    "Korekta zwiększająca faktury do paragonu nie ma oznaczenia FP, więc wiersz zwiększa podatek. Jeżeli dopłata jest "
    "w danych z kasy, dodaj oznaczenie FP."
)
SEVERAL_BASES = "Korekta dotyczy faktur z różnych dat: ujęto ją w miesiącu ostatniej z nich."


@dataclass(frozen=True, slots=True)
class Share:
    """What of an invoice has its tax point in one month: its last ``day`` there.

    ``weight`` divides what the lines do not: the amount of an advance, else the number of lines.
    """

    day: date
    lines: tuple[LineView, ...]
    weight: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Points:
    """The tax points of an invoice, one share for each month, in order."""

    shares: tuple[Share, ...]
    by_weight: bool = False
    """Lines do not tell the shares apart (an advance paid in parts)."""
    reduces: bool = False
    """See BookEntry."""
    notes: tuple[str, ...] = ()


def tax_points(view: FaView) -> Points:
    """Return where a document belongs. A line is in one share; those of an advance, paid in parts, are in each."""
    if view.kind.corrects:
        return _of_correction(view)
    if view.to_receipt:
        return Points((Share(view.issued_on, view.lines),))
    if view.kind.advance:
        return _of_advance(view)
    if view.annotations.cash_accounting:
        paid_on = None if view.payment is None else view.payment.paid_on
        notes = (CASH_ACCOUNTING,) if paid_on is None else ()
        return Points((Share(paid_on or view.day_of_sale, view.lines),), notes=notes)
    shares = _by_month((line.sold_on or view.day_of_sale, line) for line in view.lines)
    return Points(shares or (Share(view.day_of_sale, ()),))


def wdt_day(sold: date, issued_on: date) -> date:
    """Return the tax point of a supply within the Union (art. 20 ust. 1); never before the supply."""
    try:
        next_month = month_bounds(sold)[1] + timedelta(days=WDT_LAST_DAY)
    except OverflowError:
        next_month = date.max
    return max(sold, min(issued_on, next_month))


def _by_month(dated: Iterable[tuple[date, LineView]]) -> tuple[Share, ...]:
    months: dict[tuple[int, int], list[tuple[date, LineView]]] = {}
    for day, line in dated:
        months.setdefault((day.year, day.month), []).append((day, line))
    return tuple(
        Share(max(day for day, _ in found), tuple(line for _, line in found), Decimal(len(found)))
        for _, found in sorted(months.items())
    )


def _of_advance(view: FaView) -> Points:
    lines = view.lines or (view.order.lines if view.order is not None else ())
    months: dict[tuple[int, int], Share] = {}
    for part in view.advance_parts:
        month = (part.paid_on.year, part.paid_on.month)
        known = months.get(month, Share(part.paid_on, lines, Decimal(0)))
        months[month] = Share(max(known.day, part.paid_on), lines, known.weight + part.amount)
    if not sum(share.weight for share in months.values()):
        return Points((Share(view.day_of_sale, lines),))
    return Points(tuple(share for _, share in sorted(months.items())), by_weight=True)


def _of_correction(view: FaView) -> Points:
    effect = None if view.correction is None else view.correction.effect
    change = sum((rate.tax or ZERO for rate in view.rates), ZERO) or view.gross
    back = effect == IN_BASE_MONTH or (effect != IN_OWN_MONTH and change > 0)
    notes = [OTHER_MONTHS] if effect == IN_OTHER_MONTH else []
    notes += [OF_RECEIPT] if view.to_receipt and view.rates else []
    notes += [OF_RECEIPT_IN_PLUS] if change > 0 and not view.to_receipt and names_receipt(view) else []
    if not back:
        return Points((Share(view.issued_on, view.lines),), reduces=change < 0, notes=tuple(notes))
    notes += [] if effect == IN_BASE_MONTH else [IN_PLUS]
    bases = () if view.correction is None else view.correction.bases
    dates = {base.issued_on for base in bases}
    if len({(day.year, day.month) for day in dates}) > 1:
        notes.append(SEVERAL_BASES)
    lines_sold = [line.sold_on for line in view.lines if line.sold_on is not None]
    known = view.sold_on or (None if view.period is None else view.period[1])
    day = known or max(lines_sold, default=None) or max(dates, default=view.issued_on)
    return Points((Share(day, view.lines),), notes=tuple(notes))
