"""How long the law wants an invoice, and from when a consumer's data may no longer be here.

    art. 112, 112a of the VAT Act      records and invoices outside KSeF: to the end of the limitation period
    art. 112aa                         KSeF keeps its invoices for ten years; the seller need not
    art. 70 § 1 of the Tax Ordinance   limitation: five years from the end of the year in which the tax was due
    art. 86 § 1 of the Tax Ordinance   books and their documents: to the end of the limitation period
    GDPR art. 5 (1) e, art. 17         personal data no longer than that; art. 17 (3) b: as long as the law wants it

The tax of a month is due on the 25th of the next (art. 103), of a quarter likewise; so what is issued from October on
may be due in the next year, whatever the shop's way of settling and whichever month of its own the sale belongs to
(an invoice may be 60 days early, art. 106i ust. 7). Of two readings the later end is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from agent.domain.invoice import Buyer, BuyerKind

NEXT_YEAR_FROM = 10
"""Month of P_1 from which the tax may be due in the next year."""


ERASED = Buyer(BuyerKind.NONE, name="(dane usunięte)")
"""Stands where a consumer stood. The invoice is proven by its hash: in the chained log, in the UPO, in KSeF itself."""


def limitation_ends(issued_on: date, years: int) -> date:
    """Return the last day of the limitation period of what was issued on that day."""
    due_year = issued_on.year + (issued_on.month >= NEXT_YEAR_FROM)
    return date(min(due_year + years, date.max.year), 12, 31)


def may_be_erased(issued_on: Iterable[date], today: date, years: int, hold_until: date | None = None) -> bool:
    """Tell whether the period of an invoice and of everything that corrects it (their P_1) is over."""
    if hold_until is not None and today < hold_until:
        return False
    return all(limitation_ends(day, years) < today for day in issued_on)


def issued_before(today: date, years: int) -> date:
    """Return the first P_1 whose period is not over: everything that may be erased was issued before it."""
    first_year = today.year - years - 1
    return date(max(first_year, 1), NEXT_YEAR_FROM, 1)
