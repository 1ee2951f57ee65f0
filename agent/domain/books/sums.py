"""Sums of an invoice by the fields of JPK_V7M(3), in PLN, and their shares by month.

P_13_x and P_14_x decide (KSeF and the tax office see them); lines only say how a sum falls into months and currencies.
What is split keeps its sum: the last share takes what rounding leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from agent.domain.books.entry import Amount
from agent.domain.books.tax_points import Points, Share
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.lines import RATE_FIELDS, LineView, RateView
from agent.domain.values import dataclass
from agent.domain.vat import CENT, ZERO, round_cents

NET_AND_TAX = {"1": ("K_19", "K_20"), "2": ("K_17", "K_18"), "3": ("K_15", "K_16")}
"""P_13_x and P_14_x -> field of the net sum, field of the tax."""
NET_ONLY: dict[str, tuple[str, ...]] = {
    "6_1": ("K_13",),
    "6_2": ("K_21",),
    "6_3": ("K_22",),
    "7": ("K_10",),
    "8": ("K_11",),
    "9": ("K_11", "K_12"),
    "11": ("SprzedazVAT_Marza",),
}
"""np II is services of art. 100 ust. 1 pkt 4, which K_11 holds as well."""
WDT, MARGIN = "6_2", "11"
FIELDS = (
    *("K_10", "K_11", "K_12", "K_13", "K_15", "K_16", "K_17", "K_18", "K_19", "K_20", "K_21", "K_22"),
    "SprzedazVAT_Marza",
)
"""The fields a sale can have, in the schema's order."""
NOT_IN_JPK = {
    "4": "Stawki 4% i 3% (ryczałt taksówek) nie mają pola w JPK_V7M: tych kwot w wierszu nie ma, zapytaj księgowego.",
    "5": "Sprzedaż w procedurze OSS rozlicza się w deklaracji VIU-DO: tych kwot w wierszu nie ma.",
    "10": "Odwrotne obciążenie (oo) nie ma pola sprzedawcy w JPK_V7M: tych kwot w wierszu nie ma, zapytaj księgowego.",
}
MARGIN_NOTE = "Procedura marży: podstawy i podatku od marży (K_19, K_20) faktura nie podaje, dodaj je z ewidencji."
NO_RATE = "Kursu waluty dokument nie podaje: kwoty w złotych trzeba dodać."
DERIVED_RATE = (
    "Kursu waluty dokument nie podaje: podstawę w złotych przeliczono kursem, który wynika z podatku (P_14_xW)."
)
NO_SUMS = "Dokument nie podaje sum według stawek: kwoty trzeba dodać."
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class PlnSum:
    """One P_13_x with its P_14_x, in PLN, and its lines."""

    field: str
    net: Decimal
    tax: Decimal
    lines: tuple[LineView, ...] = ()


def pln_sums(view: FaView) -> tuple[tuple[PlnSum, ...], tuple[str, ...]]:
    """Return the sums in PLN, and notes on what the document does not tell."""
    lines = view.lines or (view.order.lines if view.order is not None else ())
    rates = view.rates or _rates_of(view.gross, lines)
    notes = [NO_SUMS] if view.gross and not rates else []
    found = []
    for rate in rates:
        if rate.field in NOT_IN_JPK:
            notes.append(NOT_IN_JPK[rate.field])
            continue
        if rate.field == MARGIN:
            notes.append(MARGIN_NOTE)
        mine = tuple(line for line in lines if line.rate in RATE_FIELDS[rate.field])
        amount = PlnSum(rate.field, round_cents(rate.net), round_cents(rate.tax or ZERO), mine)
        if view.currency != "PLN":
            converted, note = _converted(view, rate, mine)
            notes += [note] if note else []
            if converted is None:
                continue
            amount = converted
        found.append(amount)
    return tuple(found), tuple(dict.fromkeys(notes))


def amounts(sums: Iterable[PlnSum]) -> tuple[Amount, ...]:
    """Return the fields of a row, in the schema's order."""
    total: dict[str, Decimal] = {}
    for each in sums:
        if each.field in NET_AND_TAX:
            net, tax = NET_AND_TAX[each.field]
            total[net] = total.get(net, ZERO) + each.net
            total[tax] = total.get(tax, ZERO) + each.tax
        for name in NET_ONLY.get(each.field, ()):
            total[name] = total.get(name, ZERO) + each.net
    return tuple(Amount(name, total[name]) for name in FIELDS if name in total)


def in_shares(sums: Sequence[PlnSum], points: Points) -> list[tuple[Share, list[PlnSum]]]:
    """Return what of the sums falls into each share: by its lines, else by weight."""
    found: list[tuple[Share, list[PlnSum]]] = [(share, []) for share in points.shares]
    for each in sums:
        weights = [share.weight for share in points.shares]
        values = [sum((_value(line) for line in each.lines if line in share.lines), ZERO) for share in points.shares]
        if not points.by_weight and sum(values, ZERO):
            weights = values
        parts = zip(found, weights, _split(each.net, weights), _split(each.tax, weights), strict=True)
        for (_, own), weight, net, tax in parts:
            if weight:
                own.append(replace(each, net=net, tax=tax))
    return found


def _split(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Divide; the last share that has a weight takes what rounding leaves."""
    whole = sum(weights, ZERO)
    parts = [round_cents(total * weight / whole) for weight in weights]
    last = max(place for place, weight in enumerate(weights) if weight)
    parts[last] += total - sum(parts, ZERO)
    return parts


def _value(line: LineView) -> Decimal:
    value = line.net if line.net is not None else line.gross
    return ZERO if value is None else (-value if line.before else value)


def _converted(view: FaView, rate: RateView, lines: Sequence[LineView]) -> tuple[PlnSum | None, str | None]:
    """Return a sum in PLN, and a note: by the lines' KursWaluty, else by the rate that P_14_xW follows."""
    exchange = _exchange_rate(view, lines)
    note = None
    if exchange is None and rate.tax and rate.tax_pln is not None:
        exchange, note = rate.tax_pln / rate.tax, DERIVED_RATE
    if exchange is None:
        return None, NO_RATE
    tax = (rate.tax or ZERO) * exchange if rate.tax_pln is None else rate.tax_pln
    return PlnSum(rate.field, round_cents(rate.net * exchange), round_cents(tax), tuple(lines)), note


def _exchange_rate(view: FaView, lines: Sequence[LineView]) -> Decimal | None:
    """Return the rate of these lines, the mean by value where they have several; else that of any line."""
    rated = [(line.exchange_rate, _value(line)) for line in lines if line.exchange_rate is not None]
    whole = sum((value for _, value in rated), ZERO)
    if len({rate for rate, _ in rated}) > 1 and whole:
        return sum((rate * value for rate, value in rated), ZERO) / whole
    if rated:
        return rated[-1][0]
    others = (line.exchange_rate for line in view.lines if line.exchange_rate is not None)
    return view.advance_exchange_rate or next(others, None)


def _rates_of(gross: Decimal, lines: Sequence[LineView]) -> tuple[RateView, ...]:
    """Return the sums of a document that gives none (UPR, art. 106e ust. 5 pkt 3); none where it tells no rate.

    Its lines decide where they add up to P_15; where all of them have one rate, P_15 itself is enough.
    """
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for line in lines:
        net, tax = _parts(_value(line), line.rate, gross=line.net is None)
        known = found.get(line.rate or "", (ZERO, ZERO))
        found[line.rate or ""] = (known[0] + net, known[1] + tax)
    if len(found) == 1:
        rate = next(iter(found))
        found = {rate: _parts(gross, rate, gross=True)}
    total = sum((net + tax for net, tax in found.values()), ZERO)
    if abs(round_cents(total) - gross) > CENT * len(lines):
        return ()
    rates: dict[str, RateView] = {}
    for word, (net, tax) in found.items():
        field = next((name for name, words in RATE_FIELDS.items() if word in words), None)
        if field is None:
            return ()
        sofar = rates.get(field, RateView(field, ZERO, ZERO))
        rates[field] = RateView(field, sofar.net + round_cents(net), (sofar.tax or ZERO) + round_cents(tax))
    return tuple(rates.values())


def _parts(value: Decimal, rate: str | None, *, gross: bool) -> tuple[Decimal, Decimal]:
    """Return net and tax, not rounded."""
    percent = Decimal(rate) if rate is not None and rate.isdecimal() else ZERO
    tax = value * percent / (_HUNDRED + percent if gross else _HUNDRED)
    return (value - tax if gross else value), tax
