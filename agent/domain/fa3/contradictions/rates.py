"""The rate of each line: one that is in force on the day of the sale, and none without it (art. 106e ust. 1 pkt 12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import (
    FA,
    LINES,
    field_in,
    field_of,
    lists_of_lines,
    says_amounts,
    tolerance,
)
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.lines import LineView
from agent.domain.invoice import VatRate
from agent.domain.vat import PERCENT

PAST = {VatRate.R22: VatRate.R23, VatRate.R7: VatRate.R8, VatRate.R3: VatRate.R4}
"""Rate -> the one that stands in its place (art. 146ef; of taxis art. 114)."""
PAST_SINCE = date(2011, 1, 1)


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield rates of another time, and lines that state none. Corrections may have both."""
    if view.kind.corrects:
        return
    yield from _past(view)
    yield from _past_sums(view)
    if view.kind in {Kind.VAT, Kind.ROZ}:
        yield from _missing(view)


def _past(view: FaView) -> Iterator[FieldError]:
    for place, lines in lists_of_lines(view):
        for position, line in enumerate(lines, start=1):
            if line.rate in PAST and (line.sold_on or view.day_of_sale) >= PAST_SINCE:
                yield _error(f"{place}[{position}]/P_12", line.rate)


def _past_sums(view: FaView) -> Iterator[FieldError]:
    """Where no line tells the rate, the tax does, as far as it is certain."""
    known = {field_of(line) for line in view.all_lines}
    for item in view.rates:
        rate = item.rates[0] if len(item.rates) == 1 else None
        if rate not in PAST or item.field in known or item.tax is None or view.day_of_sale < PAST_SINCE:
            continue
        today = item.net * Decimal(PERCENT[PAST[VatRate(rate)]]) / 100
        if abs(today - item.tax) > tolerance(view):
            yield _error(f"{FA}/P_14_{item.field}", rate)


def _error(pointer: str, rate: str) -> FieldError:
    sentence = f"Stawka {rate}% nie obowiązuje od {PAST_SINCE:%d.%m.%Y}: może być tylko dla sprzedaży sprzed tego dnia."
    return FieldError(pointer, sentence, "rate-not-in-force")


def _missing(view: FaView) -> Iterator[FieldError]:
    """Only what is exempt or sold at a margin states no rate (ust. 2, 3, ust. 4 pkt 3)."""
    if view.annotations.margin is not None or (view.kind is Kind.ROZ and view.annotations.exempt):
        return  # of a settlement the sums may be zero, and tell nothing
    for position, line in enumerate(view.lines, start=1):
        if _unrated(view, line):
            sentence = f"Pozycja {line.number} nie ma stawki podatku (P_12; art. 106e ust. 1 pkt 12)."
            yield FieldError(f"{LINES}[{position}]/P_12", sentence, "rate-missing")


def _unrated(view: FaView, line: LineView) -> bool:
    return field_in(view, line) is None and says_amounts(line)
