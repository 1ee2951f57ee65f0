"""A sheet as what reportlab's platypus flows over pages: paragraphs, tables, codes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Final, Literal
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, HRFlowable, KeepTogether, Paragraph, Spacer, Table, TableStyle

from agent.domain.paper.receipt import Align, Blank, Element, Pair, Qr, Rule, Text
from agent.domain.paper.sheet import Cell, Grid, Sheet
from printers.escpos import qr
from printers.escpos.charset import clean
from printers.preview.drawing import BOLD, MODULE, REGULAR, draw_code

MARGIN: Final = 16 * mm
PADDING: Final = 6.0
"""Points that a frame of reportlab leaves inside itself."""
WIDTH: Final = A4[0] - 2 * MARGIN
SIZE: Final = 9.0
"""Points of ordinary text."""
SMALL: Final = 7.0
LARGE: Final = 15.0
"""Points of the number and of what changes hands."""
LARGE_NAME: Final = 11.0
"""Points of the words before it."""
SUMS: Final = 92 * mm
"""Width of the sums, at the right edge."""
COLUMNS: Final = (9 * mm, None, 14 * mm, 14 * mm, 20 * mm, 21 * mm, 15 * mm, 19 * mm, 22 * mm)
"""Of a table of lines; None: what is left."""
Side = Literal[0, 1, 2]
"""reportlab's left, centre, right."""
ALIGN: Final[dict[Align, Side]] = {Align.LEFT: TA_LEFT, Align.CENTER: TA_CENTER, Align.RIGHT: TA_RIGHT}
LINE: Final = Color(0.62, 0.65, 0.7)
OUR_FONT: Final = ("FONTNAME", (0, 0), (-1, -1), REGULAR)
"""Of cells without a paragraph too: reportlab sets its own, which is not embedded."""
SHADE: Final = Color(0.93, 0.94, 0.96)


def flow(sheet: Sheet) -> Iterator[Flowable]:
    """Yield the sheet from top to bottom."""
    for element in sheet.head:
        yield from _element(element)
    yield Spacer(0, 4 * mm)
    for start in range(0, len(sheet.parties), 2):
        yield _parties(sheet.parties[start : start + 2])
    yield Spacer(0, 3 * mm)
    for part in sheet.body:
        yield from _grid(part) if isinstance(part, Grid) else _element(part)
    if sheet.codes:
        yield Spacer(0, 4 * mm)
        yield _codes(sheet.codes)


def _paragraph(
    text: str, *, size: float = SIZE, bold: bool = False, align: Side = TA_LEFT, indent: float = 0
) -> Paragraph:
    return Paragraph(escape(clean(text)), text_style(size, bold=bold, align=align, indent=indent))


@functools.cache
def text_style(size: float, *, bold: bool, align: Side, indent: float) -> ParagraphStyle:
    """Return the style of a paragraph, sizes in points; a bullet stands in its indent.

    One object for all that look alike: a cell's own would take more memory than its text.
    """
    return ParagraphStyle(
        "text",
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=size * 1.3,
        alignment=align,
        leftIndent=indent,
        bulletFontName=REGULAR,
        bulletFontSize=size,
        splitLongWords=1,
    )


def _element(element: Element) -> Iterator[Flowable]:
    match element:
        case Text():
            size = LARGE if element.large else SIZE
            indent = element.indent * SIZE / 2
            yield _paragraph(element.text, size=size, bold=element.bold, align=ALIGN[element.align], indent=indent)
        case Pair():
            yield _pair(element)
        case Rule():
            yield HRFlowable(width="100%", thickness=0.5, color=LINE, spaceBefore=2.5 * mm, spaceAfter=2.5 * mm)
        case Blank():
            yield Spacer(0, 1.5 * mm)
        case Qr():
            yield _codes((element,))
        case _:
            rows = [element.header, *element.rows, *([element.total] if element.total else [])]
            yield _sums(rows, total=element.total is not None)


def _pair(pair: Pair) -> Table:
    """A name and its amount, at the right edge, under the sums."""
    size = LARGE if pair.large else SIZE
    left = _paragraph(pair.left, size=LARGE_NAME if pair.large else SIZE, bold=pair.bold)
    right = _paragraph(pair.right, size=size, bold=pair.bold, align=TA_RIGHT)
    widths = (SUMS * 0.6, SUMS * 0.4)
    return Table([[left, right]], colWidths=widths, hAlign="RIGHT", style=_close())


def _sums(rows: Sequence[Sequence[str]], *, total: bool) -> Table:
    cells = [
        [
            _paragraph(cell, bold=row == 0 or (total and row == len(rows) - 1), align=TA_RIGHT if column else TA_LEFT)
            for column, cell in enumerate(each)
        ]
        for row, each in enumerate(rows)
    ]
    style = _close()
    style.add("LINEBELOW", (0, 0), (-1, 0), 0.5, LINE)
    return Table(cells, colWidths=[SUMS / len(rows[0])] * len(rows[0]), hAlign="RIGHT", style=style, repeatRows=1)


def _close() -> TableStyle:
    return TableStyle(
        [
            OUR_FONT,
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
            ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
        ]
    )


def _parties(parties: Sequence[Sequence[Element]]) -> Table:
    columns = [[flowable for element in party for flowable in _element(element)] for party in parties]
    columns += [[]] * (2 - len(columns))
    style = TableStyle(
        [
            OUR_FONT,
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 6),
            ("RIGHTPADDING", (0, 0), (-1, -1), 6),
            ("TOPPADDING", (0, 0), (-1, -1), 5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 7),
            *(("BOX", (column, 0), (column, 0), 0.5, LINE) for column in range(len(parties))),
        ]
    )
    return Table([columns], colWidths=[WIDTH / 2] * 2, style=style)


def _grid(grid: Grid) -> Iterator[Flowable]:
    yield _paragraph(grid.title, bold=True)
    yield Spacer(0, 1 * mm)
    fixed = sum(width for width in COLUMNS if width is not None)
    widths = [WIDTH - fixed if width is None else width for width in COLUMNS]
    header = [_paragraph(word, size=SMALL, bold=True, align=_side(column)) for column, word in enumerate(grid.header)]
    rows = [[_cell(cell, _side(column)) for column, cell in enumerate(row)] for row in grid.rows]
    style = TableStyle(
        [
            OUR_FONT,
            ("BACKGROUND", (0, 0), (-1, 0), SHADE),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
    )
    yield Table([header, *rows], colWidths=widths, style=style, repeatRows=1)
    if grid.note:
        yield Spacer(0, 1 * mm)
        yield _paragraph(grid.note, size=SMALL)
        yield Spacer(0, 2 * mm)


def _side(column: int) -> Side:
    """Name and unit stand left, everything else is a number."""
    return TA_LEFT if column in (1, 2) else TA_RIGHT


def _cell(cell: Cell, align: Side) -> list[Flowable]:
    shown: list[Flowable] = [_paragraph(cell.text, size=SIZE - 1, align=align)]
    if cell.details:
        shown.append(_paragraph(cell.details, size=SMALL, align=align))
    return shown


def _codes(codes: Sequence[Qr]) -> Flowable:
    captions = [_paragraph(code.caption, align=TA_CENTER) for code in codes]
    widths = [WIDTH / len(codes)] * len(codes)
    style = _close()
    style.add("ALIGN", (0, 0), (-1, -1), "CENTER")
    return KeepTogether([Table([[_Code(code.payload) for code in codes], captions], colWidths=widths, style=style)])


class _Code(Flowable):
    """A QR code with its quiet zone."""

    def __init__(self, payload: str) -> None:
        super().__init__()
        self._picture = qr.matrix(qr.payload_bytes(payload))
        self.width = self.height = (len(self._picture) + 2 * qr.QUIET) * MODULE

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        draw_code(self.canv, self._picture, MODULE, qr.QUIET * MODULE, self.height - qr.QUIET * MODULE)
