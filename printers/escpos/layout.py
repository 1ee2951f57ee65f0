"""A receipt document to lines of characters: wrapping, columns, fonts. Knows nothing of any printer's commands.

Amounts are never cut: what does not fit beside its name goes to a line of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from agent.domain.paper.receipt import Align, Blank, Pair, Qr, Receipt, Rule, Table, Text
from agent.domain.values import dataclass
from printers.escpos.wrapping import balanced, wrap

MIN_GAP = 1
"""Blanks between a name and its amount, and between the columns of a table."""


class Font(Enum):
    """The two fonts every ESC/POS printer has."""

    A = 0
    B = 1


class Line(NamedTuple):
    """One printed line; ``text`` has one character per cell and never exceeds the columns of its font."""

    text: str
    font: Font = Font.A
    align: Align = Align.LEFT
    bold: bool = False
    large: bool = False
    tall: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code; its caption follows as lines."""

    payload: str


Item = Line | Code


@dataclass(frozen=True, slots=True)
class Sheet:
    """What lines are laid out on. ``fit`` turns text into characters of the printer, one cell each."""

    columns_a: int
    columns_b: int
    fit: Callable[[str], str]

    def columns(self, font: Font, *, large: bool = False) -> int:
        """Return how many characters stand on a line; large ones are twice as wide."""
        columns = self.columns_a if font is Font.A else self.columns_b
        return columns // 2 if large else columns


def lay_out(receipt: Receipt, sheet: Sheet) -> list[Item]:
    """Return the lines and codes of the receipt in order."""
    items: list[Item] = []
    captioned = False
    for element in receipt.elements:
        match element:
            case Text(align=Align.CENTER):
                items.extend(_centred(element, sheet))
            case Text():
                items.extend(_text(element, sheet))
            case Pair():
                items.extend(_pair(element, sheet))
            case Table():
                items.extend(_table(element, sheet))
            case Rule():
                items.append(Line("-" * sheet.columns_a))
            case Blank():
                items.append(Line(""))
            case Qr():
                if captioned:
                    items.append(Line(""))  # a caption stands nearer to its own code than to the next
                items.append(Code(element.payload))
                items.extend(_centred(Text(element.caption, align=Align.CENTER, unbroken=True), sheet))
        captioned = isinstance(element, Qr)
    return items


@lru_cache(maxsize=64)
def _centred(element: Text, sheet: Sheet) -> tuple[Line, ...]:
    """Lay out what stands in the middle: the shop's head and the law's words, the same on each paper, and no buyer."""
    return tuple(_text(element, sheet))


def _text(element: Text, sheet: Sheet) -> Iterator[Line]:
    text = sheet.fit(element.text)
    font, large = Font.A, element.large
    if element.unbroken:
        font, large = _roomiest(text, sheet, large=large)
    breaking = balanced if element.align is Align.CENTER else wrap
    indent = _indent(element.indent, text)
    for line in breaking(text, sheet.columns(font, large=large) - len(indent)):
        yield Line(indent + line, font, element.align, element.bold, large, element.tall)


def _indent(columns: int, text: str) -> str:
    """Return the blanks before each line of ``text``; none before an empty one."""
    return " " * columns if text else ""


def _roomiest(text: str, sheet: Sheet, *, large: bool) -> tuple[Font, bool]:
    """Return the largest letters in which the text stands on one line; font B where none do."""
    for font, size in ((Font.A, True), (Font.A, False)):
        if size and not large:
            continue
        if len(text) <= sheet.columns(font, large=size):
            return font, size
    return Font.B, False


def _pair(element: Pair, sheet: Sheet) -> Iterator[Line]:
    left, right = sheet.fit(element.left), sheet.fit(element.right)
    large = element.large and len(right) <= sheet.columns(Font.A, large=True)
    columns = sheet.columns(Font.A, large=large)
    if large and len(left) + MIN_GAP + len(right) > columns:
        yield from (Line(text, bold=element.bold) for text in wrap(left, sheet.columns_a))
        yield Line(right.rjust(columns), bold=element.bold, large=True)
        return
    for text in _beside(left, right, columns, _indent(element.indent, left)):
        yield Line(text, Font.A, Align.LEFT, element.bold, large)


def _beside(left: str, right: str, columns: int, indent: str = "") -> list[str]:
    """Put ``right`` at the right edge, on the last line of ``left`` where there is room."""
    lines = [indent + line for line in wrap(left, columns - len(indent))]
    last = lines[-1]
    if len(last) + (MIN_GAP if last and right else 0) + len(right) <= columns:
        lines[-1] = last + right.rjust(columns - len(last)) if right else last
        return lines
    return lines + [part.rjust(columns) for part in wrap(right, columns)]


def _table(element: Table, sheet: Sheet) -> Iterator[Line]:
    rows = [tuple(sheet.fit(cell) for cell in row) for row in (element.header, *element.rows)]
    total = None if element.total is None else tuple(sheet.fit(cell) for cell in element.total)
    everything = rows if total is None else [*rows, total]
    widths = [max(len(cell) for cell in column) for column in zip(*everything, strict=True)]
    needed = sum(widths) + MIN_GAP * (len(widths) - 1)
    for font in Font:
        columns = sheet.columns(font)
        if needed <= columns:
            spread = _spread(widths, columns)
            for row in rows:
                yield Line(_row(row, spread), font)
            if total is not None:
                yield Line(_row(total, spread), font, bold=True)
            return
    yield from _stacked(rows[0], rows[1:], total, sheet)


def _spread(widths: list[int], columns: int) -> list[int]:
    """Use the whole line: spare blanks go evenly to the amounts, the remainder to the first column."""
    spare = columns - sum(widths) - MIN_GAP * (len(widths) - 1)
    if len(widths) == 1:
        return [columns]
    each = spare // (len(widths) - 1)
    first = widths[0] + spare - each * (len(widths) - 1)
    return [first, *(width + each for width in widths[1:])]


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    parts = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return (" " * MIN_GAP).join(parts).rstrip()


def _stacked(
    header: tuple[str, ...], rows: list[tuple[str, ...]], total: tuple[str, ...] | None, sheet: Sheet
) -> Iterator[Line]:
    """Too narrow for columns: each row as its name and, under it, one line per amount."""
    for row in rows if total is None else [*rows, total]:
        bold = row is total
        title = row[0] if bold else f"{header[0]} {row[0]}".strip()
        for text in wrap(title, sheet.columns_a):
            yield Line(text, bold=bold)
        for name, cell in zip(header[1:], row[1:], strict=True):
            for text in _beside(name, cell, sheet.columns_a):
                yield Line(text, bold=bold)
