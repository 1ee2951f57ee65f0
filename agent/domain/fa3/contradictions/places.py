"""What the checks share: the place of Fa, the tolerance, and the field a line's rate belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.lines import RATE_FIELDS, LineView
from agent.domain.vat import CENT

FA = "/Faktura/Fa"
LINES = f"{FA}/FaWiersz"
_ORDER_LINES = f"{FA}/Zamowienie/ZamowienieWiersz"
TAXED = frozenset({"1", "2", "3", "4"})
PREDECESSOR = "3"
"""Podmiot3/Rola: the seller's legal predecessor, whose invoices the seller may correct and settle."""
OSS, EXEMPT, MARGIN = "5", "7", "11"
FIELD_OF_RATE = {rate: field for field, rates in RATE_FIELDS.items() for rate in rates}
"""P_12 -> the x of P_13_x."""


def tolerance(view: FaView) -> Decimal:
    """Return how far a sum may be off: a cent for every line and rate."""
    return CENT * max(1, len(view.lines) + len(view.rates))


def lists_of_lines(view: FaView) -> tuple[tuple[str, Sequence[LineView]], ...]:
    """Return the lines of the invoice and those of its order, each list with its place."""
    return (LINES, view.lines), (_ORDER_LINES, () if view.order is None else view.order.lines)


def field_of(line: LineView) -> str | None:
    """Return the x of the P_13_x that a line belongs to; None where it states no rate (margin, art. 106e ust. 2-3)."""
    if line.oss_rate is not None:
        return OSS
    return None if line.rate is None else FIELD_OF_RATE.get(line.rate)


def field_in(view: FaView, line: LineView) -> str | None:
    """As field_of(); a line without a rate is what may state none, where the sums name it: exempt, or a margin.

    None where they name neither, or both (art. 106e ust. 2-3, ust. 4 pkt 3).
    """
    if line.rate is not None or line.oss_rate is not None:
        return field_of(line)
    stated = {item.field for item in view.rates} & {EXEMPT, MARGIN}
    return next(iter(stated)) if len(stated) == 1 else None


def says_amounts(line: LineView) -> bool:
    """Tell whether a line sells something; else it is a text under another one."""
    return any((line.net, line.gross, line.price_net, line.price_gross))


def fields_of(view: FaView) -> set[str]:
    """Return the x of every P_13_x that a document has, by its sums and by its lines."""
    of_lines = {field_of(line) for line in view.all_lines}
    return {item.field for item in view.rates} | {field for field in of_lines if field is not None}


def due(view: FaView) -> Decimal:
    """Return what the buyer has to pay: P_15, the charges and less the deductions (Rozliczenie)."""
    what = view.settlement
    if what is None:
        return view.gross
    charges = sum((charge.amount for charge in what.charges), Decimal(0))
    deductions = sum((charge.amount for charge in what.deductions), Decimal(0))
    added = charges if what.charges or what.charges_sum is None else what.charges_sum
    taken = deductions if what.deductions or what.deductions_sum is None else what.deductions_sum
    return view.gross + added - taken
