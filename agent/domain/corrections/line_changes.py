"""What goes back or gets another price: lines of a return and of a price correction, and the deposits beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from agent.domain import amounts, vat
from agent.domain.corrections.base import ELSEWHERE, BaseInvoice, LineChange, Row
from agent.domain.corrections.correction import CorrectionKind
from agent.domain.errors import Conflict
from agent.domain.invoice import Deposit
from agent.domain.json_io.reader import Fields
from agent.domain.sale.parse import MAX_LINES, parse_deposits


def read_changes(fields: Fields, base: BaseInvoice, kind: CorrectionKind) -> tuple[LineChange, ...]:
    """Read "lines" of a return or of a price correction; in the order of the invoice."""
    rows = {row.number: row for row in base.rows}
    changes: dict[int, LineChange] = {}
    items = fields.items("lines", maximum=MAX_LINES, required=True)
    if fields.has("lines") and not items:
        fields.note("lines", "podaj choć jedną pozycję.", "empty")
    for index, item in enumerate(items):
        line = Fields.of(item, f"{fields.at('lines')}/{index}", fields.problems, f"wiersz {index + 1} korekty")
        row = None if line is None else _row_of(line, rows)
        if line is None or row is None:
            continue
        if row.number in changes:
            line.note("line", f"pozycja {row.number} jest podana drugi raz.", "duplicate-line")
        after = _returned(line, row) if kind is CorrectionKind.RETURN else _repriced(line, row)
        line.finish()
        if after is not None:
            changes[row.number] = LineChange(row, after)
    return tuple(changes[number] for number in sorted(changes))


def emptied(base: BaseInvoice) -> tuple[LineChange, ...]:
    """Return the changes that leave nothing of any line."""
    return tuple(LineChange(row, row.emptied) for row in base.left)


def nothing_left(base: BaseInvoice) -> Conflict:
    """Return the refusal of a correction of what was corrected to zero."""
    return Conflict(
        f"Faktura {base.reference.number} została już skorygowana do zera; nie ma czego zwrócić.", code="nothing-left"
    )


def deposits_given_back(fields: Fields, base: BaseInvoice) -> tuple[Deposit, ...]:
    """Read the deposits that go back with the goods, in whatever sign; at most what was paid and is left."""
    given = tuple(Deposit(each.name, -abs(each.amount)) for each in parse_deposits(fields))
    total = -sum((deposit.amount for deposit in given), vat.ZERO)
    if total > base.deposits_left:
        sentence = f"do zwrotu zostało kaucji {base.deposits_left:.2f}, a podano {total:.2f}."
        fields.note("deposits", sentence, "more-than-left")
    return given


def _row_of(line: Fields, rows: Mapping[int, Row]) -> Row | None:
    number = line.take("line", required=True)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or number not in rows:
        listed = f"1–{max(rows)}" if rows else "brak"
        line.note("line", f"faktura nie ma takiej pozycji (ma pozycje: {listed}).", "unknown-line")
        return None
    return rows[number]


def _returned(line: Fields, row: Row) -> Row | None:
    quantity = line.number("quantity", decimals=6, positive=True, required=True)
    if quantity is None:
        return None
    left = row.line.quantity
    if left == 0:
        line.note("quantity", f"pozycja {row.number} została już zwrócona w całości.", "more-than-left")
        return None
    if quantity > left:
        line.note("quantity", f"do zwrotu zostało {amounts.plain(left)} {row.line.unit.rstrip('.')}.", "more-than-left")
        return None
    return _after_return(row, left - quantity)


def _after_return(row: Row, left: Decimal) -> Row:
    """Return the row with ``left`` of its quantity; the discount and an unusual value shrink in proportion."""
    if left == 0:
        return row.emptied
    share = left / row.line.quantity
    line = replace(row.line, quantity=left, discount=vat.round_cents(row.line.discount * share))
    usual = vat.line_value(row.line) == row.value
    value = vat.line_value(line) if usual else vat.round_cents(row.value * share)
    return Row(row.number, line, max(vat.ZERO, value))


def _repriced(line: Fields, row: Row) -> Row | None:
    unit_price = line.number("unit_price", decimals=8, required=True)
    discount = line.number("discount", decimals=2, default=row.line.discount)
    if unit_price is None or discount is None:
        return None
    if row.line.quantity == 0:
        line.note("line", f"pozycja {row.number} została już zwrócona w całości.", "more-than-left")
        return None
    if not row.usual:
        text = f"wartość pozycji {row.number} nie jest ilością razy cena minus rabat. {ELSEWHERE}"
        line.note("line", text, "not-correctable")
        return None
    if unit_price == row.line.unit_price and discount == row.line.discount:
        line.note("unit_price", "to jest dotychczasowa cena.", "no-change")
        return None
    before_discount = vat.raw_value(row.line.quantity, unit_price)
    if discount > before_discount:
        line.note("discount", f"{discount} to więcej niż wartość {before_discount:.2f}.", "discount-too-large")
        return None
    changed = replace(row.line, unit_price=unit_price, discount=discount)
    return Row(row.number, changed, vat.line_value(changed))
