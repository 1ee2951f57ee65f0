"""Lines against themselves and against the sums of their rates.

Sums are compared on invoices of the kind VAT only: the order of an advance is worth more than the advance, a settlement
lists what advances paid already, and a correction may list by difference, before and after, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from agent.domain.amounts import amount, plain
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import (
    FA,
    FIELD_OF_RATE,
    MARGIN,
    field_in,
    lists_of_lines,
    says_amounts,
    tolerance,
)
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.lines import LineView, RateView
from agent.domain.vat import CENT, PERCENT

_PERCENT = dict.fromkeys(FIELD_OF_RATE, Decimal(0)) | {rate.value: Decimal(share) for rate, share in PERCENT.items()}


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield what the lines contradict."""
    if view.kind is Kind.VAT:
        yield from _rates(view)
    if view.kind.corrects:
        return
    for place, lines in lists_of_lines(view):
        yield from _numbers(place, lines)
        for position, line in enumerate(lines, start=1):
            yield from _value(f"{place}[{position}]", line)
            yield from _tax(f"{place}[{position}]", line)


def _rates(view: FaView) -> Iterator[FieldError]:
    """Every rate of the lines has its sum, every sum its lines, and both are the same (art. 106e ust. 1 pkt 11-14)."""
    stated = {item.field: item for item in view.rates}
    lines: dict[str, list[LineView]] = {}
    for line in view.lines:
        if line.rate is not None or line.oss_rate is not None or says_amounts(line):
            lines.setdefault(field_in(view, line) or "", []).append(line)
    unknown = "" in lines
    margin = MARGIN in stated
    for field, mine in lines.items():
        if field and field not in stated and not margin and any(line.net or line.gross for line in mine):
            rates = ", ".join(dict.fromkeys(line.rate or f"OSS {plain(line.oss_rate or Decimal(0))}" for line in mine))
            yield FieldError(
                f"{FA}/P_13_{field}",
                f"Faktura ma pozycje ze stawką {rates}, a nie ma ich sumy (P_13_{field}).",
                "rate-sum-missing",
            )
    for field, item in stated.items():
        if field in lines:
            if not unknown:
                yield from _compare(view, item, lines[field])
                yield from _compare_tax(view, item, lines[field])
        elif view.lines and not unknown and field != MARGIN:
            yield FieldError(
                f"{FA}/P_13_{field}",
                f"Faktura ma sumę stawki {item.label} ({amount(item.net)}), a nie ma pozycji z tą stawką.",
                "rate-lines-missing",
            )


def _compare(view: FaView, item: RateView, lines: Sequence[LineView]) -> Iterator[FieldError]:
    nets = [line.net for line in lines if line.net is not None]
    grosses = [line.gross for line in lines if line.gross is not None]
    if len(nets) == len(lines):
        found, stated = sum(nets, Decimal(0)), item.net
    elif len(grosses) == len(lines):
        found, stated = sum(grosses, Decimal(0)), item.gross
    else:
        either = [_net(line) for line in lines]
        if None in either:
            return
        found, stated = sum((value for value in either if value is not None), Decimal(0)), item.net
    if abs(found - stated) > tolerance(view):
        yield FieldError(
            f"{FA}/P_13_{item.field}",
            f"Pozycje ze stawką {item.label} dają {amount(found)}, a faktura podaje {amount(stated)}.",
            "lines-contradict",
        )


def _compare_tax(view: FaView, item: RateView, lines: Sequence[LineView]) -> Iterator[FieldError]:
    """Where every line states its tax, the tax is their sum (art. 106e ust. 10)."""
    taxes = [line.tax for line in lines if line.tax is not None]
    if item.tax is None or len(taxes) < len(lines):
        return
    found = sum(taxes, Decimal(0))
    if abs(found - item.tax) > tolerance(view):
        yield FieldError(
            f"{FA}/P_14_{item.field}",
            f"Podatek pozycji ze stawką {item.label} to razem {amount(found)}, a faktura podaje {amount(item.tax)}.",
            "lines-contradict",
        )


def _net(line: LineView) -> Decimal | None:
    if line.net is not None or line.gross is None:
        return line.net
    return line.gross * 100 / (100 + _PERCENT.get(line.rate or "", Decimal(0)))


def _numbers(place: str, lines: Sequence[LineView]) -> Iterator[FieldError]:
    """A number names one line. On corrections before and after share it, as in the Ministry's example 2."""
    seen = Counter(line.number for line in lines)
    for position, line in enumerate(lines, start=1):
        if seen[line.number] > 1:
            yield FieldError(
                f"{place}[{position}]",
                f"Numer wiersza {line.number} jest na fakturze więcej niż raz.",
                "duplicate-line",
            )
            return


def _value(place: str, line: LineView) -> Iterator[FieldError]:
    """Quantity and price make the value (art. 106e ust. 1 pkt 8-11), as far as they are written with their decimals.

    P_10 is taken off the line or off each piece, or is in the price already: all three occur.
    """
    if line.quantity is None:
        return
    for price, value, name in ((line.price_net, line.net, "P_11"), (line.price_gross, line.gross, "P_11A")):
        if price is None or value is None:
            continue
        off = line.discount or Decimal(0)
        whole = line.quantity * price
        readings = (whole - off, line.quantity * (price - off), whole)
        loose = CENT + abs(line.quantity) * _half_unit(price) + abs(price) * _half_unit(line.quantity, whole=True)
        if all(abs(reading - value) > loose for reading in readings):
            less = f", rabat {plain(off)}" if off else ""
            yield FieldError(
                f"{place}/{name}",
                f"Pozycja {line.number}: {plain(line.quantity)} × {plain(price)}{less} to nie {amount(value)}.",
                "line-contradicts",
            )


def _half_unit(number: Decimal, *, whole: bool = False) -> Decimal:
    """Return half of the last decimal written, at most half a cent for a price; a whole quantity is exact."""
    exponent = number.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    if whole and decimals == 0:
        return Decimal(0)
    return Decimal("0.5") * Decimal(10) ** -max(decimals, 2)


def _tax(place: str, line: LineView) -> Iterator[FieldError]:
    """Net, tax and gross of one line, where it states more than one (art. 106e ust. 7, 8, 10)."""
    percent = _PERCENT.get(line.rate or "")
    if line.net is None or percent is None:
        return
    rate = f"{line.rate}%" if percent else line.rate
    loose = 2 * CENT
    if line.tax is not None and abs(line.net * percent / 100 - line.tax) > loose:
        yield FieldError(
            f"{place}/P_11Vat",
            f"Pozycja {line.number}: podatek {amount(line.tax)} nie odpowiada stawce {rate} od {amount(line.net)}.",
            "line-contradicts",
        )
    elif line.gross is not None and abs(line.net * (100 + percent) / 100 - line.gross) > loose:
        yield FieldError(
            f"{place}/P_11A",
            f"Pozycja {line.number}: brutto {amount(line.gross)} nie odpowiada stawce {rate} "
            f"od {amount(line.net)} netto.",
            "line-contradicts",
        )
