"""The lines of a document (22 fields each) as the JSON API takes them, and its returnable packaging as deposits.

The value of a line is what the shop's program printed, so it decides: where it is not quantity times price, the
difference is the discount, and some discount has to be stated on the line or the document. Whether the price stands
there before or after the discount differs between programs; so both come out right.
"""

from __future__ import annotations

from decimal import Decimal

from agent.domain import amounts, vat
from agent.domain.exchange.file import Document, ExchangeFile, Product
from agent.domain.exchange.rates import rate_word
from agent.domain.exchange.records import Record
from agent.domain.exchange.values import ZERO, Values, plain
from agent.domain.json_io.reader import Problems
from agent.domain.values import dataclass

LINE_FIELDS = 22
PACKAGING = 4
_HALF_CENT = Decimal("0.005")
_FINEST_PRICE = Decimal("0.00000001")
_UNKNOWN = Product("", "", "")


@dataclass(frozen=True, slots=True)
class Line:
    """What one line says; prices and values are net or gross as the document's are."""

    values: Values
    position: int
    kind: int
    code: str
    name: str
    ean: str
    unit: str
    quantity: Decimal
    unit_price: Decimal
    value: Decimal
    """17 or 19."""
    gross: Decimal
    rate: str | None
    net_prices: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What the header says for all lines."""

    net_prices: bool
    transaction: int
    in_union: bool
    discount_percent: Decimal


def read_lines(found: ExchangeFile, document: Document, terms: Terms, problems: Problems) -> list[Line]:
    """Read all lines of a document; mistakes are noted."""
    return [_line(found, record, terms, Values(record, problems)) for record in document.lines]


def _line(found: ExchangeFile, record: Record, terms: Terms, values: Values) -> Line:
    if len(record.fields) < LINE_FIELDS - 2:
        values.note(len(record.fields), "liczba pól", f"pozycja ma mieć {LINE_FIELDS} pola.", "epp-malformed")
    code = values.text(3)
    product = found.products.get(code, _UNKNOWN)
    gross = values.amount(19, "wartość brutto")
    percent = values.given(16, "stawka VAT")
    rate = rate_word(percent, product.vat_symbol, terms.transaction, in_union=terms.in_union)
    if rate is None:
        shown = "brak stawki" if percent is None else f"nieznana stawka {amounts.plain(percent)}"
        values.note(16, "stawka VAT", f"{shown}; towar „{code}” nie ma w kartotece TOWARY symbolu stawki.")
    return Line(
        values=values,
        position=values.whole(1, "numer pozycji"),
        kind=values.whole(2, "rodzaj"),
        code=code,
        name=_name(values, code, product),
        ean=product.ean,
        unit=values.text(10),
        quantity=values.amount(11, "ilość"),
        unit_price=values.amount(*((14, "cena netto") if terms.net_prices else (15, "cena brutto"))),
        value=values.amount(17, "wartość netto") if terms.net_prices else gross,
        gross=gross,
        rate=rate,
        net_prices=terms.net_prices,
    )


def _name(values: Values, code: str, product: Product) -> str:
    """The name as the invoice shows it: the product's, or what was typed for a service sold once."""
    name = values.text(22) or " ".join(product.name.split()) or values.text(21)
    if not name:
        what = f"towaru „{code}” nie ma w sekcji TOWARY" if code else "brakuje kodu towaru i nazwy usługi"
        values.note(3, "kod towaru", f"{what}. Wyślij plik razem z kartoteką towarów.", "epp-product")
    return name


def line_fields(line: Line, found: ExchangeFile, *, discounted: bool, annex_15: bool) -> dict[str, object]:
    """Return the line of the sale.

    discounted  the document states a discount for all of its lines
    annex_15    the document is marked for split payment (WYMAGALNOSCMPP)
    """
    unit_price, discount = price_and_discount(line, discounted=discounted)
    fields: dict[str, object] = {
        "name": line.name,
        "quantity": plain(line.quantity),
        "unit_price": plain(unit_price),
        "vat": line.rate,
    }
    if line.unit:
        fields["unit"] = line.unit
    if discount:
        fields["discount"] = plain(discount)
    marks = found.gtu.get(line.code, ())
    if len(marks) == 1:  # FA(3) takes one a line, and giving none is allowed
        fields["gtu"] = marks[0]
    if annex_15:
        fields["annex_15"] = True
    return fields


def price_and_discount(line: Line, *, discounted: bool) -> tuple[Decimal, Decimal]:
    """Return price and discount that make the line's value; a value that nothing explains is noted.

    A price after its discount is rounded, so the value may be a little more than quantity times price: then the price
    is the value divided by the quantity.
    """
    off = vat.round_cents(vat.raw_value(line.quantity, line.unit_price)) - line.value
    stated = discounted or line.values.amount(8, "rabat") != 0 or line.values.amount(9, "rabat w %") != 0
    if off == 0 or (off > 0 and stated):
        return line.unit_price, off
    if stated and line.quantity > 0 and -off <= line.quantity * _HALF_CENT + vat.CENT:
        return (line.value / line.quantity).quantize(_FINEST_PRICE), ZERO
    line.values.note(
        17 if line.net_prices else 19,
        "wartość",
        f"ilość {amounts.plain(line.quantity)} × cena {amounts.price(line.unit_price)} to "
        f"{amounts.amount(line.value + off)}, a wartość to {amounts.amount(line.value)}, i plik nie podaje rabatu, "
        "który by to wyjaśniał.",
        "epp-sums-differ",
    )
    return line.unit_price, ZERO
