"""Read a BookEntry out of the FA(3) document that an invoice is."""

from __future__ import annotations

from datetime import date

from agent.domain.books.entry import Amount, BookEntry, BookPart, PaymentTerms, Received
from agent.domain.books.sums import FIELDS, NOT_IN_JPK, WDT, PlnSum, amounts, in_shares, pln_sums
from agent.domain.books.tax_points import Share, tax_points, wdt_day
from agent.domain.fa3.view.annotations import Margin
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.lines import RATE_FIELDS, LineView
from agent.domain.invoice import InvoiceSummary
from agent.domain.payment_methods import METHODS
from agent.domain.vat import ZERO

READER = 2
"""Version of what is read here: raise it where it reads more, so that what is still here is read anew."""
GTU = tuple(f"GTU_{number:02}" for number in range(1, 14))
PROCEDURES = (
    *("WSTO_EE", "IED", "TP", "TT_WNT", "TT_D", "MR_T", "MR_UZ", "I_42", "I_63"),
    *("B_SPV", "B_SPV_DOSTAWA", "B_MPV_PROWIZJA"),
)
"""In the schema's order."""
NO_CONTENT = (
    "Treści dokumentu program już nie ma: datę sprzedaży, GTU i oznaczenia uzupełnij z archiwum, a miesiąc sprawdź."
)
_METHODS = {str(code): word for word, code in METHODS.items()}


def book_entry(view: FaView) -> BookEntry:
    """Return what the books keep of a document."""
    points = tax_points(view)
    sums, notes = pln_sums(view)
    parts: dict[tuple[int, int], BookPart] = {}
    for share, own in in_shares(sums, points):
        for day, of_day in _by_day(view, share, own):
            _add(parts, _part(view, share, day, of_day))
    return BookEntry(
        parts=tuple(part for _, part in sorted(parts.items())),
        to_receipt=view.to_receipt,
        reduces=points.reduces,
        notes=(*points.notes, *notes),
        terms=_terms(view),
    )


def _by_day(view: FaView, share: Share, sums: list[PlnSum]) -> list[tuple[date, list[PlnSum]]]:
    """A supply within the Union has a tax point of its own (art. 20); a correction goes as it goes."""
    union = [each for each in sums if each.field == WDT]
    if view.kind.corrects or view.to_receipt or not union:
        return [(share.day, sums)]
    others = [each for each in sums if each.field != WDT]
    found = [(wdt_day(share.day, view.issued_on), union)]
    return [(share.day, others), *found] if others else found


def _part(view: FaView, share: Share, day: date, sums: list[PlnSum]) -> BookPart:
    fields = {line for each in sums for line in each.lines}
    lines = [line for line in share.lines if line in fields] or list(share.lines)
    return BookPart(
        day=day,
        sold_on=_sold_on(view, share),
        amounts=amounts(sums),
        gtu=tuple(code for code in GTU if any(line.gtu == code for line in lines)),
        procedures=_procedures(view, lines),
    )


def _sold_on(view: FaView, share: Share) -> date | None:
    """DataSprzedazy: that of the share, of a correction what it repeats of its base; empty where it is P_1."""
    day = share.day
    if view.kind.corrects:
        day = view.sold_on or view.issued_on
    elif view.to_receipt or view.annotations.cash_accounting:
        day = max((line.sold_on for line in share.lines if line.sold_on is not None), default=view.day_of_sale)
    return None if day == view.issued_on else day


def _procedures(view: FaView, lines: list[LineView]) -> tuple[str, ...]:
    found = {line.procedure for line in lines}
    if view.related_parties:
        found.add("TP")
    if view.annotations.triangular:
        found.add("TT_D")
    if view.annotations.margin is not None:
        found.add("MR_T" if view.annotations.margin is Margin.TRAVEL else "MR_UZ")
    return tuple(name for name in PROCEDURES if name in found)


def _add(parts: dict[tuple[int, int], BookPart], part: BookPart) -> None:
    """One part a month: what falls into the same month is joined."""
    month = (part.day.year, part.day.month)
    known = parts.get(month)
    if known is None:
        parts[month] = part
        return
    total = {each.field: each.value for each in known.amounts}
    for each in part.amounts:
        total[each.field] = total.get(each.field, ZERO) + each.value
    parts[month] = BookPart(
        day=max(known.day, part.day),
        sold_on=max(filter(None, (known.sold_on, part.sold_on)), default=None),
        amounts=tuple(Amount(name, total[name]) for name in FIELDS if name in total),
        gtu=tuple(code for code in GTU if code in known.gtu + part.gtu),
        procedures=tuple(name for name in PROCEDURES if name in known.procedures + part.procedures),
    )


def _terms(view: FaView) -> PaymentTerms:
    to_pay = None if view.settlement is None else view.settlement.to_pay
    payment = view.payment
    if payment is None:
        return PaymentTerms(to_pay=to_pay)
    received = [Received(part.amount, part.paid_on, _method(part.form, part.other_form)) for part in payment.partials]
    if payment.paid and not received:
        whole = view.gross if to_pay is None else to_pay
        received = [Received(whole, payment.paid_on, _method(payment.form, payment.other_form))]
    return PaymentTerms(
        received=tuple(received),
        due=tuple(each.on for each in payment.due if each.on is not None),
        method="" if payment.paid else _method(payment.form, payment.other_form),
        accounts=tuple(each.number for each in (*payment.accounts, *payment.factor_accounts)),
        ipksef=payment.ipksef,
        to_pay=to_pay,
    )


def _method(form: str | None, other: str | None) -> str:
    return other or _METHODS.get(form or "", "")


def entry_of_row(record: InvoiceSummary) -> BookEntry:
    """Return what is known of an invoice whose bytes cannot be read here: its day of issue, its sums in PLN."""
    fields = {word: field for field, words in RATE_FIELDS.items() for word in words}
    sums = []
    notes = [NO_CONTENT]
    if record.totals.currency == "PLN":
        for rate in record.totals.rates:
            field = fields.get(rate.rate.split("/")[0])
            sums += [] if field is None else [PlnSum(field, rate.net, rate.tax)]
            notes += [NOT_IN_JPK[field]] if field in NOT_IN_JPK else []
    part = BookPart(record.issued_on, None, amounts(sums))
    return BookEntry((part,), reduces=(record.totals.tax or record.totals.gross) < 0, notes=tuple(notes))
