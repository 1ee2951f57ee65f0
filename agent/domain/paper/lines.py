"""The lines of an invoice and its sums per rate, for a narrow slip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from agent.domain.amounts import amount, plain, price
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.lines import LineView, RateView
from agent.domain.paper.receipt import Element, Pair, Table, Text
from agent.domain.paper.wording import rate
from agent.domain.vat import raw_value, round_cents

NOTHING = "–"
INDENT = 3
"""Columns by which everything of a line stands in, under its name."""


def lines(view: FaView) -> list[Element]:
    """Names on their own lines, then quantity x price and value (art. 106e ust. 1 pkt 7-12; 106j ust. 2 pkt 4)."""
    if not view.lines:
        return []
    before = [line for line in view.lines if line.before]
    after = [line for line in view.lines if not line.before]
    rates = {line.exchange_rate for line in view.lines}
    common_rate = len(rates) == 1
    elements: list[Element] = []
    if before:
        elements += _group("Przed korektą", before, common_rate)
        elements += _group("Po korekcie", after, common_rate)
    elif view.correction is not None:
        elements += _group("Różnice", after, common_rate)
    else:
        elements += _group("Pozycje", after, common_rate)
    return elements


def order_lines(title: str, ordered: Sequence[LineView]) -> list[Element]:
    """Lines of the order that an advance was paid for (art. 106f ust. 1 pkt 4)."""
    before = [line for line in ordered if line.before]
    after = [line for line in ordered if not line.before]
    if not before:
        return _group(title, after, common_rate=True)
    return _group(f"{title} przed korektą", before, common_rate=True) + _group(
        f"{title} po korekcie", after, common_rate=True
    )


def common_exchange_rate(view: FaView) -> Decimal | None:
    """The exchange rate of all lines, None where they differ or have none."""
    rates = {line.exchange_rate for line in view.lines}
    return next(iter(rates)) if len(rates) == 1 else None


def _group(title: str, group: Sequence[LineView], common_rate: bool) -> list[Element]:
    bases = {basis(line) for line in group}
    of_prices = bases.pop() if len(bases) == 1 else None
    elements: list[Element] = [Text(f"{title} – ceny {of_prices}" if of_prices else title, bold=True)]
    for line in group:
        elements += _line(line, say_basis=of_prices is None, say_rate=not common_rate)
    return elements


def basis(line: LineView) -> str:
    """Tell of what its price and value are: "brutto", "netto", or nothing known."""
    if line.price_gross is not None or line.gross is not None:
        return "brutto"
    if line.price_net is not None or line.net is not None:
        return "netto"
    return ""


def _line(line: LineView, *, say_basis: bool, say_rate: bool) -> list[Element]:
    gross = basis(line) == "brutto"
    unit_price = line.price_gross if gross else line.price_net
    value = line.gross if gross else line.net
    elements: list[Element] = [Text(f"{line.number}. {line.name or 'pozycja bez nazwy'}")]
    left = _calculation(line, unit_price)
    if say_basis and basis(line):
        left = f"{left} {basis(line)}".strip()
    left = " ".join(part for part in (left, rate_words(line)) if part)
    elements += _value(left, value, _discounted(line, unit_price, value), line.discount)
    if gross and (line.price_net is not None or line.net is not None):
        elements.append(_net_too(line))
    if line.tax is not None:
        elements.append(Pair("w tym VAT" if gross else "kwota VAT", amount(line.tax), indent=INDENT))
    said = details(line, say_rate=say_rate)
    if said:
        elements.append(Text(said, indent=INDENT))
    return elements


def _value(left: str, value: Decimal | None, off: Decimal | None, stated: Decimal | None) -> list[Element]:
    """What the line costs: at once, or before and after its discount where the figures say how it was counted."""
    if value is None or not stated:
        shown = amount(value) if value is not None else ""
        return [Pair(left, shown, indent=INDENT)] if left or shown else []
    if off is None:
        return [Pair(left, amount(value), indent=INDENT), Text(f"opust {price(stated)} (już odliczony)", indent=INDENT)]
    word = "opust" if off == stated else f"opust {price(stated)} za jednostkę"
    return [
        Pair(left, amount(value + off), indent=INDENT),
        Pair(word, amount(-off), indent=INDENT),
        Pair("po opuście", amount(value), indent=INDENT),
    ]


def _discounted(line: LineView, unit_price: Decimal | None, value: Decimal | None) -> Decimal | None:
    """Return what the discount takes off the line; None where the figures do not tell.

    P_10 may be meant of the whole line, as here, or of each piece: the Ministry's own examples do both.
    """
    if line.discount is None or line.quantity is None or unit_price is None or value is None:
        return None
    undiscounted = raw_value(line.quantity, unit_price)
    of_each = raw_value(line.quantity, line.discount)
    return next((off for off in (line.discount, of_each) if round_cents(undiscounted - off) == value), None)


def _calculation(line: LineView, unit_price: Decimal | None) -> str:
    if line.quantity is None:
        return f"{line.unit or ''} {price(unit_price) if unit_price is not None else ''}".strip()
    quantity = f"{plain(line.quantity)} {line.unit or ''}".strip()
    return quantity if unit_price is None else f"{quantity} × {price(unit_price)}"


def rate_words(line: LineView) -> str:
    """Write the rate: "VAT 23%"; empty in the margin scheme."""
    if line.oss_rate is not None:
        return f"VAT {plain(line.oss_rate)}%"
    return f"VAT {rate(line.rate)}" if line.rate is not None else ""


def _net_too(line: LineView) -> Pair:
    left = "netto" if line.price_net is None else f"cena netto {price(line.price_net)}"
    return Pair(left, amount(line.net) if line.net is not None else "", indent=INDENT)


def details(line: LineView, *, say_rate: bool) -> str:
    """What else the document says of a line: codes, day, excise, procedure."""
    parts = [
        ("data sprzedaży", line.sold_on.isoformat() if line.sold_on is not None else None),
        ("indeks", line.index),
        ("GTIN", line.gtin),
        ("PKWiU", line.pkwiu),
        ("CN", line.cn),
        ("PKOB", line.pkob),
        ("akcyza", amount(line.excise) if line.excise is not None else None),
        ("kurs", plain(line.exchange_rate) if say_rate and line.exchange_rate is not None else None),
        ("załącznik nr", "15" if line.annex_15 else None),
        ("", line.gtu),
        ("", line.procedure),
    ]
    return ", ".join(f"{word} {value}".strip() for word, value in parts if value)


def rate_table(view: FaView) -> list[Element]:
    """Net, tax and gross per rate (art. 106e ust. 1 pkt 13 i 14), and the tax in PLN (ust. 11)."""
    if not view.rates:
        return []
    elements: list[Element] = []
    if view.correction is not None:
        elements.append(Text("Różnica wg stawek podatku", bold=True))
    elements.append(
        Table(
            header=("Stawka", "Netto", "VAT", "Brutto"),
            rows=tuple(_rate_row(item) for item in view.rates),
            total=_total_row(view.rates) if len(view.rates) > 1 else None,
        )
    )
    in_pln = [item for item in view.rates if item.tax_pln is not None]
    elements.extend(Pair(f"VAT {rate(item.label)} w PLN", amount(item.tax_pln or Decimal(0))) for item in in_pln)
    if len(in_pln) > 1:
        total = sum((item.tax_pln or Decimal(0) for item in in_pln), Decimal(0))
        elements.append(Pair("Razem VAT w PLN", amount(total), bold=True))
    return elements


def _rate_row(item: RateView) -> tuple[str, str, str, str]:
    gross = amount(item.gross)
    if item.field == "11":
        # Margin: neither base nor tax may stand on the invoice (art. 106e ust. 2 i 3).
        return (rate(item.label), NOTHING, NOTHING, gross)
    return (rate(item.label), amount(item.net), amount(item.tax) if item.tax is not None else NOTHING, gross)


def _total_row(items: Iterable[RateView]) -> tuple[str, str, str, str]:
    shown = list(items)
    net = sum((item.net for item in shown if item.field != "11"), Decimal(0))
    tax = sum((item.tax for item in shown if item.tax is not None), Decimal(0))
    gross = sum((item.gross for item in shown), Decimal(0))
    return ("Razem", amount(net), amount(tax), amount(gross))
