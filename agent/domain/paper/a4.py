"""An invoice on A4, as an accountant expects it (art. 106e ust. 1): columns of lines, sums per rate, payments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from agent.domain.amounts import amount, plain, price
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.lines import LineView
from agent.domain.paper import sections as parts
from agent.domain.paper.choice import Document, PaperChoice
from agent.domain.paper.compose import code_words, codes, confirmation, title, under_title
from agent.domain.paper.lines import NOTHING, basis, common_exchange_rate, details, rate_table, rate_words
from agent.domain.paper.parties import party, third_parties
from agent.domain.paper.receipt import Element, Pair, Rule, Text
from agent.domain.paper.sheet import Attachment, Cell, Grid, Sheet
from agent.domain.vat import round_cents

HEADER = ("Lp.", "Nazwa", "J.m.", "Ilość", "Cena", "Netto", "Stawka", "VAT", "Brutto")
CALCULATED = (
    "Dokument podaje wartości pozycji {given}; pozostałe kwoty pozycji wyliczono z nich. "
    "Podatek liczy się od sumy każdej stawki, więc może się różnić o grosze od sumy tych kwot."
)


def compose_a4(
    view: FaView,
    choice: PaperChoice,
    xml: bytes,
    *,
    link_invoice: str,
    link_certificate: str | None = None,
    reissued_on: date | None = None,
    footer: tuple[str, ...] = (),
) -> Sheet:
    """Compose the page. The FA(3) file goes along with an invoice, never with a potwierdzenie, which is none.

    ``reissued_on``: the day, where an invoice of a total failure is issued again (art. 106l ust. 3).
    """
    is_invoice = choice.document is not Document.CONFIRMATION
    third = tuple(tuple(section) for section in third_parties(view)) if is_invoice else ()
    return Sheet(
        title=choice.label,
        issued_on=view.issued_on,
        head=(
            *title(choice.label, view.number),
            *under_title(choice),
            *([] if reissued_on is None else parts.reissue(reissued_on)),
        ),
        parties=(tuple(party("Sprzedawca", view.seller)), tuple(party("Nabywca", view.buyer)), *third),
        body=(
            *(_invoice(view) if is_invoice else _confirmation(view, choice)),
            *(Text(line) for line in footer),
            *code_words(choice),
        ),
        codes=tuple(codes(choice, link_invoice, link_certificate)),
        attachment=Attachment(_file_name(view.number), xml) if is_invoice else None,
    )


def _file_name(number: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in number) + ".xml"


def _confirmation(view: FaView, choice: PaperChoice) -> list[Element | Grid]:
    _, *sections = confirmation(view, choice)  # the buyer stands beside the seller
    return _ruled(sections)


def _invoice(view: FaView) -> list[Element | Grid]:
    return _ruled(
        [
            [_sentence(element) for element in parts.dates(view)],
            parts.correction(view.correction) if view.correction is not None else [],
            parts.advances(view),
            _grids(view),
            rate_table(view),
            parts.totals(view) + parts.payment(view),
            parts.legal_words(view) + parts.notes(view),
            parts.terms(view),
            parts.attachment(view.attachment),
            parts.closing(view),
        ]
    )


def _sentence(element: Element) -> Element:
    """Dates stand at the left, as one reads them; amounts alone stand at the right."""
    return Text(f"{element.left}: {element.right}") if isinstance(element, Pair) else element


def _ruled(sections: Sequence[Sequence[Element | Grid]]) -> list[Element | Grid]:
    body: list[Element | Grid] = []
    for section in sections:
        if section:
            body += [*section, Rule()]
    return body[:-1]


def _grids(view: FaView) -> list[Grid]:
    before = [line for line in view.lines if line.before]
    after = [line for line in view.lines if not line.before]
    if before:
        groups = [("Przed korektą", before), ("Po korekcie", after)]
    else:
        groups = [("Różnice" if view.correction is not None else "Pozycje", after)]
    one_rate = common_exchange_rate(view) is not None
    return [_grid(name, group, say_rate=not one_rate) for name, group in groups if group]


def _grid(name: str, lines: Sequence[LineView], *, say_rate: bool) -> Grid:
    bases = {basis(line) for line in lines}
    of_prices = bases.pop() if len(bases) == 1 else ""
    header = tuple(f"Cena {of_prices}".strip() if word == "Cena" else word for word in HEADER)
    given = {word for line in lines if _is_calculated(line) for word in [basis(line)]}
    note = CALCULATED.format(given=" i ".join(sorted(given))) if given else ""
    return Grid(name, header, tuple(_row(line, say_rate=say_rate, say_basis=not of_prices) for line in lines), note)


def _row(line: LineView, *, say_rate: bool, say_basis: bool) -> tuple[Cell, ...]:
    of_gross = basis(line) == "brutto"
    unit_price, other_price = (line.price_gross, line.price_net) if of_gross else (line.price_net, line.price_gross)
    said = [
        f"opust {price(line.discount)}" if line.discount else "",
        f"cena {'netto' if of_gross else 'brutto'} {price(other_price)}" if other_price is not None else "",
        f"ceny {basis(line)}" if say_basis and basis(line) else "",
        details(line, say_rate=say_rate),
    ]
    net, tax, gross = _values(line)
    return (
        Cell(str(line.number)),
        Cell(line.name or "pozycja bez nazwy", ", ".join(each for each in said if each)),
        Cell(line.unit or ""),
        Cell(plain(line.quantity) if line.quantity is not None else ""),
        Cell(price(unit_price) if unit_price is not None else ""),
        Cell(_shown(net)),
        Cell(rate_words(line).removeprefix("VAT ")),
        Cell(_shown(tax)),
        Cell(_shown(gross)),
    )


def _shown(value: Decimal | None) -> str:
    return NOTHING if value is None else amount(value)


def _percent(line: LineView) -> Decimal | None:
    """Return the rate in per cent, 0 for words (zw, oo, np); None in the margin scheme, which shows no tax."""
    if line.oss_rate is not None:
        return line.oss_rate
    if line.rate is None:
        return None
    first = line.rate.split()[0]
    return Decimal(first) if first.isdecimal() else Decimal(0)


def _values(line: LineView) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return net, tax and gross: as the document has them, else calculated from what it has."""
    net, tax, gross = line.net, line.tax, line.gross
    percent = _percent(line)
    if percent is None:
        return net, tax, gross
    if gross is not None:
        if tax is None:
            tax = gross - net if net is not None else round_cents(gross * percent / (100 + percent))
        return (gross - tax if net is None else net), tax, gross
    if net is None:
        return net, tax, gross
    tax = round_cents(net * percent / 100) if tax is None else tax
    return net, tax, net + tax


def _is_calculated(line: LineView) -> bool:
    return _percent(line) is not None and None in (line.net, line.tax, line.gross) and _values(line)[0] is not None
